use super::*;
use crate::answer::tests::{Everything, MASK, vault};
use proptest::prelude::*;

const HOLD: usize = 64;

/// What goes out of a text that comes in `pieces`, and what is said of it: `!` where it is blocked.
fn scan(finder: &Everything, json: bool, pieces: &[&str]) -> String {
    let (mut vault, mut hits) = (vault(), Hits::default());
    let mut with = With { finder, vault: &mut vault, hits: &mut hits, hold: HOLD };
    let (mut scanner, mut out) = (Scanner::new(json), String::new());
    for piece in pieces {
        if scanner.push(piece, &mut with, &mut out).is_err() {
            return out + "!";
        }
        assert!(scanner.held.chars().count() <= HOLD, "{:?} is held", scanner.held);
        assert!(scanner.before.chars().count() <= LOOK_BACK);
    }
    match scanner.flush(&mut with, &mut out) {
        Ok(()) => out,
        Err(Blocked) => out + "!",
    }
}

/// The same, cut at every place, and letter by letter.
fn check(finder: &Everything, json: bool, text: &str) -> String {
    let whole = scan(finder, json, &[text]);
    for (at, _) in text.char_indices() {
        let (left, right) = text.split_at(at);
        assert_eq!(scan(finder, json, &[left, right]), whole, "cut at {at}: {text}");
    }
    let letters: Vec<&str> = text.split("").collect();
    assert_eq!(scan(finder, json, &letters), whole, "letter by letter: {text}");
    whole
}

#[test]
fn what_is_found_is_masked_and_placeholders_are_restored_wherever_they_are_cut() {
    for (text, want) in [
        ("Hello there, how are you?", "Hello there, how are you?"),
        ("Write to [EMAIL_1], please.", "Write to ada@example.com, please."),
        ("[EMAIL_1][EMAIL_1] [EMAIL_2] [EMAIL_", "ada@example.comada@example.com [EMAIL_2] [EMAIL_"),
        (
            "Not ada@example.com, but bob@example.com and bob@example.com!",
            "Not ada@example.com, but [EMAIL_2] and [EMAIL_2]!",
        ),
    ] {
        assert_eq!(check(&MASK, false, text), want);
    }
}

#[test]
fn each_act_does_as_it_says() {
    let text = "It is bob@example.com, I think";
    let with = |act: fn(&str) -> Act| check(&Everything { act }, false, text);
    assert_eq!(with(|_| Act::Mask), "It is [EMAIL_2], I think");
    assert_eq!(with(|_| Act::Redact), "It is [EMAIL], I think");
    assert_eq!(with(|_| Act::Hash), "It is [EMAIL#15], I think");
    assert_eq!(with(|_| Act::Report), text);
    assert_eq!(with(|_| Act::Block), "It is !");
}

