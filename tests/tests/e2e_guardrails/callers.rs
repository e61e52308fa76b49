//! Guards by project and tier.

use super::*;

#[test]
fn each_project_and_tier_has_guards_of_its_own() {
    let fake = FakeProvider::start();
    let config = json!({
        "trust": "headers",
        "pii": {"entities": {"personal": "mask"}},
        "sentinel": {"mode": "off"},
        "tiers": {"free": {"pii": {"entities": {"personal": "block"}}}},
        "projects": {"p1": {"pii": {"mode": "shadow"}, "tiers": {"pro": {"pii": {"mode": "off"}}}}},
    });
    let gateway = gateway(&fake, &config);
    for (project, tier, status, said) in [
        ("p2", None, 200, Some("pii=mask:1")),
        ("p2", Some("free"), 400, Some("pii=block:1")),
        ("p2", Some("gold"), 200, Some("pii=mask:1")),
        ("p1", None, 200, Some("pii=shadow:1")),
        ("p1", Some("free"), 200, Some("pii=shadow:1")),
        ("p1", Some("pro"), 200, None),
    ] {
        let mut call =
            ask(&gateway, chat("ada@example.com")).header("x-project-id", project).header("x-end-user-id", "u");
        if let Some(tier) = tier {
            call = call.header("x-tier", tier);
        }
        let answer = call.send();
        assert_eq!((answer.status, report(&answer).as_deref()), (status, said), "{project} {tier:?}");
    }
}

#[test]
fn a_hash_is_of_the_project() {
    let fake = FakeProvider::start();
    let config = json!({"trust": "headers", "pii": {"entities": {"email": "hash"}, "hash_key": {"value": "a key of sixteen"}},
        "sentinel": {"mode": "off"}});
    let gateway = gateway(&fake, &config);
    let hash = |project: &str| {
        let call = ask(&gateway, chat("ada@example.com")).header("x-project-id", project).header("x-end-user-id", "u");
        assert_eq!(call.send().status, 200);
        received(&fake)
    };
    let one = hash("p1");
    assert!(one.contains("[EMAIL_") && one == hash("p1") && one != hash("p2"), "{one}");
}
