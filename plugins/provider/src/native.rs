//! Providers that speak Anthropic's native Messages API: a chat completion is translated on its way there and back, a
//! message of the client's own passes as it is.

use crate::policy::{self, Asked, Change, Changes};
use domain::{
    chat::Body,
    headers::Headers,
    price::Prices,
    provider::{
        anthropic::{self, Want},
        error,
    },
    reply::Reply,
};
use serde::Deserialize;

/// Which API a provider speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Api {
    /// OpenAI's, or one like it.
    #[default]
    OpenAi,
    /// Anthropic's native Messages API.
    Anthropic,
}

/// The longest plain answer that is translated, in bytes; no model writes as much.
const LONGEST: usize = 16 << 20;

const CHAT: &str = "/chat/completions";
const MESSAGES: &str = "/messages";
const VERSION: &str = "anthropic-version";

/// What becomes of an operation at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It passes.
    Straight,
    /// It passes, in Anthropic's words: errors too, for the client speaks them.
    Own,
    /// It is translated.
    Translated,
}

/// What was asked for, where a former attempt may have written the path: `translated` says that it did so for a chat
/// completion.
#[must_use]
pub fn meant(operation: &'static str, translated: impl FnOnce() -> bool) -> &'static str {
    if operation == MESSAGES && translated() { CHAT } else { operation }
}

/// How `operation` goes to a provider of this `api`.
///
/// # Errors
/// 400 when it does not serve it.
pub fn way(api: Api, operation: &str, provider: &str) -> Result<Way, Reply> {
    match (api, operation) {
        (Api::Anthropic, CHAT) => Ok(Way::Translated),
        (Api::Anthropic, MESSAGES) => Ok(Way::Own),
        (Api::Anthropic, "/models") => Ok(Way::Straight),
        (Api::OpenAi, it) if it != MESSAGES => Ok(Way::Straight),
        _ => {
            let message = format!("this model's provider, {provider}, does not serve {operation}");
            Err(Reply::new(400, "unsupported_endpoint", message).about("model"))
        }
    }
}

impl Way {
    /// The end of the path for the provider.
    #[must_use]
    pub fn path(self, operation: &str) -> &str {
        if self == Self::Translated { MESSAGES } else { operation }
    }

    /// What the API wants in a request's head besides: the version that the body is written in. `was_translated`: a
    /// former attempt may have left it there.
    #[must_use]
    pub fn head(self, headers: &Headers, was_translated: impl FnOnce() -> bool) -> Option<Change<'static>> {
        let said = headers.get(VERSION);
        match self {
            Self::Translated if said == Some(anthropic::VERSION.as_bytes()) => None,
            Self::Own if said.is_some() => None,
            Self::Translated | Self::Own => Some(Change::Set(VERSION, anthropic::VERSION.to_owned())),
            // Of a former attempt.
            Self::Straight if said.is_some() && was_translated() => Some(Change::Remove(VERSION)),
            Self::Straight => None,
        }
    }
}

/// A chat completion on its way.
#[derive(Debug)]
pub struct Question {
    /// The id by which the provider knows the model; `None` leaves the body's.
    model: Option<String>,
    /// What else the body gets before it is translated.
    changes: Changes,
    /// Whether the stream is to tell the usage at its end.
    usage: bool,
}

impl Question {
    /// One for `model`, with these changes, and whether `budget` wants to hear the usage.
    #[must_use]
    pub fn new(model: Option<String>, changes: Changes, asked: Asked) -> Self {
        // Rules are of the other API, and so is the wish for usage.
        let changes = Changes { ask: changes.ask, without: changes.without, ..Changes::default() };
        Self { model, changes, usage: asked != Asked::Never }
    }

