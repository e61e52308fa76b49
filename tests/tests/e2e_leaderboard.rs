//! What a gateway measures of candidates reaches the companion and the other gateways: real Envoy, real companion.

use serde_json::{Value, json};
use std::time::Duration;
use tests::gateway::Builder;
use tests::{Answer, Companion, FakeProvider, Gateway, wait_until};

const SOON: Duration = Duration::from_secs(30);
const MEASURES: &str = "/internal/v1/models/measures";
const FAILURES: &str = "wasmcustom.tollgate_router_companion_failures";

/// The shipped gateway whose router has this chain for `gpt-4o`, and one for what else clients say that `OpenAI` has.
fn builder(fake: &FakeProvider, companion: &Companion, strategy: &str, timeout: &str) -> Builder {
    let config = json!({
        "models": [{"name": "gpt-4o", "chain": "chosen"}, {"name": "openai/*", "chain": "openai"}],
        "chains": {
            "chosen": {"strategy": strategy, "candidates": [
                {"provider": "openai"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}]},
            "openai": {"strategy": strategy, "candidates": [{"provider": "openai"}, {"provider": "mistral"}]}
        },
        "companion": {"cluster": "companion-internal", "timeout": timeout, "secret": {"env": "TOLLGATE_INTERNAL_SECRET"}},
        "report_every": "100ms"
    });
    ["ratelimit", "guardrails", "session", "budget"]
        .into_iter()
        .fold(Gateway::from("envoy/envoy.yaml"), |gateway, filter| gateway.without_filter(filter))
        .filter("router", &config)
        .fake(fake)
        .companion(companion)
}

fn gateway(fake: &FakeProvider, companion: &Companion, strategy: &str) -> Gateway {
    builder(fake, companion, strategy, "2500ms").start()
}

fn token(companion: &Companion) -> String {
    let project = companion.project("acme", "shop");
    companion.client().mint(&project.api_key, &json!({"user_id": "ada"}))
}

/// Asks so often, streamed; how often the first provider answered, and how often another.
fn ask(gateway: &Gateway, token: &str, model: &str, times: usize) -> [usize; 2] {
    let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let mut counts = [0; 2];
    for _ in 0..times {
        let answer = gateway.client().post("/v1/chat/completions", &body).bearer(token).send();
        match answer.header("x-tollgate-provider").as_deref() {
            Some("openai") => counts[0] += 1,
            Some(_) => counts[1] += 1,
            None => panic!("{}", answer.text()),
        }
    }
    counts
}

fn board(gateway: &Gateway, token: &str) -> Answer {
    gateway.client().get("/v1/models/leaderboard").bearer(token).send()
}

/// The board, as soon as it tells of so many requests.
fn told(gateway: &Gateway, token: &str, requests: u64) -> Vec<Value> {
    wait_until(SOON, &format!("{requests} requests on the leaderboard"), || {
        let board = board(gateway, token).json()["data"].as_array().expect("a list").clone();
        let all: u64 = board.iter().filter_map(|it| it["requests"].as_u64()).sum();
        (all >= requests).then_some(board)
    })
}

#[test]
fn the_leaderboard_shows_what_the_bandit_measured() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let gateway = gateway(&fake, &companion, "bandit");
    let token = token(&companion);
    assert_eq!(board(&gateway, &token).json()["data"], json!([]));
    ask(&gateway, &token, "openai/a-name-that-a-client-made-up", 3);
    let counts = ask(&gateway, &token, "gpt-4o", 20);
    let board_now = told(&gateway, &token, 20);
    let ids: Vec<&str> = board_now.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    for (id, count) in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"].into_iter().zip(counts) {
        let it = board_now.iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("{id} in {ids:?}"));
        let said = (it["samples"].clone(), it["requests"].clone(), it["validity"].clone());
        assert_eq!(said, (json!(count), json!(count), json!(1.0)), "{it}");
        assert!(it["latency_ms"].is_number() && it["mean_reward"].is_number(), "{it}");
    }
    assert_eq!(board(&gateway, "nobody").error(), "401 invalid_token");
    assert_eq!(gateway.client().get("/v1/models").bearer(&token).send().status, 200, "the router's own");
}

#[test]
fn a_gateway_that_starts_knows_what_an_earlier_one_measured() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let token = token(&companion);
    let first = gateway(&fake, &companion, "quality");
    // An answer that is cut short is no valid one. Alone, each gateway would find out by itself, and forget.
    fake.behave("/openai", "words-9+end-4", None);
    ask(&first, &token, "gpt-4o", 1);
    for _ in 0..9 {
        ask(&first, &token, "openai:gpt-4o", 1);
    }
    ask(&first, &token, "gpt-4o", 20);
    told(&first, &token, 30);
    drop(first);
    fake.behave_well();
    let asked = || companion.log().matches(&format!("route=\"{MEASURES}\" method=GET status=200")).count();
    let before = asked();
    let second = gateway(&fake, &companion, "quality");
    wait_until(SOON, "the second gateway to ask what is known", || (asked() > before).then_some(()));
    let counts = ask(&second, &token, "gpt-4o", 20);
    assert!(counts[1] > 2 * counts[0], "by itself it would ask the first of its list: {counts:?}");
}

#[test]
fn without_the_companion_chat_goes_on_and_what_was_measured_is_told_later() {
    let (fake, mut companion) = (FakeProvider::start(), Companion::start());
    let gateway = gateway(&fake, &companion, "bandit");
    let token = token(&companion);
    ask(&gateway, &token, "gpt-4o", 5);
    told(&gateway, &token, 5);
    companion.kill();
    ask(&gateway, &token, "gpt-4o", 10);
    wait_until(SOON, "a failure", || (gateway.stat(FAILURES) > 1).then_some(()));
    ask(&gateway, &token, "gpt-4o", 5);
    assert_eq!(board(&gateway, &token).error(), "503 companion_unavailable");
    companion.restart();
    told(&gateway, &token, 20);
}

#[test]
fn a_companion_that_answers_nonsense_or_nothing_disturbs_nobody() {
    for (behaviour, timeout) in [("error-body", "1s"), ("hang", "50ms"), ("reset", "1s")] {
        let (fake, companion, nonsense) = (FakeProvider::start(), Companion::start(), FakeProvider::start());
        nonsense.behave(MEASURES, behaviour, None);
        let port = nonsense.port();
        let gateway = builder(&fake, &companion, "bandit", timeout).edit(|root| internal_at(root, port)).start();
        let token = token(&companion);
        let counts = ask(&gateway, &token, "gpt-4o", 10);
        wait_until(SOON, behaviour, || (gateway.stat(FAILURES) > 2).then_some(()));
        assert!(counts[0] > 0 && counts[1] > 0, "each gateway learns by itself: {counts:?}");
        ask(&gateway, &token, "gpt-4o", 10);
        assert_eq!(board(&gateway, &token).json()["data"], json!([]), "{behaviour}");
    }
}

/// Puts another server in the place of the companion's internal listener.
fn internal_at(root: &mut Value, port: u16) {
    let clusters = root["static_resources"]["clusters"].as_array_mut().expect("clusters");
    let internal = clusters.iter_mut().find(|it| it["name"] == "companion-internal").expect("the companion's");
    let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
    *internal.pointer_mut(address).expect("an endpoint") = json!(port);
}
