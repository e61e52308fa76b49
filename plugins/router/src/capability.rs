//! Which candidates can do what is asked: the operation, tools, pictures, a JSON Schema, and a prompt of this length.
//!
//! Only what is known counts. Whom nobody knows may be asked for anything, and so may a model of which nobody says that it
//! cannot: a provider that refuses is better than a gateway that is wrong.

use domain::{
    chat::{Body, Endpoint},
    estimate::{Estimate, Seen},
    mode::Mode,
    price::{Capability, Model, Prices},
    reply::Reply,
};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

/// What a request needs, each with the member that says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(Vec<(Capability, &'static str)>);

impl Needs {
    /// What this request needs. Members that cannot be read need nothing: what they are is the provider's to say.
    #[must_use]
    pub fn of(body: &Body<'_>, endpoint: Endpoint, seen: Seen) -> Self {
        let (operation, content) = match endpoint {
            // Whether a provider speaks Anthropic's own API is `provider`'s to know.
            Endpoint::ChatCompletions | Endpoint::Messages => (Capability::Chat, "messages"),
            Endpoint::Responses => (Capability::Responses, "input"),
            Endpoint::Embeddings => return Self(vec![(Capability::Embeddings, "model")]),
            // Of the models that are still asked this way nobody says so.
            Endpoint::Completions => return Self::default(),
        };
        let has = |name: &str| body.member(name).is_some_and(|it| !matches!(it, "null" | "[]"));
        // A tool of Anthropic's own kind need not say that it is one.
        let tool = seen.tool || (endpoint == Endpoint::Messages && has("tools"));
        let forced = tool && body.member("tool_choice").is_some_and(is_forced);
        let format = if endpoint == Endpoint::Responses { "text" } else { "response_format" };
        let all = [
            (true, operation, "model"),
            (tool, Capability::Tools, "tools"),
            (has("functions") && !tool, Capability::Tools, "functions"),
            (forced, Capability::ToolChoice, "tool_choice"),
            (body.member(format).is_some_and(is_schema), Capability::JsonSchema, format),
            (seen.image, Capability::Vision, content),
            (seen.audio, Capability::AudioInput, content),
        ];
        Self(all.into_iter().filter(|(is, ..)| *is).map(|(_, capability, member)| (capability, member)).collect())
    }
}

/// The member of an object that says what it is; the others are skipped, not kept.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    r#type: Option<Cow<'a, str>>,
    /// Only the Responses API has it, one level further in.
    #[serde(borrow, default)]
    format: Option<Box<Kind<'a>>>,
}

