//! The rows.

use super::{Kind, Rule};

/// One provider.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    /// The names that operators give it, its own in front.
    pub(super) names: &'static [&'static str],
    /// For every model but those of the next line.
    pub(super) rules: &'static [Rule],
    /// For OpenAI's models that think first.
    pub(super) reasoning: &'static [Rule],
}

impl Row {
    const fn new(kind: Kind, names: &'static [&'static str], rules: &'static [Rule]) -> Self {
        Self { kind, names, rules, reasoning: rules }
    }
}

const OLD_NAME: Rule = Rule::Rename { from: "max_completion_tokens", to: "max_tokens" };
const NEW_NAME: &[Rule] = &[Rule::Rename { from: "max_tokens", to: "max_completion_tokens" }];

/// `422 extra_forbidden` for what it does not know.
const MISTRAL: &[Rule] = &[
    OLD_NAME,
    Rule::Rename { from: "seed", to: "random_seed" },
    Rule::Say { member: "tool_choice", instead_of: "\"required\"", value: "\"any\"" },
    Rule::Drop(&[
        "user",
        "safety_identifier",
        "store",
        "stream_options",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "service_tier",
        "modalities",
        "audio",
        "prompt_cache_key",
        "verbosity",
        "web_search_options",
    ]),
];

const GROQ: &[Rule] = &[
    Rule::Drop(&["logprobs", "top_logprobs", "logit_bias"]),
    Rule::NotZero { member: "temperature", least: "1e-8" },
    Rule::One("n"),
];

pub(super) const ROWS: [Row; 15] = [
    Row { reasoning: NEW_NAME, ..Row::new(Kind::OpenAi, &["openai"], &[]) },
    Row { reasoning: NEW_NAME, ..Row::new(Kind::Azure, &["azure"], &[]) },
    Row::new(Kind::Anthropic, &["anthropic"], &[Rule::AtMost { member: "temperature", most: "1" }, Rule::One("n")]),
    Row::new(Kind::Google, &["google", "gemini"], &[]),
    Row::new(Kind::Mistral, &["mistral", "mistralai"], MISTRAL),
    Row::new(Kind::Cohere, &["cohere"], &[OLD_NAME]),
    Row::new(Kind::OpenRouter, &["openrouter"], &[]),
    Row::new(Kind::Groq, &["groq"], GROQ),
    Row::new(Kind::Xai, &["xai", "x-ai"], &[]),
    Row::new(Kind::DeepSeek, &["deepseek"], &[OLD_NAME]),
    Row::new(Kind::Together, &["together"], &[OLD_NAME]),
    Row::new(Kind::Fireworks, &["fireworks"], &[Rule::Drop(&["seed"])]),
    Row::new(Kind::Ollama, &["ollama"], &[OLD_NAME, Rule::Drop(&["logit_bias", "user", "n"])]),
    Row::new(Kind::Vllm, &["vllm"], &[]),
    Row::new(Kind::Custom, &["custom"], &[OLD_NAME]),
];
