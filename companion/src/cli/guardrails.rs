//! `tollgate guardrails test`: what guards find in a text, where, by which rule.

use super::{Said, gateway_file};
use crate::server::StartError;
use clap::{Args, Subcommand};
use domain::caller::Caller;
use guardrails::config::Config;
use guardrails::explain::{Explained, Explanation, Opinion, explain};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Stands in for a key of hashes whose variable is not set here.
const NO_KEY: &str = "0000000000000000";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what guards find in a file, where, by which rule and with what score. Nothing is called, nothing is kept.
    Test(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// Envoy's or Kong's configuration, or the guardrails filter's alone; YAML or JSON. Without it, the filter's defaults.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The file is the JSON body of a request, and not a text that an end user says.
    #[arg(long)]
    request: bool,
    /// The caller's project.
    #[arg(long)]
    project: Option<String>,
    /// The caller's tier.
    #[arg(long)]
    tier: Option<String>,
    /// Print what was found, too.
    #[arg(long)]
    show: bool,
}

/// Asks the filter's own code.
pub(super) fn run(command: &Command) -> Result<Said, StartError> {
    let Command::Test(Arguments { file, config, request, project, tier, show }) = command;
    let text = read(file)?;
    let config_json = match config {
        Some(path) => gateway_file::read(path, "guardrails", is_alone)?,
        None => "{}".to_owned(),
    };
    let wrong = |why: String| {
        let place = config.as_deref().unwrap_or(Path::new("guardrails")).display();
        StartError(format!("{place}: {why}"))
    };
    let config = Config::parse(config_json.as_bytes()).map_err(wrong)?;
    let somebody = project.is_some() || tier.is_some();
    let caller = Caller { project: project.clone().unwrap_or_default(), tier: tier.clone(), ..Caller::default() };
    let body =
        if *request { text.clone() } else { json!({"messages": [{"role": "user", "content": text}]}).to_string() };
    let key = |name: &str| Some(super::variable(name).unwrap_or_else(|| NO_KEY.to_owned()));
    let explained = explain(&config, somebody.then_some(&caller), body.as_bytes(), &key);
    let mut explained = explained.map_err(|why| StartError(format!("{}: {why}", file.display())))?;
    if !request {
        explained.texts.iter_mut().for_each(|it| it.place = "text".to_owned());
    }
    let shown = (!request).then_some(text.as_str());
    let json = serde_json::to_value(&explained).map_err(|it| StartError(it.to_string()))?;
    Ok(Said { text: said(&explained, shown, *show), json })
}

fn read(file: &Path) -> Result<String, StartError> {
    let wrong = |why: String| StartError(format!("{}: {why}", file.display()));
    let mut bytes = Vec::new();
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(|it| wrong(it.to_string()))?),
    };
    let size = input.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes);
    let size = size.map_err(|it| wrong(it.to_string()))?;
    if u64::try_from(size).is_ok_and(|it| it > MAX_FILE_BYTES) {
        return Err(wrong(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))
}

/// Whether it is the filter's configuration alone: an object, and nothing that a gateway's file begins with.
fn is_alone(value: &Value) -> bool {
    let gateways = ["static_resources", "_format_version", "admin", "name", "filters"];
    value.as_object().is_some_and(|it| !it.is_empty() && !gateways.iter().any(|key| it.contains_key(*key)))
}

/// In words. `text` is the one that was looked at, where there is only one.
fn said(explained: &Explained, text: Option<&str>, show: bool) -> String {
    let mut said = String::new();
    for it in &explained.texts {
        // Writing to a string does not fail.
        let _ = writeln!(said, "{} ({}): {} found", it.place, it.role, it.matches.len());
        say_matches(&mut said, it, text, show);
        if let Some(opinion) = &it.sentinel {
            let _ = writeln!(said, "  sentinel: {}", weighed(opinion));
        }
        if let Some(becomes) = &it.becomes {
            let _ = writeln!(said, "  becomes: {becomes}");
        }
    }
    if let (Some(all), true) = (&explained.sentinel, explained.texts.len() > 1) {
        let _ = writeln!(said, "sentinel, all together: {}", weighed(all));
    }
    if let Some(refusal) = &explained.refusal {
        let _ = writeln!(said, "answer: {} {}: {}", refusal.status, refusal.code, refusal.message);
    }
    if let Some(report) = &explained.report {
        let _ = writeln!(said, "x-tollgate-guardrails: {report}");
    }
    let _ = write!(said, "outcome: {}", explained.outcome);
    said
}

