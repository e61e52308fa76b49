//! What a thread is called: the beginning of what its user first said.

use serde::Deserialize;

/// The longest title, in characters; a longer text is cut at a word.
const MAX_CHARS: usize = 60;

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

/// The title of a thread that begins with `messages` (raw JSON); `None` when no user said anything
/// in them.
#[must_use]
pub(crate) fn of<'a>(messages: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut said = messages.into_iter().filter_map(|raw| {
        let message: Message = serde_json::from_str(raw).ok().filter(|it: &Message| it.role == "user")?;
        Some(match message.content {
            Content::Text(text) => text,
            Content::Parts(parts) => parts.into_iter().filter_map(|it| it.text).collect::<Vec<_>>().join(" "),
        })
    });
    said.find_map(|text| cut(&text))
}

/// A text on one line, cut at a word; `None` when nothing in it can be seen.
#[must_use]
pub(crate) fn cut(text: &str) -> Option<String> {
    let visible = |word: &str| word.chars().filter(|it| !it.is_control()).collect::<String>();
    let mut words = text.split_whitespace().map(visible).filter(|it| !it.is_empty());
    let mut title: String = words.next()?;
    if title.chars().count() > MAX_CHARS {
        title = title.chars().take(MAX_CHARS.saturating_sub(1)).collect();
        return Some(title + "…");
    }
    for word in words {
        // One more for the space, one for the ellipsis.
        let length = title.chars().count().saturating_add(word.chars().count()).saturating_add(2);
        if length > MAX_CHARS {
            return Some(title + "…");
        }
        title.push(' ');
        title.push_str(&word);
    }
    Some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_what_the_user_first_said() {
        let check = |messages: &[&str]| of(messages.iter().copied());
        assert_eq!(
            check(&[r#"{"role":"system","content":"x"}"#, r#"{"role":"user","content":" hi \n there"}"#]),
            Some("hi there".into())
        );
        assert_eq!(
            check(&[
                r#"{"role":"user","content":[{"type":"image_url","image_url":{}},{"type":"text","text":"a cat?"}]}"#
            ]),
            Some("a cat?".into())
        );
        for none in [
            &[][..],
            &["{}"],
            &["[]"],
            &[r#"{"role":"assistant","content":"x"}"#],
            &[r#"{"role":"user","content":" "}"#],
            &[r#"{"role":"user","content":null}"#],
        ] {
            assert_eq!(check(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_word() {
        let long = cut(&"word ".repeat(30)).unwrap();
        assert_eq!(long, format!("{}word…", "word ".repeat(11)));
        assert_eq!(cut(&"x".repeat(100)).unwrap().chars().count(), MAX_CHARS);
        assert_eq!(cut("a\u{0}b"), Some("ab".into()));
    }
}
