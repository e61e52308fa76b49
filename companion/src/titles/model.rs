//! The model that titles are asked of: any API that answers `POST …/chat/completions` as `OpenAI` does.

use crate::events::Sender;
use crate::names::Name;
use crate::title;
use domain::secret::Secret;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::timeout;

/// The largest answer that is read; a title has some hundred bytes.
const MOST_BYTES: usize = 64 << 10;
/// The longest line that is taken for a title, in characters. What is longer is an answer to the conversation.
const MOST_CHARS: usize = 160;
/// What the model is told.
const TASK: &str = "You name conversations. Answer with a title for this one: at most six words, in the language of its \
                    user, on one line, without quotation marks and without a full stop.";

/// The environment variable that holds the API's key. It has no flag: a command line can be read by every user of the
/// machine.
pub(crate) const KEY_VARIABLE: &str = "TOLLGATE_TITLE_API_KEY";

/// A model that is asked for titles.
#[derive(Debug, Clone)]
pub struct TitleModel {
    /// Where its API is, such as `https://host/v1`.
    pub url: String,
    /// What it is called there.
    pub model: String,
    /// What is sent as `authorization: Bearer …`.
    pub api_key: Option<Secret>,
    /// How long one attempt may take.
    pub within: Duration,
}

/// The model, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Model {
    uri: Uri,
    model: String,
    authorization: Option<Secret>,
    within: Duration,
    sender: Sender,
}

/// Why there is no title; never what was sent or answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoTitle {
    /// It may be there another time.
    Again(String),
    /// It will not.
    Never(String),
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    messages: [Said<'a>; 2],
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Model {
    /// Reads what the operator wrote.
    ///
    /// # Errors
    /// In words for the operator; the key is not shown.
    pub(super) fn new(told: TitleModel, sender: Sender) -> Result<Self, String> {
        let wrong = |found: &str| format!("title-url: expected http://host… or https://host…, found {found}");
        let base = told.url.trim_end_matches('/');
        let uri: Uri = format!("{base}/chat/completions").parse().map_err(|_| wrong("something else"))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(it)) if !it.host().is_empty() => {
                if it.as_str().contains('@') {
                    return Err(wrong(&format!("a user name; {KEY_VARIABLE} is for what proves who asks")));
                }
            }
            _ => return Err(wrong("something else")),
        }
        if uri.query().is_some() {
            return Err(wrong("a query"));
        }
        if told.model.trim().is_empty() {
            return Err("title-model: expected a model's name, found none".to_owned());
        }
        let authorization = match told.api_key {
            Some(key) if key.reveal().bytes().any(|it| !it.is_ascii_graphic()) || key.reveal().is_empty() => {
                return Err(format!("{KEY_VARIABLE}: expected visible ASCII characters, found others"));
            }
            key => key.map(|it| Secret::new(format!("Bearer {}", it.reveal()))),
        };
        Ok(Self { uri, model: told.model, authorization, within: told.within, sender })
    }

    /// How long one attempt may take.
    pub(super) fn within(&self) -> Duration {
        self.within
    }

    /// A title for a conversation that begins like this.
    ///
    /// # Errors
    /// When the model gives none, in time, that is one short line.
    pub(super) async fn ask(&self, beginning: &str) -> Result<String, NoTitle> {
        let late = || NoTitle::Again(format!("no answer within {} ms", self.within.as_millis()));
        timeout(self.within, self.answer(beginning)).await.map_err(|_| late())?
    }

    async fn answer(&self, beginning: &str) -> Result<String, NoTitle> {
        let messages = [Said { role: "system", content: TASK }, Said { role: "user", content: beginning }];
        let question = Question { model: &self.model, messages };
        let never = |it: &str| NoTitle::Never(it.to_owned());
        let body = serde_json::to_vec(&question).map_err(|_| never("it cannot be asked"))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header("content-type", "application/json")
            .header("user-agent", concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            // If it is a gateway of ours, this is nobody's conversation.
            .header("x-tollgate-memory", "off");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.reveal());
        }
        let request = request.body(Full::<Bytes>::from(body)).map_err(|_| never("it cannot be asked"))?;
        let answer = match self.sender.request(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Err(NoTitle::Again("it cannot be reached".to_owned())),
            Err(_) => return Err(NoTitle::Again("the connection broke".to_owned())),
        };
        let status = answer.status();
        if !status.is_success() {
            let why = format!("it answered {}", status.as_u16());
            let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            return Err(if passing { NoTitle::Again(why) } else { NoTitle::Never(why) });
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|_| NoTitle::Again("its answer broke off, or is too long".to_owned()))?;
        read(&body.to_bytes()).ok_or_else(|| never("its answer is no title"))
    }
}

