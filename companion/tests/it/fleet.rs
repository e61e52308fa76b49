//! What gateways share: leases of rate limits; and what they tell, up to Redis and webhooks.

use crate::app::{BEGIN, TestApp, send, tollgate};
use companion::Settings;
use domain::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::Redis;
use tokio::net::TcpListener;

const WEBHOOK_SECRET: &str = "a-webhook-secret-of-the-tests";

/// Takes what is posted to it, and answers each with the next of its statuses, the last one for ever; 0 is
/// no answer at all.
struct Receiver {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    async fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<(HeaderMap, Bytes)>>> = Arc::default();
        let all = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let all = all.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let all = all.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let nth = {
                            let mut all = all.lock().unwrap();
                            all.push((head.headers, body));
                            all.len()
                        };
                        match statuses[nth.min(statuses.len()).saturating_sub(1)] {
                            0 => std::future::pending().await,
                            status => {
                                let response = Response::builder().status(status).header("location", "/elsewhere");
                                Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
                            }
                        }
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, taken }
    }

    fn url(&self) -> Secret {
        Secret::new(format!("http://{}/hook?token=hunter2", self.address))
    }

    /// What came, once so many came.
    async fn taken(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        until(async || self.taken.lock().unwrap().len() >= count).await;
        self.taken.lock().unwrap().clone()
    }
}

async fn until(is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn webhooks(settings: &mut Settings, urls: &[Secret]) {
    settings.webhook_urls = urls.to_vec();
    settings.webhook_secret = Some(Secret::new(WEBHOOK_SECRET.to_owned()));
}

fn rejected(nth: u32) -> Value {
    json!({"id": format!("e_{nth:032x}"), "type": "ratelimit.rejected", "at": BEGIN * 1_000_000, "project_id": "p1",
        "user_id": "ada", "limit": "user", "key_kind": "user", "request_id": format!("r{nth}"), "sampled": 1})
}

async fn tell(app: &TestApp, nth: u32) {
    let body = json!({"events": [rejected(nth)]}).to_string();
    let answer = app.internal("/internal/v1/events", &body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"stored": 1, "known": 0, "refused": 0})));
}

/// An event's `waiting` and `failed`, as the command line shows them.
fn state(app: &TestApp, nth: usize) -> (u64, u64) {
    let listed = tollgate(app.dir.path(), &["events", "list"]);
    let event = &listed["events"][nth];
    (event["waiting"].as_u64().unwrap(), event["failed"].as_u64().unwrap())
}

fn signed(time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect()
}

#[tokio::test]
async fn an_event_reaches_redis_and_a_webhook_while_others_are_dead_or_silent() {
    let redis = Redis::start();
    let (good, silent) = (Receiver::start(&[204]).await, Receiver::start(&[0]).await);
    let dead = Secret::new(format!("http://{}", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()));
    let app = TestApp::with(|settings| {
        settings.redis_url = Some(Secret::new(redis.url()));
        webhooks(settings, &[dead, silent.url(), good.url()]);
    })
    .await;
    for nth in 0..12 {
        tell(&app, nth).await;
    }
    let taken = good.taken(12).await;
    let stream = async || redis.ask(&["XRANGE", "tollgate:events", "-", "+"]).as_array().unwrap().clone();
    until(async || stream().await.len() == 12).await;
    let entry = stream().await[0][1].as_array().unwrap().clone();
    let fields: serde_json::Map<String, Value> =
        entry.chunks(2).map(|it| (it[0].as_str().unwrap().to_owned(), it[1].clone())).collect();
    assert_eq!(fields["type"], "ratelimit.rejected");
    assert!(!Value::Object(fields.clone()).to_string().contains("\"ada\""));
    // Each webhook gets the same as Redis, and can tell who sends it and when.
    let (headers, body) =
        taken.iter().find(|(it, _)| it["x-tollgate-event-id"] == fields["id"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), Value::Object(fields));
    let signature = format!("t={BEGIN},v1={}", signed(&BEGIN.to_string(), body));
    assert_eq!(
        (headers["x-tollgate-signature"].to_str().unwrap(), headers["content-type"].to_str().unwrap()),
        (signature.as_str(), "application/json")
    );
    assert!(silent.taken(8).await.len() <= 8);
    until(async || state(&app, 0).0 == 2).await;
}

#[tokio::test]
async fn a_webhook_that_refuses_is_asked_again_and_no_redirect_is_followed() {
    let hook = Receiver::start(&[500, 302, 200]).await;
    let app = TestApp::with(|settings| webhooks(settings, &[hook.url()])).await;
    tell(&app, 1).await;
    hook.taken(1).await;
    assert_eq!(state(&app, 0), (1, 0));
    for attempts in [2, 3] {
        until(async || {
            // The first attempt's outcome may not be written yet.
            app.pass(Duration::from_secs(10));
            hook.taken.lock().unwrap().len() >= attempts
        })
        .await;
    }
    until(async || state(&app, 0) == (0, 0)).await;
    let taken = hook.taken(3).await;
    assert_eq!(taken.len(), 3);
    assert!(
        taken
            .iter()
            .all(|(it, body)| it["x-tollgate-event-id"] == taken[0].0["x-tollgate-event-id"] && *body == taken[0].1)
    );
    assert_ne!(taken[0].0["x-tollgate-signature"], taken[2].0["x-tollgate-signature"]);
}

