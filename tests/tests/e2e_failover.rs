//! A chain of three in a real Envoy, and each way in which a provider fails: the client sees one answer from the next, and that
//! one sees nothing of the former.

use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::thread;
use tests::{Answer, EnvoyConfig, FakeProvider, Gateway, Provider, Received};

/// The chain: the provider, the header of its key, and its host. Each has other rules for parameters.
const TRIO: [(&str, &str, &str); 3] = [
    ("openai", "authorization", "api.openai.com"),
    ("anthropic", "x-api-key", "api.anthropic.com"),
    ("mistral", "api-key", "api.mistral.ai"),
];

/// What is sent; Anthropic takes no such temperature, Mistral no `seed` of this name.
const SENT: &str = "{ \"temperature\" : 1.5,\"seed\":7,\n\"model\":\"MODEL\", \"x\":\"\\u00e9é\",\
                    \"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/// What each of them gets of it.
fn arriving(sent: &str, place: usize, id: &str) -> String {
    let sent = sent.replace("MODEL", id);
    match place {
        0 => sent,
        1 => sent.replace("1.5", "1"),
        _ => sent.replace("\"seed\"", "\"random_seed\""),
    }
}

/// The shipped gateway with the chains of these tests.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
}

impl World {
    /// With these chains by name, each of which serves the model of that name; `refused` has no port, and `closed` closes
    /// every connection when it has heard enough.
    fn start(chains: &Value) -> Self {
        let fake = FakeProvider::start();
        let mut config = EnvoyConfig::load("envoy/envoy.yaml").unwrap();
        for filter in ["auth", "ratelimit", "guardrails", "session", "budget"] {
            config.without_filter(filter);
        }
        for name in ["refused", "closed"] {
            Provider { name, base_path: "/v1", embeddings: false, structured: false }.add_to(&mut config);
        }
        config.filter("router", |router| {
            for (name, chain) in chains.as_object().unwrap() {
                router["chains"][name] = chain.clone();
                let models = router["models"].as_array_mut().unwrap();
                models.insert(0, json!({"name": format!("openai/{name}"), "chain": name}));
            }
        });
        config.filter("provider", |provider| {
            provider["providers"]["anthropic"]["auth"] = json!({"header": "x-api-key"});
            provider["providers"]["mistral"]["auth"] = json!({"header": "api-key"});
        });
        let closing = closing();
        let ports = move |root: &mut Value| {
            let mut config = EnvoyConfig::parse(&root.to_string()).unwrap();
            config.provider_at("refused", 1);
            config.provider_at("closed", closing);
            *root = config.root().clone();
        };
        Self { gateway: Gateway::with(config).fake(&fake).edit(ports).start(), fake }
    }

    fn chat(&self, body: &str) -> Answer {
        self.fake.clear();
        let call = self.gateway.client().call("POST", "/v1/chat/completions").body(body);
        call.header("content-type", "application/json").header("authorization", "Bearer the client's").send()
    }
}

/// A port that hears a request out, as far as its head, and then closes the connection without a word.
fn closing() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 65_536]);
        }
    });
    port
}

/// The trio, whose models are named after `case`.
fn trio(case: &str) -> Vec<Value> {
    TRIO.map(|(provider, ..)| json!({"provider": provider, "model": format!("{provider}-{case}")})).to_vec()
}

/// The provider at `place` got what is its own and nothing else.
fn assert_own(request: &Received, place: usize, case: &str, sent: &str) {
    let (provider, key, host) = TRIO[place];
    assert!(request.path.starts_with(&format!("/{provider}/v1/")), "{case}: {}", request.path);
    assert_eq!(request.header("host").as_deref(), Some(host), "{case}");
    let credential = format!("fake-key-{provider}");
    let expected = if key == "authorization" { format!("Bearer {credential}") } else { credential };
    for (_, name, _) in TRIO {
        let values: Vec<_> = request.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name)).collect();
        assert_eq!(values.len(), usize::from(name == key), "{case}: {values:?} at {provider}");
    }
    assert_eq!(request.header(key), Some(expected), "{case}");
    assert!(!request.headers.iter().any(|(it, _)| it.to_ascii_lowercase().starts_with("x-tollgate")), "{request:?}");
    let body = arriving(sent, place, &format!("{provider}-{case}"));
    assert_eq!(request.header("content-length"), Some(body.len().to_string()), "{case} at {provider}");
    assert!(request.body == body.as_bytes(), "{case}: {provider} got other bytes");
}

/// The client got one good answer, of the provider at `place`, at so manieth attempt.
fn assert_from(answer: &Answer, place: usize, case: &str, attempts: usize) {
    let told = |name: &str| answer.header(name).unwrap_or_default();
    assert_eq!(answer.status, 200, "{case}: {}", answer.text());
    assert_eq!(told("x-tollgate-provider"), TRIO[place].0, "{case}");
    assert_eq!(told("x-tollgate-provider-model"), format!("{}-{case}", TRIO[place].0), "{case}");
    assert_eq!(told("x-tollgate-attempts"), attempts.to_string(), "{case}");
    assert_eq!(answer.header("retry-after"), None, "{case}: the former's");
}

