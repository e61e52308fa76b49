//! The `budget` filter as its example runs it, in a real Envoy with two workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

mod endings;
mod fleet;
mod refusals;
mod streams;
mod stub;

use serde_json::{Value, json};
use stub::{Mood, Stub};
use tests::client::chat;
use tests::gateway::Builder;
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway};

/// Everything that a test needs.
struct World {
    fake: FakeProvider,
    stub: Stub,
    gateway: Gateway,
}

impl World {
    /// A gateway whose budgets are `budgets`, with the configuration's further members.
    fn new(budgets: &Value, more: &Value) -> Self {
        let (fake, stub) = (FakeProvider::start(), Stub::start(Mood::Good));
        let gateway = builder(&fake, &stub, budgets, more).start();
        Self { fake, stub, gateway }
    }

    /// One budget of `tokens` a day for each user.
    fn daily(tokens: u64) -> Self {
        Self::new(&json!([{"name": "daily", "key": "user", "tokens": tokens, "per": "day"}]), &json!({}))
    }

    /// Ada's call, answered as `behaviour` says.
    fn ask(&self, body: &Value, behaviour: &str) -> Call {
        let call = self.gateway.client().post("/v1/chat/completions", body).header("x-fake", behaviour);
        call.header("x-project-id", "p1").header("x-end-user-id", "ada")
    }

    fn plain(&self, most: u64, behaviour: &str) -> Answer {
        self.ask(&limited(most), behaviour).send()
    }

    fn stat(&self, what: &str) -> u64 {
        self.gateway.stat(&format!("wasmcustom.tollgate_budget_{what}"))
    }
}

