//! The end of a text, which may still become something, for finders that cannot say better.

/// Up to which byte of `text` nothing that is written without spaces, or as groups of digits, can still grow.
#[must_use]
pub fn settled(text: &str) -> usize {
    // The last word, and the groups of digits before it.
    let mut end = start_of_word(text);
    loop {
        let before = text.get(..end).unwrap_or_default().trim_end();
        let start = start_of_word(before);
        let word = before.get(start..).unwrap_or_default();
        let last_is_digits = text.get(end..).unwrap_or_default().chars().next().is_none_or(digits);
        if word.is_empty() || !last_is_digits || !word.chars().all(digits) {
            break;
        }
        end = start;
    }
    armour(text).map_or(end, |it| it.min(end))
}

fn digits(it: char) -> bool {
    it.is_ascii_digit() || "+-.()/".contains(it)
}

fn start_of_word(text: &str) -> usize {
    let space = |it: char| it.is_whitespace() || "!?;,".contains(it);
    text.rfind(space)
        .map_or(0, |at| at.saturating_add(text.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8)))
}

/// Where a private key begins whose end has not come.
fn armour(text: &str) -> Option<usize> {
    let at = text.rfind("-----BEGIN ")?;
    (!text.get(at..)?.contains("-----END ")).then_some(at)
}