#[tokio::test]
async fn what_no_webhook_takes_for_a_day_is_given_up_and_stays_to_be_seen() {
    let hook = Receiver::start(&[500]).await;
    let app = TestApp::with(|settings| webhooks(settings, &[hook.url()])).await;
    tell(&app, 1).await;
    hook.taken(1).await;
    until(async || {
        app.pass(Duration::from_secs(86_400));
        state(&app, 0) == (0, 1)
    })
    .await;
}

#[tokio::test]
async fn without_targets_events_stay_in_the_outbox_and_are_read_there() {
    let app = TestApp::start().await;
    tell(&app, 1).await;
    tell(&app, 2).await;
    let listed = tollgate(app.dir.path(), &["events", "list", "--after", "1", "--type", "ratelimit.rejected"]);
    let events = listed["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["number"], &events[0]["event"]["request_id"]), (1, &json!(2), &json!("r2")));
    let lines = crate::app::command(app.dir.path()).args(["events", "list"]).output().unwrap().stdout;
    let lines: Vec<Value> =
        String::from_utf8(lines).unwrap().lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines.iter().map(|it| it["number"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn events_of_before_a_restart_are_told_after_it() {
    let hook = Receiver::start(&[200]).await;
    let app = TestApp::start().await;
    tell(&app, 1).await;
    let app = app.restart_with(|settings| webhooks(settings, &[hook.url()])).await;
    hook.taken(1).await;
    until(async || state(&app, 0) == (0, 0)).await;
}

fn question(need: u32) -> String {
    json!({"node": "0123456789abcdef", "leases": [
        {"limit": "user", "key": ["p1", "ada"], "requests": 8, "per_seconds": 60, "burst": 8, "need": need, "want": 8},
        {"limit": "project", "key": ["p1"], "requests": 800, "per_seconds": 60, "burst": 800, "need": 1, "want": 64},
    ]})
    .to_string()
}

async fn leased(app: &TestApp) -> Value {
    let answer = app.internal("/internal/v1/leases", &question(5)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["leases"].clone()
}

#[tokio::test]
async fn leases_are_given_and_refused_with_a_wait_by_either_keeper() {
    let redis = Redis::start();
    for url in [None, Some(Secret::new(redis.url()))] {
        let app = TestApp::with(|settings| settings.redis_url = url).await;
        let first = leased(&app).await;
        assert_eq!(
            (&first[0]["granted"], &first[0]["valid_ms"], &first[0]["remaining"]),
            (&json!(5), &json!(1000), &json!(3))
        );
        assert_eq!((&first[1]["granted"], &first[1]["wait_ms"]), (&json!(64), &json!(0)));
        let second = leased(&app).await;
        assert_eq!((&second[0]["granted"], &second[1]["granted"]), (&json!(0), &json!(64)));
        let wait = second[0]["wait_ms"].as_u64().unwrap();
        assert!((59_000..=63_000).contains(&wait), "{wait}");
        let wrong = app.internal("/internal/v1/leases", &question(9)).await;
        assert_eq!(wrong.error(), (400, "invalid_request".into(), Some("leases[0].want".into())));
        let nobody = send(
            app.running.internal,
            "POST",
            "/internal/v1/leases",
            &[("content-type", "application/json")],
            question(1),
        )
        .await;
        assert_eq!(nobody.status, 401);
    }
    // Nobody's name is in a key.
    let keys = redis.ask(&["KEYS", "*"]).to_string();
    assert!(keys.contains("tollgate:allowance:user:") && !keys.contains("ada"), "{keys}");
}

#[tokio::test]
async fn while_redis_is_away_leases_are_refused_with_503_and_given_again_when_it_is_back() {
    let mut redis = Redis::start();
    let url = Secret::new(redis.url());
    let app = TestApp::with(|settings| settings.redis_url = Some(url)).await;
    leased(&app).await;
    redis.stop();
    for _ in 0..3 {
        let answer = app.internal("/internal/v1/leases", &question(1)).await;
        assert_eq!((answer.error().0, answer.header("retry-after")), (503, "1"));
    }
    tell(&app, 1).await;
    assert_eq!(app.get("/readyz", "").await.status, 200);
    redis.start_again();
    until(async || app.internal("/internal/v1/leases", &question(1)).await.status == 200).await;
    until(async || {
        app.pass(Duration::from_secs(10));
        redis.ask(&["XLEN", "tollgate:events"]) == json!(1)
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_ends_the_start_and_is_not_shown() {
    let app = TestApp::start().await;
    let secret = || Some(Secret::new(WEBHOOK_SECRET.to_owned()));
    for (redis, webhook, secret, expected) in [
        (Some("rediss//:hunter2@h"), None, None, "redis-url: expected redis://"),
        (None, Some("ftp://h/hunter2"), secret(), "webhook-url: expected http://host"),
        (
            None,
            Some("https://h/hunter2"),
            None,
            "webhook-url: expected a secret to sign with in TOLLGATE_WEBHOOK_SECRET",
        ),
    ] {
        let change = |settings: &mut Settings| {
            settings.redis_url = redis.map(|it| Secret::new(it.to_owned()));
            settings.webhook_urls = webhook.into_iter().map(|it| Secret::new(it.to_owned())).collect();
            settings.webhook_secret = secret;
        };
        let error = app.another_with(change).await.unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}
