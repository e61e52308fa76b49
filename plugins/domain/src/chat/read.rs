//! Finds where members lie in JSON text, without building a tree of it.

use super::{MEMBERS, Malformed, plain};
use crate::estimate::Counter;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Where something lies in the body's text; always on character boundaries.
pub(super) type Span = Range<usize>;

/// What one pass over a body found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) text: &'a str,
    /// Just behind the object's opening brace.
    pub(super) open: usize,
    /// Whether the object has no member at all.
    pub(super) empty: bool,
    pub(super) messages: Option<List>,
    /// What it counts, where that was counted as it was read.
    pub(super) counted: Option<Counter>,
    pub(super) members: Vec<Member>,
}

/// One of [`MEMBERS`] in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: &'static str,
    /// The name, without its quotes.
    pub(super) key: Span,
    pub(super) value: Span,
}

/// An array of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// Just behind the opening bracket.
    pub(super) open: usize,
    pub(super) elements: Vec<Span>,
}

impl<'a> Found<'a> {
    /// Nothing yet, in an object that opens before this place.
    pub(super) fn new(text: &'a str, open: usize) -> Self {
        Self { text, open, empty: true, messages: None, counted: None, members: Vec::new() }
    }

    pub(super) fn span(&self, name: &str) -> Option<Span> {
        self.named(name).map(|it| it.value.clone())
    }

    /// Where a member's name lies, without its quotes.
    pub(super) fn key(&self, name: &str) -> Option<Span> {
        self.named(name).map(|it| it.key.clone())
    }

    /// Where a member lies, from its name's first quote to its value's end.
    pub(super) fn whole(&self, name: &str) -> Option<Span> {
        self.named(name).map(|it| it.key.start.saturating_sub(1)..it.value.end)
    }

    pub(super) fn member(&self, name: &str) -> Option<&'a str> {
        self.span(name).map(|span| self.slice(&span))
    }

    pub(super) fn slice(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|it| it.name == name)
    }
}

/// Whether JSON takes it for white space.
pub(super) fn blank(it: char) -> bool {
    matches!(it, ' ' | '\t' | '\r' | '\n')
}

impl Malformed {
    /// The same fault, seen from one level further out.
    pub(crate) fn inside(self, place: &str) -> Self {
        match self.member {
            Some(member) => {
                let message = self.message.replacen(&format!("`{member}`"), &format!("`{place}.{member}`"), 1);
                Self { member: Some(format!("{place}.{member}")), message }
            }
            None => Self::at(place, self.message),
        }
    }
}

/// Where `part` lies in `text`, which it must be a slice of; an empty span at the start if it is not.
pub(super) fn span_of(text: &str, part: &str) -> Span {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr());
    let span = start.and_then(|start| Some(start..start.checked_add(part.len())?));
    span.filter(|it| text.get(it.clone()).is_some()).unwrap_or_default()
}

/// Reads the members of a body.
pub(super) fn top_level(bytes: &[u8]) -> Result<Found<'_>, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::whole("the body is not UTF-8"))?;
    plain::read(text).map_or_else(|| exact(text), Ok)
}

/// Reads whatever is unusual, and says what is wrong.
pub(super) fn exact(text: &str) -> Result<Found<'_>, Malformed> {
    let start = text.trim_start_matches(blank);
    if !start.starts_with('{') {
        return Err(Malformed::whole("the body is no JSON object"));
    }
    let open = span_of(text, start).start.saturating_add(1);
    let mut found = Found::new(text, open);
    let mut wrong = None;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(TopLevel { found: &mut found, wrong: &mut wrong })
        .and_then(|()| json.end())
        .map_err(|error| wrong.unwrap_or_else(|| Malformed::whole(format!("the body {}", fault(&error)))))?;
    Ok(found)
}

/// Calls `each` with every member of the object `raw` that is one of `names`.
pub(crate) fn object<'a>(
    raw: &'a str,
    names: &[&'static str],
    mut each: impl FnMut(&'static str, &'a str) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut wrong = None;
    let members = Members { names, each: &mut each, wrong: &mut wrong };
    serde_json::Deserializer::from_str(raw)
        .deserialize_map(members)
        .map_err(|error| wrong.unwrap_or_else(|| Malformed::whole(fault(&error))))
}

