//! Every provider that `domain::provider` has a row for, so that a test can put all of them behind one gateway.

use serde_json::json;

use crate::envoy::EnvoyConfig;

/// One of them, as the fake plays it under this name.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// Its kind, and its name in the gateway's configuration.
    pub name: &'static str,
    /// What stands before the paths of its API.
    pub base_path: &'static str,
    /// Whether it has embeddings.
    pub embeddings: bool,
    /// Whether it answers in JSON when it is asked to.
    pub structured: bool,
}

const fn row(name: &'static str, base_path: &'static str) -> Provider {
    Provider { name, base_path, embeddings: true, structured: true }
}

/// All of them, with the paths of WIRE.md 5.1; Anthropic's endpoint for OpenAI's clients has a name of its own, so that the other
/// can be spoken to in its own API.
pub const PROVIDERS: [Provider; 16] = [
    row("openai", "/v1"),
    row("azure", "/openai/v1"),
    Provider { embeddings: false, structured: false, ..row("anthropic", "/v1") },
    Provider { embeddings: false, structured: false, ..row("anthropic-compat", "/v1") },
    row("google", "/v1beta/openai"),
    row("mistral", "/v1"),
    row("cohere", "/compatibility/v1"),
    row("openrouter", "/api/v1"),
    Provider { embeddings: false, ..row("groq", "/openai/v1") },
    Provider { embeddings: false, ..row("xai", "/v1") },
    Provider { embeddings: false, ..row("deepseek", "/v1") },
    row("together", "/v1"),
    row("fireworks", "/inference/v1"),
    row("ollama", "/v1"),
    row("vllm", "/v1"),
    row("custom", "/v1"),
];

impl Provider {
    /// Adds it where it is missing: to the filters, with a chain of its name and the models `<name>/*`, and to the endpoints of each try.
    ///
    /// # Panics
    /// If the configuration has no filter `router` or `provider`.
    pub fn add_to(&self, config: &mut EnvoyConfig) {
        let name = self.name;
        config.filter("router", |router| {
            if router["chains"].get(name).is_none() {
                router["chains"][name] = json!([{"provider": name}]);
                let models = router["models"].as_array_mut().expect("the router's models");
                models.push(json!({"name": format!("{name}/*"), "chain": name}));
            }
        });
        let mut known = false;
        config.filter("provider", |provider| {
            known = provider["providers"].get(name).is_some();
            if !known {
                provider["providers"][name] = json!({"base_path": self.base_path, "credential": {"value": "unused"}});
            }
        });
        if known {
            return;
        }
        for cluster in config.root()["static_resources"]["clusters"].as_array_mut().into_iter().flatten() {
            if !cluster["name"].as_str().is_some_and(|it| it.starts_with("try-")) {
                continue;
            }
            let endpoints = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"];
            let mut own = endpoints[0].clone();
            let metadata = &mut own["metadata"]["filter_metadata"];
            metadata["tollgate"]["provider"] = json!(name);
            for provider in metadata["envoy.lb"].as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
                *provider = json!(name);
            }
            endpoints.as_array_mut().expect("the endpoints of a try").push(own);
        }
    }
}
