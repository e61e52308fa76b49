//! Long texts in pieces, so that a sentence in a book is judged by what stands around it and not by the book.

use std::ops::Range;

/// Words of a window, and how far the next one is.
pub(crate) const WINDOW: usize = 64;
/// Half of a window: whatever is shorter than that is in one of them as a whole.
pub(crate) const STEP: usize = 32;
/// Texts up to this many words are one piece.
pub(crate) const SHORT: usize = 96;

/// The windows of a text of so many words; none for a short one.
pub(crate) fn windows(words: usize) -> impl Iterator<Item = Range<usize>> {
    let last = if words > SHORT { words.saturating_sub(STEP) } else { 0 };
    (0..last).step_by(STEP).map(move |from| from..from.saturating_add(WINDOW).min(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_text_and_overlap_by_half() {
        assert_eq!(windows(96).count(), 0);
        assert_eq!(windows(97).collect::<Vec<_>>(), [0..64, 32..96, 64..97]);
        assert_eq!(windows(128).collect::<Vec<_>>(), [0..64, 32..96, 64..128]);
    }
}
