//! Tools: what they are, which may be called, and which were.

use super::{
    content::Block,
    invalid,
    json::{self, Object, array, members},
    unsupported,
};
use crate::{chat::Body, reply::Reply};
use std::borrow::Cow;

/// A tool that says nothing of its arguments takes none.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes `tools` and `tool_choice`.
pub(super) fn write(body: &Body<'_>, out: &mut Object) -> Result<(), Reply> {
    if said(body, "functions").is_some() {
        return Err(unsupported("functions", "is the old form of `tools`"));
    }
    let Some(raw) = said(body, "tools") else { return Ok(()) };
    let tools = array("tools", raw)?;
    if tools.is_empty() {
        return Ok(());
    }
    let list = out.value("tools");
    list.push('[');
    for (index, raw) in tools.into_iter().enumerate() {
        let tool = tool(&format!("tools[{index}]"), raw)?;
        json::separate(list, '[');
        list.push_str(&tool);
    }
    list.push(']');
    if let Some(choice) = choice(said(body, "tool_choice"), said(body, "parallel_tool_calls"))? {
        out.member("tool_choice", &choice);
    }
    Ok(())
}

fn said<'a>(body: &Body<'a>, name: &str) -> Option<&'a str> {
    body.member(name).filter(|it| *it != "null")
}

fn tool(place: &str, raw: &str) -> Result<String, Reply> {
    let [kind, function, cache] = members(place, raw, ["type", "function", "cache_control"])?;
    if kind.is_some_and(|it| it != r#""function""#) {
        return Err(unsupported(format!("{place}.type"), "is not `function`"));
    }
    let place = format!("{place}.function");
    let function = function.ok_or_else(|| invalid(&place, "is missing"))?;
    let [name, description, schema] = members(&place, function, ["name", "description", "parameters"])?;
    let mut tool = Object::new(raw.len());
    tool.member("name", name.ok_or_else(|| invalid(format!("{place}.name"), "is missing"))?);
    if let Some(description) = description {
        tool.member("description", description);
    }
    tool.member("input_schema", &input_schema(&format!("{place}.parameters"), schema)?);
    if let Some(cache) = cache {
        tool.member("cache_control", cache);
    }
    Ok(tool.finish())
}

/// The client's schema; one without a `type`, which the provider refuses, is an object's.
fn input_schema<'a>(place: &str, raw: Option<&'a str>) -> Result<Cow<'a, str>, Reply> {
    let Some(raw) = raw else { return Ok(Cow::Borrowed(NO_ARGUMENTS)) };
    let [kind] = members(place, raw, ["type"])?;
    let rest = raw.strip_prefix('{').unwrap_or_default().trim_start_matches(json::BLANK);
    Ok(match kind {
        _ if rest == "}" => Cow::Borrowed(NO_ARGUMENTS),
        Some(_) => Cow::Borrowed(raw),
        None => Cow::Owned(format!(r#"{{"type":"object",{rest}"#)),
    })
}

fn choice(choice: Option<&str>, parallel: Option<&str>) -> Result<Option<String>, Reply> {
    const PLACE: &str = "tool_choice";
    let mut out = Object::new(0);
    match choice {
        Some(r#""none""#) => {
            out.member("type", r#""none""#);
            return Ok(Some(out.finish()));
        }
        None if parallel != Some("false") => return Ok(None),
        None | Some(r#""auto""#) => out.member("type", r#""auto""#),
        Some(r#""required""#) => out.member("type", r#""any""#),
        Some(raw) => {
            let [kind, function] = members(PLACE, raw, ["type", "function"])?;
            if kind != Some(r#""function""#) {
                return Err(unsupported(PLACE, "is neither `auto`, `none`, `required` nor a function"));
            }
            let place = format!("{PLACE}.function");
            let [name] = members(&place, function.ok_or_else(|| invalid(&place, "is missing"))?, ["name"])?;
            out.member("type", r#""tool""#);
            out.member("name", name.ok_or_else(|| invalid(format!("{place}.name"), "is missing"))?);
        }
    }
    if parallel == Some("false") {
        out.member("disable_parallel_tool_use", "true");
    }
    Ok(Some(out.finish()))
}

/// The calls that an earlier answer made.
pub(super) fn calls<'a>(place: &str, raw: &'a str) -> Result<Vec<Block<'a>>, Reply> {
    let calls = array(place, raw)?.into_iter().enumerate();
    calls.map(|(index, raw)| call(&format!("{place}[{index}]"), raw)).collect()
}

fn call<'a>(place: &str, raw: &'a str) -> Result<Block<'a>, Reply> {
    let [id, function] = members(place, raw, ["id", "function"])?;
    let id = id.ok_or_else(|| invalid(format!("{place}.id"), "is missing"))?;
    let id = id_of(&format!("{place}.id"), id)?;
    let place = format!("{place}.function");
    let function = function.ok_or_else(|| unsupported(&place, "is missing in a call of another kind"))?;
    let [name, arguments] = members(&place, function, ["name", "arguments"])?;
    let name = name.ok_or_else(|| invalid(format!("{place}.name"), "is missing"))?;
    Ok(Block::ToolUse { id, name, input: input(&format!("{place}.arguments"), arguments)? })
}

/// Arguments are a text in one API and an object in the other.
fn input<'a>(place: &str, raw: Option<&'a str>) -> Result<Cow<'a, str>, Reply> {
    let text = json::string(place, raw.unwrap_or(r#""""#))?;
    let trimmed = text.trim_matches(json::BLANK);
    if trimmed.is_empty() {
        return Ok(Cow::Borrowed("{}"));
    }
    let json: Result<&serde_json::value::RawValue, _> = serde_json::from_str(trimmed);
    if json.is_err() || !trimmed.starts_with('{') {
        return Err(invalid(place, "holds no JSON object"));
    }
    Ok(text)
}

/// The name of a call in the letters that the provider takes; other providers make names of more.
pub(super) fn id_of(place: &str, raw: &str) -> Result<String, Reply> {
    let id = json::string(place, raw)?;
    let letter = |it: char| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' };
    Ok(id.chars().map(letter).collect())
}
