//! Names that others chose: users, sessions, threads, projects, tiers.

use std::fmt;

/// 1 to 255 visible characters: no control characters, nothing invisible, no outer white space.
/// Such a name can stand in a header and on an operator's screen without saying something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// Why a text is no [`Name`], to be put behind the member's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAName(String);

impl Name {
    /// How many characters a name may have.
    pub(crate) const MAX_CHARS: usize = 255;

    /// A name that may stand in a token: one that the gateways read as the same name. They are stricter
    /// about characters without a shape of their own, such as those that choose between emoji.
    ///
    /// # Errors
    /// When it is no name, or none for them.
    pub(crate) fn claim(text: String) -> Result<Self, NotAName> {
        let name = Self::try_from(text)?;
        match auth::mapping::Name::try_from(name.0.clone()) {
            Ok(_) => Ok(name),
            Err(_) => Err(NotAName::found("a character without a shape of its own")),
        }
    }

    /// The text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let found = match text.chars().count() {
            0 => "an empty text".to_owned(),
            count if count > Self::MAX_CHARS => format!("{count} characters"),
            _ if text.trim() != text => "white space at an end".to_owned(),
            _ => match text.chars().find(|it| is_invisible(*it)) {
                Some(it) => format!("the invisible character U+{:04X}", u32::from(it)),
                None => return Ok(Self(text)),
            },
        };
        Err(NotAName::found(&found))
    }
}

impl NotAName {
    fn found(what: &str) -> Self {
        Self(format!("expected 1 to {} visible characters, found {what}", Name::MAX_CHARS))
    }
}

impl fmt::Display for NotAName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Control characters, and those that show nothing or turn the text around them.
fn is_invisible(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_token_is_a_name_to_a_gateway_too() {
        let check = |text: &str| Name::claim(text.to_owned()).map_err(|it| it.to_string());
        for good in ["u1", "Ada Lovelace", "名前", "\u{1f469}"] {
            assert_eq!(check(good).as_ref().map(Name::as_str), Ok(good));
        }
        let found = "found a character without a shape of its own";
        for wrong in ["\u{2764}\u{fe0f}", "a\u{3164}", "a\u{2800}b", "a\u{34f}b", "a\u{ffff}b"] {
            assert_eq!(check(wrong), Err(format!("expected 1 to 255 visible characters, {found}")), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_1_to_255_visible_characters() {
        let check = |text: &str| Name::try_from(text.to_owned()).map_err(|it| it.to_string());
        for good in ["u1", "Ada Lovelace", "auth0|5f7c", "名前", &"ü".repeat(255)] {
            assert_eq!(check(good).as_ref().map(Name::as_str), Ok(good));
        }
        for (wrong, found) in [
            ("", "an empty text"),
            (&"x".repeat(256), "256 characters"),
            (" a", "white space at an end"),
            ("a\n", "white space at an end"),
            ("a\nb", "the invisible character U+000A"),
            ("a\u{200b}b", "the invisible character U+200B"),
            ("a\u{202e}b", "the invisible character U+202E"),
            ("a\0b", "the invisible character U+0000"),
        ] {
            assert_eq!(check(wrong), Err(format!("expected 1 to 255 visible characters, found {found}")));
        }
    }
}
