//! The decision: what becomes of a request's body. No proxy, no clock: a function of configuration and bytes.

use crate::config::{Action, Config, OnOversize};
use domain::chat::{Body, Edit, Malformed, Text};
use domain::mode::Mode;
use domain::reply::Reply;
use pii::{Entity, Finding, Group};
use std::collections::{BTreeSet, HashMap};

/// The header in which the guard says what it did.
pub const REPORT: &str = "x-tollgate-guardrails";

/// What the guard says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is to happen to the request.
    pub deed: Deed,
    /// The value of [`REPORT`]; without one there is nothing to say.
    pub report: Option<String>,
    /// What was found.
    pub counts: Counts,
}

/// What is to happen to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It goes on as it is.
    Pass,
    /// It goes on with this body.
    Mask(Vec<u8>),
    /// It is answered with this.
    Block(Reply),
}

/// How many of each entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// E-mail addresses.
    pub emails: u64,
    /// Secrets.
    pub secrets: u64,
}

/// One text of the request, and what is in it.
struct Looked<'a> {
    text: Text<'a>,
    found: Vec<Finding>,
}

/// A finding, and the text that it is in.
type Hit<'a> = (&'a Text<'a>, &'a Finding);

/// Looks through the body of a request.
#[must_use]
pub fn inspect(config: &Config, body: &[u8]) -> Outcome {
    let shadow = config.mode != Mode::Enforce;
    let (body, texts) = match read(body) {
        Ok(both) => both,
        // The model may read what we cannot, so in doubt the request is refused.
        Err(wrong) => return unseen("pii=unreadable", (!shadow).then(|| wrong.into())),
    };
    let size = texts.iter().fold(0_usize, |sum, it| sum.saturating_add(it.text.len()));
    let most = usize::try_from(config.max_bytes.get()).unwrap_or(usize::MAX);
    if size > most {
        let block = !shadow && config.on_oversize == OnOversize::Block;
        return unseen("pii=oversize", block.then(|| too_large(most)));
    }
    let looked: Vec<Looked> = texts.into_iter().map(|text| look(config, text)).collect();
    let all: Vec<Hit> = looked.iter().flat_map(|it| it.found.iter().map(|found| (&it.text, found))).collect();
    let blocks = |(_, it): &Hit| config.entities.get(&it.entity) == Some(&Action::Block);
    let blocked: Vec<Hit> = all.iter().copied().filter(blocks).collect();
    let (deed, report) = match blocked.first() {
        _ if all.is_empty() => (Deed::Pass, None),
        _ if shadow => (Deed::Pass, Some(format!("pii=shadow:{}", all.len()))),
        Some((text, _)) => (Deed::Block(refusal(text, &blocked)), Some(format!("pii=block:{}", blocked.len()))),
        None => (Deed::Mask(body.apply(mask(&looked))), Some(format!("pii=mask:{}", all.len()))),
    };
    Outcome { deed, report, counts: count(&all) }
}

fn read(body: &[u8]) -> Result<(Body<'_>, Vec<Text<'_>>), Malformed> {
    let body = Body::parse(body)?;
    // What the application tells the model on its own behalf is its own business.
    let mut texts = body.texts()?;
    texts.retain(|it| it.role != "system" && it.role != "developer");
    Ok((body, texts))
}

fn unseen(report: &str, reply: Option<Reply>) -> Outcome {
    let deed = reply.map_or(Deed::Pass, Deed::Block);
    Outcome { deed, report: Some(report.to_owned()), counts: Counts::default() }
}

fn look<'a>(config: &Config, text: Text<'a>) -> Looked<'a> {
    let found = pii::find(&text.text, config.entities.keys().copied().collect());
    Looked { text, found }
}

fn count(all: &[Hit]) -> Counts {
    let of =
        |group| all.iter().filter(|(_, it)| it.entity.group() == group).fold(0_u64, |sum, _| sum.saturating_add(1));
    Counts { emails: of(Group::Personal), secrets: of(Group::Secret) }
}

