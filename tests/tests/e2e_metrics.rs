//! The Grafana dashboard against what a real gateway and a real companion say of themselves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;
use tests::process::poll;
use tests::{Companion, FakeProvider, Gateway, tools};

const DASHBOARD: &str = "docs/grafana/tollgate.json";
/// Envoy merges its histograms every five seconds.
const SOON: Duration = Duration::from_secs(60);

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(tools::root().join(DASHBOARD)).unwrap()).unwrap()
}

/// The queries of all panels and variables.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|it| it["targets"].as_array().cloned().unwrap_or_default());
    let exprs = targets.map(|it| it["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    exprs.chain(variables.map(|it| it["query"].as_str().unwrap().to_owned())).collect()
}

/// The metrics that a query names.
fn named(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| {
        it.starts_with("tollgate_")
            || it.starts_with("envoy_http_downstream")
            || it.starts_with("envoy_cluster_upstream")
    })
}

/// The metrics that a scraper finds in `text`.
fn found(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|it| !it.starts_with('#'));
    lines.map(|it| it.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = Gateway::from("envoy/envoy.yaml").fake(&fake).companion(&companion);
    // A gateway that reports refusals counts those that it had to drop.
    let of = json!({"cluster": "companion-internal", "secret": {"value": companion.secret()}});
    let gateway = gateway.edit_filter("ratelimit", |it| it["companion"] = of.clone()).start();
    let token = companion.client().mint(&project.api_key, &json!({"user_id": "ada-the-user"}));
    assert_eq!(gateway.client().chat(&token, "gpt-4o", "hi").send().status, 200);
    let queries = queries(&dashboard());
    let wanted: BTreeSet<&str> = queries.iter().flat_map(|it| named(it)).filter(|it| !is_label(it)).collect();
    assert!(wanted.len() > 40, "{wanted:?}");
    let missing = || {
        let mut all = found(&gateway.admin().get("/stats/prometheus").send().text());
        all.extend(found(&companion.internal().get("/metrics").send().text()));
        wanted.iter().filter(|it| !all.contains(**it)).copied().collect::<Vec<_>>()
    };
    poll(SOON, || missing().is_empty().then_some(())).unwrap_or_else(|| panic!("no such metrics: {:?}", missing()));
    let text = gateway.admin().get("/stats/prometheus").send().text();
    let refused: Vec<_> = text.lines().filter(|it| it.starts_with("tollgate_ratelimit_refused{")).collect();
    let labelled = |it: &&str| it.contains("limit=\"") && it.contains("mode=\"enforce\"");
    assert!(!refused.is_empty() && refused.iter().all(labelled), "{refused:?}");
    assert!(!text.contains("ada-the-user"), "a metric must not name a user");
}

/// Labels of Envoy's own begin as its metrics do.
fn is_label(word: &str) -> bool {
    matches!(word, "envoy_http_conn_manager_prefix" | "envoy_cluster_name" | "envoy_response_code_class")
}

#[test]
fn every_panel_has_a_place_and_an_id_of_its_own_and_asks_the_chosen_prometheus() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let places: BTreeSet<_> = panels.iter().map(|it| it["gridPos"].to_string()).collect();
    assert_eq!(places.len(), panels.len());
    for panel in panels.iter().filter(|it| it["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(!panel["targets"].as_array().unwrap().is_empty());
    }
}
