//! What a model call used, by the provider's own count.
//!
//! Read from chat completions, legacy completions, embeddings, the Responses API and Anthropic's
//! native API, plain or streamed. Providers agree on the names of the counts, not on what is in
//! them (WIRE.md, 5.2); these rules hold, so that nothing is billed twice or not at all:
//!
//! - What `total_tokens` counts beyond input and output is output: xAI and Gemini leave the thoughts
//!   out of `completion_tokens`. More reasoning than output means the same where there is no total.
//! - Cached and cache-written tokens are part of the input. Anthropic counts them beside
//!   `input_tokens`, so they are added; where they are more than the input that they should be part
//!   of, somebody counted the same way, and they are added too.
//! - A count is a whole number up to a billion. Anything else (negative, fractional, text, 2^64)
//!   makes the whole usage unreadable, as does one that lacks the input (some servers write zeros
//!   into every chunk but the last), or both output and total: there is no usage then, and the caller estimates, and says so, instead of billing a part.
//! - What was served is billed, not what was asked for: `service_tier` is the answer's. `flex` is billed as usual.
//! - Costs that a provider states (OpenRouter's `cost`) are its own affair and not read.
//!
//! In a stream counts are cumulative: the last one that says more than zero stands, and a half
//! (Anthropic's `message_start` has the input, `message_delta` the output) leaves the other half as
//! it was.

mod wire;

use crate::provider::is_called;
use wire::{Counts, Seen};

/// Tokens of one model call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens; those read from and written to the provider's cache are among them.
    pub input: u64,
    /// Prompt tokens that the provider read from its cache.
    pub cached: u64,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// All generated tokens; those of the reasoning are among them.
    pub output: u64,
    /// Generated tokens that the client does not see.
    pub reasoning: u64,
    /// The provider says that it served the request with priority, which has a price of its own.
    pub priority: bool,
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn of(counts: &Counts, provider: Option<Provider>) -> Option<Self> {
        let stated = counts.input.max(counts.prompt)?;
        if stated == 0 && counts.cached.unwrap_or_default() == 0 {
            return None;
        }
        let (cached, cache_write) = (counts.cached.unwrap_or_default(), counts.cache_write.unwrap_or_default());
        let from_cache = cached.saturating_add(cache_write);
        let beside = counts.anthropic && counts.prompt.unwrap_or_default() == 0;
        let input = if beside || from_cache > stated { stated.saturating_add(from_cache) } else { stated };

        let reasoning = counts.reasoning.unwrap_or_default();
        let said = counts.output.max(counts.completion);
        let rest = counts.total.map(|it| it.saturating_sub(input));
        let output = said.max(rest)?;
        let on_top = provider == Some(Provider::Xai) && counts.output.is_none() && counts.total.is_none();
        let output = if on_top || reasoning > output { output.saturating_add(reasoning) } else { output };
        Some(Self { input, cached, cache_write, output, reasoning, priority: counts.priority })
    }
}

/// Finds the usage in one JSON value: a plain answer, or the data of one event of a stream.
#[must_use]
pub fn find(provider: Option<&str>, json: &[u8]) -> Option<Usage> {
    let mut reading = Reading::new(provider);
    reading.see(json);
    reading.usage()
}

/// What the events of one stream said of the usage so far.
///
/// In a stream that broke off the output may be one of an earlier moment, or next to nothing
/// (Anthropic begins with 1): whoever bills it takes the larger of it and the streamed text.
#[derive(Debug, Clone)]
pub struct Reading {
    provider: Option<Provider>,
    counts: Counts,
    /// The last event that names a usage could not be read.
    unreadable: bool,
}

impl Reading {
    /// Nothing seen yet. `provider` is the configured name of the one that answers.
    #[must_use]
    pub fn new(provider: Option<&str>) -> Self {
        Self { provider: provider.and_then(Provider::named), counts: Counts::default(), unreadable: false }
    }

    /// Takes in the data of one event, or a plain answer. Whatever has no `"usage"` in it is not parsed.
    pub fn see(&mut self, json: &[u8]) {
        if !mentions(json) {
            return;
        }
        let counts = match serde_json::from_slice::<Seen<'_>>(json) {
            Ok(seen) => seen.counts(),
            Err(_) => Err(wire::Unreadable),
        };
        match counts {
            Ok(Some(counts)) => {
                self.counts = counts.over(self.counts);
                self.unreadable = false;
            }
            Ok(None) => {}
            Err(wire::Unreadable) => self.unreadable = true,
        }
    }

    /// The usage, if it was said in full.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(&self.counts, self.provider).filter(|_| !self.unreadable)
    }
}

/// What stands before a usage. The text of an answer has its quotes escaped, so it is never this.
const NAME: &[u8] = b"\"usage\"";

/// Whether a usage can be in it. `"usage":null`, which OpenAI writes into every chunk but the last, is none.
fn mentions(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.windows(NAME.len()).position(|it| it == NAME) {
        rest = rest.get(at.saturating_add(NAME.len())..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        if !value.is_some_and(|it| it.starts_with(b"null")) {
            return true;
        }
    }
    false
}

/// A provider with rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Xai,
    /// Takes `stream_options.include_usage`, and most of them say no usage in a stream without.
    Asked,
    /// Says the usage anyway, and refuses or may refuse to be asked.
    Unasked,
}

const PROVIDERS: [(&str, Provider); 19] = [
    ("xai", Provider::Xai),
    ("x-ai", Provider::Xai),
    ("openai", Provider::Asked),
    ("azure", Provider::Asked),
    ("anthropic", Provider::Asked),
    ("google", Provider::Asked),
    ("gemini", Provider::Asked),
    ("groq", Provider::Asked),
    ("deepseek", Provider::Asked),
    ("together", Provider::Asked),
    ("openrouter", Provider::Asked),
    ("vllm", Provider::Asked),
    ("sglang", Provider::Asked),
    ("ollama", Provider::Asked),
    ("bedrock", Provider::Asked),
    ("mistral", Provider::Unasked),
    ("mistralai", Provider::Unasked),
    ("fireworks", Provider::Unasked),
    ("perplexity", Provider::Unasked),
];

impl Provider {
    /// Operators give one provider several names (`openai.1`, `openai-eu`): the longest known name
    /// before a `.`, `-` or `_` counts.
    fn named(name: &str) -> Option<Self> {
        PROVIDERS.iter().find(|(known, _)| is_called(name, known)).map(|(_, it)| *it)
    }
}

/// Does this provider take `stream_options.include_usage`? No for Mistral, which refuses fields that
/// it does not know, for Fireworks and Perplexity, which say the usage anyway, and for whoever is unknown.
#[must_use]
pub fn takes_include_usage(provider: &str) -> bool {
    matches!(Provider::named(provider), Some(Provider::Asked | Provider::Xai))
}

#[cfg(test)]
mod tests;
