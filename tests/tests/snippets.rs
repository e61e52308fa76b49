//! Every snippet in every document is loaded by what would load it: a filter's own types, Envoy, a shell, Python, Node.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::{Gateway, envoy::plugin_config, tools};

/// A block of code in a document.
struct Snippet {
    place: String,
    language: String,
    text: String,
}

/// The documents of this repository; not what a tool installed beside them.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() && !name.starts_with('.') && !["target", "node_modules", "dist"].contains(&name.as_str()) {
            documents(&entry, found);
        } else if name.ends_with(".md") {
            found.push(entry);
        }
    }
}

fn snippets() -> Vec<Snippet> {
    let (root, mut files) = (tools::root(), Vec::new());
    documents(&root, &mut files);
    let mut snippets = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut open: Option<Snippet> = None;
        for (number, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => snippets.extend(open.take()),
                (Some(language), None) => {
                    let place = format!("{}:{}", file.strip_prefix(&root).unwrap().display(), number + 1);
                    open = Some(Snippet { place, language: language.trim().to_owned(), text: String::new() });
                }
                (None, Some(snippet)) => snippet.text += &format!("{line}\n"),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block of code has no end", file.display());
    }
    snippets
}

/// Reads a filter's configuration with the filter's own types.
fn parse(filter: &str, config: &[u8]) -> Result<(), String> {
    match filter {
        "auth" => auth::config::Config::parse(config).map(drop),
        "ratelimit" => ratelimit::config::Config::parse(config).map(drop),
        "guardrails" => guardrails::config::Config::parse(config).map(drop),
        "session" => session::config::Config::parse(config).map(drop),
        "router" => router::config::Config::parse(config).map(drop),
        "budget" => budget::config::Config::parse(config).map(drop),
        "provider" => provider::config::Config::parse(config).map(drop),
        other => Err(format!("there is no filter `{other}`")),
    }
}

/// Parses every filter's configuration in a piece of Envoy's or Kong's; how many there were.
fn filters_in(place: &str, value: &Value) -> usize {
    let mut count = 0;
    let name = value["name"].as_str().unwrap_or_default();
    if value["vm_config"].is_object() {
        let config = plugin_config(value).to_string();
        // A filter that stands there twice has two names.
        parse(value["root_id"].as_str().unwrap_or(name), config.as_bytes())
            .unwrap_or_else(|why| panic!("{place}: {why}"));
        count += 1;
    } else if !name.is_empty() && !value["config"].is_null() && !value["config"]["vm_config"].is_object() {
        let config = match &value["config"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        parse(name, config.as_bytes()).unwrap_or_else(|why| panic!("{place}: {why}"));
        count += 1;
    }
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    count + children.into_iter().map(|it| filters_in(place, it)).sum::<usize>()
}

/// Has a program read a snippet without running it.
fn read_by(snippet: &Snippet, command: &mut Command) {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), snippet.text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", snippet.place, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_snippet_loads() {
    let (mut seen, mut filters) = (0, 0);
    for snippet in snippets() {
        seen += 1;
        match snippet.language.as_str() {
            "yaml" => {
                let value: Value =
                    serde_yaml_ng::from_str(&snippet.text).unwrap_or_else(|why| panic!("{}: {why}", snippet.place));
                filters += filters_in(&snippet.place, &value);
            }
            "json" => {
                serde_json::from_str::<Value>(&snippet.text).unwrap_or_else(|why| panic!("{}: {why}", snippet.place));
            }
            "sh" => read_by(&snippet, Command::new("bash").arg("-n")),
            "python" => {
                read_by(&snippet, Command::new("python3").args(["-c", "import ast, sys; ast.parse(sys.stdin.read())"]))
            }
            "js" => read_by(&snippet, Command::new("node").args(["--input-type=module", "--check"])),
            "text" => {}
            other => panic!("{}: no one here loads `{other}`; use yaml, json, sh, python, js or text", snippet.place),
        }
    }
    assert!(seen >= 10 && filters >= 6, "{seen} snippets with {filters} filters: are the documents still found?");
}

#[test]
fn every_configuration_of_envoy_starts() {
    let mut files = vec!["envoy/envoy.yaml".to_owned()];
    for folder in ["envoy/examples", "envoy/examples/identity"] {
        let entries = fs::read_dir(tools::root().join(folder)).unwrap().map(|it| it.unwrap().path());
        let names = entries.filter(|it| it.is_file()).map(|it| it.file_name().unwrap().to_string_lossy().into_owned());
        files.extend(names.map(|name| format!("{folder}/{name}")));
    }
    assert_eq!(files.len(), 15, "the whole chain, one for each filter and each identity provider: {files:?}");
    for file in files {
        let gateway = Gateway::from(&file).env("OPENAI_API_KEY", "sk-none").start();
        assert_eq!(gateway.admin().get("/ready").send().status, 200, "{file}");
    }
}
