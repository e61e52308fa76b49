//! How the fake provider is told to misbehave.
//!
//! A behaviour is one or more words joined by `+`:
//!
//! | word | what happens |
//! |---|---|
//! | `400` … `599` | that status with the provider's error object |
//! | `429-after-7` | the same with `retry-after: 7` |
//! | `start-200ms` | the answer's head comes that much later |
//! | `slow-200ms` | every event of a stream comes that much after the one before |
//! | `words-50` | the answer is `w0 w1 …` with that many words, instead of an echo |
//! | `even-50` | the same with words of three letters, so that four bytes are a token, as the gateway counts |
//! | `says-6869` | the answer is this text, in hexadecimal digits of its UTF-8 |
//! | `choices-3` | three choices; each but the first has its number behind the text |
//! | `script-2` | the bytes that the test gave to [`super::FakeProvider::says`] as the third |
//! | `letters` | every event of a stream has one character of text |
//! | `packed` | a plain answer says that it is gzip, whatever it is |
//! | `huge` | `words-200000`, about 1.3 MB |
//! | `cut-3` | the connection is reset after three events; a plain answer is reset half-way |
//! | `end-3` | the stream ends properly after three events, but without `[DONE]` |
//! | `no-done` | the stream is whole and ends properly, but without `[DONE]` |
//! | `error-3` | after three events comes an error event inside the 200, then the end |
//! | `error-body` | status 200 and an error object as JSON, even for a stream |
//! | `malformed` | JSON that breaks off: the plain body, or the second event of a stream |
//! | `hang` | no answer until the client goes away |
//! | `reset` | the connection is reset instead of an answer |
//! | `tools` | calls the request's tools instead of answering with text |
//! | `usage` | the stream's usage chunk comes without being asked for |
//! | `usage-cached` | half of the prompt was cached |
//! | `usage-reasoning`, `usage-xai` | seven tokens of hidden reasoning; xAI leaves them out of `completion_tokens` |
//! | `usage-anthropic` | Anthropic's own events, with usage in two halves |
//! | `usage-none`, `usage-every`, `usage-last` | in no chunk, in every one, in the one with the `finish_reason`; asked or not |
//! | `crlf` | events are framed with CR LF |
//!
//! Three ways to say it, the first that applies wins: a rule through [`super::FakeProvider::behave`] (or the control
//! endpoint), a header `x-fake: …`, or a model named `fake-<behaviour>`, with or without a prefix such as `openai/`.

use std::time::Duration;

use super::usage::Flavour;

/// What an answer should be like; the default is a good provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Instead of an answer.
    pub status: Option<u16>,
    /// Seconds, for `retry-after`.
    pub retry_after: Option<u32>,
    /// Before the head.
    pub start: Duration,
    /// Before each event.
    pub pace: Duration,
    /// Words in the answer.
    pub words: Option<usize>,
    /// All of one length.
    pub even: bool,
    /// Instead of an echo.
    pub says: Option<String>,
    /// More than one choice.
    pub choices: Option<usize>,
    /// The number of an answer that was given.
    pub script: Option<usize>,
    /// One character in each event.
    pub letters: bool,
    /// `content-encoding: gzip`.
    pub packed: bool,
    /// Where a stream stops being good.
    pub after: Option<(usize, Ending)>,
    /// A stream without `[DONE]`.
    pub no_done: bool,
    /// An error object with status 200.
    pub error_body: bool,
    /// JSON that breaks off.
    pub malformed: bool,
    /// No answer at all.
    pub hang: bool,
    /// A reset instead of an answer.
    pub reset: bool,
    /// Tool calls instead of text.
    pub tools: bool,
    /// Usage in the stream without being asked.
    pub usage: bool,
    /// What that looks like.
    pub flavour: Flavour,
    /// CR LF framing of events.
    pub crlf: bool,
}

/// How a stream ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// TCP reset.
    Cut,
    /// A proper end of the body without `[DONE]`.
    End,
    /// An error event, then a proper end.
    Error,
}

