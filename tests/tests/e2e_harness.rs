//! The harness itself: an Envoy without filters in front of the fake provider.

use std::time::Duration;

use tests::client::content;
use tests::{EnvoyConfig, FakeProvider, Gateway};

const BARE: &str = r#"
static_resources:
  listeners:
  - name: gateway
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bare
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, route: {cluster: upstream, timeout: 0s}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: upstream
    load_assignment: {cluster_name: upstream, endpoints: [{lb_endpoints: [{endpoint: {}}]}]}
"#;

fn bare(fake: &FakeProvider) -> Gateway {
    Gateway::with(EnvoyConfig::parse(BARE).unwrap()).fake(fake).start()
}

#[test]
fn envoy_passes_a_stream_on_as_it_comes() {
    let fake = FakeProvider::start();
    let gateway = bare(&fake);
    let mut stream = gateway.client().chat_stream("t", "fake-slow-50ms", "a b c").stream();
    assert_eq!(stream.status, 200);
    let events = stream.events();
    assert_eq!(content(&events), "You said: a b c");
    let (first, last) = (events[0].at, events.last().unwrap().at);
    assert!(last - first >= Duration::from_millis(200), "the events came in one go: {first:?} {last:?}");
}

#[test]
fn two_gateways_stand_side_by_side_and_die_with_their_test() {
    let fake = FakeProvider::start();
    let (one, two) = (bare(&fake), bare(&fake));
    assert_ne!(one.port(), two.port());
    assert_eq!(one.client().chat("t", "gpt-4o", "hi").send().content(), "You said: hi");
    let gone = one.client();
    drop(one);
    assert!(gone.get("/").try_send().is_err());
    assert_eq!(two.client().chat("t", "gpt-4o", "hi").send().status, 200);
    assert_eq!(two.stat("http.bare.downstream_rq_2xx"), 1);
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn an_envoy_that_refuses_its_configuration_is_quoted() {
    let mut config = EnvoyConfig::parse(BARE).unwrap();
    config.root()["static_resources"]["nonsense"] = serde_json::json!(1);
    let error = Gateway::with(config).try_start().unwrap_err();
    assert!(error.contains("nonsense"), "{error}");
}

/// Not a test of anything by itself: what the next one runs and kills.
#[test]
fn a_gateway_that_waits_to_be_orphaned() {
    let Some(file) = std::env::var_os("ORPHAN") else { return };
    let fake = FakeProvider::start();
    let gateway = bare(&fake);
    std::fs::write(file, gateway.port().to_string()).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_gateway_dies_even_when_its_test_is_killed() {
    let file = tests::process::scratch("orphan").join("port");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_gateway_that_waits_to_be_orphaned"])
        .env("ORPHAN", &file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let port: u16 = tests::wait_until(Duration::from_secs(60), "the other gateway", || {
        std::fs::read_to_string(&file).ok()?.parse().ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    tests::wait_until(Duration::from_secs(10), "the orphan's end", || {
        tests::Client::new(port).get("/").try_send().is_err().then_some(())
    });
}
