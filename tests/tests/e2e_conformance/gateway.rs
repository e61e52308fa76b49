//! One Envoy for all configurations, a listener for each.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{Client, EnvoyConfig, FakeProvider, Gateway};

/// The gateway, and where each configuration is.
pub(crate) struct Listeners {
    _gateway: Gateway,
    clients: BTreeMap<String, Client>,
}

impl Listeners {
    pub(crate) fn start(fake: &FakeProvider, configurations: &[Value]) -> Self {
        let mut config = EnvoyConfig::load("envoy/examples/auth.yaml").unwrap();
        let listeners = &mut config.root()["static_resources"]["listeners"];
        let one = listeners[0].take();
        *listeners = configurations.iter().enumerate().map(|(number, it)| listener(&one, number, it)).collect();
        let gateway = Gateway::with(config).fake(fake).start();
        let ports = ports(&gateway);
        let client = |number: usize| Client::new(ports[&name(number)]);
        let clients = configurations.iter().enumerate().map(|(number, it)| (it.to_string(), client(number)));
        Self { clients: clients.collect(), _gateway: gateway }
    }

    pub(crate) fn client(&self, configuration: &Value) -> Client {
        self.clients[&configuration.to_string()]
    }
}

fn name(number: usize) -> String {
    format!("configuration-{number}")
}

/// The example's listener with another configuration, and with an Envoy that leaves every decision to the filter: paths
/// come as they were sent, and tokens may be longer than Envoy takes by itself.
fn listener(one: &Value, number: usize, configuration: &Value) -> Value {
    let mut listener = one.clone();
    listener["name"] = json!(name(number));
    let connections = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    connections["max_request_headers_kb"] = json!(256);
    connections["normalize_path"] = json!(false);
    connections["merge_slashes"] = json!(false);
    connections["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
    let service = json!({"match": {"prefix": "/"}, "route": {"cluster": "service"}});
    connections["route_config"]["virtual_hosts"][0]["routes"] = json!([service]);
    connections["http_filters"][0]["typed_config"]["config"]["configuration"]["value"] =
        json!(configuration.to_string());
    listener
}

fn ports(gateway: &Gateway) -> BTreeMap<String, u16> {
    let status = gateway.admin().get("/listeners?format=json").send().json();
    let port = |it: &Value| it["local_address"]["socket_address"]["port_value"].as_u64().unwrap().try_into().unwrap();
    let all = status["listener_statuses"].as_array().unwrap();
    all.iter().map(|it| (it["name"].as_str().unwrap().to_owned(), port(it))).collect()
}
