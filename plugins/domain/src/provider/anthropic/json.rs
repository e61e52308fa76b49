//! JSON, read and written as text, so that a value's bytes stay what they were.

use super::invalid;
use crate::{chat, reply::Reply};
use std::borrow::Cow;

/// What JSON takes for white space.
pub(super) const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// An object as it is written.
#[derive(Debug)]
pub(super) struct Object {
    text: String,
}

impl Object {
    /// One without members, and room for `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        let mut text = String::with_capacity(size);
        text.push('{');
        Self { text }
    }

    /// Adds a member; `json` is valid JSON.
    pub(super) fn member(&mut self, name: &str, json: &str) {
        self.value(name).push_str(json);
    }

    /// Adds a member's name; whoever asks writes the value behind it.
    pub(super) fn value(&mut self, name: &str) -> &mut String {
        separate(&mut self.text, '{');
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        &mut self.text
    }

    /// The whole of it.
    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A comma, unless what was opened by `open` has nothing in it yet.
pub(super) fn separate(text: &mut String, open: char) {
    if !text.ends_with(open) {
        text.push(',');
    }
}

/// Those members of the object `raw` that `names` has, in the order of `names`; one that is null counts as missing.
///
/// # Errors
/// 400 when it is no object, or one of them can be read in more than one way.
pub(super) fn members<'a, const N: usize>(
    place: &str,
    raw: &'a str,
    names: [&'static str; N],
) -> Result<[Option<&'a str>; N], Reply> {
    if !raw.starts_with('{') {
        return Err(invalid(place, "is no object"));
    }
    let mut found = [None; N];
    chat::object(raw, &names, |name, value| {
        let slot = names.iter().zip(found.iter_mut()).find(|(it, _)| **it == name);
        if let Some((_, slot)) = slot {
            *slot = Some(value).filter(|it| *it != "null");
        }
        Ok(())
    })
    .map_err(|wrong| wrong.inside(place))?;
    Ok(found)
}

/// The text of the string `raw`.
///
/// # Errors
/// 400 when it is none.
pub(super) fn string<'a>(place: &str, raw: &'a str) -> Result<Cow<'a, str>, Reply> {
    chat::string(raw).map_err(|wrong| invalid(place, wrong))
}

/// The elements of the array `raw`.
///
/// # Errors
/// 400 when it is none.
pub(super) fn array<'a>(place: &str, raw: &'a str) -> Result<Vec<&'a str>, Reply> {
    chat::array(raw).ok_or_else(|| invalid(place, "is no array"))
}

/// Whether the JSON string `raw` has nothing but white space in it.
pub(super) fn is_blank(raw: &str) -> bool {
    let inner = raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(raw);
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        let blank = match letter {
            '\\' => letters.next().is_some_and(|it| matches!(it, 'n' | 'r' | 't')),
            other => other == ' ',
        };
        if !blank {
            return false;
        }
    }
    true
}
