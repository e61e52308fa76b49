//! The words before a number that say what it is.

use crate::scan;

/// How far back they are looked for.
const BACK: usize = 40;

/// The text before `at`, in small letters.
pub(crate) struct Around(Vec<u8>);

impl Around {
    pub(crate) fn before(text: &[u8], at: usize) -> Self {
        let words = text.get(at.saturating_sub(BACK)..at).unwrap_or_default();
        scan::steps::take(words.len());
        Self(words.to_ascii_lowercase())
    }

    /// Whether one of `words` stands there, as a whole word.
    pub(crate) fn has(&self, words: &[&str]) -> bool {
        let letter = |it: &u8| it.is_ascii_alphanumeric();
        self.0.split(|it| !letter(it)).any(|part| words.iter().any(|it| it.as_bytes() == part))
    }

    /// Whether a version is told there, as in `v3.0`.
    pub(crate) fn has_version(&self) -> bool {
        let mut parts = self.0.split(|it| !it.is_ascii_alphanumeric());
        parts.any(|it| matches!(it, [b'v', b'0'..=b'9', ..]))
    }

    /// Whether the last word is one of `words`.
    pub(crate) fn ends(&self, words: &[&str]) -> bool {
        let end = self.0.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |it| it.saturating_add(1));
        let start = self.0.get(..end).and_then(|it| it.iter().rposition(|it| !it.is_ascii_alphanumeric()));
        let last = self.0.get(start.map_or(0, |it| it.saturating_add(1))..end).unwrap_or_default();
        words.iter().any(|it| it.as_bytes() == last)
    }
}
