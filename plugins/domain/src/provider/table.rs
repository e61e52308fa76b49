//! The rows.

use super::{Home, Kind, Rule};

/// One provider.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    /// The names that operators give it, its own in front.
    pub(super) names: &'static [&'static str],
    /// Where its API is.
    pub(super) home: Home,
    /// For every model but those of the next line.
    pub(super) rules: &'static [Rule],
    /// For OpenAI's models that think first.
    pub(super) reasoning: &'static [Rule],
}

impl Row {
    const fn new(
        kind: Kind,
        names: &'static [&'static str],
        host: &'static str,
        base_path: &'static str,
        rules: &'static [Rule],
    ) -> Self {
        Self { kind, names, home: Home { host, base_path, api_key: false }, rules, reasoning: rules }
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

/// Its host is the resource's own.
const AZURE: Home = Home { host: "", base_path: "/openai/v1", api_key: true };

pub(super) const ROWS: [Row; 15] = [
    Row { reasoning: NEW_NAME, ..Row::new(Kind::OpenAi, &["openai"], "api.openai.com", "/v1", &[]) },
    Row { reasoning: NEW_NAME, home: AZURE, ..Row::new(Kind::Azure, &["azure"], "", "", &[]) },
    Row::new(
        Kind::Anthropic,
        &["anthropic"],
        "api.anthropic.com",
        "/v1",
        &[Rule::AtMost { member: "temperature", most: "1" }, Rule::One("n")],
    ),
    Row::new(Kind::Google, &["google", "gemini"], "generativelanguage.googleapis.com", "/v1beta/openai", &[]),
    Row::new(Kind::Mistral, &["mistral", "mistralai"], "api.mistral.ai", "/v1", MISTRAL),
    Row::new(Kind::Cohere, &["cohere"], "api.cohere.ai", "/compatibility/v1", &[OLD_NAME]),
    Row::new(Kind::OpenRouter, &["openrouter"], "openrouter.ai", "/api/v1", &[]),
    Row::new(Kind::Groq, &["groq"], "api.groq.com", "/openai/v1", GROQ),
    Row::new(Kind::Xai, &["xai", "x-ai"], "api.x.ai", "/v1", &[]),
    Row::new(Kind::DeepSeek, &["deepseek"], "api.deepseek.com", "/v1", &[OLD_NAME]),
    Row::new(Kind::Together, &["together"], "api.together.ai", "/v1", &[OLD_NAME]),
    Row::new(Kind::Fireworks, &["fireworks"], "api.fireworks.ai", "/inference/v1", &[Rule::Drop(&["seed"])]),
    Row::new(Kind::Ollama, &["ollama"], "", "/v1", &[OLD_NAME, Rule::Drop(&["logit_bias", "user", "n"])]),
    Row::new(Kind::Vllm, &["vllm"], "", "/v1", &[]),
    Row::new(Kind::Custom, &["custom"], "", "", &[OLD_NAME]),
];