#[test]
fn arguments_stay_json() {
    for (text, want) in [
        (r#"{"to":"[EMAIL_1]","tel":"[PHONE_1]"}"#, r#"{"to":"ada@example.com","tel":"+44 \"7\""}"#),
        (r#"{"to": "bob@example.com\n"}"#, r#"{"to": "[EMAIL_2]\n"}"#),
        (r#"{"n": [EMAIL_1]}"#, r#"{"n": "ada@example.com"}"#),
    ] {
        assert_eq!(check(&MASK, true, text), want);
        serde_json::from_str::<serde_json::Value>(want).unwrap();
    }
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(
        text in "([a-z]{1,9}| |@|\\.com|\\[EMAIL_1\\]|\\[|bob@example\\.com|4111 1111 1111 1111|\"|é|[0-9]{1,4}|\n|[A-Za-z0-9]{70}){0,24}",
        cuts in prop::collection::vec(0_usize..300, 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|it| text.floor_char_boundary(it)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|it| &text[it[0]..it[1]]).collect();
        prop_assert_eq!(scan(&MASK, false, &pieces), scan(&MASK, false, &[&text]));
        prop_assert_eq!(scan(&MASK, true, &pieces), scan(&MASK, true, &[&text]));
    }
}

/// Made up, as everything here; in pieces, so that nobody takes it for a real one.
const TOKEN: [&str; 3] = [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkFkYSIsImlhdCI6MTUxNjIzOTAyMn0",
    ".SflKxwRJSMeKKF2QT4fwpMeJf36",
    "POk6yJVadQssw5c",
];

#[test]
fn what_is_longer_than_the_bound_is_swallowed_once_it_is_certain() {
    let token = TOKEN.concat();
    let lines = "MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW7WKutNQrfTx4NRqg3h\n".repeat(12);
    let key = format!("-----BEGIN RSA {0} KEY-----\n{lines}-----END RSA {0} KEY-----", "PRIVATE");
    for (text, want) in [
        (format!("Use {token}. Then go on."), "Use [JWT_1]. Then go on."),
        (format!("Use `{token}` here"), "Use `[JWT_1]` here"),
        (format!("Save\n{key}\nas a file."), "Save\n[PRIVATE_KEY_1]\nas a file."),
    ] {
        assert_eq!(check(&MASK, false, &text), want);
    }
    let quoted = serde_json::to_string(&format!("{key}\nas it is")).unwrap();
    let arguments = format!("{{\"key\":{quoted},\"token\":\"{token}\"}}");
    assert_eq!(check(&MASK, true, &arguments), r#"{"key":"[PRIVATE_KEY_1]\nas it is","token":"[JWT_1]"}"#);
}

/// Thinks ill of a word, and counts what it was shown.
#[derive(Default)]
struct Counting {
    shown: std::cell::Cell<usize>,
}

impl Finder for Counting {
    fn find<'a>(&'a self, text: &str) -> Vec<Found<'a>> {
        self.shown.set(self.shown.get() + text.len());
        MASK.find(text)
            .into_iter()
            .map(|it| Found { label: it.label.to_string().into(), rule: "r".into(), ..it })
            .collect()
    }

    fn settled(&self, text: &str, from: usize) -> usize {
        self.shown.set(self.shown.get() + text.len());
        MASK.settled(text, from)
    }

    fn judge(&self, words: &str) -> Option<(Act, &'static str)> {
        assert!(words.chars().count() <= LAST_WORDS);
        self.shown.set(self.shown.get() + words.len());
        words.contains("evil").then_some((Act::Block, "ill"))
    }

    fn hash(&self, _: &str, _: &str) -> String {
        String::new()
    }
}

fn counted(text: &str, size: usize) -> (String, usize) {
    let (finder, mut vault, mut hits) = (Counting::default(), vault(), Hits::default());
    let mut with = With { finder: &finder, vault: &mut vault, hits: &mut hits, hold: HOLD };
    let (mut scanner, mut out) = (Scanner::new(false), String::new());
    let letters: Vec<char> = text.chars().collect();
    for piece in letters.chunks(size) {
        if scanner.push(&String::from_iter(piece), &mut with, &mut out).is_err() {
            return (out + "!", finder.shown.get());
        }
    }
    let end = scanner.flush(&mut with, &mut out).map_or("!", |()| "");
    (out + end, finder.shown.get())
}

#[test]
fn words_are_judged_as_they_go_out_and_the_cut_makes_no_difference() {
    let text = format!("{} evil {}", "so it goes ".repeat(9), "and on ".repeat(20));
    for size in [1, 5, 1_000] {
        assert_eq!(counted(&text, size).0, format!("{} evil and on and !", "so it goes ".repeat(9)));
        assert_eq!(counted("it is evil", size).0, "it is evil!");
        assert_eq!(counted(&"善".repeat(1_000), size).0, "善".repeat(1_000));
    }
}

#[test]
fn no_text_costs_more_than_its_length_and_no_piece_more_than_what_is_kept() {
    // With each piece what is kept is looked at, to see what is settled and what is there.
    let kept = 2 * (LOOK_BACK + HOLD + 1);
    for text in [
        "a".repeat(1_000),
        "so it goes ".repeat(100),
        "1 ".repeat(500),
        "eyJ".repeat(400),
        "a@".repeat(500),
        "[EMAIL_1".repeat(125),
        "-----BEGIN ".repeat(100),
        "A1 at dot ".repeat(100),
    ] {
        for size in [1, 4, 5_000] {
            let shown = counted(&text, size).1;
            let pieces = text.len() / size + text.len() / (HOLD / 8);
            assert!(
                shown <= (pieces + 1) * kept + 10 * text.len(),
                "{shown} of {} by {size}: {}",
                text.len(),
                &text[..20]
            );
        }
    }
}

#[test]
fn an_answer_that_is_an_object_stays_one_and_words_stay_words() {
    for (text, want) in [
        (r#" {"a": "[PHONE_1]", "b": {"c": 1}} "[PHONE_1]""#, r#" {"a": "+44 \"7\"", "b": {"c": 1}} "+44 "7"""#),
        (
            r#"{ "card": 4111111111111111, "mail": [EMAIL_1]}"#,
            r#"{ "card": "[CREDIT_CARD_1]", "mail": "ada@example.com"}"#,
        ),
        (r#"{"a}": "\"{[PHONE_1]"}"#, r#"{"a}": "\"{+44 \"7\""}"#),
        ("{[PHONE_1]}", r#"{+44 "7"}"#),
        ("[PHONE_1] {\"[PHONE_1]\"}", r#"+44 "7" {"+44 "7""}"#),
    ] {
        assert_eq!(check(&MASK, false, text), want);
    }
}
