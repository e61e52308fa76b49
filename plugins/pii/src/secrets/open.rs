//! Where at the end of a text a secret may have begun that is not over, for whoever reads a text as it comes.
//!
//! A plain word is let go after four letters unless a key's prefix, a scheme or the key of a pair begins with it: what
//! is drawn by lot has shown a capital, a digit or a sign by then, and is no secret if it has not.

use super::{assignment, command, connection, forms::Form, pem, split, url};
use crate::scan;

/// Further back nothing begins that is still open, but private keys.
const BACK: usize = 640;

/// Up to where all is said about secrets in `text`, whatever follows: none begins before that is not found, whole, by now.
pub(crate) fn open(text: &str) -> usize {
    let from = text.floor_char_boundary(text.len().saturating_sub(BACK));
    let tail = text.get(from..).unwrap_or_default();
    let bytes = tail.as_bytes();
    let begun = [
        assignment::open(bytes),
        connection::open(bytes),
        split::open(bytes),
        url::open(bytes),
        command::open(tail),
        word(bytes),
    ];
    let nearest = begun.into_iter().flatten().min().map_or(text.len(), |at| from.saturating_add(at));
    let nearest = nearest.min(pem::open(text.as_bytes()).unwrap_or(nearest));
    text.floor_char_boundary(nearest)
}

/// What parts the words of a text wherever they stand.
fn parts(it: u8) -> bool {
    it.is_ascii_whitespace() || it.is_ascii_control() || b"\"'`<>(){}[]|,;\\".contains(&it)
}

/// Where the last word begins, if it may be the beginning of something.
fn word(text: &[u8]) -> Option<usize> {
    let length = text.iter().rev().take_while(|it| !parts(**it)).count();
    scan::steps::take(length);
    let start = text.len().saturating_sub(length);
    let word = text.get(start..)?;
    let start = start.saturating_add(scan::escape(text, start));
    may_grow(word).then_some(start)
}

fn may_grow(word: &[u8]) -> bool {
    let letters = word.iter().take_while(|it| scan::word(**it)).count();
    let (name, rest) = word.split_at_checked(letters).unwrap_or((word, b""));
    match rest {
        [] => {
            !is_plain(name) || name.len() < 4 || Form::may_begin(name) || split::may_begin(name) || url::may_begin(name)
        }
        // The end of a sentence or of a name.
        [b'.' | b'!' | b'?' | b':' | b'='] if is_plain(name) => {
            split::may_begin(word) || rest == b":" && url::may_begin(name)
        }
        _ => !name.is_empty() || rest.iter().any(|it| !b".!?:-=*#".contains(it)),
    }
}

/// A word as people write it: letters, at most the first of them a capital.
pub(crate) fn is_plain(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic) && word.iter().skip(1).all(u8::is_ascii_lowercase)
}

/// Whether a word begins like one of a language: such a one was let go, and cannot be a key any more.
pub(crate) fn begins_plain(word: &[u8]) -> bool {
    word.get(..4).is_some_and(is_plain)
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::{Finding, find};
    use proptest::prelude::*;

    #[test]
    fn prose_is_let_go_and_what_may_be_a_secret_is_held() {
        for (text, want) in [
            ("Hello", "Hello"),
            ("Sure, here it is: ", "Sure, here it is: "),
            ("a word of prose", "a word of prose"),
            ("the key sk-pro", "the key "),
            ("the key is sk-", "the key is "),
            ("ghp_CpE2h8el heSi", ""),
            ("my password: hunt", "my password: "),
            ("{\"password\": \"a b ", "{\"password\": "),
            ("see https://ada:pw@exa", "see "),
            ("see post", "see "),
            ("x -----BEGIN RSA PRIVATE KEY-----\nMIIE a", "x "),
            ("conn Server=db1;Database=My ", "conn "),
            ("it was Zx9q", "it was "),
        ] {
            assert_eq!(text.get(..open(text)), Some(want), "{text}");
        }
    }

    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "password=", "\"password\": \"", "the password is ", " ", "\n", ". ", "\"", "', ", "Server=db1;", "Password=Zx9qwer7;", "token ",
        "https://ada:hunter2@example.com/x", "postgres://", "u:Zx9q@db/x", "ghp_CpE2h8elheSieRKRsuFZFSrL7Y9SgTPk4J3q", "gh", "p_",
        "sk-proj-Zx9Qw4Rt7Zx9Qw4Rt7Zx9Qw4Rt7Zx9Qw4Rt7Zx9Qw4Rt7", "Htg3hM8r1x+QnVnc2YRQOK4RYAw4BRer2eCt5cId", "hunter2", "Sunflower99",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.Nm1cy5dENmvgp0R4h0uTf0hP8xei5YesVTNPj2zByBR", "word", "The end", "is", "a", "key", ": ", "é",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPSVCFMIzJ7EPGmNBpXaOm0pMcG2MKCgTPLGAs0bQ8Wf\n-----END PRIVATE KEY-----",
        "81.57.181.40", "2a03:41e4:eb66::f645", "00:1A:2B:3C:4D:5E", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "root:Zx9qwer7@tcp(db)/x",
        "curl -u ", "密码是", "пароль: ", "login ada ", "sshpass -p", "\"\nk += \"", "\" + \"", 
    ];

    /// Secrets and addresses alone: the rest says for itself where it begins.
    fn all(text: &str) -> Vec<Finding> {
        find(text, crate::Entity::ALL.iter().copied().filter(|it| *it >= crate::Entity::Ipv4).collect())
    }

    proptest! {
        #[test]
        fn what_is_settled_stays(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..8)) {
            let text = pieces.concat();
            let whole = all(&text);
            for (cut, _) in text.char_indices() {
                let begun = &text[..cut];
                let at = crate::settled_secrets(begun);
                // What reaches over that place is not settled either.
                let across = all(begun).into_iter().find(|it| it.span.start < at && it.span.end > at);
                let at = across.map_or(at, |it| it.span.start);
                let before = |found: &[Finding]| found.iter().filter(|it| it.span.start < at).cloned().collect::<Vec<_>>();
                prop_assert_eq!(before(&all(begun)), before(&whole), "{:?} | {:?}", &text[..at], &text[at..cut]);
            }
        }
    }
}
