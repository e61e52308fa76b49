//! Most of what a model writes is plain prose, in which nothing can stand that anybody looks for. One pass over its bytes
//! says so, at a small part of what all recognisers cost, which on a stream look at the same words again and again.

use crate::{scan, secrets};

/// A word of so many letters may be a token.
const LONG: usize = 16;

/// Words that join the parts of a spelled address; one needs a second, or a full stop within a word.
const DOTS: [&[u8]; 5] = [b"dot", b"punto", b"ponto", b"punkt", b"point"];

/// Whether no recogniser can find anything in `text`: plain letters of ordinary words, and the signs of prose. `false`
/// means only that they have to look.
pub(crate) fn is_quiet(text: &str) -> bool {
    let bytes = text.as_bytes();
    scan::steps::take(bytes.len());
    let mut from = 0;
    while let Some(rest) = bytes.get(from..).filter(|it| !it.is_empty()) {
        let length = rest.iter().position(|it| !it.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(length).unwrap_or((rest, b""));
        if length >= LONG || DOTS.iter().any(|it| it.eq_ignore_ascii_case(word)) || secrets::is_name(word) {
            return false;
        }
        let [sign, next @ ..] = behind else { return true };
        if !is_plain(*sign, next.first().copied(), length > 0) {
            return false;
        }
        from = from.saturating_add(length).saturating_add(1);
    }
    true
}

/// Whether this sign, and the one behind it, are those of prose: no digit, no other script, nothing that joins a name and
/// a value, the groups of an address or the parts of a token.
fn is_plain(sign: u8, next: Option<u8>, in_word: bool) -> bool {
    let letter = next.is_some_and(|it| it.is_ascii_alphabetic());
    match sign {
        b' ' | b'\n' | b',' | b';' | b'!' | b'?' | b'"' | b'(' | b')' | b'*' | b'#' | b'\'' => true,
        // `example.com`, `-pSecret`, `-----BEGIN`; not the end of a sentence, a list's sign or `well-known`.
        b'.' => !letter,
        b'-' => letter == in_word && next != Some(b'-'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_quiet;
    use crate::{Entities, look};

    #[test]
    fn prose_is_quiet() {
        for text in [
            "",
            "The weather in Rome is mild, so a light coat will do.",
            "Here is a list\n\n- **first** (the \"best\")\n- second, well-known!",
        ] {
            assert!(is_quiet(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_something_is_not() {
        for text in [
            "call 5",
            "ada@x",
            "ada at example.com",
            "ada at example dot com",
            "my password is Sommer",
            "mysql -pSommer",
            "-----BEGIN",
            "AKIAABCDEFGHIJKLMNOP",
            "a:b",
            "x=y",
            "sk_live",
            "é",
        ] {
            assert!(!is_quiet(text), "{text}");
        }
    }

    /// In the committed sets, and in every part of them, nothing is found where it is quiet.
    #[test]
    fn nothing_is_ever_found_in_a_quiet_text() {
        let sets = [include_str!("../tests/sets/found.tsv"), include_str!("../tests/sets/stays.txt")];
        for line in sets.iter().flat_map(|it| it.lines()) {
            let text = line.replace(['⟦', '⟧', '\t'], " ").replace("\\n", "\n");
            let words: Vec<&str> = text.split(' ').collect();
            for from in 0..words.len() {
                for length in [1, 2, 5, 12] {
                    let part = words[from..words.len().min(from + length)].join(" ");
                    assert!(!is_quiet(&part) || look(&part, Entities::ALL).is_empty(), "{part}");
                }
            }
        }
    }
}
