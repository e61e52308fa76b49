//! Several limits of the `ratelimit` filter together, and each of their keys, in a real Envoy with two workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::{fs, thread};
use tests::client::chat;
use tests::{Call, EnvoyConfig, FakeProvider, Gateway};

fn builder(fake: &FakeProvider, config: &Value) -> tests::gateway::Builder {
    let mut config = config.clone();
    config.as_object_mut().unwrap().entry("trust").or_insert_with(|| json!("headers"));
    config["slots"] = json!(64);
    let example = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap();
    Gateway::with(example).fake(fake).filter("ratelimit", &config)
}

fn gateway(fake: &FakeProvider, config: &Value) -> Gateway {
    builder(fake, config).start()
}

/// A limit by `key`, so many an hour.
fn hourly(key: &str, requests: u32) -> Value {
    json!({"name": key, "key": key, "requests": requests, "per": "hour"})
}

fn ask(gateway: &Gateway, project: &str, user: &str) -> Call {
    let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
    call.header("x-project-id", project).header("x-end-user-id", user)
}

fn ask_model(gateway: &Gateway, model: &str) -> Call {
    let call = gateway.client().post("/v1/chat/completions", &chat(model, "hi"));
    call.header("x-project-id", "p1").header("x-end-user-id", "ada")
}

/// How many of `times` pass, sent eight at a time; the others are refused by a limit.
fn passed(call: &Call, times: usize) -> usize {
    let each = |share: usize| (0..share).map(|_| call.send().status).collect::<Vec<_>>();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..8).map(|lane| scope.spawn(move || each((times + lane) / 8))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    let passed = statuses.iter().filter(|it| **it == 200).count();
    assert_eq!(passed + statuses.iter().filter(|it| **it == 429).count(), times, "{statuses:?}");
    passed
}

#[test]
fn a_request_that_one_limit_refuses_is_counted_by_none_of_them() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"limits": [hourly("user", 10), hourly("project", 25)]}));
    let of = |user| passed(&ask(&gateway, "p1", user), 40);
    assert_eq!((of("ada"), of("eve"), of("bob"), of("ivy")), (10, 10, 5, 0));
    assert_eq!(fake.requests().len(), 25);
    let refused = ask(&gateway, "p1", "ada").send();
    assert_eq!(refused.error(), "429 rate_limit_exceeded");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("Rate limit reached: project, 25 requests per hour; user, 10 requests per hour."),
        "{message}"
    );
}

#[test]
fn limits_that_race_for_the_same_room_pass_exactly_what_there_is() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"limits": [hourly("user", 10), hourly("project", 25)]}));
    let users = ["ada", "eve", "bob", "ivy"];
    let passed: Vec<usize> = thread::scope(|scope| {
        let lanes = users.map(|user| scope.spawn(|| passed(&ask(&gateway, "p1", user), 30)));
        lanes.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(passed.iter().all(|it| *it <= 10), "{passed:?}");
    // A request may meet a count that another one is about to give back, and is then refused; it comes again.
    let late: usize = users.iter().map(|user| ask(&gateway, "p1", user)).map(|call| self::passed(&call, 10)).sum();
    assert_eq!(passed.iter().sum::<usize>() + late, 25);
}

#[test]
fn a_caller_is_told_of_the_tightest_limit() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"limits": [hourly("user", 3), hourly("project", 4)]}));
    let told = |user| {
        let answer = ask(&gateway, "p1", user).send();
        let tokens = answer.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().ends_with("-tokens")).count();
        assert_eq!(tokens, 0, "the limit of the key that all share leaks");
        ["limit", "remaining"].map(|it| answer.header(&format!("x-ratelimit-{it}-requests")).unwrap())
    };
    assert_eq!([told("ada"), told("ada"), told("eve")], [["3", "2"], ["3", "1"], ["4", "1"]]);
}

#[test]
fn the_built_in_limits_hold_where_none_are_written() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    assert_eq!(passed(&ask(&gateway, "p1", "ada"), 10), 6);
    assert_eq!(passed(&ask(&gateway, "p1", "eve").header("x-tier", "free"), 14), 10);
    assert_eq!(passed(&ask(&gateway, "p1", "bob").header("x-tier", "gold"), 14), 10);
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_unknown_tier"), 14);
    assert_eq!(passed(&ask(&gateway, "p2", "max").header("x-tier", "max"), 70), 60, "the project's 60");
}

#[test]
fn a_project_has_limits_of_its_own() {
    let fake = FakeProvider::start();
    let config = json!({"limits": [hourly("user", 2)], "projects": {"p2": {"limits": [hourly("user", 5)]}}});
    let gateway = gateway(&fake, &config);
    assert_eq!(["p1", "p2", "p3"].map(|project| passed(&ask(&gateway, project, "ada"), 8)), [2, 5, 2]);
}

#[test]
fn an_address_counts_as_the_proxy_trusts_it_and_ipv6_by_network() {
    let fake = FakeProvider::start();
    // Nobody asks who calls where only addresses are limited: such a filter may stand in front of `auth`.
    let config = json!({"limits": [hourly("address", 4)], "trust": "auth"});
    let trust_one_hop = |root: &mut Value| {
        let filters = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"];
        filters[0]["typed_config"]["use_remote_address"] = json!(true);
        filters[0]["typed_config"]["xff_num_trusted_hops"] = json!(1);
    };
    let gateway = builder(&fake, &config).edit(trust_one_hop).start();
    let from = |address: &str| {
        let call = gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"));
        passed(&call.header("x-forwarded-for", address), 6)
    };
    assert_eq!((from("198.51.100.7"), from("198.51.100.7"), from("198.51.100.8")), (4, 0, 4));
    assert_eq!(from("203.0.113.1, 198.51.100.8"), 0, "what the client wrote before is not believed");
    assert_eq!((from("2001:db8:0:1::1"), from("2001:db8:0:1:ffff::2"), from("2001:db8:0:2::1")), (4, 0, 4));
}

