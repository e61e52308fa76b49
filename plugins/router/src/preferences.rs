//! What a client wants of the providers: OpenRouter's `provider` object, for the candidates of one's own.
//!
//! `order`, `only`, `ignore`, `allow_fallbacks`, `require_parameters`, `max_price` and `sort` count; what else OpenRouter knows is
//! left to OpenRouter. None of it gives a client a candidate that it would not have had.

use crate::{
    candidates::{Choice, Found},
    order::By,
};
use domain::{
    chat::Body,
    choice::Strategy,
    price::Prices,
    provider::{Kind, takes_all},
    reply::Reply,
};
use serde::Deserialize;

/// The most providers that each list may name; every candidate is looked for in it.
const MOST_PROVIDERS: usize = 128;

/// The object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Preferences {
    order: Option<Vec<String>>,
    only: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    allow_fallbacks: Option<bool>,
    require_parameters: Option<bool>,
    max_price: Option<MaxPrice>,
    sort: Option<Sort>,
}

/// By what the client wants its candidates put in order: a word, or an object with one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sort {
    Word(String),
    By { by: String },
}

impl Sort {
    /// `None` for a word that only OpenRouter knows.
    fn strategy(&self) -> Option<Strategy> {
        let (Self::Word(word) | Self::By { by: word }) = self;
        match word.as_str() {
            "price" => Some(Strategy::Price),
            "throughput" => Some(Strategy::Throughput),
            "latency" => Some(Strategy::Latency),
            _ => None,
        }
    }
}

/// US dollars per million tokens.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MaxPrice {
    prompt: Option<Dollars>,
    completion: Option<Dollars>,
}

/// A number, or one in quotes, as OpenRouter takes both.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Written")]
struct Dollars(f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl TryFrom<Written> for Dollars {
    type Error = &'static str;

    fn try_from(it: Written) -> Result<Self, Self::Error> {
        let number = match it {
            Written::Number(it) => Some(it),
            Written::Text(it) => it.parse().ok(),
        };
        number.filter(|it: &f64| it.is_finite() && *it >= 0.0).map(Self).ok_or("expected US dollars per million tokens")
    }
}

impl Dollars {
    /// Whether a token may cost so many pico-dollars: a dollar for a million of them is a million pico-dollars.
    #[allow(clippy::cast_precision_loss, reason = "a price has far fewer than 53 bits")]
    fn allows(self, picos: u64) -> bool {
        picos as f64 <= self.0 * 1e6
    }
}

impl Preferences {
    /// The body's own; none when it says nothing. A text is not OpenRouter's, and is the provider's business.
    ///
    /// # Errors
    /// 400 when it is an object of another shape.
    pub(crate) fn of(body: &Body<'_>) -> Result<Option<Self>, Reply> {
        let Some(json) = body.member("provider").filter(|it| it.starts_with('{')) else { return Ok(None) };
        let wrong = |it: serde_json::Error| Reply::invalid(format!("`provider`: {}", shape(&it))).about("provider");
        let it: Self = serde_json::from_str(json).map_err(wrong)?;
        let lists = [&it.order, &it.only, &it.ignore];
        if lists.into_iter().flatten().any(|list| list.len() > MOST_PROVIDERS) {
            let message = format!("`provider` names more than {MOST_PROVIDERS} providers in a list");
            return Err(Reply::invalid(message).about("provider"));
        }
        Ok(Some(it))
    }

    /// Takes away the candidates that the client does not want, and puts the others into its order.
    ///
    /// # Errors
    /// 404 when none is left.
    pub(crate) fn apply(&self, body: &Body<'_>, prices: &Prices, found: &mut Found<'_>) -> Result<(), Reply> {
        let among =
            |list: &[String], it: &Choice| list.iter().any(|name| is_called(it.candidate.provider.as_str(), name));
        if let Some(strategy) = self.sort.as_ref().and_then(Sort::strategy) {
            found.by = By::Each(strategy);
        }
        let Found { named, choices, by, .. } = found;
        if let Some(only) = &self.only {
            choices.retain(|it| among(only, it));
        }
        if let Some(ignored) = &self.ignore {
            choices.retain(|it| !among(ignored, it));
        }
        if self.require_parameters == Some(true) {
            let asked = |it: &Choice| named.get(it.named).map(|it| it.canonical.model().to_owned());
            let rules = |it: &Choice| {
                let kind = Kind::named(it.candidate.provider.as_str());
                kind.map_or(&[][..], |kind| kind.rules(Some(&it.id), asked(it).as_deref()))
            };
            choices.retain(|it| takes_all(rules(it), body));
        }
        if let Some(most) = &self.max_price {
            choices.retain(|it| most.allows(prices, it));
        }
        if let Some(order) = &self.order {
            *by = By::Client;
            let place = |it: &Choice| {
                order.iter().position(|name| is_called(it.candidate.provider.as_str(), name)).unwrap_or(usize::MAX)
            };
            // Which model matters more than whose: a fallback's model is not asked for before the first.
            choices.sort_by_cached_key(|it| (it.named, place(it)));
            if self.allow_fallbacks == Some(false) {
                choices.retain(|it| place(it) < usize::MAX);
            }
        } else if self.allow_fallbacks == Some(false) {
            choices.truncate(1);
        }
        if choices.is_empty() {
            return Err(none_left());
        }
        Ok(())
    }
}

impl MaxPrice {
    /// Whether a candidate costs no more. One whose price nobody knows may cost anything.
    fn allows(&self, prices: &Prices, choice: &Choice) -> bool {
        if self.prompt.is_none() && self.completion.is_none() {
            return true;
        }
        let known = choice.serves.as_ref().and_then(|it| prices.of(it.as_str())?.price);
        known.is_some_and(|price| {
            self.prompt.is_none_or(|it| it.allows(price.input))
                && self.completion.is_none_or(|it| it.allows(price.output))
        })
    }
}

/// Whether a client that says `asked` means `provider`: its name, or what stands before a `.` or `/` in either
/// (`OpenAI` is `openai.1`, `azure/eastus` is `azure`).
fn is_called(provider: &str, asked: &str) -> bool {
    let kind = provider.split('.').next().unwrap_or(provider);
    let slug = asked.split('/').next().unwrap_or(asked).trim();
    let slug = slug.replace(' ', "-");
    provider.eq_ignore_ascii_case(&slug) || kind.eq_ignore_ascii_case(&slug)
}

/// What is wrong with the object, without what the client wrote in it.
fn shape(wrong: &serde_json::Error) -> &'static str {
    if wrong.is_data() {
        "expected `order`, `only` and `ignore` as lists of providers, `allow_fallbacks` and `require_parameters` as true or \
         false, and `max_price` in US dollars per million tokens"
    } else {
        "is no JSON object"
    }
}

