//! What goes wrong: hostile bytes, services that do not answer, configurations that nobody can mean. Nothing
//! may pass unchecked, and the next request works.

mod common;

use common::{Companion, World, kong_yml, plain, says, streamed};
use kong_host::{CallAnswer, Kong, Request, UpstreamResponse};
use serde_json::{Value, json};

/// A request is answered with one of these statuses, by a filter, and a good one passes after it.
fn refused(world: &mut World, name: &str, request: Request, statuses: &[u16]) {
    let answer = world.get(request);
    assert!(statuses.contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
    assert!(answer.local, "{name}: it went upstream");
    let body: Value = serde_json::from_slice(&answer.body()).unwrap();
    let error = body["error"].as_object().unwrap();
    assert_eq!(error.len(), 4, "{name}: {body}");
    let good = world.chat("u1", &says("fast", "hi"));
    let answer = world.get(good);
    assert_eq!(answer.status, 200, "after {name}: {}", answer.text());
}

#[test]
fn hostile_bytes_are_refused_and_the_next_request_works() {
    let mut world = World::new();
    let chat = |world: &World| world.chat("u1", &says("fast", "hi"));
    let token = chat(&world).get_header("Authorization").unwrap().to_owned();
    let post = |body: &[u8]| Request::post("/v1/chat/completions", body).header("Authorization", &token);
    let request = chat(&world).header("X-Session-Id", b"\xff\xfe");
    refused(&mut world, "session of no UTF-8", request, &[400]);
    let request = Request::post("/v1/chat/completions", "{}").header("Authorization", b"Bearer \xff");
    refused(&mut world, "token of no UTF-8", request, &[401]);
    let many = (0..120).fold(chat(&world), |it, n| it.header(&format!("X-Filler-{n}"), "x"));
    refused(&mut world, "120 headers", many, &[431]);
    for (name, body) in [
        ("no JSON", &b"{\"model\":"[..]),
        ("no UTF-8", b"{\"model\":\"fast\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}"),
        ("a zero byte", b"{\"model\":\"fast\"\0}"),
        ("no object", b"[1,2]"),
        ("nested", &b"[".repeat(100_000)),
        ("twice", b"{\"model\":\"fast\",\"messages\":[],\"model\":\"smart\"}"),
    ] {
        refused(&mut world, name, post(body), &[400]);
    }
    let threaded = post(b"{\"model\":\"fast\",\"messages\":{}}").header("X-Thread-Id", "t1");
    refused(&mut world, "messages of no list", threaded, &[400]);
    let bearer = format!("Bearer {}", "a".repeat(100_000));
    let long = Request::post("/v1/chat/completions", "{}").header("Authorization", bearer);
    refused(&mut world, "a long token", long, &[401]);
}

#[test]
fn a_strange_header_of_nobodys_business_does_no_harm() {
    let mut world = World::new();
    for (name, value) in [("X-Odd", &b"\xff\xfe"[..]), ("X-Empty", b""), ("Accept", b"\x80"), ("x-request-id", b"\xff")]
    {
        let request = world.chat("u1", &says("fast", "hi")).header(name, value).header("X-Thread-Id", "t1");
        assert_eq!(world.get(request).status, 200, "{name}");
    }
}

#[test]
fn a_body_that_kong_wrote_to_a_file_is_too_large() {
    let mut world = World::new();
    world.gateway.front().client_body_buffer(1000);
    let large = world.chat("u1", &says("fast", &"x".repeat(2000)));
    refused(&mut world, "large", large, &[413]);
}

#[test]
fn a_request_without_a_body_and_a_chunked_one_end_too() {
    let mut world = World::new();
    let empty = world.chat("u1", &Value::Null).get_header("Authorization").unwrap().to_owned();
    let request = Request::post("/v1/chat/completions", "").header("Authorization", &empty);
    assert_eq!(world.get(request).status, 400);
    let request = Request::post("/v1/chat/completions", "").header("Authorization", &empty).header("X-Thread-Id", "t");
    assert_eq!(world.get(request).status, 400);
    let request = Request::post("/v1/chat/completions", "").header("Authorization", &empty).chunked();
    // Kong shows no filter a body that turned out empty, so nobody routed it: the second hop has no route for it.
    assert_eq!((world.get(request).status, world.services()), (404, vec!["front"]));
    let request = world.chat("u1", &says("fast", "hi")).chunked();
    assert_eq!(world.get(request).status, 200);
    assert_eq!(world.services(), ["front", "openai"]);
}

#[test]
fn no_keys_and_no_memory_is_503_and_the_next_request_works() {
    let ill = [
        Companion::Down,
        Companion::Says(500, "{}"),
        Companion::Says(200, ""),
        Companion::Says(200, "\u{0}garbage"),
        Companion::Says(200, r#"{"keys":[]}"#),
    ];
    for companion in ill {
        let mut world = World::new();
        world.companion = companion.clone();
        let request = world.chat("u1", &says("fast", "hi"));
        let answer = world.get(request.clone());
        // An empty key set is an answer: whoever comes with a key that is not in it is refused.
        assert!(
            matches!(answer.status, 401 | 503) && answer.local,
            "{companion:?}: {} {}",
            answer.status,
            answer.text()
        );
        world.companion = Companion::Up(Vec::new());
        world.gateway.advance(60_000);
        assert_eq!(world.get(request).status, 200, "{companion:?}");
        world.companion = companion.clone();
        let threaded = world.chat("u1", &says("fast", "hi")).header("X-Thread-Id", "t1");
        let answer = world.get(threaded);
        assert_eq!((answer.status, answer.local), (503, true), "{companion:?}: {}", answer.text());
        assert!(answer.text().contains("companion_unavailable"));
        let alone = world.chat("u1", &says("fast", "hi"));
        assert_eq!(world.get(alone).status, 200, "{companion:?}: a known token and no thread");
    }
}

#[test]
fn turns_wait_for_a_companion_that_is_away() {
    let mut world = World::new();
    let request = world.chat("u1", &says("fast", "hi")).header("X-Thread-Id", "t1");
    assert_eq!(world.get(request).status, 200);
    world.companion = Companion::Down;
    for _ in 0..3 {
        world.gateway.advance(2000);
        world.tick("session");
    }
    world.companion = Companion::Up(Vec::new());
    world.asked.clear();
    for _ in 0..10 {
        world.gateway.advance(10_000);
        world.tick("session");
    }
    assert_eq!(world.asked("/internal/v1/turns").len(), 1, "once, when it is back");
}

#[test]
fn a_configuration_that_is_refused_answers_503_and_lets_nothing_pass() {
    for (filter, config) in [
        ("auth", "{}"),
        ("auth", "no JSON"),
        ("ratelimit", r#"{"limits":[{"name":"user","key":"user","requests":0,"per":"minute"}]}"#),
        ("guardrails", r#"{"mode":"on"}"#),
        ("guardrails", r#"{"analyzer":{"cluster":"presidio:80"}}"#),
        ("session", r#"{"companion":{"cluster":"c:1","secret":{"env":"KONG_HAS_NONE"}}}"#),
        ("session", r#"{"companion":{"cluster":"c:1","secret":{"value":"s"}},"conversation_id_member":true}"#),
        ("router", ""),
        ("provider", r#"{"providers":{}}"#),
    ] {
        let mut kong = Kong::built();
        kong.chain("c", &[(filter, config)]).unwrap();
        for _ in 0..2 {
            let request = Request::post("/v1/chat/completions", says("fast", "hi").to_string());
            let answer = kong.request("c", request, |_| plain("unchecked"), |_| CallAnswer::Failed).unwrap();
            assert_eq!((answer.status, answer.local), (503, true), "{filter} {config}: {}", answer.text());
        }
        assert!(
            kong.logs().iter().any(|it| it.starts_with("[error]") && it.contains(filter)),
            "{filter}: the log says why"
        );
    }
}

#[test]
fn a_hop_secret_that_was_not_filled_in_lets_nothing_pass() {
    let mut world = World::with(&kong_yml().replace(common::HOP_SECRET, ""));
    let request = world.chat("u1", &says("fast", "hi"));
    let answer = world.get(request);
    assert_eq!((answer.status, world.services().len()), (503, 0), "{}", answer.text());
}

#[test]
fn a_provider_key_that_was_not_filled_in_is_told() {
    let mut world = World::with(&kong_yml().replace("sk-openai", ""));
    let request = world.chat("u1", &says("fast", "hi"));
    let answer = world.get(request);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("provider_not_configured"), "{}", answer.text());
    assert_eq!(world.services(), ["front"]);
}

#[test]
fn hostile_answers_of_a_provider_pass_and_the_next_request_works() {
    let mut world = World::new();
    let garbage = [
        UpstreamResponse::json(200, b"\xff\xfe{"),
        UpstreamResponse::json(200, "[".repeat(50_000)),
        UpstreamResponse::stream([&b"data: \xff\n\n"[..], b"data", b": {\"choices\":[{}]}\n", b"\n"]),
        UpstreamResponse::stream::<&str>([]),
        UpstreamResponse::sized(200, "application/json", "{}").header("X-Odd", b"\xff").header("Set-Cookie", "a=b"),
        (0..150).fold(plain("many headers"), |it, n| it.header(&format!("X-Filler-{n}"), "x")),
        streamed(&["a"]).header("Content-Type", b"\xff"),
    ];
    for (index, response) in garbage.iter().enumerate() {
        let request = world.chat("u1", &says("fast", "hi")).header("X-Thread-Id", "t1");
        let answer = world.send(request, response).unwrap_or_else(|why| panic!("answer {index}: {why}"));
        assert_eq!(answer.status, 200, "answer {index}");
        world.gateway.advance(50);
        world.tick("session");
    }
}

#[test]
fn shared_data_that_kong_threw_away_is_made_anew() {
    let mut world = World::new();
    let request = world.chat("u1", &says("fast", "hi"));
    for _ in 0..3 {
        assert_eq!(world.get(request.clone()).status, 200);
        let front = world.gateway.front();
        for key in front.shared_keys() {
            front.evict(&key);
        }
    }
}

#[test]
fn the_memory_of_a_worker_does_not_grow_with_the_requests() {
    let mut world = World::new();
    let mut other = Kong::built();
    let config =
        json!({"limits": [{"name": "x", "key": "user", "requests": 1000, "per": "minute"}], "trust": "headers"})
            .to_string();
    other.chain("c", &[("ratelimit", config)]).unwrap();
    let filters = ["auth", "guardrails", "session", "router"];
    let sizes = |world: &mut World| filters.map(|it| world.gateway.front().memory(it));
    // One token: what `auth` remembers of many has a bound of its own.
    let request = world.chat("u1", &says("fast", &"x".repeat(10_000))).header("X-Thread-Id", "t1");
    let round = |world: &mut World| {
        for _ in 0..20 {
            let answer = world.get(request.clone());
            assert!(matches!(answer.status, 200 | 429));
            world.gateway.advance(1100);
            world.tick("session");
        }
    };
    // An allocator takes pages until its free lists fit the traffic; what leaks takes them for ever.
    (0..4).for_each(|_| round(&mut world));
    let before = sizes(&mut world);
    (0..12).for_each(|_| round(&mut world));
    assert_eq!(sizes(&mut world), before);
    let ask = |kong: &mut Kong, user: usize| {
        let request = Request::get("/").header("X-Project-Id", "p").header("X-End-User-Id", user.to_string());
        kong.request("c", request, |_| plain("ok"), |_| CallAnswer::Failed).unwrap().status
    };
    assert_eq!(ask(&mut other, 0), 200);
    let before = other.memory("ratelimit");
    assert!((1..2000).all(|user| ask(&mut other, user) == 200));
    assert_eq!(other.memory("ratelimit"), before);
}