#[test]
fn a_model_counts_whatever_it_is_called_and_a_refusal_gives_the_rest_back() {
    let fake = FakeProvider::start();
    let by_model = json!({"name": "model", "key": ["user", "model"], "requests": 3, "per": "hour"});
    let gateway = gateway(&fake, &json!({"limits": [hourly("user", 5), by_model]}));
    assert_eq!(passed(&ask_model(&gateway, "gpt-4o"), 2), 2);
    assert_eq!(passed(&ask_model(&gateway, "openai/gpt-4o"), 20), 1);
    // The 19 that the model's limit refused took nothing of the user's.
    assert_eq!(passed(&ask_model(&gateway, "gpt-4o-mini"), 10), 2);
    let nothing = json!({"limits": [json!({"name": "model", "key": "model", "requests": 1, "per": "hour"})]});
    let gateway = self::gateway(&fake, &nothing);
    for body in [&b"{"[..], b"", b"\xff", br#"{"model":1}"#, br#"{"model":"a","model":"b"}"#, br#"{"messages":[]}"#] {
        for _ in 0..3 {
            let status = ask_model(&gateway, "x").body(body).send().status;
            assert_ne!(status, 429, "a body that names no model is counted by no model: {body:?}");
        }
        assert_eq!(
            gateway.client().get("/v1/models").header("x-project-id", "p1").header("x-end-user-id", "a").send().status,
            200
        );
    }
    assert_eq!(passed(&ask_model(&gateway, "gpt-4o"), 5), 1);
}

#[test]
fn who_is_switched_off_is_told_so_and_spends_nothing() {
    let fake = FakeProvider::start();
    let kill = json!({"users": [{"project": "p1", "user": "eve"}], "projects": ["p9"]});
    let gateway = gateway(&fake, &json!({"limits": [hourly("project", 3)], "kill": kill}));
    for (project, user) in [("p1", "eve"), ("p9", "ada"), ("p1", "eve"), ("p1", "eve"), ("p1", "eve")] {
        let answer = ask(&gateway, project, user).send();
        assert_eq!(answer.error(), "403 killed");
        assert_eq!(answer.header("x-should-retry").as_deref(), Some("false"));
    }
    assert_eq!(passed(&ask(&gateway, "p1", "ada"), 5), 3);
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_killed"), 5);
    let gateway = self::gateway(&fake, &json!({"kill": {"global": true}}));
    let answer = ask(&gateway, "p1", "ada").send();
    assert_eq!((answer.error().as_str(), answer.header("retry-after").is_some()), ("503 killed", true));
}

#[test]
fn a_request_that_a_switch_stops_later_is_given_back_by_every_limit() {
    let fake = FakeProvider::start();
    let switched_off = |root: &mut Value| {
        let filters = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"];
        let routes = &mut filters[0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"];
        let header = json!({"header": {"key": "x-tollgate-killed", "value": "model"}});
        let off = json!({"match": {"prefix": "/v1/off"}, "direct_response": {"status": 503},
            "response_headers_to_add": [header]});
        routes.as_array_mut().unwrap().insert(0, off);
    };
    let config = json!({"limits": [hourly("user", 3), hourly("project", 3)]});
    let gateway = builder(&fake, &config).edit(switched_off).start();
    let off = gateway.client().get("/v1/off").header("x-project-id", "p1").header("x-end-user-id", "ada");
    for _ in 0..10 {
        assert_eq!(off.send().status, 503);
    }
    assert_eq!(passed(&ask(&gateway, "p1", "ada"), 6), 3);
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_given_back"), 10);
}

/// Sends a request of each of these users, all over one connection.
fn many_users(port: u16, users: std::ops::Range<u32>) {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 4096];
    for user in users {
        let request = format!("GET /v1/ok HTTP/1.1\r\nhost: a\r\nx-project-id: p\r\nx-end-user-id: u{user}\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        while !buffer[..length].ends_with(b"\r\n\r\n") {
            let read = connection.read(&mut buffer[length..]).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&buffer[..length]));
            length += read;
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200 "));
    }
}

fn resident_kilobytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_thousand_users_take_no_more_memory_than_the_first_ten_thousand() {
    let fake = FakeProvider::start();
    let answers = |root: &mut Value| {
        let filters = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"];
        let routes = &mut filters[0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"];
        let ok = json!({"match": {"prefix": "/v1/ok"}, "direct_response": {"status": 200}});
        routes.as_array_mut().unwrap().insert(0, ok);
    };
    let gateway = builder(&fake, &json!({"limits": [hourly("user", 5)]})).edit(answers).start();
    let port = gateway.port();
    let run = |from: u32, to: u32| {
        let share = (to - from) / 4;
        thread::scope(|scope| {
            for lane in 0..4 {
                scope.spawn(move || many_users(port, from + lane * share..from + (lane + 1) * share));
            }
        });
        resident_kilobytes(gateway.process_id())
    };
    let (before, after) = (run(0, 10_000), run(10_000, 110_000));
    // 100,000 users kept by name would be 10 MB and more.
    assert!(after < before + 4_096, "{before} kB grew to {after} kB");
    assert_eq!(gateway.stat("wasmcustom.tollgate_ratelimit_passed"), 110_000);
}
