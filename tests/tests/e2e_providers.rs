//! What providers take otherwise than OpenAI's, and what they answer otherwise, in a real Envoy.

use serde_json::{Value, json};
use tests::{Answer, FakeProvider, Gateway, Received};

/// The provider filter alone, before providers that remember what they got.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
}

impl World {
    /// Of OpenAI and Anthropic, `first` in front of the other, each of this kind.
    fn start(first: &str, kinds: [&str; 2]) -> Self {
        let fake = FakeProvider::start();
        let gateway = Gateway::from("envoy/examples/provider.yaml")
            .fake(&fake)
            .edit_filter("provider", |config| {
                config["providers"]["openai"]["kind"] = json!(kinds[0]);
                config["providers"]["anthropic"]["kind"] = json!(kinds[1]);
            })
            .edit(|config| {
                let clusters = config["static_resources"]["clusters"].as_array_mut().unwrap();
                let both = clusters.iter_mut().find(|it| it["name"] == "providers").unwrap();
                let second = if first == "openai" { "anthropic" } else { "openai" };
                both["cluster_type"]["typed_config"]["clusters"] = json!([{"name": first}, {"name": second}]);
            })
            .start();
        Self { fake, gateway }
    }

    fn chat(&self, body: &str) -> Answer {
        let call = self.gateway.client().call("POST", "/v1/chat/completions");
        call.header("content-type", "application/json").body(body).send()
    }

    /// The one request that the provider got for this body.
    fn received(&self, body: &str) -> Received {
        self.fake.clear();
        let answer = self.chat(body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.fake.only_request()
    }
}

#[test]
fn each_kind_of_provider_gets_the_parameters_that_it_takes() {
    for (kind, sent, expected) in [
        (
            "mistral",
            r#"{ "model":"m", "user":"ada", "messages":[],"seed" : 7,"x":"\u00e9é", "max_completion_tokens":1.0 }"#,
            r#"{ "model":"m", "messages":[],"random_seed" : 7,"x":"\u00e9é", "max_tokens":1.0 }"#,
        ),
        (
            "groq",
            r#"{"model":"m","temperature":0,"messages":[],"logprobs":true}"#,
            r#"{"model":"m","temperature":1e-8,"messages":[]}"#,
        ),
        (
            "anthropic",
            r#"{"model":"m","temperature":1.5,"messages":[]}"#,
            r#"{"model":"m","temperature":1,"messages":[]}"#,
        ),
        (
            "custom",
            r#"{"model":"m","max_completion_tokens":5,"messages":[]}"#,
            r#"{"model":"m","max_tokens":5,"messages":[]}"#,
        ),
        (
            "vllm",
            r#"{ "model":"m","seed":1,"logprobs":true,"n":1 }"#,
            r#"{ "model":"m","seed":1,"logprobs":true,"n":1 }"#,
        ),
    ] {
        let world = World::start("openai", [kind, kind]);
        let received = world.received(sent);
        assert_eq!(String::from_utf8_lossy(&received.body), expected, "{kind}");
        assert_eq!(received.header("content-length"), Some(expected.len().to_string()), "{kind}");
    }
}

#[test]
fn what_a_provider_does_not_do_is_refused_and_the_next_request_works() {
    let world = World::start("openai", ["groq", "groq"]);
    let answer = world.chat(r#"{"model":"m","messages":[],"n":2}"#);
    assert_eq!((answer.error().as_str(), &answer.json()["error"]["param"]), ("400 invalid_request", &json!("n")));
    assert_eq!(world.chat(r#"{"model":"m","seed":1,"seed":2}"#).error(), "400 invalid_request");
    assert_eq!(world.fake.requests().len(), 0);
    world.received(r#"{"model":"m","messages":[],"n":1}"#);
}

#[test]
fn an_edited_attempt_leaves_no_length_to_the_next() {
    let sent = r#"{"model":"m","user":"somebody with a long name","messages":[{"role":"user","content":"hi"}]}"#;
    let edited = sent.replace(r#""user":"somebody with a long name","#, "");
    for (first, second, expected) in
        [("openai", "anthropic", [&*edited, sent]), ("anthropic", "openai", [sent, &*edited])]
    {
        let world = World::start(first, ["mistral", "vllm"]);
        world.fake.behave(&format!("/{first}"), "503", None);
        let answer = world.chat(sent);
        assert_eq!(answer.content(), "You said: hi");
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some(second));
        let bodies: Vec<_> =
            world.fake.requests().iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect();
        assert_eq!(bodies, expected, "{first}");
    }
}

#[test]
fn a_model_that_thinks_first_gets_the_new_name_of_its_limit() {
    let fake = FakeProvider::start();
    let gateway = ["auth", "ratelimit", "guardrails", "session", "budget"]
        .into_iter()
        .fold(Gateway::from("envoy/envoy.yaml"), |gateway, filter| gateway.without_filter(filter))
        .fake(&fake)
        .start();
    for (model, member) in [("gpt-5-mini", "max_completion_tokens"), ("gpt-4o-mini", "max_tokens")] {
        fake.clear();
        let body: Value = json!({"model": model, "messages": [], "max_tokens": 5});
        assert_eq!(gateway.client().post("/v1/chat/completions", &body).send().status, 200);
        assert_eq!(fake.only_request().json()[member], 5, "{model}");
    }
}