/// Whether `tool_choice` makes the model call a tool.
fn is_forced(raw: &str) -> bool {
    let kind = serde_json::from_str::<Kind<'_>>(raw).ok().and_then(|it| it.r#type);
    matches!(raw, r#""required""# | r#""any""#)
        || matches!(kind.as_deref(), Some("function" | "custom" | "tool" | "any"))
}

/// Whether `response_format`, or the Responses API's `text`, has a JSON Schema.
fn is_schema(raw: &str) -> bool {
    let Ok(Kind { r#type, format }) = serde_json::from_str(raw) else { return false };
    format.map_or(r#type, |it| it.r#type).as_deref() == Some("json_schema")
}

/// Which of the two rules hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// What the candidates can do.
    pub capabilities: Mode,
    /// How long a prompt they take.
    pub context_length: Mode,
}

/// What is left of a request's candidates.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    /// The places of those that may be asked, in order; or the answer, where none may be.
    pub left: Result<Vec<usize>, Reply>,
    /// The codes of the rules by which none was left, where they only count.
    pub shadowed: Vec<&'static str>,
}

/// One that may be asked, and what is known of it.
struct Candidate<'a> {
    place: usize,
    name: &'a str,
    known: Option<Model>,
}

/// Passes over those of `estimate.models` that cannot serve the request. A rule that only counts passes over nobody.
#[must_use]
pub fn fit(prices: &Prices, rules: Rules, needs: &Needs, endpoint: Endpoint, estimate: &Estimate) -> Fit {
    let mut shadowed = Vec::new();
    let all = estimate.models.iter().enumerate();
    if rules.capabilities == Mode::Off && rules.context_length == Mode::Off {
        return Fit { left: Ok(all.map(|(place, _)| place).collect()), shadowed };
    }
    let mut left: Vec<_> = all.map(|(place, name)| Candidate { place, name, known: prices.of(name) }).collect();
    for (mode, rule) in
        [(rules.capabilities, Rule::Able(needs)), (rules.context_length, Rule::Long(endpoint, estimate.input))]
    {
        if mode == Mode::Off {
            continue;
        }
        match (rule.keeps(&left), mode) {
            (Ok(kept), Mode::Enforce) => left.retain(|it| kept.contains(&it.place)),
            (Err(reply), Mode::Enforce) => return Fit { left: Err(reply), shadowed },
            (Err(reply), _) => shadowed.push(reply.code),
            (Ok(_), _) => {}
        }
    }
    Fit { left: Ok(left.iter().map(|it| it.place).collect()), shadowed }
}

/// What candidates are measured by.
enum Rule<'a> {
    Able(&'a Needs),
    Long(Endpoint, u64),
}

impl Rule<'_> {
    /// The places of those that may be asked; the answer, where none may be.
    fn keeps(&self, all: &[Candidate<'_>]) -> Result<Vec<usize>, Reply> {
        match self {
            Self::Able(needs) => able(needs, all),
            Self::Long(Endpoint::ChatCompletions | Endpoint::Messages, measured) => {
                long_enough(*measured, "messages", all)
            }
            Self::Long(Endpoint::Responses, measured) => long_enough(*measured, "input", all),
            // A list of prompts or inputs: each has the context for itself.
            Self::Long(Endpoint::Completions | Endpoint::Embeddings, _) => Ok(places(all, |_| true)),
        }
    }
}

fn able(needs: &Needs, all: &[Candidate<'_>]) -> Result<Vec<usize>, Reply> {
    let lacks = |it: &Candidate<'_>| {
        let known = it.known?.capabilities;
        needs.0.iter().find(|(capability, _)| known.get(*capability) == Some(false)).copied()
    };
    let kept = places(all, |it| lacks(it).is_none());
    match all.iter().find_map(|it| Some((it.name, lacks(it)?))) {
        Some((model, (capability, member))) if kept.is_empty() => Err(unable(model, capability, member)),
        _ => Ok(kept),
    }
}

/// The prompt is estimated from its bytes (a token for four of them), which counts English too high by up to a fifth. So
/// who takes that many goes before all others; where nobody does, who falls short of it by a quarter at most may try, and
/// the provider decides.
fn long_enough(measured: u64, member: &'static str, all: &[Candidate<'_>]) -> Result<Vec<usize>, Reply> {
    let limit = |it: &Candidate<'_>| it.known.and_then(|it| it.max_input);
    let taken_by = |most: fn(u64) -> u64| places(all, |it| limit(it).is_none_or(|it| measured <= most(it)));
    let surely = taken_by(|limit| limit);
    let kept = if surely.is_empty() { taken_by(|limit| limit.saturating_add(limit / 3)) } else { surely };
    let largest = all.iter().filter_map(|it| Some((limit(it)?, it.name))).max();
    match largest.filter(|_| kept.is_empty()) {
        Some((limit, model)) => Err(longer(limit, model, measured, member)),
        None => Ok(kept),
    }
}

fn places(all: &[Candidate<'_>], keeps: impl Fn(&Candidate<'_>) -> bool) -> Vec<usize> {
    all.iter().filter(|it| keeps(it)).map(|it| it.place).collect()
}

fn unable(model: &str, capability: Capability, member: &'static str) -> Reply {
    let what = match capability {
        Capability::Chat => "chat completions",
        Capability::Responses => "the Responses API",
        Capability::Embeddings => "embeddings",
        Capability::ToolChoice => "being made to call a tool",
        Capability::JsonSchema => "answers by a JSON Schema",
        Capability::Vision => "images",
        Capability::AudioInput => "audio",
        // The others are nothing that a request asks for.
        _ => "tools",
    };
    // The operation is asked for by the path.
    let asked_for = if member == "model" { String::new() } else { format!(", which `{member}` asks for") };
    let message = format!("The model `{model}` does not support {what}{asked_for}.");
    let details = json!({"model": model, "capability": capability});
    Reply::new(400, "unsupported_parameter", message).about(member).details(details)
}

