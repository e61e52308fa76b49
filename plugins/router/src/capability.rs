//! Whether the candidates can do what is asked: so far, whether the prompt fits.

use domain::{chat::Endpoint, estimate::Estimate, price::Prices, reply::Reply};
use serde_json::json;

/// The answer to a prompt that is longer than any candidate takes; `None` where one may take it, or nobody knows.
///
/// The prompt is estimated from its bytes (a token for four of them), which counts English too high by up to a fifth. So
/// only what is longer by more than a third is refused; the rest the provider decides.
#[must_use]
pub fn too_long(prices: &Prices, endpoint: Endpoint, estimate: &Estimate) -> Option<Reply> {
    let about = match endpoint {
        Endpoint::ChatCompletions => "messages",
        Endpoint::Responses => "input",
        // A list of prompts or inputs: each has the context for itself.
        Endpoint::Completions | Endpoint::Embeddings => return None,
    };
    let limits = estimate.models.iter().map(|it| Some((prices.of(it)?.max_input?, it)));
    let (limit, model) = limits.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let measured = estimate.input;
    if measured <= limit.saturating_add(limit / 3) {
        return None;
    }
    let message = format!(
        "This model's maximum context length is {limit} tokens. However, your request has about {measured} tokens. Please \
         reduce its length."
    );
    let details = json!({"model": model, "limit": limit, "measured": measured});
    Some(Reply::new(400, "context_length_exceeded", message).about(about).details(details))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// `limit of model`, or `-` where the request goes on.
    fn check(endpoint: Endpoint, input: u64, models: &[&str]) -> String {
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        let models = models.iter().map(|it| (*it).to_owned()).collect();
        let estimate = Estimate { input, output: None, choices: 0, stream: false, usage: false, models };
        too_long(&prices, endpoint, &estimate).map_or("-".into(), |reply| {
            let details = reply.details.unwrap();
            assert_eq!(details["measured"], input);
            format!("{} of {}", details["limit"], details["model"].as_str().unwrap())
        })
    }

    #[test]
    fn only_what_no_candidate_can_take_is_refused() {
        use Endpoint::{ChatCompletions, Completions, Embeddings, Responses};
        let (small, large) = ("openai/gpt-4", "openai/gpt-4o");
        for (endpoint, input, models, expected) in [
            (ChatCompletions, 8_192, &[small][..], "-"),
            (ChatCompletions, 10_922, &[small], "-"),
            (ChatCompletions, 10_923, &[small], "8192 of openai/gpt-4"),
            (Responses, 10_923, &[small], "8192 of openai/gpt-4"),
            (ChatCompletions, 10_923, &[small, large], "-"),
            (ChatCompletions, 200_000, &[small, large], "128000 of openai/gpt-4o"),
            (ChatCompletions, u64::MAX, &[small, "nobody/knows"], "-"),
            (ChatCompletions, u64::MAX, &[], "-"),
            (Completions, u64::MAX, &[small], "-"),
            (Embeddings, u64::MAX, &["openai/text-embedding-3-small"], "-"),
        ] {
            assert_eq!(check(endpoint, input, models), expected, "{input} {models:?}");
        }
    }
}
