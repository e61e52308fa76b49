//! Where things lie in the JSON of an answer. Names that stand twice are both seen: which one a client reads is its own affair.

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

/// The text that `raw` stands for, if it is a string.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
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
