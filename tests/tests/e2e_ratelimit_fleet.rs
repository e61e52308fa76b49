//! Limits over a fleet, with a companion that is slow, gone or out of its mind. Several gateways: `e2e_fleet`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tests::client::chat;
use tests::http::{self, Body, Framing};
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway, wait_until};

/// What the fake companion answers to a question for leases.
type Say = fn(&Value) -> Option<(u16, String)>;

/// A companion's internal listener that says what it is told to say.
struct Fake {
    port: u16,
    say: Arc<Mutex<Say>>,
    /// Path and body of what it was asked.
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Fake {
    fn start(say: Say) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Self { port, say: Arc::new(Mutex::new(say)), asked: Arc::default() };
        let (say, asked) = (Arc::clone(&fake.say), Arc::clone(&fake.asked));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (say, asked) = (Arc::clone(&say), Arc::clone(&asked));
                thread::spawn(move || serve(connection, &say, &asked));
            }
        });
        fake
    }

    fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    /// The questions for leases so far.
    fn questions(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(path, _)| path == "/internal/v1/leases").map(|(_, body)| body.clone()).collect()
    }

    fn events(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let batches = asked.iter().filter(|(path, _)| path == "/internal/v1/events");
        batches.flat_map(|(_, body)| body["events"].as_array().unwrap().clone()).collect()
    }
}

