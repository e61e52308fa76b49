//! A chat completion's body as one of the Messages API.

use super::{
    content::{self, Block},
    invalid,
    json::{self, Object, members},
    tools, unsupported,
};
use crate::{
    chat::{Body, Message, quoted},
    reply::Reply,
};

/// What the gateway knows that the body does not say.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The id by which the provider knows the model; `None` leaves the body's.
    pub model: Option<&'a str>,
    /// How many tokens the answer may have where the body sets no limit; the provider must be told one. The model's
    /// own limit, or [`super::MAX_TOKENS`].
    pub max_tokens: u32,
}

/// The body for `POST /v1/messages` that asks the same as `body`.
///
/// # Errors
/// 400 when the body cannot be read in only one way, is no chat completion's, or asks for what has no counterpart.
pub fn request(body: &Body<'_>, want: &Want<'_>) -> Result<Vec<u8>, Reply> {
    let said = |name: &str| body.member(name).filter(|it| *it != "null");
    if said("n").is_some_and(|it| it != "1") {
        return Err(unsupported("n", "asks for several answers"));
    }
    if said("web_search_options").is_some() {
        return Err(unsupported("web_search_options", "asks for a search"));
    }
    let conversation = Conversation::read(&body.messages()?)?;
    let size: usize = body.raw_messages().map(str::len).sum();
    let mut out = Object::new(size.saturating_add(1_024));
    match (want.model, said("model")) {
        (Some(model), _) => out.member("model", &quoted(model)),
        (None, Some(raw)) => out.member("model", raw),
        (None, None) => return Err(invalid("model", "is missing")),
    }
    match said("max_completion_tokens").or_else(|| said("max_tokens")) {
        Some(raw) => out.member("max_tokens", raw),
        None => out.member("max_tokens", &want.max_tokens.to_string()),
    }
    conversation.write(&mut out);
    tools::write(body, &mut out)?;
    if let Some(raw) = said("temperature") {
        let high = raw.parse().is_ok_and(|it: f64| it > 1.0);
        out.member("temperature", if high { "1" } else { raw });
    }
    for name in ["top_p", "top_k", "stream"] {
        if let Some(raw) = said(name) {
            out.member(name, raw);
        }
    }
    if let Some(raw) = said("stop") {
        let list = if raw.starts_with('"') { format!("[{raw}]") } else { raw.to_owned() };
        out.member("stop_sequences", &list);
    }
    if let Some(raw) = said("safety_identifier").or_else(|| said("user")) {
        out.member("metadata", &format!(r#"{{"user_id":{raw}}}"#));
    }
    if let Some(schema) = said("response_format").map(schema).transpose()?.flatten() {
        out.member("output_config", &format!(r#"{{"format":{{"type":"json_schema","schema":{schema}}}}}"#));
    }
    Ok(out.finish().into_bytes())
}

/// The schema that a `response_format` sets. `json_object` sets none: who asks for it must also ask for JSON in the
/// messages, and that stays there.
fn schema(raw: &str) -> Result<Option<&str>, Reply> {
    const PLACE: &str = "response_format";
    let [kind, schema] = members(PLACE, raw, ["type", "json_schema"])?;
    match kind {
        Some(r#""text""# | r#""json_object""#) => Ok(None),
        Some(r#""json_schema""#) => {
            let place = format!("{PLACE}.json_schema");
            let [inner] = members(&place, schema.ok_or_else(|| invalid(&place, "is missing"))?, ["schema"])?;
            inner.map(Some).ok_or_else(|| invalid(format!("{place}.schema"), "is missing"))
        }
        _ => Err(unsupported(format!("{PLACE}.type"), "is neither `text`, `json_object` nor `json_schema`")),
    }
}

/// The messages in the form that the provider wants: instructions apart, and the two sides in turns.
#[derive(Debug, Default)]
struct Conversation<'a> {
    system: Vec<Block<'a>>,
    turns: Vec<Turn<'a>>,
}

#[derive(Debug)]
struct Turn<'a> {
    role: &'static str,
    blocks: Vec<Block<'a>>,
}

impl<'a> Conversation<'a> {
    fn read(messages: &[Message<'a>]) -> Result<Self, Reply> {
        let mut all = Self::default();
        for message in messages {
            all.add(message)?;
        }
        Ok(all)
    }

    fn add(&mut self, message: &Message<'a>) -> Result<(), Reply> {
        let place = format!("messages[{}]", message.index);
        let content = || content::read(&format!("{place}.content"), message.content);
        match message.role.as_ref() {
            "system" | "developer" => {
                let blocks = content()?;
                if blocks.iter().any(|it| !matches!(it, Block::Text { .. })) {
                    return Err(unsupported(format!("{place}.content"), "instructs with more than text"));
                }
                self.system.extend(blocks);
            }
            "user" => self.say("user", content()?),
            "assistant" => {
                let mut blocks = content()?;
                let refusal = message.refusal.filter(|it| it.starts_with('"'));
                blocks.extend(refusal.and_then(|it| content::text(it, None)));
                if let Some(raw) = message.tool_calls.filter(|it| *it != "null") {
                    blocks.extend(tools::calls(&format!("{place}.tool_calls"), raw)?);
                }
                self.say("assistant", blocks);
            }
            "tool" => {
                let [id] = members(&place, message.raw, ["tool_call_id"])?;
                let place = format!("{place}.tool_call_id");
                let id = tools::id_of(&place, id.ok_or_else(|| invalid(&place, "is missing"))?)?;
                self.say("user", vec![Block::ToolResult { id, content: content()? }]);
            }
            "function" => return Err(unsupported(format!("{place}.role"), "is the old form of `tool`")),
            _ => return Err(invalid(format!("{place}.role"), "is no role of a message")),
        }
        Ok(())
    }

    /// One side says more; two messages of one side are one turn.
    fn say(&mut self, role: &'static str, blocks: Vec<Block<'a>>) {
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => self.turns.push(Turn { role, blocks }),
        }
    }

    fn write(&self, out: &mut Object) {
        if !self.system.is_empty() {
            content::write_all(&self.system, out.value("system"));
        }
        let list = out.value("messages");
        list.push('[');
        for turn in &self.turns {
            json::separate(list, '[');
            list.push_str(r#"{"role":""#);
            list.push_str(turn.role);
            list.push_str(r#"","content":"#);
            content::write_all(&turn.blocks, list);
            list.push('}');
        }
        list.push(']');
    }
}