    /// The body for the provider.
    ///
    /// # Errors
    /// 400 when it cannot be read in only one way, or asks for what has no counterpart.
    pub fn body(&mut self, bytes: &[u8], models: &Prices) -> Result<Vec<u8>, Reply> {
        let changed = if self.changes == Changes::default() { None } else { policy::edited(bytes, &self.changes)? };
        let body = Body::parse(changed.as_deref().unwrap_or(bytes))?;
        // No edit is needed where the client has asked already.
        self.usage |= body.stream() && body.ask_usage()?.is_none();
        let model = self.model.as_deref();
        let known = model.or(body.model()).and_then(|it| models.of(&format!("anthropic/{it}")));
        let most = known.and_then(|it| it.max_output).and_then(|it| u32::try_from(it).ok());
        anthropic::request(&body, &Want { model, max_tokens: most.unwrap_or(anthropic::MAX_TOKENS) })
    }

    /// The answer that begins with this head; `None` for an error, or nothing to be translated. `created` is now, in
    /// seconds since 1970.
    #[must_use]
    pub fn answer(&self, status: u16, headers: &Headers, created: u64) -> Option<Answer> {
        if !(200..300).contains(&status) {
            return None;
        }
        let kind = headers.text("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        Some(match kind.eq_ignore_ascii_case("text/event-stream") {
            true => Answer::Stream(Box::new(anthropic::Stream::new(self.usage, created))),
            false => Answer::Plain { kept: Vec::new(), created },
        })
    }
}

/// An answer as it is translated, piece by piece.
#[derive(Debug)]
pub enum Answer {
    /// It can only be read as a whole.
    Plain {
        /// What has come.
        kept: Vec<u8>,
        /// When.
        created: u64,
    },
    /// It streams.
    Stream(Box<anthropic::Stream>),
}

impl Answer {
    /// What the client gets in the place of this piece.
    pub fn piece(&mut self, chunk: &[u8], last: bool) -> Vec<u8> {
        match self {
            Self::Stream(stream) => {
                let mut out = stream.read(chunk);
                if last {
                    out.extend(stream.finish());
                }
                out
            }
            Self::Plain { kept, created } => {
                if kept.len() <= LONGEST {
                    kept.extend_from_slice(chunk);
                }
                if !last {
                    return Vec::new();
                }
                let kept = std::mem::take(kept);
                let read = Some(&kept).filter(|it| it.len() <= LONGEST);
                read.and_then(|it| anthropic::response(it, *created)).unwrap_or_else(|| unreadable(&kept))
            }
        }
    }
}