/// The one short line that an answer consists of, made fit for a title.
fn read(body: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let said = answer.choices.into_iter().next()?.message.content?;
    let line = said.trim();
    if line.chars().count() > MOST_CHARS || line.contains(['\n', '\r']) {
        return None;
    }
    let quotes = ['"', '\'', '`', '*', '#', '“', '”', '„', '«', '»', ' '];
    let line = line.trim_matches(quotes);
    let line = line.strip_prefix("Title:").unwrap_or(line).trim_matches(quotes);
    let title = title::cut(line.trim_end_matches('.'))?;
    Name::try_from(title).ok().map(|it| it.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::sender;
    use serde_json::json;

    #[test]
    fn a_title_is_one_short_line() {
        let check = |said: &str| read(json!({"choices": [{"message": {"content": said}}]}).to_string().as_bytes());
        for (said, title) in [
            ("Tides of the North Sea", "Tides of the North Sea"),
            (" \"Tides of the North Sea.\"\n", "Tides of the North Sea"),
            ("Title: «Tides»", "Tides"),
            ("**Tides**", "Tides"),
            ("潮の満ち引き", "潮の満ち引き"),
        ] {
            assert_eq!(check(said).as_deref(), Some(title), "{said}");
        }
        let long = check(&"word ".repeat(20)).unwrap();
        assert!(long.ends_with('…') && long.chars().count() <= 60);
        for none in ["", " ", "\"\"", "…\u{202e}x", "a\nb", &"x".repeat(161), &"word ".repeat(60)] {
            assert_eq!(check(none), None, "{none}");
        }
        let garbage: [&[u8]; 7] = [
            b"",
            b"[]",
            b"\xff",
            b"{}",
            br#"{"choices":[]}"#,
            br#"{"choices":[{"message":{"content":null}}]}"#,
            b"null",
        ];
        for garbage in garbage {
            assert_eq!(read(garbage), None);
        }
    }

    #[test]
    fn what_the_operator_wrote_wrong_is_named_and_the_key_is_not_shown() {
        let check = |url: &str, model: &str, key: Option<&str>| {
            let api_key = key.map(|it| Secret::new(it.to_owned()));
            let told = TitleModel { url: url.into(), model: model.into(), api_key, within: Duration::from_secs(1) };
            Model::new(told, sender().unwrap()).map(|it| it.uri.to_string())
        };
        assert_eq!(check("http://h:1/v1/", "m", Some("k")), Ok("http://h:1/v1/chat/completions".into()));
        assert_eq!(check("https://h", "m", None), Ok("https://h/chat/completions".into()));
        for (url, model, key, begin) in [
            ("", "m", None, "title-url: expected http"),
            ("ftp://h", "m", None, "title-url: expected http"),
            ("http://hunter2@h", "m", None, "title-url: expected http"),
            ("http://h/v1?key=hunter2", "m", None, "title-url: expected http"),
            ("http://h/v1", " ", None, "title-model: "),
            ("http://h/v1", "m", Some("hunter2 "), "TOLLGATE_TITLE_API_KEY: "),
        ] {
            let said = check(url, model, key).unwrap_err();
            assert!(said.starts_with(begin) && !said.contains("hunter2"), "{said}");
        }
    }
}
