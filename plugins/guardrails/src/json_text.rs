//! A text that is JSON itself: the arguments of a tool call, the result of one.
//!
//! What stands in its strings is looked at as it is meant (`\nada@example.com` has no `n` before the address), and what is put in
//! its place leaves it valid: a number that becomes a placeholder becomes a string.

use serde::de::IgnoredAny;
use std::ops::Range;

/// JSON as it is meant, and where each piece of it is written.
#[derive(Debug)]
pub(crate) struct Meant {
    /// The same with the escapes in its strings decoded.
    pub(crate) text: String,
    /// Where what is meant and what is written go apart: from here on they run side by side.
    marks: Vec<(usize, usize)>,
    /// What stands between quotes, in `text`.
    strings: Vec<Range<usize>>,
    /// Numbers and words outside of quotes, as they are written.
    scalars: Vec<Range<usize>>,
}

impl Meant {
    /// Reads an object or an array; `None` when the text is neither.
    pub(crate) fn read(written: &str) -> Option<Self> {
        let begins = written.trim_start().starts_with(['{', '[']);
        if !begins || serde_json::from_str::<IgnoredAny>(written).is_err() {
            return None;
        }
        let mut it = Self {
            text: String::with_capacity(written.len()),
            marks: vec![(0, 0)],
            strings: Vec::new(),
            scalars: Vec::new(),
        };
        it.walk(written);
        Some(it)
    }

    fn walk(&mut self, written: &str) {
        let mut open = None;
        let mut at = 0;
        while let Some(rest) = written.get(at..).filter(|it| !it.is_empty()) {
            if open.is_some() && rest.starts_with('\\') {
                let (meant, length) = escape(rest);
                self.text.push(meant);
                at = at.saturating_add(length);
                self.marks.push((self.text.len(), at));
                continue;
            }
            // Up to the next quote or escape nothing happens.
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            let outside = rest.get(..plain).unwrap_or_default();
            self.text.push_str(outside);
            if open.is_none() {
                self.scalars_in(outside, at);
            }
            at = at.saturating_add(plain);
            if rest.get(plain..).is_some_and(|it| it.starts_with('"')) {
                match open.take() {
                    Some(from) => self.strings.push(from..self.text.len()),
                    None => open = Some(self.text.len().saturating_add(1)),
                }
                self.text.push('"');
                at = at.saturating_add(1);
            }
        }
    }

    /// What to write in that of which this was read, so that `new` takes the place of what is meant at `span`.
    pub(crate) fn replace(&self, span: &Range<usize>, new: &str) -> Vec<(Range<usize>, String)> {
        let from = self.strings.partition_point(|it| it.end <= span.start);
        let touched = self.strings.iter().skip(from).take_while(|it| it.start < span.end);
        let inside = touched.map(|it| it.start.max(span.start)..it.end.min(span.end)).filter(|it| !it.is_empty());
        // Of what goes over several strings the first holds the placeholder.
        let mut word = new.to_owned();
        let edits: Vec<_> = inside
            .map(|it| (self.place(it.start, false)..self.place(it.end, true), std::mem::take(&mut word)))
            .collect();
        if edits.is_empty() { self.scalar(span, new) } else { edits }
    }

    /// Notes the numbers and words of `text`, which is written at `at`. A long one may be asked for many times.
    fn scalars_in(&mut self, text: &str, at: usize) {
        let (mut rest, mut at) = (text, at);
        while let Some(first) = rest.find(is_scalars) {
            let from = rest.get(first..).unwrap_or_default();
            let length = from.find(|it| !is_scalars(it)).unwrap_or(from.len());
            let start = at.saturating_add(first);
            at = start.saturating_add(length);
            self.scalars.push(start..at);
            rest = from.get(length..).unwrap_or_default();
        }
    }

    /// The first number or word that `span` touches, outside of strings, becomes a string.
    fn scalar(&self, span: &Range<usize>, new: &str) -> Vec<(Range<usize>, String)> {
        let (from, to) = (self.place(span.start, false), self.place(span.end, true));
        let first = self.scalars.partition_point(|it| it.end <= from);
        let first = self.scalars.get(first).filter(|it| it.start < to);
        first.map(|it| (it.clone(), format!("\"{new}\""))).into_iter().collect()
    }

    /// Where a place in `text` is written; an `end` stands behind what is written last before it.
    fn place(&self, at: usize, end: bool) -> usize {
        let past = self.marks.partition_point(|it| it.0 < at || (!end && it.0 == at));
        let (meant, written) = past.checked_sub(1).and_then(|it| self.marks.get(it)).copied().unwrap_or_default();
        if end && self.marks.get(past).is_some_and(|it| it.0 == at) {
            return self.marks.get(past).map_or(0, |it| it.1);
        }
        written.saturating_add(at.saturating_sub(meant))
    }
}

