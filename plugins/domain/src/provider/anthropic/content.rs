//! The parts of messages.

use super::{
    invalid,
    json::{self, Object, array, members},
    unsupported,
};
use crate::{chat::quoted, reply::Reply};
use std::borrow::Cow;

/// A part of a message; what is `raw` is the client's own JSON.
#[derive(Debug)]
pub(super) enum Block<'a> {
    Text {
        raw: &'a str,
        cache: Option<&'a str>,
    },
    /// An image or a document.
    File {
        kind: &'static str,
        source: Source<'a>,
        title: Option<&'a str>,
        cache: Option<&'a str>,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: Cow<'a, str>,
    },
    ToolResult {
        id: String,
        content: Vec<Block<'a>>,
    },
}

/// Where a file is.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Inside { media_type: Cow<'a, str>, base64: Cow<'a, str> },
    At(Cow<'a, str>),
}

impl Block<'_> {
    pub(super) fn write(&self, out: &mut String) {
        let mut block = Object::new(0);
        match self {
            Self::Text { raw, cache } => {
                // The longest of all values goes straight to where it belongs.
                out.push_str(r#"{"type":"text","text":"#);
                out.push_str(raw);
                if let Some(cache) = cache {
                    out.push_str(r#","cache_control":"#);
                    out.push_str(cache);
                }
                out.push('}');
                return;
            }
            Self::File { kind, source, title, cache } => {
                block.member("type", &quoted(kind));
                block.member("source", &source.json());
                for (name, value) in [("title", title), ("cache_control", cache)] {
                    if let Some(value) = value {
                        block.member(name, value);
                    }
                }
            }
            Self::ToolUse { id, name, input } => {
                block.member("type", r#""tool_use""#);
                block.member("id", &quoted(id));
                block.member("name", name);
                block.member("input", input);
            }
            Self::ToolResult { id, content } => {
                block.member("type", r#""tool_result""#);
                block.member("tool_use_id", &quoted(id));
                if !content.is_empty() {
                    write_all(content, block.value("content"));
                }
            }
        }
        out.push_str(&block.finish());
    }
}

impl Source<'_> {
    fn json(&self) -> String {
        let mut source = Object::new(0);
        match self {
            Self::Inside { media_type, base64 } => {
                source.member("type", r#""base64""#);
                source.member("media_type", &quoted(media_type));
                source.member("data", &quoted(base64));
            }
            Self::At(url) => {
                source.member("type", r#""url""#);
                source.member("url", &quoted(url));
            }
        }
        source.finish()
    }
}

/// Writes blocks as an array.
pub(super) fn write_all(blocks: &[Block<'_>], out: &mut String) {
    out.push('[');
    for block in blocks {
        json::separate(out, '[');
        block.write(out);
    }
    out.push(']');
}

/// Reads a `content`: a text, or parts. Texts with nothing in them, which the provider refuses, are left out.
pub(super) fn read<'a>(place: &str, raw: Option<&'a str>) -> Result<Vec<Block<'a>>, Reply> {
    let Some(raw) = raw.filter(|it| *it != "null") else {
        return Ok(Vec::new());
    };
    if raw.starts_with('"') {
        return Ok(text(raw, None).into_iter().collect());
    }
    let parts = array(place, raw)?;
    let parts = parts.into_iter().enumerate().map(|(index, raw)| part(&format!("{place}[{index}]"), raw));
    parts.filter_map(Result::transpose).collect()
}

/// The text `raw`, unless nothing is in it.
pub(super) fn text<'a>(raw: &'a str, cache: Option<&'a str>) -> Option<Block<'a>> {
    (!json::is_blank(raw)).then_some(Block::Text { raw, cache })
}

fn part<'a>(place: &str, raw: &'a str) -> Result<Option<Block<'a>>, Reply> {
    if raw.starts_with('"') {
        return Ok(text(raw, None));
    }
    let names = ["type", "text", "refusal", "image_url", "file", "cache_control"];
    let [kind, said, refusal, image, file, cache] = members(place, raw, names)?;
    let kind = json::string(&format!("{place}.type"), kind.unwrap_or(r#""text""#))?;
    let missing = |name: &str| invalid(format!("{place}.{name}"), "is missing");
    match kind.as_ref() {
        "text" | "refusal" => {
            let raw = said.or(refusal).ok_or_else(|| missing("text"))?;
            if !raw.starts_with('"') {
                return Err(invalid(format!("{place}.text"), "is no string"));
            }
            Ok(text(raw, cache))
        }
        "image_url" => {
            let place = format!("{place}.image_url");
            let raw = image.ok_or_else(|| missing("image_url"))?;
            let (place, url) = match raw.starts_with('"') {
                true => (place, Some(raw)),
                false => {
                    let [url] = members(&place, raw, ["url"])?;
                    (format!("{place}.url"), url)
                }
            };
            let url = json::string(&place, url.unwrap_or_default())?;
            let source = source(url).ok_or_else(|| invalid(place, "is neither a web address nor a base64 data URL"))?;
            Ok(Some(Block::File { kind: "image", source, title: None, cache }))
        }
        "file" => {
            let place = format!("{place}.file");
            let [bytes, title] = members(&place, file.ok_or_else(|| missing("file"))?, ["file_data", "filename"])?;
            let bytes = bytes.ok_or_else(|| unsupported(&place, "names a file that the provider has not"))?;
            let place = format!("{place}.file_data");
            let source = source(json::string(&place, bytes)?);
            let source = source.ok_or_else(|| invalid(place, "is no base64 data URL"))?;
            Ok(Some(Block::File { kind: "document", source, title, cache }))
        }
        _ => Err(unsupported(place, "is a part that is neither text, image nor file")),
    }
}

fn source(url: Cow<'_, str>) -> Option<Source<'_>> {
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => Some(Source::At(url)),
        "data" => match url {
            Cow::Borrowed(url) => inside(url).map(|(media_type, base64)| Source::Inside {
                media_type: Cow::Borrowed(media_type),
                base64: Cow::Borrowed(base64),
            }),
            Cow::Owned(url) => inside(&url).map(|(media_type, base64)| Source::Inside {
                media_type: Cow::Owned(media_type.to_owned()),
                base64: Cow::Owned(base64.to_owned()),
            }),
        },
        _ => None,
    }
}

/// The media type and the base64 of a data URL (RFC 2397).
fn inside(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.get(5..)?.split_once(',')?;
    let mut words = head.split(';');
    let media_type = words.next()?;
    words.next_back().filter(|it| it.eq_ignore_ascii_case("base64"))?;
    Some((media_type, data))
}
