//! Envoy's configuration as data: takes the files that operators use and changes only what a test or the demo must.
//!
//! The files in `envoy/` are run as they are shipped: the structure stays, and the ports, the paths of the filters and the
//! addresses behind the clusters are what changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::tools;

/// A whole bootstrap configuration.
#[derive(Debug, Clone)]
pub struct EnvoyConfig {
    root: Value,
}

impl EnvoyConfig {
    /// Reads a file below the repository's root, such as `envoy/envoy.yaml`.
    ///
    /// # Errors
    /// It can't be read, or is no YAML.
    pub fn load(path: &str) -> Result<Self, String> {
        let text = fs::read_to_string(tools::root().join(path)).map_err(|error| format!("{path}: {error}"))?;
        Self::parse(&text).map_err(|error| format!("{path}: {error}"))
    }

    /// Reads YAML.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        serde_yaml_ng::from_str(yaml).map(|root| Self { root }).map_err(|error| error.to_string())
    }

    /// The configuration as JSON, for changes that have no method here.
    pub fn root(&mut self) -> &mut Value {
        &mut self.root
    }

    /// Writes it where Envoy can read it; JSON, which is YAML.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(&self.root).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Listens on `gateway` (every listener) and `admin`; 0 takes free ports.
    pub fn ports(&mut self, gateway: u16, admin: u16) {
        let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        self.root["admin"] = json!({"address": address(admin)});
        for listener in array(&mut self.root["static_resources"]["listeners"]) {
            listener["address"] = address(gateway);
        }
    }

    /// Takes the filters from where they were built.
    ///
    /// An absolute path stays.
    ///
    /// # Errors
    /// One is not built; says how to build it.
    pub fn wasm_paths(&mut self) -> Result<(), String> {
        let mut missing = None;
        self.each_wasm(&mut |plugin| {
            let code = &mut plugin["vm_config"]["code"]["local"]["filename"];
            let path = Path::new(code.as_str().unwrap_or_default());
            if path.is_absolute() {
                return;
            }
            let name = path.file_stem().unwrap_or_default();
            match tools::wasm(&name.to_string_lossy()) {
                Ok(path) => *code = json!(path),
                Err(error) => missing = Some(error),
            }
        });
        missing.map_or(Ok(()), Err)
    }

    /// The names of the filters' plugins, each once.
    #[must_use]
    pub fn plugins(&mut self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.each_wasm(&mut |plugin| {
            names.extend(plugin["name"].as_str().map(str::to_owned));
        });
        names
    }

    /// Changes the configuration of the plugin `name`, wherever it stands.
    ///
    /// # Panics
    /// If there is no such plugin, or its configuration is no JSON.
    pub fn filter(&mut self, name: &str, mut change: impl FnMut(&mut Value)) {
        let mut found = false;
        self.each_wasm(&mut |plugin| {
            if plugin["name"] == name {
                found = true;
                let mut config = plugin_config(plugin);
                change(&mut config);
                set_plugin_config(plugin, &config);
            }
        });
        assert!(found, "no plugin {name:?} in this configuration, there are {:?}", self.plugins());
    }

    /// Takes the plugin `name` out of every chain of filters, and all others of the same filter if it is named as the filter.
    ///
    /// # Panics
    /// If there is no such plugin.
    pub fn without_filter(&mut self, name: &str) {
        let before = self.plugins();
        assert!(before.contains(name), "no plugin {name:?} in this configuration, there are {before:?}");
        walk(&mut self.root, &mut |value| {
            if let Some(filters) = value.get_mut("http_filters").and_then(Value::as_array_mut) {
                filters.retain(|filter| {
                    let plugin = &filter["typed_config"]["config"];
                    plugin["name"] != name && plugin["root_id"] != name
                });
            }
        });
    }

    /// Points every endpoint that is not the companion's at the fake provider, without TLS, each provider with a base
    /// path of its own (`/openai/v1`) and a key of its own (`fake-key-openai`).
    pub fn providers_at(&mut self, port: u16) {
        self.each_cluster(|name, cluster| {
            if !name.starts_with("companion") {
                plain_endpoint(cluster, |_| Some(port));
            }
        });
        self.each_wasm(&mut |plugin| {
            let mut config = plugin_config(plugin);
            let Some(providers) = config.get_mut("providers").and_then(Value::as_object_mut) else { return };
            let mut changed = false;
            for (name, provider) in providers.iter_mut().filter(|(_, provider)| provider.get("base_path").is_some()) {
                let base = provider["base_path"].as_str().unwrap_or_default();
                provider["base_path"] = json!(format!("/{name}{base}"));
                provider["credential"] = json!({"value": format!("fake-key-{name}")});
                changed = true;
            }
            if changed {
                set_plugin_config(plugin, &config);
            }
        });
    }

    /// Points the companion's clusters at these ports.
    pub fn companion_at(&mut self, public: u16, internal: u16) {
        self.each_cluster(|name, cluster| match name {
            "companion" => plain_endpoint(cluster, |_| Some(public)),
            "companion-internal" => plain_endpoint(cluster, |_| Some(internal)),
            _ => {}
        });
    }

    /// Points the endpoints of one provider elsewhere, at every try; the clusters speak without TLS already.
    ///
    /// # Panics
    /// If there is no such provider.
    pub fn provider_at(&mut self, provider: &str, port: u16) {
        let mut found = false;
        self.each_cluster(|_, cluster| {
            let is = |endpoint: &Value| belongs_to(endpoint) == Some(provider);
            plain_endpoint(cluster, |endpoint| is(endpoint).then_some(port).inspect(|_| found = true));
        });
        assert!(found, "no endpoint of {provider:?} in this configuration");
    }

    /// Leaves out every provider but these, and every chain and model that no provider is left for.
    pub fn keep_providers(&mut self, kept: &[&str]) {
        self.each_wasm(&mut |plugin| {
            let mut config = plugin_config(plugin);
            if config.get("chains").is_some() || config.get("providers").is_some_and(|it| it.is_object()) {
                keep_in_filter(&mut config, kept);
                set_plugin_config(plugin, &config);
            }
        });
        self.each_cluster(|_, cluster| {
            for locality in array(&mut cluster["load_assignment"]["endpoints"]) {
                array(&mut locality["lb_endpoints"])
                    .retain(|endpoint| belongs_to(endpoint).is_none_or(|provider| kept.contains(&provider)));
            }
        });
    }

    /// Shows every Wasm plugin.
    pub fn each_wasm(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        walk(&mut self.root, &mut |value| {
            let kind = value.get("@type").and_then(Value::as_str).unwrap_or_default();
            if kind.ends_with("http.wasm.v3.Wasm") {
                visit(&mut value["config"]);
            }
        });
    }

    fn each_cluster(&mut self, mut visit: impl FnMut(&str, &mut Value)) {
        for cluster in array(&mut self.root["static_resources"]["clusters"]) {
            let name = cluster["name"].as_str().unwrap_or_default().to_owned();
            if cluster.get("load_assignment").is_some() {
                visit(&name, cluster);
            }
        }
    }
}