/// What the client gets of an answer that is no message: the error in it, or that nobody understands it. Its head with the
/// status has left.
fn unreadable(answer: &[u8]) -> Vec<u8> {
    let told = answer.get(..error::LIMIT.min(answer.len())).filter(|it| it.starts_with(b"{\"type\":\"error\""));
    let error = told.and_then(|it| error::normalised(502, it)).unwrap_or_else(|| {
        Reply::new(502, "upstream_error", "the model's provider gave an answer that cannot be read").body()
    });
    error.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_operation_goes_its_way_or_is_refused() {
        let check = |api: Api, operation: &str| way(api, operation, "p").map_err(|it| (it.status, it.code));
        let refused = Err((400, "unsupported_endpoint"));
        for (operation, openai, own) in [
            (CHAT, Ok(Way::Straight), Ok(Way::Translated)),
            (MESSAGES, refused, Ok(Way::Own)),
            ("/models", Ok(Way::Straight), Ok(Way::Straight)),
            ("/embeddings", Ok(Way::Straight), refused),
            ("/responses", Ok(Way::Straight), refused),
            ("/completions", Ok(Way::Straight), refused),
        ] {
            assert_eq!(check(Api::OpenAi, operation), openai, "{operation}");
            assert_eq!(check(Api::Anthropic, operation), own, "{operation}");
        }
        assert_eq!((meant(MESSAGES, || true), meant(MESSAGES, || false)), (CHAT, MESSAGES));
        assert_eq!(meant(CHAT, || panic!("nobody needs to ask")), CHAT);
    }

    #[test]
    fn the_version_stands_where_it_is_needed_and_nowhere_else() {
        let check = |way: Way, said: Option<&str>, was: bool| {
            let headers: Headers = said.map(|it| (VERSION, it)).into_iter().collect();
            match way.head(&headers, || was) {
                None => "as it is".to_owned(),
                Some(Change::Set(_, value)) => value,
                Some(Change::Remove(_)) => "gone".to_owned(),
            }
        };
        for (way, said, was, expected) in [
            (Way::Translated, None, false, "2023-06-01"),
            (Way::Translated, Some("2099-01-01"), false, "2023-06-01"),
            (Way::Translated, Some("2023-06-01"), true, "as it is"),
            (Way::Own, None, false, "2023-06-01"),
            (Way::Own, Some("2099-01-01"), false, "as it is"),
            (Way::Straight, Some("2023-06-01"), true, "gone"),
            (Way::Straight, Some("2099-01-01"), false, "as it is"),
            (Way::Straight, None, true, "as it is"),
        ] {
            assert_eq!(check(way, said, was), expected, "{way:?} {said:?} {was}");
        }
    }

    #[test]
    fn a_question_names_the_model_and_as_many_tokens_as_it_can_write() {
        let models = Prices::built_in(&BTreeMap::new()).unwrap();
        let check = |model: Option<&str>, body: &str| {
            let made = Question::new(model.map(Into::into), Changes::default(), Asked::Never)
                .body(body.as_bytes(), &models)
                .unwrap();
            let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
            (made["model"].as_str().unwrap().to_owned(), made["max_tokens"].as_u64().unwrap())
        };
        let asked = r#"{"model":"nobody-knows","messages":[]}"#;
        assert_eq!(check(None, asked), ("nobody-knows".into(), 4_096));
        let known = models.of("anthropic/claude-sonnet-4-5").unwrap().max_output.unwrap();
        assert_eq!(check(Some("claude-sonnet-4-5"), asked), ("claude-sonnet-4-5".into(), known));
        let limited = r#"{"model":"claude-sonnet-4-5","messages":[],"max_tokens":5}"#;
        assert_eq!(check(None, limited), ("claude-sonnet-4-5".into(), 5));
    }

    #[test]
    fn a_stream_tells_its_usage_to_whoever_asks() {
        let models = Prices::built_in(&BTreeMap::new()).unwrap();
        for (asked, more, expected) in [
            (Asked::Never, "", false),
            (Asked::First, "", true),
            (Asked::Again, "", true),
            (Asked::Never, r#","stream_options":{"include_usage":true}"#, true),
            (Asked::Never, r#","stream_options":{"include_usage":false}"#, false),
        ] {
            let mut question = Question::new(None, Changes::default(), asked);
            let body = format!(r#"{{"model":"m","messages":[],"stream":true{more}}}"#);
            question.body(body.as_bytes(), &models).unwrap();
            assert_eq!(question.usage, expected, "{asked:?} {more}");
        }
    }

    #[test]
    fn an_answer_is_translated_or_said_to_be_unreadable() {
        let headers = |kind: &str| -> Headers { [("content-type", kind)].into_iter().collect() };
        let check = |kind: &str, pieces: &[&str]| {
            let mut answer =
                Question::new(None, Changes::default(), Asked::Never).answer(200, &headers(kind), 7).unwrap();
            let mut out: Vec<u8> = pieces.iter().flat_map(|it| answer.piece(it.as_bytes(), false)).collect();
            out.extend(answer.piece(b"", true));
            String::from_utf8(out).unwrap()
        };
        let message = r#"{"id":"m","type":"message","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}"#;
        let (left, right) = message.split_at(30);
        assert!(check("application/json", &[left, right]).contains(r#""content":"hi""#));
        assert!(check("application/json", &["nothing"]).contains("cannot be read"));
        let error = r#"{"type":"error","error":{"type":"api_error","message":"Overloaded"}}"#;
        assert!(check("application/json", &[error]).contains(r#"{"error":{"message":"Overloaded","type":"api_error""#));
        let long = "x".repeat(LONGEST);
        assert!(check("application/json", &[&long, "x", "x"]).contains("cannot be read"));
        assert!(check("text/event-stream; charset=utf-8", &[]).starts_with(r#"data: {"error""#));
        assert!(
            Question::new(None, Changes::default(), Asked::Never)
                .answer(529, &headers("application/json"), 7)
                .is_none()
        );
    }
}
