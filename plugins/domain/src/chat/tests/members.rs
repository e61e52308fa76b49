//! Members that are set, renamed and taken away, and all else that stays as it was.

use super::*;
use std::collections::BTreeMap;

/// What is done to one member.
#[derive(Debug, Clone, Copy)]
enum Done {
    Set(&'static str),
    Remove,
    Rename(&'static str),
}
use Done::{Remove, Rename, Set};

fn check(body: &str, done: &[(&'static str, Done)]) -> String {
    let body = Body::parse(body.as_bytes()).unwrap();
    let edits = done.iter().filter_map(|(name, done)| match done {
        Set(json) => Some(body.set_member(name, json)),
        Remove => body.remove_member(name),
        Rename(to) => body.rename_member(name, to),
    });
    String::from_utf8(body.apply(edits)).unwrap()
}

#[test]
fn a_member_is_set_where_it_stands_or_becomes_the_first() {
    assert_eq!(check(r#"{"x":1.0, "top_p" : 0.50 }"#, &[("top_p", Set("1"))]), r#"{"x":1.0, "top_p" : 1 }"#);
    assert_eq!(check(r#"{ "x":1}"#, &[("top_p", Set("1"))]), r#"{"top_p":1, "x":1}"#);
    assert_eq!(check("{ }", &[("top_p", Set("1")), ("top_k", Set("2"))]), r#"{"top_p":1,"top_k":2 }"#);
    assert_eq!(check("{}", &[("top_p", Set("1")), ("top_p", Set("2"))]), r#"{"top_p":2}"#);
}

#[test]
fn a_member_goes_with_one_comma() {
    for (body, expected) in [
        (r#"{"seed":1}"#, "{}"),
        (r#"{ "seed" : 1 , "x":2}"#, r#"{ "x":2}"#),
        (r#"{"x":2 , "seed":1 }"#, r#"{"x":2  }"#),
        (r#"{"x":2,"seed":1,"y":[,]}"#.replace("[,]", "[1,2]").as_str(), r#"{"x":2,"y":[1,2]}"#),
        (r#"{"seed":1,"user":"a","x":2}"#, r#"{"x":2}"#),
        (r#"{"x":2,"seed":1,"user":"a"}"#, r#"{"x":2}"#),
        (r#"{"seed":1,"x":2,"user":"a"}"#, r#"{"x":2}"#),
        (r#"{"user":",","seed":[1]}"#, "{}"),
    ] {
        assert_eq!(check(body, &[("user", Remove), ("seed", Remove)]), expected, "{body}");
    }
    assert_eq!(check(r#"{"seed":1}"#, &[("seed", Remove), ("n", Set("1"))]), r#"{"n":1}"#);
    assert_eq!(check(r#"{"seed":1}"#, &[("seed", Set("2")), ("seed", Remove)]), "{}");
    assert_eq!(check(r#"{"seed":1}"#, &[("seed", Remove), ("seed", Remove)]), "{}");
}

#[test]
fn a_member_is_renamed_and_keeps_its_value() {
    assert_eq!(check(r#"{"seed" : 1.0}"#, &[("seed", Rename("random_seed"))]), r#"{"random_seed" : 1.0}"#);
    let both = [("seed", Set("2")), ("seed", Rename("random_seed"))];
    assert_eq!(check(r#"{"seed":1}"#, &both), r#"{"random_seed":2}"#);
}

const NAMES: [&str; 6] = ["seed", "user", "top_p", "store", "x", "\\u0079"];
const VALUES: [&str; 5] = ["1.0", "\"},{,\\\"\"", "[1, {\"seed\":2}]", "{ }", "null"];

/// The members of `json`, each as its own bytes.
fn members(json: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(json).unwrap()
}

proptest! {
    #[test]
    fn what_is_not_edited_is_not_changed(
        order in Just(NAMES.to_vec()).prop_shuffle(),
        count in 0..=NAMES.len(),
        values in prop::collection::vec(0..VALUES.len(), NAMES.len()),
        done in prop::collection::vec(prop_oneof![Just(None), Just(Some(Set("7"))), Just(Some(Remove)), Just(Some(Rename("random_seed")))], 4),
        space in "[ \t\r\n]{0,2}",
    ) {
        let written = order.iter().take(count).zip(&values);
        let written: Vec<_> =
            written.map(|(name, it)| format!("{space}\"{name}\"{space}:{space}{}{space}", VALUES[*it])).collect();
        let body = format!("{space}{{{}{space}}}", written.join(","));
        let mut done: Vec<_> = NAMES.into_iter().zip(done).filter_map(|(name, it)| Some((name, it?))).collect();
        // Only one may take the new name.
        let mut renamed = false;
        done.retain(|(_, it)| !matches!(it, Rename(_)) || !std::mem::replace(&mut renamed, true));
        let mut expected = members(&body);
        for (name, done) in &done {
            let old = expected.get(*name).cloned();
            match done {
                Set(json) => { expected.insert((*name).to_owned(), raw(json)); }
                Remove => { expected.remove(*name); }
                Rename(to) => {
                    expected.remove(*name);
                    expected.extend(old.map(|it| ((*to).to_owned(), it)));
                }
            }
        }
        let new = check(&body, &done);
        let got = members(&new);
        let shown = |it: &BTreeMap<String, Box<RawValue>>| -> Vec<_> {
            it.iter().map(|(name, value)| format!("{name}={}", value.get())).collect()
        };
        prop_assert_eq!(shown(&got), shown(&expected), "{} -> {}", body, new);
        prop_assert!(Body::parse(new.as_bytes()).is_ok());
    }
}