/// The elements of the array `raw`; `None` when it is no array.
pub(crate) fn array(raw: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The text that the JSON string `raw` stands for.
pub(crate) fn string(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    let inner = raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).ok_or("is no string")?;
    if inner.contains('\\') {
        serde_json::from_str(raw).map(Cow::Owned).map_err(|_| "holds half of a surrogate pair")
    } else {
        Ok(Cow::Borrowed(inner))
    }
}

/// Which of `names` the key means, given its decoded text.
///
/// `None`: none of them. An error: one of them, but spelled so that only some parsers would see it.
fn meant(key: &Key<'_>, names: &[&'static str]) -> Result<Option<&'static str>, Malformed> {
    let text: &str = &key.0;
    let Some(name) = names.iter().find(|name| folds_to(text, name)) else {
        return Ok(None);
    };
    match key.0 {
        Cow::Borrowed(exact) if exact == *name => Ok(Some(name)),
        _ => Err(Malformed::at(*name, "is spelled in another way; write it in lower case and without escapes")),
    }
}

/// Whether `text` is `name` to a parser that ignores letter case, as Go's does: there the long s
/// and the Kelvin sign are an s and a k.
fn folds_to(text: &str, name: &str) -> bool {
    let fold = |it: char| match it {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    text.chars().map(fold).eq(name.chars())
}

/// What is wrong with the JSON, without quoting any of it.
fn fault(error: &serde_json::Error) -> String {
    format!("is no valid JSON at line {}, column {}", error.line(), error.column())
}

/// A member's name; borrowed exactly when it was written without escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        source.deserialize_str(Text)
    }
}

struct TopLevel<'m, 'a> {
    found: &'m mut Found<'a>,
    wrong: &'m mut Option<Malformed>,
}

impl<'de> Visitor<'de> for TopLevel<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { found, wrong } = self;
        let mut fail = |it: Malformed| {
            *wrong = Some(it);
            A::Error::custom("refused")
        };
        while let Some(key) = map.next_key::<Key<'de>>()? {
            found.empty = false;
            let Some(name) = meant(&key, &MEMBERS).map_err(&mut fail)? else {
                map.next_value::<&RawValue>()?;
                continue;
            };
            let seen = found.span(name).is_some() || (name == "messages" && found.messages.is_some());
            if seen {
                return Err(fail(Malformed::at(name, "stands there twice")));
            }
            if name == "messages" {
                let list = list::<A>(found.text, &key, &mut map, &mut fail)?;
                found.messages = Some(list);
            } else {
                let value = map.next_value::<&RawValue>()?.get();
                let (key, value) = (span_of(found.text, &key.0), span_of(found.text, value));
                found.members.push(Member { name, key, value });
            }
        }
        Ok(())
    }
}

/// Reads the value of the member `key` as an array of objects.
fn list<'de, A: MapAccess<'de>>(
    text: &str,
    key: &Key<'_>,
    map: &mut A,
    fail: &mut impl FnMut(Malformed) -> A::Error,
) -> Result<List, A::Error> {
    let wrong = || Malformed::at("messages", "is no array of objects");
    // Behind the name come its quote, a colon and the value, with white space anywhere between.
    let rest = text.get(span_of(text, &key.0).end.saturating_add(1)..).unwrap_or_default();
    let value = rest.trim_start_matches(|it| blank(it) || it == ':');
    if !value.starts_with('[') {
        return Err(fail(wrong()));
    }
    let elements = map.next_value::<Vec<&'de RawValue>>()?;
    if elements.iter().any(|it| !it.get().starts_with('{')) {
        return Err(fail(wrong()));
    }
    let elements = elements.into_iter().map(|it| span_of(text, it.get())).collect();
    Ok(List { open: span_of(text, value).start.saturating_add(1), elements })
}

struct Members<'m, F> {
    names: &'m [&'static str],
    each: &'m mut F,
    wrong: &'m mut Option<Malformed>,
}

impl<'de, F> Visitor<'de> for Members<'_, F>
where
    F: FnMut(&'static str, &'de str) -> Result<(), Malformed>,
{
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { names, each, wrong } = self;
        let mut fail = |it: Malformed| {
            *wrong = Some(it);
            A::Error::custom("refused")
        };
        let mut seen: Vec<&'static str> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let name = meant(&key, names).map_err(&mut fail)?;
            let value = map.next_value::<&'de RawValue>()?.get();
            let Some(name) = name else { continue };
            if seen.contains(&name) {
                return Err(fail(Malformed::at(name, "stands there twice")));
            }
            seen.push(name);
            each(name, value).map_err(&mut fail)?;
        }
        Ok(())
    }
}