/// The edits that put placeholders in the place of what was found. The same value gets the same
/// number throughout the request, so that the model can tell two people apart.
fn mask(looked: &[Looked]) -> Vec<Edit> {
    let mut names: HashMap<(Entity, &str), String> = HashMap::new();
    let mut last: HashMap<Entity, usize> = HashMap::new();
    let mut edits = Vec::new();
    for Looked { text, found } in looked.iter().filter(|it| !it.found.is_empty()) {
        let (mut masked, mut done) = (String::with_capacity(text.text.len()), 0);
        for it in found {
            let value = text.text.get(it.span.clone()).unwrap_or_default();
            let name = names.entry((it.entity, value)).or_insert_with(|| {
                let number = last.entry(it.entity).or_default();
                *number = number.saturating_add(1);
                format!("[{}_{number}]", label(it.entity))
            });
            masked.push_str(text.text.get(done..it.span.start).unwrap_or_default());
            masked.push_str(name);
            done = it.span.end;
        }
        masked.push_str(text.text.get(done..).unwrap_or_default());
        edits.push(text.replace(&masked));
    }
    edits
}

fn label(entity: Entity) -> String {
    entity.key().to_ascii_uppercase()
}

/// Says which guard and what kind of thing, never the thing.
fn refusal(first: &Text, blocked: &[Hit]) -> Reply {
    let kinds: BTreeSet<&str> = blocked.iter().map(|(_, it)| it.entity.what()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let message = format!("Blocked by the guard `pii`: the request contains {}.", kinds.join(", "));
    Reply::new(400, "content_blocked", message).about(first.place.clone())
}

fn too_large(most: usize) -> Reply {
    Reply::new(413, "request_too_large", format!("The request has more than {most} bytes of text."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-proj-Zx9Qw4Rt7Zx9Qw4Rt7mK2Lp8Vb3NcT3BlbkFJaaS5d";

    fn config(json: &str) -> Config {
        Config::parse(json.as_bytes()).unwrap()
    }

    /// What goes on, or the status and message of the refusal; and the report.
    fn check(json: &str, body: &str) -> (String, Option<String>) {
        let outcome = inspect(&config(json), body.as_bytes());
        let goes_on = match outcome.deed {
            Deed::Pass => body.to_owned(),
            Deed::Mask(masked) => String::from_utf8(masked).unwrap(),
            Deed::Block(reply) => format!("{} {} {} {:?}", reply.status, reply.code, reply.message, reply.param),
        };
        (goes_on, outcome.report)
    }

    fn chat(text: &str) -> String {
        let text = serde_json::json!(text);
        format!(r#"{{"n" : 1.0,"messages":[ {{"role":"user","content":{text}}}],"x":"ada@example.com"}}"#)
    }

    fn masked(report: &str, body: String) -> (String, Option<String>) {
        (body, Some(report.to_owned()))
    }

    #[test]
    fn the_same_value_gets_the_same_placeholder_and_all_other_bytes_stay() {
        let text = format!("from ada@example.com to eve@example.com, with {KEY}; ada@example.com");
        let want = "from [EMAIL_1] to [EMAIL_2], with [SECRET_OTHER_1]; [EMAIL_1]";
        assert_eq!(check("{}", &chat(&text)), masked("pii=mask:4", chat(want)));
        assert_eq!(check("{}", &chat("hello")), (chat("hello"), None));
    }

    #[test]
    fn every_text_is_looked_at_but_the_applications_own() {
        for (body, report) in [
            (r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a@b.io"}]}]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"role":"tool","content":"a@b.io"}]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"role":"assistant","content":"a@b.io"}]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"role":"function","content":"a@b.io"}]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"role":"no such role","content":"a@b.io"}]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"content":"a@b.io"}]}"#, Some("pii=mask:1")),
            (r#"{"input":"a@b.io"}"#, Some("pii=mask:1")),
            (r#"{"input":["a@b.io","a@b.io"]}"#, Some("pii=mask:2")),
            (r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a@b.io"}]}]}"#, Some("pii=mask:1")),
            (r#"{"prompt":["a\u0040b.io"]}"#, Some("pii=mask:1")),
            (r#"{"messages":[{"role":"system","content":"a@b.io"}]}"#, None),
            (r#"{"messages":[{"role":"developer","content":"a@b.io"}]}"#, None),
            (r#"{"instructions":"a@b.io"}"#, None),
        ] {
            assert_eq!(check("{}", body).1.as_deref(), report, "{body}");
        }
    }

    #[test]
    fn a_block_names_the_guard_and_the_kind_and_not_the_value() {
        let json = r#"{"entities": {"email": "mask", "secret_other": "block"}}"#;
        let text = format!("ada@example.com {KEY} {KEY} npm_CahJZw681SCmMW2T9CzrOmUBe7TmnGJWYpV4");
        let want = "400 content_blocked Blocked by the guard `pii`: the request contains a secret. \
                    Some(\"messages[0].content\")";
        assert_eq!(check(json, &chat(&text)), masked("pii=block:3", want.to_owned()));
        assert_eq!(check(json, &chat("ada@example.com")), masked("pii=mask:1", chat("[EMAIL_1]")));
    }

    #[test]
    fn only_what_the_configuration_names_is_looked_for() {
        let text = format!("ada@example.com {KEY}");
        let want = masked("pii=mask:1", chat(&format!("[EMAIL_1] {KEY}")));
        assert_eq!(check(r#"{"entities": {"email": "mask"}}"#, &chat(&text)), want);
    }

    #[test]
    fn shadow_reports_and_changes_nothing() {
        let json = r#"{"mode": "shadow", "entities": {"email": "mask", "secret_other": "block"}, "max_bytes": 80}"#;
        for (body, report) in [
            (chat(&format!("ada@example.com {KEY}")), Some("pii=shadow:2")),
            (chat("hello"), None),
            (chat(&"a".repeat(81)), Some("pii=oversize")),
            (r#"{"messages":[{"content":"a","content":"b"}]}"#.to_owned(), Some("pii=unreadable")),
            ("{".to_owned(), Some("pii=unreadable")),
        ] {
            assert_eq!(check(json, &body), (body.clone(), report.map(str::to_owned)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let twice = r#"{"messages":[{"content":"a","content":"b"}]}"#;
        for body in ["", "{", "[]", "\"a@b.io\"", twice, r#"{"Messages":[]}"#] {
            let (said, report) = check("{}", body);
            assert!(said.starts_with("400 invalid_request "), "{body}: {said}");
            assert_eq!(report.as_deref(), Some("pii=unreadable"));
        }
        assert!(matches!(inspect(&config("{}"), b"{\"a\":\"\xff\"}").deed, Deed::Block(_)));
    }

    #[test]
    fn more_text_than_allowed_is_refused_or_passes_unseen() {
        let body = chat("ada@example.com");
        let (said, report) = check(r#"{"max_bytes": 14}"#, &body);
        assert!(said.starts_with("413 request_too_large "), "{said}");
        assert_eq!(report.as_deref(), Some("pii=oversize"));
        assert_eq!(check(r#"{"max_bytes": 14, "on_oversize": "allow"}"#, &body).0, body);
        assert_eq!(check(r#"{"max_bytes": 15}"#, &body).0, chat("[EMAIL_1]"));
    }

    #[test]
    fn what_was_found_is_counted() {
        let counts = |body: &str| inspect(&config("{}"), body.as_bytes()).counts;
        assert_eq!(counts(&chat(&format!("ada@example.com {KEY} a@b.io"))), Counts { emails: 2, secrets: 1 });
        assert_eq!(counts("{"), Counts::default());
    }
}