fn none_left() -> Reply {
    Reply::new(404, "model_not_found", "No provider of this model is what the request's `provider` wants.")
        .about("provider")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates;
    use domain::model::Catalog;
    use std::collections::BTreeMap;

    fn catalog() -> Catalog {
        crate::config::Config::parse(
            br#"{"models":[{"name":"gpt-4o","chain":"three"},{"name":"anthropic/*","chain":"anthropic"}],
                "chains":{"three":[{"provider":"openai"},{"provider":"azure.eu"},{"provider":"groq"}],
                          "anthropic":[{"provider":"anthropic"},{"provider":"openrouter"}]}}"#,
        )
        .unwrap()
        .catalog()
        .unwrap()
    }

    /// The providers that are left, in order, or status and parameter.
    fn check(members: &str) -> String {
        let text = format!(r#"{{"model":"gpt-4o","models":["claude-opus-4-5"],{members}}}"#);
        let (catalog, prices) = (catalog(), Prices::built_in(&BTreeMap::new()).unwrap());
        let body = Body::parse(text.as_bytes()).unwrap();
        let names = candidates::names(&body).unwrap();
        let mut found = candidates::find(&catalog, &Default::default(), None, &names, &mut |_| {}).unwrap();
        let applied = Preferences::of(&body).and_then(|it| match it {
            Some(it) => it.apply(&body, &prices, &mut found),
            None => Ok(()),
        });
        match applied {
            Ok(()) => found.choices.iter().map(|it| it.candidate.provider.as_str()).collect::<Vec<_>>().join(" "),
            Err(reply) => format!("{} {}", reply.status, reply.param.unwrap_or_default()),
        }
    }

    #[test]
    fn a_list_without_end_is_not_looked_through() {
        for key in ["order", "only", "ignore"] {
            let list = |many: usize| format!(r#""provider":{{"{key}":[{}]}}"#, vec![r#""openai""#; many].join(","));
            assert_ne!(check(&list(MOST_PROVIDERS)), "400 provider", "{key}");
            assert_eq!(check(&list(MOST_PROVIDERS + 1)), "400 provider", "{key}");
        }
    }

    #[test]
    fn a_client_chooses_among_its_own_candidates_only() {
        let all = "openai azure.eu groq anthropic openrouter";
        for (members, expected) in [
            (r#""n":1"#, all),
            (r#""provider":null"#, all),
            (r#""provider":"openai""#, all),
            (r#""provider":{}"#, all),
            (r#""provider":{"zdr":true,"sort":{"by":"price"}}"#, all),
            (r#""provider":{"order":["Azure","OpenRouter"]}"#, "azure.eu openai groq openrouter anthropic"),
            (r#""provider":{"order":["groq","openai"],"allow_fallbacks":false}"#, "groq openai"),
            (r#""provider":{"order":["nobody"],"allow_fallbacks":false}"#, "404 provider"),
            (r#""provider":{"allow_fallbacks":false}"#, "openai"),
            (r#""provider":{"only":["azure/eastus","mistral"]}"#, "azure.eu"),
            (r#""provider":{"only":["mistral"]}"#, "404 provider"),
            (r#""provider":{"ignore":["openai","ANTHROPIC"]}"#, "azure.eu groq openrouter"),
            (r#""logprobs":true,"provider":{"require_parameters":true}"#, "openai azure.eu anthropic openrouter"),
            (r#""provider":{"max_price":{"prompt":"2.5"}}"#, "openai azure.eu"),
            (r#""provider":{"max_price":{"prompt":2.49,"completion":1}}"#, "404 provider"),
            (r#""provider":{"order":"openai"}"#, "400 provider"),
            (r#""provider":{"max_price":{"prompt":-1}}"#, "400 provider"),
        ] {
            assert_eq!(check(members), expected, "{members}");
        }
    }
}
