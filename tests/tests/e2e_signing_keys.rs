//! The companion's keys change while users chat.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tests::{Companion, FakeProvider, Gateway, Project, wait_until};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// The shipped gateway, which looks for other keys every second.
fn gateway(fake: &FakeProvider, companion: &Companion) -> Gateway {
    let quick = |config: &mut Value| {
        for provider in config["providers"].as_object_mut().unwrap().values_mut() {
            provider["remote_jwks"]["cache_duration"] = json!("1s");
        }
    };
    let boundless = |config: &mut Value| config["limits"][0]["requests"] = json!(1_000_000);
    let gateway = Gateway::from("envoy/envoy.yaml").fake(fake).companion(companion);
    gateway.edit_filter("auth", quick).edit_filter("ratelimit", boundless).start()
}

fn mint(companion: &Companion, project: &Project) -> String {
    companion.client().mint(&project.api_key, &json!({"user_id": "ada"}))
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.client().chat(token, "gpt-4o", "hi").send().status
}

/// Sets its flag when dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs `act` while another thread mints and chats without a break, and demands that every answer is 200.
fn while_chatting(gateway: &Gateway, companion: &Companion, project: &Project, act: impl FnOnce()) {
    let (stop, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let first = mint(companion, project);
    thread::scope(|scope| {
        // Also when `act` panics.
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let statuses = [status(gateway, &first), status(gateway, &mint(companion, project))];
                if statuses != [200, 200] {
                    wrong.lock().unwrap().push(statuses);
                }
            }
        });
        act();
    });
    assert_eq!(*wrong.lock().unwrap(), Vec::<[u16; 2]>::new(), "{}", gateway.log());
}

#[test]
fn nobody_who_chats_notices_a_rotation() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = gateway(&fake, &companion);
    while_chatting(&gateway, &companion, &project, || {
        for algorithm in ["ES256", "RS256"] {
            let next = companion.run(&["key", "rotate", "--algorithm", algorithm, "--overlap", "3s"]);
            let signs = || {
                let keys = companion.run(&["key", "signing"]);
                let keys = keys["signing_keys"].as_array().unwrap().clone();
                keys.into_iter().find(|it| it["kid"] == next["kid"] && it["state"] == "signing")
            };
            wait_until(LONG, "the new key to sign", signs);
            assert_eq!(status(&gateway, &mint(&companion, &project)), 200);
        }
    });
}

#[test]
fn a_compromised_key_ends_at_the_gateway_too() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = gateway(&fake, &companion);
    let token = mint(&companion, &project);
    assert_eq!(status(&gateway, &token), 200);
    let old = companion.run(&["key", "signing"])["signing_keys"][0]["kid"].as_str().unwrap().to_owned();
    let _ = companion.run(&["key", "rotate", "--overlap", "0s"]);
    // The gateway asks for the key that it does not know, and the request waits.
    assert_eq!(status(&gateway, &mint(&companion, &project)), 200);
    assert_eq!(status(&gateway, &token), 200);
    let _ = companion.run(&["key", "retire", &old, "--compromised"]);
    wait_until(LONG, "the old key to be refused", || (status(&gateway, &token) == 401).then_some(()));
    assert_eq!(status(&gateway, &mint(&companion, &project)), 200);
}