impl Behaviour {
    /// Parses words joined by `+`; see the module's table.
    ///
    /// # Errors
    /// Names the word that is none.
    pub fn parse(words: &str) -> Result<Self, String> {
        let mut behaviour = Self::default();
        for word in words.split('+').filter(|word| !word.is_empty()) {
            behaviour.add(word).ok_or_else(|| format!("no behaviour of the fake provider: {word:?}"))?;
        }
        Ok(behaviour)
    }

    /// What a model's name asks for: `fake-…` in its last segment; anything else is a good provider.
    ///
    /// # Errors
    /// As [`Behaviour::parse`].
    pub fn of_model(model: &str) -> Result<Self, String> {
        let name = model.rsplit('/').next().unwrap_or(model);
        name.strip_prefix("fake-").map_or_else(|| Ok(Self::default()), Self::parse)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        let (name, argument) = word.split_once('-').unwrap_or((word, ""));
        match (name, argument) {
            ("start", time) => self.start = milliseconds(time)?,
            ("slow", time) => self.pace = milliseconds(time)?,
            ("words", count) => self.words = Some(count.parse().ok()?),
            ("even", count) => {
                self.even = true;
                self.words = Some(count.parse().ok()?);
            }
            ("says", digits) => self.says = Some(text(digits)?),
            ("choices", count) => self.choices = Some(count.parse().ok()?),
            ("script", number) => self.script = Some(number.parse().ok()?),
            ("letters", "") => self.letters = true,
            ("packed", "") => self.packed = true,
            ("huge", "") => self.words = Some(200_000),
            ("cut", count) => self.after = Some((count.parse().ok()?, Ending::Cut)),
            ("end", count) => self.after = Some((count.parse().ok()?, Ending::End)),
            ("no", "done") => self.no_done = true,
            ("error", "body") => self.error_body = true,
            ("error", count) => self.after = Some((count.parse().ok()?, Ending::Error)),
            ("malformed", "") => self.malformed = true,
            ("hang", "") => self.hang = true,
            ("reset", "") => self.reset = true,
            ("tools", "") => self.tools = true,
            ("usage", "") => self.usage = true,
            ("usage", flavour) => self.flavour = Flavour::parse(flavour)?,
            ("crlf", "") => self.crlf = true,
            (status, after) => {
                self.status = Some(status.parse().ok().filter(|status| (400..600).contains(status))?);
                if !after.is_empty() {
                    self.retry_after = Some(after.strip_prefix("after-")?.parse().ok()?);
                }
            }
        }
        Some(())
    }
}

fn text(digits: &str) -> Option<String> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    String::from_utf8((0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?).ok()
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.strip_suffix("ms")?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_by_plus() {
        let behaviour = Behaviour::parse("slow-20ms+cut-3+words-5").unwrap();
        assert_eq!(behaviour.pace, Duration::from_millis(20));
        assert_eq!(behaviour.after, Some((3, Ending::Cut)));
        assert_eq!(behaviour.words, Some(5));
    }

    #[test]
    fn a_status_may_say_when_to_come_back() {
        let behaviour = Behaviour::parse("429-after-7").unwrap();
        assert_eq!((behaviour.status, behaviour.retry_after), (Some(429), Some(7)));
    }

    #[test]
    fn a_text_is_said_in_digits() {
        assert_eq!(Behaviour::parse("says-c3a961").unwrap().says.as_deref(), Some("éa"));
        assert!(Behaviour::parse("says-c3a").is_err());
    }

    #[test]
    fn a_model_says_it_with_a_prefix_and_other_models_are_good() {
        assert_eq!(Behaviour::of_model("openai/fake-503").unwrap().status, Some(503));
        assert_eq!(Behaviour::of_model("openai/gpt-4o").unwrap(), Behaviour::default());
    }

    #[test]
    fn an_unknown_word_is_named() {
        for word in ["slow", "slow-3", "200", "cut", "what-3", "usage-what"] {
            assert!(Behaviour::parse(word).unwrap_err().contains(word));
        }
    }
}
