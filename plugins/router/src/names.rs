//! Which candidates all gateways may hear of, by name: those that the operator wrote down and those that the price table knows.
//!
//! Under a rule for many models a client writes the id itself, and what it makes up is nobody else's business.

use domain::{
    model::{Canonical, Catalog},
    price::Prices,
};
use std::collections::BTreeSet;

/// The names of candidates.
pub(crate) struct Names {
    /// Keys of candidates whose model the configuration names.
    written: BTreeSet<String>,
    providers: BTreeSet<String>,
    prices: Prices,
}

impl Names {
    pub(crate) fn of(catalog: &Catalog, prices: Prices) -> Self {
        let candidates = || catalog.chains().candidates();
        let key = |provider: &str, id: &str| format!("{provider}/{id}");
        let models = candidates().filter_map(|it| Some(key(it.provider.as_str(), it.model.as_ref()?.as_str())));
        let mut written: BTreeSet<String> = models.collect();
        for found in catalog.names().filter_map(|it| catalog.resolve(Some(it)).ok()) {
            let asked: &Canonical = &found.canonical;
            written.extend(found.candidates.iter().map(|it| key(it.provider.as_str(), &it.model_id(asked))));
        }
        Self { written, providers: candidates().map(|it| it.provider.as_str().to_owned()).collect(), prices }
    }

    /// Whether the candidate with this key is one that others may hear of, or that is learned about from them.
    pub(crate) fn knows(&self, key: &str) -> bool {
        let sold = || {
            let provider = key.split_once('/').map(|(provider, _)| provider);
            provider.is_some_and(|it| self.providers.contains(it)) && self.prices.of(key).is_some()
        };
        // The companion takes no report with such a name in it.
        !key.contains(char::is_control) && (self.written.contains(key) || sold())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_name_that_a_client_made_up_is_not_told() {
        let config = Config::parse(
            br#"{"aliases":[{"name":"mine","model":"own/llama-3-ours"}],
                "models":[{"name":"own/llama-3-ours","chain":"own"},{"name":"openai/*","chain":"openai"}],
                "chains":{"own":[{"provider":"vllm"}],"openai":[{"provider":"openai"},{"provider":"azure","model":"deployed"}]}}"#,
        )
        .unwrap();
        let names = Names::of(&config.catalog().unwrap(), config.prices().unwrap());
        for (key, expected) in [
            ("vllm/llama-3-ours", true),
            ("azure/deployed", true),
            ("openai/gpt-4o", true),
            ("openai/made-up", false),
            ("vllm/made-up", false),
            ("anthropic/claude-opus-4-5", false),
            ("openai/gpt-4o\n", false),
            ("", false),
        ] {
            assert_eq!(names.knows(key), expected, "{key:?}");
        }
    }
}