fn longer(limit: u64, model: &str, measured: u64, member: &'static str) -> Reply {
    let message = format!(
        "This model's maximum context length is {limit} tokens. However, your request has about {measured} tokens. Please \
         reduce its length."
    );
    let details = json!({"model": model, "limit": limit, "measured": measured});
    Reply::new(400, "context_length_exceeded", message).about(member).details(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Endpoint::{ChatCompletions, Completions, Embeddings, Messages, Responses};
    use std::collections::BTreeMap;

    const ENFORCE: Rules = Rules { capabilities: Mode::Enforce, context_length: Mode::Enforce };

    /// The candidates that are left, or `status code param: details`; then what was only counted.
    fn outcome(fit: Fit, models: &[&str]) -> String {
        let left = match fit.left {
            Ok(left) => left.iter().map(|it| models[*it]).collect::<Vec<_>>().join(" "),
            Err(it) => {
                assert_eq!(it.status, 400);
                // In one order, whatever else is built with it.
                let details: BTreeMap<String, serde_json::Value> =
                    serde_json::from_value(*it.details.unwrap()).unwrap();
                format!("{} {}: {}", it.code, it.param.unwrap(), json!(details))
            }
        };
        fit.shadowed.iter().fold(left, |text, code| format!("{text} ({code})"))
    }

    fn check(rules: Rules, endpoint: Endpoint, body: &str, models: &[&str]) -> String {
        let body = Body::parse(body.as_bytes()).unwrap();
        let (mut estimate, seen) = Estimate::read(&body, endpoint);
        estimate.models = models.iter().map(|it| (*it).to_owned()).collect();
        let needs = Needs::of(&body, endpoint, seen);
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        outcome(fit(&prices, rules, &needs, endpoint, &estimate), models)
    }

    /// What this body needs of a chat, besides that.
    fn needs(endpoint: Endpoint, members: &str) -> String {
        let body = format!("{{{members}}}");
        let body = Body::parse(body.as_bytes()).unwrap();
        let all = Needs::of(&body, endpoint, Estimate::read(&body, endpoint).1).0;
        all.iter().skip(1).map(|(it, member)| format!("{it:?} by {member}")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_request_needs_what_its_members_say() {
        const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
        for (endpoint, members, expected) in [
            (ChatCompletions, r#""messages":[{"role":"user","content":"hi"}]"#, ""),
            (ChatCompletions, r#""tools":[],"functions":[],"response_format":null"#, ""),
            (ChatCompletions, TOOLS, "Tools by tools"),
            (ChatCompletions, r#""functions":[{"name":"f"}]"#, "Tools by functions"),
            (ChatCompletions, &format!(r#"{TOOLS},"tool_choice":"auto""#), "Tools by tools"),
            (
                ChatCompletions,
                &format!(r#"{TOOLS},"tool_choice":"required""#),
                "Tools by tools, ToolChoice by tool_choice",
            ),
            (
                ChatCompletions,
                &format!(r#"{TOOLS},"tool_choice":{{"type":"function","function":{{"name":"f"}}}}"#),
                "Tools by tools, ToolChoice by tool_choice",
            ),
            (ChatCompletions, r#""tool_choice":"required""#, ""),
            (ChatCompletions, r#""response_format":{"type":"json_object"}"#, ""),
            (
                ChatCompletions,
                r#""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"}}}"#,
                "JsonSchema by response_format",
            ),
            (ChatCompletions, r#""response_format":{"type":7}"#, ""),
            (Responses, r#""text":{"format":{"type":"json_schema","name":"x","schema":{}}}"#, "JsonSchema by text"),
            (Responses, r#""text":{"verbosity":"low"},"response_format":{"type":"json_schema"}"#, ""),
            (Responses, r#""tools":[{"type":"web_search"}]"#, ""),
            (Responses, r#""input":[{"content":[{"type":"input_image"}]}]"#, "Vision by input"),
            (
                ChatCompletions,
                r#""messages":[{"content":[{"type":"image_url"},{"type":"input_audio"}]}]"#,
                "Vision by messages, AudioInput by messages",
            ),
            (Messages, r#""messages":[{"content":[{"type":"image","source":{}}]}]"#, "Vision by messages"),
            (
                Messages,
                r#""tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"}"#,
                "Tools by tools, ToolChoice by tool_choice",
            ),
        ] {
            assert_eq!(needs(endpoint, members), expected, "{members}");
        }
    }

    #[test]
    fn who_cannot_is_passed_over_and_who_is_unknown_is_not() {
        const PICTURE: &str = r#"{"messages":[{"content":[{"type":"image_url"}]}]}"#;
        const SCHEMA: &str = r#"{"response_format":{"type":"json_schema"}}"#;
        let (old, new, opus, unknown) =
            ("openai/gpt-4", "openai/gpt-4o", "anthropic/claude-opus-5-5", "ollama/llama3:8b");
        let refused = |what: &str| format!("unsupported_parameter {what}");
        for (endpoint, body, models, expected) in [
            (ChatCompletions, "{}", &[old, new][..], format!("{old} {new}")),
            (ChatCompletions, PICTURE, &[old, new, unknown], format!("{new} {unknown}")),
            (ChatCompletions, PICTURE, &[old], refused(r#"messages: {"capability":"vision","model":"openai/gpt-4"}"#)),
            (ChatCompletions, PICTURE, &[], String::new()),
            (ChatCompletions, SCHEMA, &[old, unknown], unknown.to_owned()),
            (
                ChatCompletions,
                r#"{"tools":[{"type":"function"}],"tool_choice":"required"}"#,
                &[opus],
                refused(r#"tool_choice: {"capability":"tool_choice","model":"anthropic/claude-opus-5-5"}"#),
            ),
            (
                ChatCompletions,
                "{}",
                &["openai/o3-pro"],
                refused(r#"model: {"capability":"chat","model":"openai/o3-pro"}"#),
            ),
            (Responses, "{}", &["openai/o3-pro"], "openai/o3-pro".to_owned()),
            (Embeddings, "{}", &[new], refused(r#"model: {"capability":"embeddings","model":"openai/gpt-4o"}"#)),
            (Embeddings, "{}", &["openai/text-embedding-3-small"], "openai/text-embedding-3-small".to_owned()),
            (
                Completions,
                r#"{"prompt":"hi"}"#,
                &["openai/gpt-3.5-turbo-instruct"],
                "openai/gpt-3.5-turbo-instruct".to_owned(),
            ),
        ] {
            assert_eq!(check(ENFORCE, endpoint, body, models), expected, "{body} {models:?}");
        }
    }

    fn long(endpoint: Endpoint, input: u64, models: &[&str]) -> String {
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        let names = models.iter().map(|it| (*it).to_owned()).collect();
        let estimate = Estimate { input, models: names, ..Estimate::default() };
        outcome(fit(&prices, ENFORCE, &Needs::default(), endpoint, &estimate), models)
    }

    #[test]
    fn a_long_prompt_goes_to_who_takes_it() {
        let (small, large, unknown) = ("openai/gpt-4", "openai/gpt-4o", "nobody/knows");
        let refused = |about: &str, limit: u64, measured: u64, model: &str| {
            format!(r#"context_length_exceeded {about}: {{"limit":{limit},"measured":{measured},"model":"{model}"}}"#)
        };
        for (endpoint, input, models, expected) in [
            (ChatCompletions, 8_192, &[small, large][..], format!("{small} {large}")),
            (ChatCompletions, 8_193, &[small, large], large.to_owned()),
            (ChatCompletions, 8_193, &[small, unknown], unknown.to_owned()),
            (ChatCompletions, 10_922, &[small], small.to_owned()),
            (ChatCompletions, 10_923, &[small], refused("messages", 8_192, 10_923, small)),
            (Responses, 10_923, &[small], refused("input", 8_192, 10_923, small)),
            (ChatCompletions, 150_000, &[small, large], large.to_owned()),
            (ChatCompletions, 200_000, &[small, large], refused("messages", 128_000, 200_000, large)),
            (ChatCompletions, u64::MAX, &[small, unknown], unknown.to_owned()),
            (ChatCompletions, u64::MAX, &[], String::new()),
            (Completions, u64::MAX, &[small], small.to_owned()),
            (Embeddings, u64::MAX, &["openai/text-embedding-3-small"], "openai/text-embedding-3-small".to_owned()),
        ] {
            assert_eq!(long(endpoint, input, models), expected, "{input} {models:?}");
        }
    }

    #[test]
    fn what_is_long_goes_to_the_largest_of_those_that_can() {
        let body = format!(r#"{{"messages":[{{"content":[{{"type":"image_url"}},"{}"]}}]}}"#, "four".repeat(200_000));
        let models = ["deepseek/deepseek-v4-pro", "openai/gpt-4o", "google/gemini-2.5-flash"];
        assert_eq!(check(ENFORCE, ChatCompletions, &body, &models), "google/gemini-2.5-flash");
        let refused = check(ENFORCE, ChatCompletions, &body, &models[..2]);
        assert!(refused.starts_with("context_length_exceeded") && refused.contains("openai/gpt-4o"), "{refused}");
    }

    #[test]
    fn a_rule_that_counts_lets_everybody_pass() {
        let body = r#"{"messages":[{"content":[{"type":"image_url"}]}]}"#;
        let with = |capabilities: Mode| Rules { capabilities, context_length: Mode::Off };
        let models = ["openai/gpt-4"];
        assert_eq!(check(with(Mode::Shadow), ChatCompletions, body, &models), "openai/gpt-4 (unsupported_parameter)");
        assert_eq!(check(with(Mode::Off), ChatCompletions, body, &models), "openai/gpt-4");
        assert_eq!(
            check(with(Mode::Shadow), ChatCompletions, body, &["openai/gpt-4", "openai/gpt-4o"]),
            "openai/gpt-4 openai/gpt-4o"
        );
    }
}