/// A plugin's own configuration, from either form that Envoy hands to a filter as JSON.
///
/// # Panics
/// If it is no JSON.
#[must_use]
pub fn plugin_config(plugin: &Value) -> Value {
    match &plugin["configuration"]["value"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        structure => structure.clone(),
    }
}

/// What [`EnvoyConfig::keep_providers`] does to the configuration of the router or the provider filter.
fn keep_in_filter(config: &mut Value, kept: &[&str]) {
    let mut chains = BTreeSet::new();
    if let Some(all) = config["chains"].as_object_mut() {
        for candidates in all.values_mut() {
            candidates_of(candidates).retain(|candidate| kept.iter().any(|kept| candidate["provider"] == *kept));
        }
        all.retain(|_, candidates| !candidates_of(candidates).is_empty());
        chains.extend(all.keys().cloned());
    }
    let has_provider =
        |model: &Value| model.as_str().is_some_and(|model| kept.contains(&model.split('/').next().unwrap_or("")));
    let has_chain = |model: &Value| model["chain"].as_str().is_some_and(|chain| chains.contains(chain));
    if let Some(providers) = config.get_mut("providers").and_then(Value::as_object_mut) {
        providers.retain(|name, _| kept.contains(&name.as_str()));
    }
    if let Some(models) = config.get_mut("models").and_then(Value::as_array_mut) {
        models.retain(has_chain);
    }
    if let Some(aliases) = config.get_mut("aliases").and_then(Value::as_array_mut) {
        aliases.retain(|alias| has_provider(&alias["model"]));
    }
    if let Some(config) = config.as_object_mut() {
        config.retain(|key, value| key != "default_model" || has_provider(value));
    }
}

/// The candidates of a chain, in either form.
fn candidates_of(chain: &mut Value) -> &mut Vec<Value> {
    if chain.is_object() { array(&mut chain["candidates"]) } else { array(chain) }
}

