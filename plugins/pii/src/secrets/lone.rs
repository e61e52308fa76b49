//! The secret half of an AWS key where no name says so: forty letters of base64 by themselves.
//!
//! Forty is what thirty bytes make: no hash has so many, and a commit's forty are hexadecimal.

use super::{drawn, open::begins_plain};
use crate::{Entity, Finding, scan};
use std::ops::Range;

const LENGTH: usize = 40;

fn base64(it: u8) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/')
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, |it| !base64(it));
        let end = scan::run(bytes, start, base64);
        at = end;
        if end.saturating_sub(start) == LENGTH && alone(bytes, start, end) && is_key(bytes, start..end) {
            let entity = Entity::AwsSecretKey;
            found.push(Finding { span: start..end, entity, rule: "aws_secret_key.lone" });
        }
    }
}

/// Whether nothing touches it that would make it a part of something longer.
fn alone(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |it: Option<u8>| it.is_some_and(|it| b"-_=.%\\@~#".contains(&it) || !it.is_ascii());
    let before = start.checked_sub(1).and_then(|it| scan::byte(text, it));
    let stop = scan::byte(text, end) == Some(b'.') && !scan::byte(text, end.saturating_add(1)).is_some_and(base64);
    !in_block(text, start) && (!joins(before) || before == Some(b'=')) && (!joins(scan::byte(text, end)) || stop)
}

/// Whether it is the last line of a block of base64, as a certificate is.
fn in_block(text: &[u8], start: usize) -> bool {
    let near = text.get(start.saturating_sub(64)..start).unwrap_or_default();
    scan::steps::take(near.len());
    let line = near.iter().rposition(|it| *it == b'\n').and_then(|at| near.get(..at)).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().rev().take_while(|it| base64(**it)).count() >= 40
}

fn is_key(text: &[u8], span: Range<usize>) -> bool {
    let Some(word) = text.get(span.clone()) else {
        return false;
    };
    let look = drawn::Look::at(word);
    let mixed = look.lower >= 4 && look.upper >= 4 && look.digits >= 1 && look.different >= 20;
    let signs = word.iter().any(|it| matches!(it, b'+' | b'/')) && !word.starts_with(b"/");
    mixed && !begins_plain(word) && drawn::like_a_key(word) && (signs || talked_of(text, span.start))
}

/// Whether words before it speak of keys.
fn talked_of(text: &[u8], start: usize) -> bool {
    const WORDS: &[&[u8]] = &[b"secret", b"key", b"credential", b"token", b"aws", b"commit", b"leak", b"auth"];
    let before = text.get(start.saturating_sub(64)..start).unwrap_or_default();
    scan::steps::take(before.len());
    let lower = before.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.windows(word.len()).any(|it| it == *word))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn forty_letters_of_base64_are_a_key() {
        let key = "Htg3hM8r1x+QnVnc2YRQOK4RYAw4BRer2eCt5cId";
        let plain = "Htg3hM8r1xZQnVnc2YRQOK4RYAw4BRer2eCt5cId";
        for text in [format!("i committed {key} to a repo"), format!("'{key}'"), format!("the secret {plain}, help")] {
            check(Entity::AwsSecretKey, &text, &[if text.contains(key) { key } else { plain }]);
        }
    }

    #[test]
    fn other_words_of_that_length_stay() {
        for text in [
            "4f9c2a7be1d05836a9b4c7d2e8f10a354f9c2a7b is a commit",
            "W/\"Htg3hM8r1xZQnVnc2YRQOK4RYAw4BRer2eCt5cId\"",
            "src/components/userProfile/settingsTab/a",
            "data:image/png;base64,Htg3hM8r1x+QnVnc2YRQOK4RYAw4BRer2eCt5cIdAb==",
        ] {
            check(Entity::AwsSecretKey, text, &[]);
        }
    }
}