/// Whether numbers and words are made of it.
fn is_scalars(it: char) -> bool {
    it.is_ascii_alphanumeric() || "+-.".contains(it)
}

/// The character that an escape means, and how many bytes it is written in. Half of a pair means none.
fn escape(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at.saturating_add(4))?;
        text.get(at.saturating_sub(2)..at).filter(|it| *it == "\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    match (text.as_bytes().get(1), unit(2)) {
        (_, Some(high @ 0xd800..=0xdbff)) => match unit(8) {
            Some(low @ 0xdc00..=0xdfff) => {
                let point = (high & 0x3ff).wrapping_shl(10).wrapping_add(low & 0x3ff).wrapping_add(0x1_0000);
                (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            _ => (char::REPLACEMENT_CHARACTER, 6),
        },
        (_, Some(one)) => (char::from_u32(one).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        (Some(b'n'), _) => ('\n', 2),
        (Some(b't'), _) => ('\t', 2),
        (Some(b'r'), _) => ('\r', 2),
        (Some(b'b'), _) => ('\u{8}', 2),
        (Some(b'f'), _) => ('\u{c}', 2),
        (Some(other), _) if other.is_ascii() => (char::from(*other), 2),
        _ => (char::REPLACEMENT_CHARACTER, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The JSON with what is meant by `value` replaced by `[X]`.
    fn check(json: &str, value: &str) -> String {
        let meant = Meant::read(json).unwrap();
        let at = meant.text.find(value).unwrap_or_else(|| panic!("{}", meant.text));
        put(json, meant.replace(&(at..at + value.len()), "[X]"))
    }

    fn put(json: &str, edits: Vec<(Range<usize>, String)>) -> String {
        let (mut out, mut done) = (String::new(), 0);
        for (span, new) in edits {
            out += &json[done..span.start];
            out += &new;
            done = span.end;
        }
        out + &json[done..]
    }

    #[test]
    fn what_is_replaced_leaves_valid_json() {
        for (json, value, after) in [
            (r#"{"to":"\nada@b.io"}"#, "ada@b.io", r#"{"to":"\n[X]"}"#),
            (r#"{"to":"ada\u0040b.io\n"}"#, "ada@b.io", r#"{"to":"[X]\n"}"#),
            (r#"{"to":"\u0061da@b.i\u006f"}"#, "ada@b.io", r#"{"to":"[X]"}"#),
            (r#"{"\ud83d\ude00a@b.io": 1}"#, "a@b.io", r#"{"\ud83d\ude00[X]": 1}"#),
            (r#"{"card": 4111111111111111, "b": 1}"#, "4111111111111111", r#"{"card": "[X]", "b": 1}"#),
            (r#"[-4111111111111111.0]"#, "4111111111111111", r#"["[X]"]"#),
            (r#"["a","b", 1,"cd"]"#, r#"a","b", 1,"c"#, r#"["[X]","", 1,"d"]"#),
            (r#"{"q":"say \"ada@b.io\" "}"#, "ada@b.io", r#"{"q":"say \"[X]\" "}"#),
        ] {
            let found = check(json, value);
            assert_eq!(found, after);
            assert!(serde_json::from_str::<IgnoredAny>(&found).is_ok());
        }
    }

    #[test]
    fn a_number_is_one_place_however_often_something_is_in_it() {
        let long = format!("[{}, 7]", "1".repeat(300_000));
        let meant = Meant::read(&long).unwrap();
        let places = (1..300_000).map(|at| meant.replace(&(at..at + 1), "[X]"));
        assert!(places.into_iter().all(|it| it == [(1..300_001, "\"[X]\"".to_owned())]));
    }

    #[test]
    fn what_is_no_json_is_a_text_like_any_other() {
        for text in ["", "hello", "\"a\"", "{", "[1", "{}x", "1"] {
            assert!(Meant::read(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_span_of_any_json_may_be_replaced(
            json in r#"\[("([a-z@ é]|\\n|\\u00e9|\\ud83d\\ude00|\\")*",|[1-9][0-9]{0,4},){0,8}"x"\]"#, a in 0_usize..60, b in 0_usize..60,
        ) {
            let meant = Meant::read(&json).unwrap();
            let place = |at: usize| (0..=at.min(meant.text.len())).rev().find(|it| meant.text.is_char_boundary(*it)).unwrap();
            let (start, end) = (place(a.min(b)), place(a.max(b)));
            // What is found has letters or digits; between two values there are none.
            prop_assume!(meant.text[start..end].chars().any(char::is_alphanumeric));
            let edits = meant.replace(&(start..end), "[X]");
            let after = put(&json, edits);
            prop_assert!(serde_json::from_str::<IgnoredAny>(&after).is_ok(), "{json} {start}..{end}: {after}");
        }
    }
}