fn builder(fake: &FakeProvider, stub: &Stub, budgets: &Value, more: &Value) -> Builder {
    let mut config = json!({"budgets": budgets, "trust": "headers", "slots": 64, "report_every": "10ms",
        "prices": {"openai/gpt-4o": {"input": 1, "output": 2, "max_output": 1000}},
        "companion": {"cluster": "companion-internal", "timeout": "500ms", "secret": {"value": "0123456789abcdef"}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let port = stub.port();
    Gateway::with(EnvoyConfig::load("envoy/examples/budget.yaml").unwrap()).fake(fake).filter("budget", &config).edit(
        move |root| {
            let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            let cluster = json!({"name": "companion-internal", "type": "STATIC", "load_assignment": {
                "cluster_name": "companion-internal", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}});
            root["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
        },
    )
}

/// A request whose answer may have `most` tokens. It counts as 5 tokens itself, and the fake takes one.
fn limited(most: u64) -> Value {
    let mut body = chat("gpt-4o", "hi");
    body["max_tokens"] = json!(most);
    body
}

fn streamed(most: u64) -> Value {
    let mut body = limited(most);
    body["stream"] = json!(true);
    body
}

/// The refusal's status, code and details.
fn refusal(answer: &Answer) -> (String, Value) {
    let json = answer.json();
    let code = json["error"]["code"].as_str().unwrap_or_else(|| panic!("no refusal: {json}"));
    (format!("{} {code}", answer.status), json["error"]["details"].clone())
}

#[test]
fn a_plain_answer_is_charged_as_its_provider_counts_and_its_cost_is_told() {
    let world = World::daily(1000);
    let answer = world.plain(100, "words-20");
    assert_eq!(answer.status, 200);
    let header = |name: &str| answer.header(&format!("x-tollgate-{name}"));
    assert_eq!(header("estimated-cost").as_deref(), Some("0.000205"), "5 in, 100 out");
    assert_eq!(header("actual-cost").as_deref(), Some("0.000041"), "1 in, 20 out");
    assert_eq!(header("efficiency").as_deref(), Some("5.00"));

    let record = world.stub.record();
    let charge = json!([{"budget": "daily", "subject": {"tenant": null, "project": "p1", "user": "ada", "key": null}, "unit": "tokens",
        "limit": 1000, "start": record["charges"][0]["start"], "end": record["charges"][0]["end"], "window_seconds": null,
        "kind": "hard", "alerts": [50, 80, 95, 100], "amount": 21}]);
    assert_eq!(record["charges"], charge);
    for (member, value) in [
        ("project", json!("p1")),
        ("user", json!("ada")),
        ("endpoint", json!("chat.completions")),
        ("model", json!("gpt-4o")),
        ("status", json!(200)),
        ("stream", json!(false)),
        ("outcome", json!("complete")),
        ("estimated", json!(false)),
        ("input_tokens", json!(1)),
        ("output_tokens", json!(20)),
        ("cost_nanos", json!(41_000)),
        ("price", json!({"input": 1_000_000, "output": 2_000_000, "cached": null, "cache_write": null})),
    ] {
        assert_eq!(record[member], value, "{member}: {record}");
    }
    assert_eq!(world.fake.served()[0].count.completion, 20);
}

#[test]
fn a_long_answer_is_charged_by_what_it_says_at_its_end() {
    let world = World::daily(10_000_000);
    let mut body = limited(1000);
    body["model"] = json!("unheard-of");
    let answer = world.ask(&body, "words-120000").send();
    assert_eq!((answer.status, answer.header("x-tollgate-actual-cost")), (200, None));
    let record = world.stub.record();
    assert_eq!((&record["output_tokens"], &record["estimated"]), (&json!(120_000), &json!(false)));
    assert_eq!(record["cost_nanos"], Value::Null, "an unknown price is not zero");
}

#[test]
fn every_endpoint_is_counted_and_other_paths_are_not() {
    let world = World::daily(100_000);
    let call = |path: &str, body: &Value| {
        let call = world.gateway.client().post(path, body);
        call.header("x-project-id", "p1").header("x-end-user-id", "ada").send().status
    };
    assert_eq!(call("/v1/completions", &json!({"model": "gpt-4o", "prompt": "one two", "max_tokens": 9})), 200);
    assert_eq!(call("/v1/embeddings", &json!({"model": "text-embedding-3-small", "input": "one two three"})), 200);
    assert_eq!(call("/v1/responses", &json!({"model": "gpt-4o", "input": "one", "max_output_tokens": 9})), 200);
    assert_eq!(world.gateway.client().get("/v1/models").send().status, 200, "nobody is asked who they are");
    let records = world.stub.records(3);
    let mut seen: Vec<_> =
        records.iter().map(|it| (it["endpoint"].as_str().unwrap(), it["input_tokens"].as_u64().unwrap())).collect();
    seen.sort_unstable();
    assert_eq!(seen, [("completions", 2), ("embeddings", 3), ("responses", 1)]);
    assert!(records.iter().all(|it| it["estimated"] == false), "{records:?}");
}

#[test]
fn the_other_products_headers_are_sent_when_asked_for() {
    let budgets = json!([{"name": "daily", "key": "user", "tokens": 1000, "per": "day"}]);
    let world = World::new(&budgets, &json!({"compat": "brainstormrouter"}));
    let answer = world.plain(100, "words-20");
    let header = |name: &str| answer.header(&format!("x-br-{name}")).unwrap_or_default();
    let seen = ["estimated-cost", "actual-cost", "efficiency", "selected-model", "model"].map(header);
    assert_eq!(seen, ["0.000205", "0.000041", "5.00", "gpt-4o", "gpt-4o"]);
}

#[test]
fn hostile_bytes_are_refused_or_counted_and_the_next_request_works() {
    let world = World::daily(1_000_000);
    for body in [&b"\xff\xfe"[..], b"", b"{", b"[1]", b"{\"messages\":7}", b"{\"model\":\"\\ud800\"}", &[b'['; 20_000]]
    {
        let call = world.ask(&json!({}), "").body(body).send();
        assert!([200, 400, 402].contains(&call.status), "{body:?}: {}", call.status);
    }
    for (name, value) in [
        ("x-tollgate-estimate", &b"input=-1"[..]),
        ("x-tollgate-estimate", b"\xff"),
        ("x-tollgate-max-cost", b"\xff"),
        ("x-end-user-id", b"\xff"),
        ("x-request-id", b"\xff"),
    ] {
        let status = world.ask(&limited(5), "").header(name, value).send().status;
        assert!([200, 400, 401].contains(&status), "{name}: {status}");
    }
    for behaviour in ["malformed", "error-body", "400", "words-0"] {
        assert!(world.plain(5, behaviour).status > 0);
        assert!(!world.ask(&streamed(5), behaviour).send().body.is_empty());
    }
    assert_eq!(world.plain(5, "").status, 200);
}

#[test]
fn a_mistake_in_the_configuration_keeps_envoy_from_starting() {
    let (fake, stub) = (FakeProvider::start(), Stub::start(Mood::Good));
    let wrong = json!([{"name": "daily", "key": "user", "tokens": 0, "per": "day"}]);
    assert!(builder(&fake, &stub, &wrong, &json!({})).try_start().is_err());
    let twice = json!([{"name": "d", "key": "user", "tokens": 1, "usd": 1, "per": "day"}]);
    let error = builder(&fake, &stub, &twice, &json!({})).try_start().unwrap_err();
    assert!(error.contains("budgets[0]: has neither or both of `tokens` and `usd`"), "{error}");
}
