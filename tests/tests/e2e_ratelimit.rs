//! The `ratelimit` filter as its example runs it, in a real Envoy with two workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use serde_json::{Value, json};
use std::thread;
use tests::client::chat;
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway};

fn gateway(fake: &FakeProvider, config: &Value) -> Gateway {
    let example = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap();
    Gateway::with(example).fake(fake).filter("ratelimit", config).start()
}

fn ten_an_hour(more: &Value) -> Value {
    let mut limit = json!({"name": "user", "key": "user", "requests": 10, "per": "hour"});
    limit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"limits": [limit], "trust": "headers", "slots": 64})
}

fn ask(gateway: &Gateway, user: &str) -> Call {
    let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
    call.header("x-project-id", "p1").header("x-end-user-id", user)
}

/// How many of `times` requests of `user` got each status, sent eight at a time over connections of their own.
fn hammer(gateway: &Gateway, user: &str, times: usize) -> (usize, usize) {
    let each = |share: usize| {
        let call = ask(gateway, user);
        (0..share).map(|_| call.send().status).collect::<Vec<_>>()
    };
    let statuses: Vec<u16> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..8).map(|lane| scope.spawn(move || each((times + lane) / 8))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    assert_eq!(statuses.len(), times);
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    (count(200), count(429))
}

fn headers(answer: &Answer) -> [Option<String>; 3] {
    ["limit", "remaining", "reset"].map(|it| answer.header(&format!("x-ratelimit-{it}-requests")))
}

#[test]
fn exactly_the_limit_passes_over_all_workers_and_another_user_is_untouched() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &ten_an_hour(&json!({})));
    assert_eq!(hammer(&gateway, "ada", 60), (10, 50));
    assert_eq!(fake.requests().len(), 10);
    assert_eq!(hammer(&gateway, "eve", 10), (10, 0));
    let tier = ask(&gateway, "ada").header("x-tier", "free");
    assert_eq!(tier.send().status, 429, "where no tier has numbers, a tier does not make another caller");
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_passed"), 20);
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_refused.limit.user.mode.enforce"), 51);
}

#[test]
fn a_tier_has_a_quota_of_its_own_and_the_client_is_told_where_it_stands() {
    let fake = FakeProvider::start();
    let tiers = json!({"tiers": {"trial": {"requests": 2, "per": 100}}});
    let gateway = gateway(&fake, &ten_an_hour(&tiers));
    let trial = ask(&gateway, "ada").header("x-tier", "trial");

    let first = trial.send();
    assert_eq!(headers(&first)[..2], [Some("2".to_owned()), Some("1".to_owned())]);
    let reset = headers(&first)[2].clone().unwrap();
    assert_eq!(reset, "50s");
    let upstreams = first.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().ends_with("-tokens")).count();
    assert_eq!(upstreams, 0, "the limit of the key that all share leaks");
    assert_eq!(trial.send().status, 200);

    let refused = trial.send();
    assert_eq!(refused.error(), "429 rate_limit_exceeded");
    assert_eq!(headers(&refused)[..2], [Some("2".to_owned()), Some("0".to_owned())]);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let millis: u64 = refused.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((1..=50).contains(&wait) && wait == millis.div_ceil(1000), "{wait} s, {millis} ms");
    assert_eq!(refused.header("x-should-retry"), None);

    let hourly = ask(&gateway, "eve");
    assert_eq!(hammer(&gateway, "eve", 10).0, 10);
    assert_eq!(hourly.send().header("x-should-retry").as_deref(), Some("false"));
}

#[test]
fn a_request_that_nobody_vouches_for_is_not_served() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &ten_an_hour(&json!({})));
    let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
    assert_eq!(call.send().error(), "401 invalid_api_key");
    let twice = ask(&gateway, "ada").header("x-end-user-id", "eve");
    assert_eq!(twice.send().error(), "401 invalid_api_key");
    assert!(fake.requests().is_empty());
}

#[test]
fn without_auth_in_front_headers_are_not_believed() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    assert_eq!(ask(&gateway, "ada").send().error(), "401 invalid_api_key");
}

#[test]
fn shadow_counts_and_changes_nothing() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &ten_an_hour(&json!({"mode": "shadow"})));
    assert_eq!(hammer(&gateway, "ada", 24), (24, 0));
    // What the upstream says stays, too.
    assert_eq!(headers(&ask(&gateway, "ada").send())[0].as_deref(), Some("5000"));
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_refused.limit.user.mode.shadow"), 15);
}

#[test]
fn hostile_bytes_are_no_caller_and_the_next_request_works() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &ten_an_hour(&json!({})));
    for bytes in [&b"\xff"[..], b"\xc3\x28", &[b'x'; 8000]] {
        let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
        let status = call.header("x-project-id", bytes).header("x-end-user-id", "ada").send().status;
        assert!([200, 400, 401].contains(&status), "{status}");
        assert_eq!(ask(&gateway, "ada").send().status, 200);
    }
}

#[test]
fn a_mistake_in_the_configuration_keeps_envoy_from_starting() {
    let example = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap();
    let wrong = json!({"limits": [{"name": "x", "key": "user", "requests": 0, "per": "hour"}]});
    let error = Gateway::with(example).filter("ratelimit", &wrong).try_start().unwrap_err();
    assert!(error.contains("limits.x: `requests` is 0; expected a whole number from 1"), "{error}");
}

#[test]
fn an_upstream_that_says_the_request_was_switched_off_gives_nothing_back() {
    let fake = FakeProvider::start();
    let example = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap();
    let builder = Gateway::with(example).fake(&fake).filter("ratelimit", &ten_an_hour(&json!({})));
    let gateway = builder
        .edit(|root| {
            let listener =
                &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
            let routes = listener["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
            let header = json!([{"header": {"key": "x-tollgate-killed", "value": "model"}}]);
            routes.iter_mut().for_each(|it| it["response_headers_to_add"] = header.clone());
        })
        .start();
    assert_eq!(ask(&gateway, "ada").send().header("x-tollgate-killed").as_deref(), Some("model"));
    assert_eq!(hammer(&gateway, "ada", 20), (9, 11));
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_given_back"), 0);
}
