//! What operators write, and what they get wrong.

use super::*;
use domain::mode::Mode;

fn read(json: &str) -> Result<Config, String> {
    let config = Config::parse(json.as_bytes())?;
    crate::guards::Table::new(&config, &|_| None)?;
    Ok(config)
}

#[test]
fn an_empty_configuration_has_both_guards_hold() {
    let config = Config::parse(b"{}").unwrap();
    let table = crate::guards::Table::new(&config, &|_| None).unwrap();
    let it = table.of(None);
    assert_eq!((it.shield.mode, it.judge.mode), (Mode::Enforce, Mode::Enforce));
    assert!(it.look_at_requests() && it.look_at_responses());
    assert_eq!((it.shield.hold_back, it.shield.system_messages), (64, false));
    assert_eq!((config.max_bytes.get(), config.on_oversize, config.status.code()), (1_048_576, OnOversize::Block, 400));
}

#[test]
fn everything_that_can_be_said_is_read() {
    let json = r#"{
        "pii": {"mode": "shadow", "request": true, "response": false, "system_messages": true, "hold_back": 128,
                "entities": {"personal": "mask", "secrets": "block", "ipv4": "report", "email": "hash", "phone": "redact"},
                "hash_key": {"value": "a key of sixteen"},
                "patterns": [{"name": "badge", "regex": "B-\\d+", "action": "mask", "context": ["badge"]}],
                "words": [{"name": "projects", "words": ["Blue Falcon"], "action": "block"}],
                "allow": {"values": ["help@example.com"], "patterns": [".*@example\\.org"]}},
        "sentinel": {"mode": "shadow", "threshold": 0.9, "request": true, "response": false, "system_messages": false},
        "tiers": {"free": {"pii": {"mode": "enforce"}}},
        "projects": {"p1": {"sentinel": {"mode": "off"}, "tiers": {"pro": {"pii": {"mode": "off"}}}}},
        "trust": "headers", "max_bytes": 1000, "on_oversize": "scan_ends", "status": 451
    }"#;
    let config = read(json).unwrap();
    assert_eq!((config.status.code(), config.on_oversize), (451, OnOversize::ScanEnds));
}

#[test]
fn a_mistake_is_named_by_its_key() {
    let pattern = |more: &str| format!(r#"{{"pii": {{"patterns": [{{"name": "x", "action": "mask", {more}}}]}}}}"#);
    let words = |more: &str| format!(r#"{{"pii": {{"words": [{{"name": "x", "action": "mask", {more}}}]}}}}"#);
    for (json, why) in [
        (r#"{"pii": {"entities": {}}}"#.to_owned(), "`entities` is empty"),
        (r#"{"pii": {"entities": {"fone": "mask"}}}"#.into(), "unknown entity `fone`; expected `personal`, `secrets`"),
        (
            r#"{"pii": {"entities": {"email": "hide"}}}"#.into(),
            "entities.email: unknown variant `hide`, expected one of",
        ),
        (r#"{"pii": {"entities": {"email": "hash"}}}"#.into(), "pii.hash_key is not set"),
        (r#"{"pii": {"mode": "on"}}"#.into(), "unknown variant `on`, expected one of `off`"),
        (r#"{"pii": {"hold_back": 0}}"#.into(), "pii.hold_back is 0; expected 16 to 4096"),
        (r#"{"pii": {"patterns": []}}"#.into(), "pii.patterns is empty"),
        (r#"{"pii": {"words": []}}"#.into(), "pii.words is empty"),
        (r#"{"pii": {"allow": {}}}"#.into(), "pii.allow is empty"),
        (r#"{"pii": {"allow": {"patterns": ["("]}}}"#.into(), "pii.allow.patterns[0] \"(\" is no regular expression"),
        (r#"{"pii": {"allow": {"values": [""]}}}"#.into(), "pii.allow.values has an empty one"),
        (pattern(r#""regex": "a(""#), "pii.patterns[0].regex \"a(\" is no regular expression"),
        (pattern(r#""regex": "a*""#), "pii.patterns[0].regex \"a*\" matches the empty text"),
        (pattern(r#""regex": "[^\\s\\S]""#), "matches nothing"),
        (pattern(r#""regex": "a", "context": [" "]"#), "pii.patterns[0].context has an empty word"),
        (words(r#""words": []"#), "pii.words[0].words is empty"),
        (words(r#""words": ["a", ""]"#), "pii.words[0].words has \"\"; expected"),
        (r#"{"pii": {"words": [{"name": "email", "words": ["a"], "action": "mask"}]}}"#.into(), "which is an entity's"),
        (
            r#"{"pii": {"words": [{"name": "A b", "words": ["a"], "action": "mask"}]}}"#.into(),
            "expected 1 to 40 of a-z",
        ),
        (r#"{"sentinel": {"threshold": 0}}"#.into(), "sentinel.threshold is 0; expected more than 0 and at most 1"),
        (r#"{"sentinel": {"threshold": 1.5}}"#.into(), "sentinel.threshold is 1.5"),
        (r#"{"tiers": {"": {"pii": {"mode": "off"}}}}"#.into(), "`tiers` has an empty name"),
        (r#"{"tiers": {"free": {}}}"#.into(), "`tiers.free` is empty"),
        (r#"{"projects": {"p": {}}}"#.into(), "`projects.p` is empty"),
        (
            r#"{"projects": {"p": {"tiers": {"t": {"pii": {"hold_back": 1}}}}}}"#.into(),
            "projects.p.tiers.t.pii.hold_back is 1",
        ),
        (r#"{"max_bytes": 0}"#.into(), "invalid value: integer `0`, expected a nonzero u32"),
        (r#"{"max_answer_bytes": 16777217}"#.into(), "`max_answer_bytes` is 16777217; expected 1 to 16777216"),
        (r#"{"max_bytes": 16777217}"#.into(), "`max_bytes` is 16777217; expected 1 to 16777216"),
        (r#"{"on_oversize": "scan"}"#.into(), "unknown variant `scan`, expected one of `block`"),
        (r#"{"status": 403}"#.into(), "`status` is 403; expected 400 or 451"),
        (r#"{"mode": "off"}"#.into(), "unknown field `mode`"),
    ] {
        let said = read(&json).unwrap_err();
        assert!(said.contains(why), "{json}: {said}");
    }
    assert!(Config::parse(b"").is_err());
}
