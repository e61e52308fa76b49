//! Where things lie in the JSON of an answer. Names that stand twice are both seen: which one a client reads is its own
//! affair.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The members of the object `raw`, in order; nothing, if it is none.
pub(super) fn members(raw: &str) -> Vec<(Cow<'_, str>, &str)> {
    serde_json::from_str::<Members<'_>>(raw).map(|it| it.0).unwrap_or_default()
}

/// The elements of the array `raw`; nothing, if it is none.
pub(super) fn elements(raw: &str) -> Vec<&str> {
    let elements: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
    elements.into_iter().map(RawValue::get).collect()
}

/// The text that `raw` stands for, if it is a string. Half of a surrogate pair, which is no text, becomes U+FFFD.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let whole = serde_json::from_str(raw).or_else(|_| serde_json::from_str(&mended(raw)));
    whole.ok().map(Cow::Owned)
}

/// A JSON string with `\ufffd` in the place of each escape of half of a pair.
fn mended(raw: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(raw.len()), raw);
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let length = match (half(from, 0), half(from, 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                out.push_str("\\ufffd");
                rest = from.get(6..).unwrap_or_default();
                continue;
            }
            _ => 2,
        };
        let length = from.floor_char_boundary(length).max(1);
        out.push_str(from.get(..length).unwrap_or_default());
        rest = from.get(length..).unwrap_or_default();
    }
    out + rest
}

/// The number of the escape `\uXXXX` at `at`.
fn half(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at.checked_add(6)?)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    // A string always serialises; the default can not be reached.
    serde_json::to_string(text).unwrap_or_default()
}

/// Where `part` lies in `whole`, which it must be a slice of.
pub(super) fn span(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let span = start..start.checked_add(part.len())?;
    whole.get(span.clone()).map(|_| span)
}

/// `whole` with each span replaced; those that overlap an earlier one are left out.
pub(super) fn splice(whole: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let (mut out, mut done) = (String::with_capacity(whole.len()), 0_usize);
    for (span, new) in edits {
        if let Some(kept) = whole.get(done..span.start) {
            out.push_str(kept);
            out.push_str(&new);
            done = span.end;
        }
    }
    out + whole.get(done..).unwrap_or_default()
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value::<&'de RawValue>()?.get()));
                }
                Ok(Members(members))
            }
        }
        source.deserialize_map(Object)
    }
}
