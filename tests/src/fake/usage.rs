//! How many tokens an answer took, and how providers say so (WIRE.md 5.2): the fake's own count is what they would bill.

use serde_json::{Value, json};

/// What a provider that thinks before it speaks has thought, in tokens.
pub(super) const THOUGHT: u64 = 7;

/// In which of its many shapes `usage` comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flavour {
    /// OpenAI's: in a stream only if asked, in a chunk of its own with no choice.
    #[default]
    OpenAi,
    /// Half of the prompt was in the cache.
    Cached,
    /// Hidden reasoning, counted in `completion_tokens`.
    Reasoning,
    /// Hidden reasoning, in `total_tokens` but not in `completion_tokens`.
    Xai,
    /// Anthropic's own events: the prompt at the start, without what was cached, and the output at the end.
    Anthropic,
    /// Never, even if asked.
    None,
    /// In every chunk of a stream, so far; without being asked.
    Every,
    /// In the chunk with the `finish_reason`; without being asked.
    Last,
}

impl Flavour {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "cached" => Self::Cached,
            "reasoning" => Self::Reasoning,
            "xai" => Self::Xai,
            "anthropic" => Self::Anthropic,
            "none" => Self::None,
            "every" => Self::Every,
            "last" => Self::Last,
            _ => return None,
        })
    }
}

/// The tokens of one answer, as they would be billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All of the prompt.
    pub prompt: u64,
    /// Of these, read from a cache.
    pub cached: u64,
    /// Of these, written to a cache.
    pub cache_write: u64,
    /// All of the output, reasoning included.
    pub completion: u64,
    /// Of these, hidden reasoning.
    pub reasoning: u64,
}

impl Count {
    /// Of a prompt and a visible answer of so many tokens.
    pub(super) fn new(flavour: Flavour, prompt: u64, visible: u64) -> Self {
        let reasoning = if matches!(flavour, Flavour::Reasoning | Flavour::Xai) { THOUGHT } else { 0 };
        let cached = if matches!(flavour, Flavour::Cached | Flavour::Anthropic) { prompt / 2 } else { 0 };
        let cache_write = if flavour == Flavour::Anthropic { prompt / 4 } else { 0 };
        Self { prompt, cached, cache_write, completion: visible + reasoning, reasoning }
    }

    /// What the provider says about it, where the answer is in OpenAI's shape.
    pub(super) fn usage(&self, flavour: Flavour) -> Value {
        let unsaid = if flavour == Flavour::Xai { self.reasoning } else { 0 };
        json!({"prompt_tokens": self.prompt, "completion_tokens": self.completion - unsaid,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
    }

    /// The same of the Responses API.
    pub(super) fn of_response(&self) -> Value {
        json!({"input_tokens": self.prompt, "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.completion, "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.prompt + self.completion})
    }

    /// Anthropic's, of a whole answer; at a stream's start `output` is 1.
    pub(super) fn of_message(&self, output: u64) -> Value {
        json!({"input_tokens": self.prompt - self.cached - self.cache_write, "cache_read_input_tokens": self.cached,
            "cache_creation_input_tokens": self.cache_write, "output_tokens": output})
    }
}

/// The fake's tokenizer: white space.
pub(super) fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