/// Each failure is met by models of its own: one that has just failed may be passed over.
#[test]
fn whatever_one_fails_with_the_client_sees_one_answer_of_the_next() {
    let failures = ["503", "500", "502", "429", "429-after-7", "reset", "401", "402"];
    let case = |failure: &str, failing: usize| format!("{failure}-{failing}");
    let cases: Vec<_> = failures.iter().flat_map(|failure| [1, 2].map(|failing| (*failure, failing))).collect();
    let chain = |case: &str| json!({"candidates": trio(case), "also_retry": [401, 402]});
    let chains = cases.iter().map(|(failure, failing)| case(failure, *failing)).map(|it| (it.clone(), chain(&it)));
    let world = World::start(&Value::Object(chains.collect()));
    for (failure, failing) in cases {
        let case = case(failure, failing);
        for (provider, ..) in &TRIO[..failing] {
            world.fake.behave(&format!("/{provider}"), failure, None);
        }
        let answer = world.chat(&SENT.replace("MODEL", &format!("openai/{case}")));
        world.fake.behave_well();
        assert_from(&answer, failing, &case, failing + 1);
        assert_eq!(answer.content(), "You said: hi", "{case}");
        let requests = world.fake.requests();
        assert_eq!(requests.len(), failing + 1, "{case}");
        for (place, request) in requests.iter().enumerate() {
            assert_own(request, place, &case, SENT);
        }
    }
}

#[test]
fn who_refuses_closes_or_never_answers_is_followed_by_the_next() {
    let away = [json!({"provider": "refused"}), json!({"provider": "closed"}), trio("away")[2].clone()];
    let slow = json!({"candidates": trio("slow"), "try_timeout": "2s"});
    let world = World::start(&json!({"away": away, "slow": slow}));
    let answer = world.chat(&SENT.replace("MODEL", "openai/away"));
    assert_from(&answer, 2, "away", 3);
    assert_own(&world.fake.only_request(), 2, "away", SENT);
    world.fake.behave("/openai", "hang", None);
    world.fake.behave("/anthropic", "hang", None);
    let answer = world.chat(&SENT.replace("MODEL", "openai/slow"));
    assert_from(&answer, 2, "slow", 3);
    for (place, request) in world.fake.requests().iter().enumerate() {
        assert_own(request, place, "slow", SENT);
    }
}

#[test]
fn what_is_the_requests_own_fault_or_nobody_can_help_is_told_once() {
    let names = ["400", "404", "422", "401", "all"];
    let world = World::start(&names.into_iter().map(|it| (it.to_owned(), json!(trio(it)))).collect());
    for name in &names[..4] {
        world.fake.behave("/openai", name, None);
        let answer = world.chat(&SENT.replace("MODEL", &format!("openai/{name}")));
        world.fake.behave_well();
        assert_eq!(answer.status.to_string(), *name, "{}", answer.text());
        assert!(answer.text().contains(&format!("told to answer {name}")), "{}", answer.text());
        assert_eq!(world.fake.requests().len(), 1, "{name}");
    }
    world.fake.behave("/", "503", None);
    let answer = world.chat(&SENT.replace("MODEL", "openai/all"));
    assert_eq!((answer.status, answer.header("x-tollgate-attempts").as_deref()), (503, Some("3")));
    assert_eq!(answer.json()["error"]["message"], "The fake provider was told to answer 503.");
    assert_eq!(world.fake.requests().len(), 3);
}

#[test]
fn megabytes_are_sent_again_to_the_byte() {
    let sizes = [5 << 20, 15 << 20];
    let chains = sizes.map(|size: usize| (size.to_string(), json!(trio(&size.to_string()))));
    let world = World::start(&Value::Object(chains.into_iter().collect()));
    for size in sizes {
        let case = size.to_string();
        let picture = format!("data:image/png;base64,{}", "QUJD".repeat((size - 1_000) / 4));
        let part = json!([{"type": "image_url", "image_url": {"url": picture}}]).to_string();
        let sent = SENT.replace("\"hi\"", &part);
        assert!((size - 1_000..size).contains(&sent.len()), "{}", sent.len());
        for (provider, ..) in &TRIO[..2] {
            world.fake.behave(&format!("/{provider}"), "503", None);
        }
        let answer = world.chat(&sent.replace("MODEL", &format!("openai/{case}")));
        world.fake.behave_well();
        assert_from(&answer, 2, &case, 3);
        for (place, request) in world.fake.requests().iter().enumerate() {
            assert_own(request, place, &case, &sent);
        }
    }
}
