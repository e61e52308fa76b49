//! The keys that `auth` fetches: one worker for all, in the background, and what becomes of requests meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use tests::client::chat;
use tests::token::Algorithm;
use tests::{Call, EnvoyConfig, FakeProvider, Gateway, Signer, http, wait_until};

/// Whoever publishes keys: answers every request with what it is told to.
struct Publisher {
    port: u16,
    says: Arc<(Mutex<Says>, Condvar)>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Says {
    /// 200 with this body.
    Body(String),
    /// Nothing: the connection is closed.
    Nothing,
    /// Nothing yet: the request waits until it says something else.
    Wait,
}

impl Publisher {
    fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let publisher =
            Self { port, says: Arc::new((Mutex::new(says), Condvar::new())), asked: Arc::new(AtomicUsize::new(0)) };
        let (says, asked) = (Arc::clone(&publisher.says), Arc::clone(&publisher.asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (says, asked) = (Arc::clone(&says), Arc::clone(&asked));
                thread::spawn(move || answer(&stream, &says, &asked));
            }
        });
        publisher
    }

    fn of(signer: &Signer) -> Self {
        Self::start(Says::Body(signer.jwks()))
    }

    fn say(&self, says: Says) {
        *self.says.0.lock().unwrap() = says;
        self.says.1.notify_all();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked so many times in all.
    fn until_asked(&self, times: usize) {
        wait_until(Duration::from_secs(60), "the keys were asked for", || Some(()).filter(|()| self.asked() >= times));
    }
}

fn answer(stream: &TcpStream, says: &(Mutex<Says>, Condvar), asked: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Ok(Some(_)) = http::read_head(&mut reader) else { return };
    asked.fetch_add(1, Ordering::SeqCst);
    let says = says.1.wait_while(says.0.lock().unwrap(), |it| matches!(it, Says::Wait)).unwrap().clone();
    if let Says::Body(body) = says {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut stream = stream;
        let _ = stream.write_all((head + &body).as_bytes());
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// With the keys that are published at `port`, old after `fresh`.
fn remote(fake: &FakeProvider, port: u16, fresh: &str) -> Gateway {
    let fresh = fresh.to_owned();
    let keys = move |config: &mut Value| {
        config["providers"]["tollgate"]["remote_jwks"]["cache_duration"] = json!(fresh);
        config["providers"]["tollgate"]["remote_jwks"]["http_uri"]["timeout"] = json!("5s");
    };
    let address = json!({"address": "127.0.0.1", "port_value": port});
    let point = |root: &mut Value| {
        let clusters = root["static_resources"]["clusters"].as_array_mut().unwrap();
        let companion = clusters.iter_mut().find(|it| it["name"] == "companion").unwrap();
        companion["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] =
            json!({"socket_address": address});
    };
    let example = EnvoyConfig::load("envoy/examples/auth.yaml").unwrap();
    Gateway::with(example).fake(fake).edit_filter("auth", keys).edit(point).start()
}

fn ask(gateway: &Gateway, token: &str) -> Call {
    gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi")).bearer(token)
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    ask(gateway, token).send().status
}

/// The statuses of so many requests at once, each on a connection of its own, so that every worker gets some.
fn at_once(gateway: &Gateway, token: &str, count: usize) -> Vec<u16> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..count).map(|_| scope.spawn(|| status(gateway, token))).collect();
        calls.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

#[test]
fn one_fetch_serves_all_workers() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let publisher = Publisher::of(&signer);
    let gateway = remote(&fake, publisher.port, "300s");
    for _ in 0..4 {
        assert_eq!(at_once(&gateway, &signer.user("ada"), 20), [200; 20]);
    }
    assert_eq!(publisher.asked(), 1);
}

#[test]
fn requests_that_come_before_the_keys_wait_for_them() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let publisher = Publisher::start(Says::Wait);
    let gateway = remote(&fake, publisher.port, "300s");
    thread::scope(|scope| {
        let early = scope.spawn(|| at_once(&gateway, &signer.user("ada"), 20));
        publisher.until_asked(1);
        publisher.say(Says::Body(signer.jwks()));
        assert_eq!(early.join().unwrap(), [200; 20]);
    });
    assert_eq!(publisher.asked(), 1);
}

#[test]
fn many_requests_with_a_new_key_cause_one_fetch_and_wait_for_it() {
    let (fake, old, new) = (FakeProvider::start(), Signer::new(), Signer::with(Algorithm::Es256));
    let publisher = Publisher::of(&old);
    let gateway = remote(&fake, publisher.port, "300s");
    assert_eq!(at_once(&gateway, &old.user("ada"), 20), [200; 20]);

    publisher.say(Says::Wait);
    let both = json!({"keys": [old.jwk(), new.jwk()]}).to_string();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| at_once(&gateway, &new.user("ada"), 20));
        publisher.until_asked(2);
        assert_eq!(status(&gateway, &old.user("bob")), 200, "nobody else waits");
        publisher.say(Says::Body(both));
        assert_eq!(waiting.join().unwrap(), [200; 20]);
    });
    assert_eq!(at_once(&gateway, &old.user("ada"), 20), [200; 20]);

    // A key that nobody has: the half minute is not over, so that nobody is asked.
    let stranger = Signer::with(Algorithm::Rs256);
    assert_eq!(at_once(&gateway, &stranger.user("eve"), 20), [401; 20]);
    assert_eq!(publisher.asked(), 2);
}