fn serve(connection: TcpStream, say: &Mutex<Say>, asked: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut writer = connection;
    while let Ok(Some(head)) = http::read_head(&mut reader) {
        let (body, _) = Body::new(Framing::of_request(&head.headers)).rest(&mut reader);
        let path = head.first_line.split(' ').nth(1).unwrap().to_owned();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(http::text(&head.headers, "authorization").unwrap(), "Bearer secret");
        let say =
            if path == "/internal/v1/leases" { *say.lock().unwrap() } else { |_: &Value| Some((200, "{}".into())) };
        asked.lock().unwrap().push((path, body.clone()));
        let Some((status, text)) = say(&body) else { return thread::park() };
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The same answer to each lease that was asked for; `count` is at most what is wanted.
fn each(question: &Value, count: u64, wait_ms: u64) -> Option<(u16, String)> {
    let lease = |asked: &Value| {
        let granted = count.min(asked["want"].as_u64().unwrap());
        json!({"granted": granted, "valid_ms": 1000, "slice": 7, "wait_ms": wait_ms, "remaining": 50})
    };
    let leases: Vec<Value> = question["leases"].as_array().unwrap().iter().map(lease).collect();
    Some((200, json!({"leases": leases}).to_string()))
}

fn plenty(question: &Value) -> Option<(u16, String)> {
    each(question, u64::MAX, 0)
}

fn nothing(question: &Value) -> Option<(u16, String)> {
    each(question, 0, 60_000)
}

fn silence(_: &Value) -> Option<(u16, String)> {
    None
}

fn gateway(provider: &FakeProvider, port: u16, limits: &Value) -> Gateway {
    let config = json!({"limits": limits, "trust": "headers", "slots": 64,
        "companion": {"cluster": "companion", "timeout": "300ms", "secret": {"value": "secret"}}});
    let cluster = json!({"name": "companion", "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "companion", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]}});
    let example = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap();
    let builder = Gateway::with(example).filter("ratelimit", &config).fake(provider);
    builder.edit(|root| root["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster)).start()
}

fn fleet(more: &Value) -> Value {
    let mut limit = json!({"name": "user", "key": "user", "requests": 100, "per": "minute", "scope": "fleet"});
    limit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([limit])
}

fn ask(gateway: &Gateway, user: &str) -> Call {
    let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
    call.header("x-project-id", "p1").header("x-end-user-id", user)
}

/// So many requests, eight at a time.
fn hammer(gateway: &Gateway, user: &str, times: usize) -> Vec<Answer> {
    let each = |share: usize| (0..share).map(|_| ask(gateway, user).send()).collect::<Vec<_>>();
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..8).map(|lane| scope.spawn(move || each((times + lane) / 8))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    })
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|it| it.status == status).count()
}

#[test]
fn a_request_is_served_from_a_lease_and_hears_what_the_fleet_has_left() {
    let (provider, companion) = (FakeProvider::start(), Fake::start(plenty));
    let gateway = gateway(&provider, companion.port, &fleet(&json!({})));
    let first = ask(&gateway, "ada").header("x-tier", "pro").send();
    assert_eq!(first.status, 200);
    assert_eq!(first.header("x-ratelimit-limit-requests").as_deref(), Some("100"));
    assert_eq!(first.header("x-ratelimit-remaining-requests").as_deref(), Some("50"));
    let question = companion.questions()[0].clone();
    assert_eq!(question["node"].as_str().unwrap().len(), 16);
    let want = json!([{"limit": "user", "key": ["", "", "p1", "ada"], "requests": 100, "per_seconds": 60, "burst": 100,
        "need": 1, "want": 1, "returned": []}]);
    assert_eq!(question["leases"], want);

    let answers = hammer(&gateway, "eve", 200);
    assert_eq!(count(&answers, 200), 200);
    let asked = companion.questions().len();
    assert!(asked < 100, "{asked} questions for 200 requests: nothing was leased ahead");
}

#[test]
fn what_an_idle_user_does_not_need_is_returned() {
    let (provider, companion) = (FakeProvider::start(), Fake::start(plenty));
    let gateway = gateway(&provider, companion.port, &fleet(&json!({})));
    assert_eq!(count(&hammer(&gateway, "ada", 60), 200), 60);
    let returned = || {
        let leases = companion.questions().into_iter().flat_map(|it| it["leases"].as_array().unwrap().clone());
        let returned: u64 =
            leases.filter(|it| it["want"] == 0).map(|it| it["returned"][0]["count"].as_u64().unwrap()).sum();
        (returned > 0).then_some(returned)
    };
    wait_until(Duration::from_secs(10), "allowance to come back", returned);
    assert_eq!(ask(&gateway, "ada").send().status, 200);
}

#[test]
fn four_hundred_refused_requests_cause_a_handful_of_questions_and_one_report() {
    let (provider, companion) = (FakeProvider::start(), Fake::start(nothing));
    let gateway = gateway(&provider, companion.port, &fleet(&json!({})));
    let answers = hammer(&gateway, "ada", 400);
    assert_eq!(count(&answers, 429), 400);
    assert!(provider.requests().is_empty());
    let asked = companion.questions().len();
    assert!(asked <= 10, "{asked} questions");
    let wait: u64 = answers[399].header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(answers[399].header("x-ratelimit-remaining-requests").as_deref(), Some("0"));

    let reported = || Some(companion.events()).filter(|it| !it.is_empty());
    let event = wait_until(Duration::from_secs(10), "a report", reported)[0].clone();
    assert_eq!(event["type"], "ratelimit.rejected");
    let who = ["project_id", "user_id", "limit", "key_kind"].map(|it| event[it].as_str().unwrap().to_owned());
    assert_eq!(who, ["p1", "ada", "user", "user"]);
    assert!(event["id"].as_str().unwrap().len() == 34 && event["sampled"].as_u64() >= Some(1), "{event}");
}

#[test]
fn a_companion_that_is_gone_slow_or_mad_is_what_on_failure_says_and_is_left_alone() {
    let garbage: Say = |_| Some((200, "\u{fffd}{]".into()));
    let error: Say = |_| Some((500, String::new()));
    let greedy: Say =
        |_| Some((200, r#"{"leases":[{"granted":99,"valid_ms":1,"slice":1,"wait_ms":0,"remaining":0}]}"#.into()));
    let provider = FakeProvider::start();
    for (what, say) in [("slow", silence as Say), ("garbage", garbage), ("error", error), ("greedy", greedy)] {
        let companion = Fake::start(say);
        let deny = gateway(&provider, companion.port, &fleet(&json!({})));
        let answers = hammer(&deny, "ada", 80);
        assert_eq!(count(&answers, 503), 80, "{what}");
        assert_eq!(answers[0].error(), "503 limiter_unavailable", "{what}");
        let asked = companion.questions().len();
        assert!(asked <= 20, "{what}: {asked} questions");
        assert_eq!(deny.stat("wasmcustom.tollgate_ratelimit_failed.limit.user.mode.enforce"), 80, "{what}");
        // As soon as it is well again, so is the limit.
        companion.says(plenty);
        let served = || (ask(&deny, "ada").send().status == 200).then_some(());
        wait_until(Duration::from_secs(10), "the limit to work again", served);
    }
    let allow = gateway(&provider, 1, &fleet(&json!({"on_failure": "allow"})));
    assert_eq!(count(&hammer(&allow, "ada", 80), 200), 80);
    assert_eq!(allow.stat("wasmcustom.tollgate_ratelimit_failed.limit.user.mode.enforce"), 80);
}

#[test]
fn a_request_that_the_fleet_refuses_is_not_counted_by_the_proxy_either() {
    let (provider, companion) = (FakeProvider::start(), Fake::start(nothing));
    let mut limits = fleet(&json!({"name": "fleet"}));
    let local = json!({"name": "local", "key": "user", "requests": 5, "per": "hour"});
    limits.as_array_mut().unwrap().push(local);
    let gateway = gateway(&provider, companion.port, &limits);
    assert_eq!(count(&hammer(&gateway, "ada", 40), 429), 40);
    companion.says(plenty);
    // Another user, whom nobody refused yet; and what the proxy refuses takes nothing of the lease.
    let answers = hammer(&gateway, "eve", 40);
    assert_eq!((count(&answers, 200), count(&answers, 429)), (5, 35));
    let refused = answers.iter().find(|it| it.status == 429).unwrap();
    assert!(refused.text().contains("local, 5 requests per hour"), "{}", refused.text());
}

#[test]
fn in_shadow_a_limit_of_the_fleet_refuses_nothing() {
    let (provider, companion) = (FakeProvider::start(), Fake::start(nothing));
    let gateway = gateway(&provider, companion.port, &fleet(&json!({"mode": "shadow"})));
    assert_eq!(count(&hammer(&gateway, "ada", 20), 200), 20);
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_refused.limit.user.mode.shadow"), 20);
}