fn say_matches(said: &mut String, it: &Explanation, text: Option<&str>, show: bool) {
    for found in &it.matches {
        let place = text.map(|it| line_and_column(it, found.start)).unwrap_or_default();
        let (from, to) = (found.start_character, found.end_character);
        let _ = write!(
            said,
            "  {place}bytes {}..{} characters {from}..{to}  {}  {}  by {}",
            found.start, found.end, found.entity, found.action, found.rule
        );
        let value = text.and_then(|it| it.get(found.start..found.end)).filter(|_| show);
        let _ = writeln!(said, "{}", value.map(|it| format!("  {it:?}")).unwrap_or_default());
    }
}

fn weighed(opinion: &Opinion) -> String {
    let verdict = if opinion.attack { "an attack" } else { "no attack" };
    let rules = if opinion.rules.is_empty() { "no rule".to_owned() } else { opinion.rules.join(", ") };
    format!("{:.3} of {:.3}, {verdict}; {rules}", opinion.score, opinion.threshold)
}

/// As editors count: both from 1, columns in characters.
fn line_and_column(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    format!("{line}:{column}  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, config: Option<&str>, request: bool) -> Result<Said, String> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let file = write("text", text);
        let config = config.map(|it| write("config.json", it));
        let (project, tier) = (Some("p1".to_owned()), None);
        run(&Command::Test(Arguments { file, config, request, project, tier, show: false }))
            .map_err(|it| it.to_string())
    }

    #[test]
    fn a_text_is_explained_with_places_and_what_it_becomes() {
        let said = check("Grüße,\nich bin ada@example.com", None, false).unwrap();
        assert!(said.text.contains("2:9  bytes 17..32 characters 15..30  email  mask"), "{}", said.text);
        assert!(said.text.contains("becomes: Grüße,\nich bin [EMAIL_1]") && said.text.ends_with("outcome: change"));
        let found = &said.json["texts"][0]["matches"][0];
        assert_eq!(
            (&found["start"], &found["end_character"], &found["entity"]),
            (&json!(17), &json!(30), &json!("email"))
        );
        assert_eq!(said.json["outcome"], "change");
    }

    #[test]
    fn a_request_is_explained_by_a_configuration() {
        let body = r#"{"messages":[{"role":"system","content":"ask boss@example.com"},{"role":"user","content":"I am ada@example.com"}]}"#;
        let said =
            check(body, Some(r#"{"pii":{"entities":{"email":"block"}},"sentinel":{"mode":"off"}}"#), true).unwrap();
        assert_eq!((&said.json["outcome"], &said.json["refusal"]["status"]), (&json!("block"), &json!(400)));
        assert_eq!(said.json["texts"][0]["matches"], json!([]), "the application's own words are its own business");
        assert_eq!(
            (&said.json["texts"][1]["place"], &said.json["sentinel"]),
            (&json!("messages[1].content"), &Value::Null)
        );
        assert!(!said.text.contains("ada@"), "{}", said.text);
    }

    #[test]
    fn the_shipped_configurations_are_tried() {
        for config in ["envoy/envoy.yaml", "kong/kong.yml", "envoy/examples/guardrails.yaml"] {
            let config = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(config);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), "hello").unwrap();
            let (project, tier) = (None, None);
            let arguments = Arguments {
                file: file.path().to_owned(),
                config: Some(config),
                request: false,
                project,
                tier,
                show: true,
            };
            let said = run(&Command::Test(arguments)).map_err(|it| it.to_string()).unwrap();
            assert_eq!(said.json["outcome"], "pass");
        }
    }

    #[test]
    fn what_cannot_be_tried_is_named() {
        for (text, config, request, expected) in [
            ("x", Some(r#"{"pii":{"mode":"on"}}"#), false, "config.json: guardrails: "),
            ("x", Some("static_resources: {}"), false, "no filter named `guardrails`"),
            ("x", None, true, "text: "),
        ] {
            let said = check(text, config, request).map(|it| it.text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