#[test]
fn a_body_longer_than_envoys_buffer_waits_for_a_key_too() {
    let (fake, old, new) = (FakeProvider::start(), Signer::new(), Signer::with(Algorithm::Es256));
    let publisher = Publisher::of(&old);
    let gateway = remote(&fake, publisher.port, "300s");
    assert_eq!(status(&gateway, &old.user("ada")), 200);
    publisher.say(Says::Wait);
    // Envoy's buffer has one mebibyte.
    let long = chat("gpt-4o", &"long ".repeat(1 << 20));
    let call = gateway.client().post("/v1/chat/completions", &long).bearer(&new.user("ada"));
    thread::scope(|scope| {
        let answer = scope.spawn(|| call.send().status);
        publisher.until_asked(2);
        publisher.say(Says::Body(new.jwks()));
        assert_eq!(answer.join().unwrap(), 200);
    });
    assert_eq!(fake.requests().last().map(|it| it.body.len()), Some(long.to_string().len()));
}

#[test]
fn who_asks_for_a_key_and_leaves_takes_the_fetch_of_nobody_along() {
    let (fake, old, new) = (FakeProvider::start(), Signer::new(), Signer::with(Algorithm::Es256));
    let publisher = Publisher::of(&old);
    let gateway = remote(&fake, publisher.port, "300s");
    assert_eq!(status(&gateway, &old.user("ada")), 200);

    publisher.say(Says::Wait);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\n\r\n",
        new.user("eve")
    );
    let mut hasty = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    hasty.write_all(request.as_bytes()).unwrap();
    publisher.until_asked(2);
    drop(hasty);
    // Another fetch takes its place, and whoever waits gets its answer.
    publisher.until_asked(3);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| at_once(&gateway, &new.user("ada"), 8));
        publisher.say(Says::Body(json!({"keys": [old.jwk(), new.jwk()]}).to_string()));
        assert_eq!(waiting.join().unwrap(), [200; 8]);
    });
}

#[test]
fn published_keys_are_fetched_rotate_and_survive_their_publisher() {
    let (fake, old, new) = (FakeProvider::start(), Signer::new(), Signer::new());
    let publisher = Publisher::of(&old);
    let gateway = remote(&fake, publisher.port, "1s");
    let token = old.user("ada");
    assert_eq!(status(&gateway, &token), 200);
    assert!(publisher.asked() >= 1);

    let rounds = |count: usize| publisher.until_asked(publisher.asked() + count);
    // Broken answers, then none: what is known stays.
    for broken in [
        Says::Body("garbage".to_owned()),
        Says::Body("{\"keys\":[]}".to_owned()),
        Says::Body("x".repeat(400_000)),
        Says::Nothing,
    ] {
        publisher.say(broken);
        rounds(2);
        for user in ["ada", "bob", "cleo", "dan"] {
            assert_eq!(status(&gateway, &old.user(user)), 200);
        }
        publisher.say(Says::Body(old.jwks()));
        rounds(1);
    }
    assert!(gateway.stat("wasmcustom.tollgate_auth_jwks_failures") >= 4);

    // Other keys, of the same name: the old ones are refused, remembered tokens too.
    publisher.say(Says::Body(new.jwks()));
    let fresh = new.user("ada");
    wait_until(Duration::from_secs(60), "both workers have the new key and no longer the old one", || {
        Some(()).filter(|()| (0..16).all(|_| status(&gateway, &token) == 401 && status(&gateway, &fresh) == 200))
    });
}

#[test]
fn a_publisher_that_was_never_there_is_not_the_clients_fault() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    // Bound and dropped: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gateway = remote(&fake, port, "1s");
    for _ in 0..4 {
        let answer = ask(&gateway, &signer.user("ada")).send();
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("companion_unavailable")));
        assert_eq!(status(&gateway, "a.b.c"), 401);
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn a_publisher_that_comes_late_is_found() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let publisher = Publisher::start(Says::Nothing);
    let gateway = remote(&fake, publisher.port, "1s");
    assert_eq!(status(&gateway, &signer.user("ada")), 503);
    publisher.say(Says::Body(signer.jwks()));
    wait_until(Duration::from_secs(60), "the keys are there", || {
        Some(()).filter(|()| (0..4).all(|_| status(&gateway, &signer.user("ada")) == 200))
    });
}