fn set_plugin_config(plugin: &mut Value, config: &Value) {
    plugin["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config.to_string()});
}

/// The provider that an endpoint's metadata name.
fn belongs_to(endpoint: &Value) -> Option<&str> {
    endpoint.pointer("/metadata/filter_metadata/tollgate/provider")?.as_str()
}

/// Points those endpoints of a cluster elsewhere that `port` names one for, and speaks without TLS to all of them.
fn plain_endpoint(cluster: &mut Value, mut port: impl FnMut(&Value) -> Option<u16>) {
    cluster["type"] = json!("STATIC");
    if let Some(cluster) = cluster.as_object_mut() {
        cluster.retain(|key, _| key != "transport_socket" && !key.starts_with("dns_"));
    }
    for locality in array(&mut cluster["load_assignment"]["endpoints"]) {
        for endpoint in array(&mut locality["lb_endpoints"]) {
            if let Some(port) = port(endpoint) {
                let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
                endpoint["endpoint"] = json!({"address": address});
            }
        }
    }
}

/// The array in `value`, made if it is missing.
fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = json!([]);
    }
    value.as_array_mut().expect("just made")
}

/// Visits every value, parents first.
fn walk(value: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    visit(value);
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, visit)),
        Value::Object(fields) => fields.values_mut().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_without_a_key_takes_its_models_and_chains_along() {
        let mut config = EnvoyConfig::load("envoy/envoy.yaml").unwrap();
        config.keep_providers(&["anthropic"]);
        let mut router = Value::Null;
        config.filter("router", |found| router = found.clone());
        assert_eq!(router["chains"]["gpt-4o"], json!([{"provider": "anthropic", "model": "claude-sonnet-4-5"}]));
        assert_eq!(router["models"].as_array().unwrap().len(), 2, "{router}");
        assert_eq!((&router["aliases"], router.get("default_model")), (&json!([]), None));
        let clusters = array(&mut config.root()["static_resources"]["clusters"]).clone();
        let tries = clusters.iter().filter(|cluster| cluster["name"].as_str().unwrap().starts_with("try-"));
        let left: Vec<_> = tries.map(|it| it.pointer("/load_assignment/endpoints/0/lb_endpoints").unwrap()).collect();
        assert_eq!(left.len(), 5);
        for endpoints in left {
            assert_eq!(endpoints.as_array().unwrap().iter().map(belongs_to).collect::<Vec<_>>(), [Some("anthropic")]);
        }
    }

    #[test]
    fn every_candidate_of_the_shipped_router_has_an_endpoint_at_each_try_and_a_row_at_the_provider_filter() {
        let mut config = EnvoyConfig::load("envoy/envoy.yaml").unwrap();
        let (mut asked, mut configured) = (BTreeSet::new(), BTreeSet::new());
        config.filter("router", |router| {
            let chains = router["chains"].as_object_mut().unwrap().values_mut();
            let candidates = chains.flat_map(|it| candidates_of(it).clone());
            asked.extend(candidates.map(|it| it["provider"].as_str().unwrap().to_owned()));
        });
        config.filter("provider", |it| configured.extend(it["providers"].as_object().unwrap().keys().cloned()));
        assert_eq!(asked, configured);
        let root = config.root().clone();
        let clusters = root["static_resources"]["clusters"].as_array().unwrap();
        let composite = clusters.iter().find(|it| it["name"] == "providers").unwrap();
        let tries = composite.pointer("/cluster_type/typed_config/clusters").unwrap().as_array().unwrap();
        assert_eq!(tries.len(), 5);
        let policy = "/load_balancing_policy/policies/0/typed_extension_config/typed_config/subset_selectors/0/keys/0";
        for (number, named) in (1..).zip(tries) {
            let one = clusters.iter().find(|it| it["name"] == named["name"]).unwrap();
            let key = format!("try{number}");
            assert_eq!(one.pointer(policy).unwrap(), &json!(key));
            let endpoints = one.pointer("/load_assignment/endpoints/0/lb_endpoints").unwrap().as_array().unwrap();
            let found: BTreeSet<_> = endpoints.iter().map(|it| belongs_to(it).unwrap().to_owned()).collect();
            assert_eq!(found, asked, "{key}");
            for it in endpoints {
                assert_eq!(it["metadata"]["filter_metadata"]["envoy.lb"][&key], json!(belongs_to(it)), "{key}");
            }
        }
        let rules = root.pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters");
        let to_metadata =
            rules.unwrap().as_array().unwrap().iter().find(|it| it["name"] == "envoy.filters.http.header_to_metadata");
        let rules = to_metadata.unwrap()["typed_config"]["request_rules"].as_array().unwrap();
        let headers: Vec<_> = rules.iter().map(|it| it["header"].as_str().unwrap()).collect();
        assert_eq!(headers, domain::headers::TRIES);
    }
}
