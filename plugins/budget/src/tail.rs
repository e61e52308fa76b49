//! The end of a plain answer that is too long to be kept: providers write the usage last.

use domain::usage::{self, Usage};
use serde_json::value::RawValue;

/// How many bytes of the end are kept.
const KEPT: usize = 16 << 10;

/// What passed of a plain answer that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    kept: Vec<u8>,
    /// How many bytes came.
    pub(crate) bytes: u64,
}

impl Tail {
    /// Takes in a piece.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let end = piece.len().saturating_sub(KEPT);
        self.kept.extend_from_slice(piece.get(end..).unwrap_or_default());
        let over = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..over);
    }

    /// The usage in it. What stands in a text has escaped quotes, and is none.
    pub(crate) fn usage(&self, provider: Option<&str>) -> Option<Usage> {
        const NAME: &[u8] = b"\"usage\"";
        let at = self.kept.windows(NAME.len()).rposition(|it| it == NAME)?;
        let rest = self.kept.get(at.checked_add(NAME.len())?..)?.trim_ascii_start().strip_prefix(b":")?;
        let value = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>().next()?.ok()?;
        usage::find(provider, format!("{{\"usage\":{}}}", value.get()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, cut: usize) -> Option<u64> {
        let mut tail = Tail::default();
        answer.as_bytes().chunks(cut).for_each(|it| tail.add(it));
        assert!(tail.kept.len() <= KEPT && tail.bytes == answer.len() as u64);
        tail.usage(None).map(|it| it.total())
    }

    #[test]
    fn the_usage_at_the_end_is_found_however_the_answer_is_cut() {
        let long = "x".repeat(40_000);
        let usage = r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#;
        for cut in [1, 7, 16_384, 50_000] {
            assert_eq!(check(&format!(r#"{{"choices":"{long}","usage":{usage},"id":"a"}}"#), cut), Some(7));
            assert_eq!(check(&format!(r#"{{"choices":"{long} \"usage\":{usage}"}}"#), cut), None);
            assert_eq!(check(&format!(r#"{{"usage":{usage},"choices":"{long}"}}"#), cut), None);
        }
        assert_eq!(check(r#"{"usage":{"#, 3), None);
        assert_eq!(check(r#""usage"" "#, 3), None);
    }
}
