//! The built filters in Kong's order of callbacks: both hops of kong.yml, from the client to the provider.

mod common;

use common::{Companion, World, kong_yml, plain, says, streamed};
use kong_host::{CallAnswer, CallOut, Ending, Request, UpstreamResponse};
use serde_json::{Value, json};

fn code(answer: &kong_host::Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body()).unwrap_or_else(|_| panic!("no JSON: {}", answer.text()));
    body["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {body}")).to_owned()
}

#[test]
fn a_chat_goes_through_both_hops_with_every_byte_but_the_models() {
    let mut world = World::new();
    let body =
        "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"caf\u{e9} \\u00e9\"} ],\n \"model\":\"fast\", \"x\":1e2 }";
    let request = world.chat("u1", &Value::Null);
    let token = request_header(&request);
    let request = Request::post("/v1/chat/completions", body).header("Authorization", token);
    let answer = world.get(request);
    assert_eq!((answer.status, answer.local), (200, false), "{}", answer.text());
    assert!(answer.text().contains("hello"));
    assert_eq!(world.services(), ["front", "openai"]);
    let sent = world.sent();
    assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("\"fast\"", "\"gpt-4o-mini\""));
    assert_eq!((sent.path.as_str(), sent.host.as_str()), ("/v1/chat/completions", "api.openai.com"));
    assert_eq!(sent.headers("authorization"), ["Bearer sk-openai"]);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("60"));
}

/// The token of a request, to be used in another.
fn request_header(request: &Request) -> String {
    request.get_header("Authorization").unwrap().to_owned()
}

#[test]
fn the_provider_is_told_a_pseudonym_of_who_asks_and_nothing_of_the_application() {
    let mut world = World::new();
    let token = request_header(&world.chat("u1", &Value::Null));
    let body = r#"{"model":"gpt-4o-mini","messages":[],"user":"u1","safety_identifier":"somebody else"}"#;
    let request = Request::post("/v1/chat/completions", body).header("Authorization", &token);
    let answer = world.get(request.header("X-Title", "App").header("User-Agent", "u/1"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    // printf 'proj_test\nu1' | openssl dgst -sha256 -hmac user-secret-0123456789
    let name = "4761e27023a7db88f4ebe35f6562875e44de947c4d240674b11a032569bb9ebd";
    let expected = body.replace("u1", name).replace("somebody else", name);
    assert_eq!(String::from_utf8_lossy(&world.sent().body), expected);
    // Kong can empty a header, but not take it away.
    assert_eq!((world.sent().headers("x-title"), world.sent().headers("user-agent")), (vec![""], vec!["u/1"]));
}

#[test]
fn the_models_are_the_gateways_own_list() {
    let mut world = World::new();
    let token = request_header(&world.chat("u1", &Value::Null));
    let mut get = |path: &str| world.get(Request::get(path).header("Authorization", &token));
    let all = get("/v1/models");
    assert_eq!((all.status, all.local, all.header("content-type")), (200, true, Some("application/json")));
    assert!(all.text().starts_with(r#"{"object":"list","data":[{"id":"anthropic/"#), "{}", all.text());
    let one: Value = serde_json::from_slice(&get("/v1/models/openai%2Fgpt-4o").body()).unwrap();
    assert_eq!((&one["id"], &one["context_window"]), (&json!("openai/gpt-4o"), &json!(128_000)));
    assert_eq!(code(&get("/v1/models/gpt-99")), "model_not_found");
    assert!(world.services().is_empty(), "nobody was asked");
}

#[test]
fn each_provider_has_its_path_and_its_credential() {
    for (model, service, path, name, credential) in [
        ("openai/gpt-4o", "openai", "/v1/chat/completions", "gpt-4o", "Bearer sk-openai"),
        (
            "anthropic/claude-sonnet-4-5",
            "anthropic",
            "/v1/chat/completions",
            "claude-sonnet-4-5",
            "Bearer sk-anthropic",
        ),
        ("google/gemini-2.5-pro", "google", "/v1beta/openai/chat/completions", "gemini-2.5-pro", "Bearer sk-gemini"),
        ("mistral/mistral-large", "mistral", "/v1/chat/completions", "mistral-large", "Bearer sk-mistral"),
    ] {
        let mut world = World::new();
        let request = world.chat("u1", &says(model, "hi"));
        assert_eq!(world.get(request).status, 200, "{model}");
        assert_eq!(world.services(), ["front", service]);
        let sent = world.sent();
        assert_eq!(sent.path, path);
        assert_eq!(sent.headers("authorization"), [credential]);
        assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap()["model"], name);
    }
}

#[test]
fn no_header_of_ours_and_no_word_of_the_clients_about_itself_reaches_a_provider() {
    let mut world = World::new();
    let spellings = [
        "X-Tenant-Id",
        "x_project_id",
        "X-END-USER-ID",
        "X-Role",
        "x-tier",
        "X-Tollgate-Hop",
        "X_Tollgate_Model",
        "x-Tenant_Id",
        "x.end.user~id",
    ];
    let request = spellings.iter().fold(world.chat("u1", &says("fast", "hi")), |it, name| it.header(name, "forged"));
    let request = request.header("Cookie", "forged").header("X-Api-Key", "forged").header("X-Session-Id", "s1");
    assert_eq!(world.get(request).status, 200);
    let hop = &world.gateway.hops[0].sent;
    assert_eq!(hop.headers("x-end-user-id"), ["u1"]);
    assert_eq!(hop.headers("x-project-id"), ["proj_test"]);
    assert_eq!(hop.headers("x-tollgate-hop"), [common::HOP_SECRET]);
    for (name, value) in &world.sent().headers {
        let value = String::from_utf8_lossy(value);
        assert!(!value.contains("forged") && !value.contains("hop-secret") && !value.contains("u1"), "{name}: {value}");
        let name = name.to_ascii_lowercase().replace(['_', '.', '~'], "-");
        let ours = name.starts_with("x-tollgate-")
            || ["x-tenant-id", "x-project-id", "x-end-user-id", "x-role", "x-tier", "x-session-id", "cookie"]
                .contains(&name.as_str());
        assert!(!ours || value.is_empty(), "{name}: {value}");
    }
}

#[test]
fn a_header_that_we_rewrite_and_that_comes_twice_is_refused() {
    let mut world = World::new();
    for name in ["X-Tenant-Id", "x-end-user-id", "X-Tollgate-Chain", "x-tollgate-hop"] {
        let request = world.chat("u1", &says("fast", "hi")).header(name, "a").header(name, "b");
        let answer = world.get(request);
        assert_eq!((answer.status, world.services().len()), (400, 0), "{name}: {}", answer.text());
    }
    let request = world.chat("u1", &says("fast", "hi")).header("Authorization", "Bearer x");
    assert_eq!(world.get(request).status, 401);
}

#[test]
fn a_request_without_a_good_token_stops_at_the_first_hop() {
    let mut world = World::new();
    let chat = || Request::post("/v1/chat/completions", says("fast", "hi").to_string());
    for (authorization, expected) in [
        (None, "invalid_api_key"),
        (Some("Bearer behest_sk_live_0123456789abcdef0123456789abcdef"), "api_key_not_allowed"),
        (Some("Bearer a.b.c"), "invalid_token"),
    ] {
        let request = authorization.into_iter().fold(chat(), |it, value| it.header("Authorization", value));
        let answer = world.get(request);
        assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/json")));
        assert!(answer.local && world.gateway.hops.is_empty());
        assert_eq!(code(&answer), expected, "{authorization:?}");
    }
}

#[test]
fn the_second_hop_takes_no_request_that_did_not_pass_the_first() {
    let mut world = World::new();
    let request =
        world.chat("u1", &says("fast", "hi")).header("X-Tollgate-Hop", "guess").header("X-Tollgate-Try-1", "openai");
    assert_eq!(world.get(request).status, 200, "the client's own words were written over");
    // Not a path that the router serves: it writes no hop, so Kong's second listener has no route.
    let token = request_header(&world.chat("u1", &Value::Null));
    let request =
        Request::post("/v1/files", "{}").header("Authorization", token).header("X-Tollgate-Hop", common::HOP_SECRET);
    let request = request.header("X-Tollgate-Try-1", "openai");
    let answer = world.get(request);
    assert_eq!((answer.status, world.services()), (404, vec!["front"]));
}

#[test]
fn a_model_that_nobody_serves_is_told_in_the_one_error_shape() {
    let mut world = World::new();
    let request = world.chat("u1", &says("openai-ish/gpt", "hi"));
    let answer = world.get(request);
    assert_eq!((answer.status, code(&answer).as_str()), (404, "model_not_found"));
    assert!(answer.text().ends_with('\n'), "Kong's own line feed");
}

#[test]
fn what_the_guardrails_find_does_not_leave() {
    let mut world = World::new();
    let request = world.chat("u1", &says("fast", "write to ada@example.org"));
    assert_eq!(world.get(request).status, 200);
    let sent = String::from_utf8_lossy(&world.sent().body).into_owned();
    assert!(!sent.contains("ada@example.org") && sent.contains("write to [EMAIL_1]"), "{sent}");
    // The answer has the value again, plain or however a stream is cut; what the model says of its own has none.
    let said = "to [EMAIL_1], from eve@example.com.";
    let cut: Vec<String> = said.chars().map(String::from).collect();
    let cut: Vec<&str> = cut.iter().map(String::as_str).collect();
    for response in [plain(said), streamed(&["to ", "[EM", "AIL_1], from eve@exam", "ple.com."]), streamed(&cut)] {
        let request = world.chat("u1", &says("fast", "write to ada@example.org"));
        let answer = world.send(request, &response).unwrap();
        assert_eq!(answer.header("x-tollgate-guardrails").unwrap().split(';').next(), Some("pii=mask:1"));
        assert_eq!(content(&answer.text()), "to ada@example.org, from [EMAIL_2].", "{}", answer.text());
    }
}

/// What a client reads of an answer, plain or streamed.
fn content(answer: &str) -> String {
    let text = |json: &str| {
        let value: Value = serde_json::from_str(json).unwrap_or_default();
        let choice = &value["choices"][0];
        let text = choice["message"]["content"].as_str().or(choice["delta"]["content"].as_str());
        text.unwrap_or_default().to_owned()
    };
    if answer.starts_with('{') {
        text(answer)
    } else {
        answer.lines().filter_map(|it| it.strip_prefix("data: ")).map(text).collect()
    }
}

#[test]
fn a_limit_holds_for_a_user_over_all_workers_and_for_nobody_else() {
    let mut world = World::new();
    let mut passed = 0;
    let request = world.chat("u1", &says("fast", "hi"));
    for _ in 0..70 {
        let answer = world.get(request.clone());
        match answer.status {
            200 => passed += 1,
            _ => {
                assert_eq!((answer.status, code(&answer).as_str()), (429, "rate_limit_exceeded"));
                assert!(answer.header("retry-after").is_some());
            }
        }
    }
    assert_eq!(passed, 60);
    let another = world.chat("u2", &says("fast", "hi"));
    assert_eq!(world.get(another).status, 200);
    // Another worker of the same Kong sees the same count.
    let mut other = world.gateway.front().another_worker().unwrap();
    let jwks = world.signer.jwks();
    let answer =
        other.request("front", request, |_| plain("hello"), |_| kong_host::CallAnswer::json(200, &jwks)).unwrap();
    assert_eq!(answer.status, 429);
}

#[test]
fn keys_are_fetched_encrypted_where_their_address_says_so() {
    for scheme in ["http", "https"] {
        let keys = |scheme: &str| format!("{scheme}://127.0.0.1:8787/.well-known/jwks.json");
        let mut world = World::with(&kong_yml().replace(&keys("http"), &keys(scheme)));
        let request = world.chat("u1", &says("fast", "hi"));
        assert_eq!(world.get(request).status, 200);
        assert_eq!(world.asked("/.well-known/jwks.json")[0].scheme, scheme);
    }
}

fn remembered() -> Companion {
    Companion::Up(vec![json!({"role": "user", "content": "first"}), json!({"role": "assistant", "content": "one"})])
}

#[test]
fn a_thread_gets_its_history_and_its_turn_is_stored_on_the_next_tick() {
    let mut world = World::new();
    world.companion = remembered();
    let request = world.chat("u1", &says("fast", "second")).header("X-Thread-Id", "t1");
    let answer = world.get(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: Value = serde_json::from_slice(&world.sent().body).unwrap();
    let said: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|it| it["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["first", "one", "second"]);
    let opened = world.asked("/internal/v1/turns/open");
    assert_eq!(opened[0].header("authorization"), Some("Bearer internal-secret-0123"));
    assert!(world.asked("/internal/v1/turns").is_empty(), "Kong sends nothing in the response's phases");
    world.gateway.advance(50);
    world.tick("session");
    let stored: Value = serde_json::from_slice(&world.asked("/internal/v1/turns")[0].body).unwrap();
    let turn = &stored["turns"][0];
    assert_eq!(
        (turn["user"].as_str(), turn["thread"].as_str(), turn["complete"].as_bool()),
        (Some("u1"), Some("t1"), Some(true))
    );
    assert_eq!((&turn["input"][0]["content"], &turn["output"][0]["content"]), (&json!("second"), &json!("hello")));
}

#[test]
fn a_conversation_that_is_sent_again_is_not_doubled() {
    let mut world = World::new();
    world.companion = remembered();
    let body = r#"{"model":"fast","messages":[{"role":"user","content":[{"type":"text","text":"first"}]},{"role":"assistant","content":"one","refusal":null},{"role":"user","content":"second"}]}"#;
    let token = request_header(&world.chat("u1", &Value::Null));
    let request = Request::post("/v1/chat/completions", body).header("Authorization", token);
    let answer = world.get(request.header("X-Conversation-Id", "t1"));
    assert_eq!((answer.status, answer.header("x-thread-id")), (200, Some("t1")), "{}", answer.text());
    assert_eq!(String::from_utf8_lossy(&world.sent().body), body.replace("\"fast\"", "\"gpt-4o-mini\""));
    // Kong can empty a header, but not take it away.
    assert_eq!(world.sent().headers("x-conversation-id"), [""]);
    world.gateway.advance(50);
    world.tick("session");
    let stored: Value = serde_json::from_slice(&world.asked("/internal/v1/turns")[0].body).unwrap();
    assert_eq!(stored["turns"][0]["input"], json!([{"role": "user", "content": "second"}]));
}

#[test]
fn an_answer_in_pieces_whose_end_kong_does_not_tell_is_stored_whole() {
    for (name, response) in [
        ("sized", plain("one two three").in_pieces_of(7)),
        ("one piece", plain("one two three")),
        ("stream", streamed(&["one ", "two ", "three"])),
        ("torn stream", streamed(&["one ", "two ", "three"]).in_pieces_of(5)),
    ] {
        let mut world = World::new();
        let pieces = response.clone();
        let request = world.chat("u1", &says("fast", "go")).header("X-Thread-Id", "t1");
        let answer = world.send(request, &pieces).unwrap();
        assert_eq!(answer.status, 200, "{name}");
        world.gateway.advance(50);
        world.tick("session");
        let stored: Value = serde_json::from_slice(&world.asked("/internal/v1/turns")[0].body).unwrap();
        let turn = &stored["turns"][0];
        assert_eq!(turn["output"][0]["content"], "one two three", "{name}");
        assert_eq!(turn["complete"], true, "{name}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_stored_as_far_as_it_came() {
    for ending in [Ending::Cut, Ending::ClientLeft] {
        let mut world = World::new();
        let request = world.chat("u1", &says("fast", "go")).header("X-Thread-Id", "t1");
        // In Kong guards have an answer first: what they hold of one that breaks off is neither sent nor stored.
        let response = streamed(&["one two three ", "four ", "five"]).in_pieces_of(150).first_pieces(2).ending(ending);
        world.send(request, &response).unwrap();
        world.gateway.advance(50);
        world.tick("session");
        let stored: Value = serde_json::from_slice(&world.asked("/internal/v1/turns")[0].body).unwrap();
        assert_eq!(stored["turns"][0]["complete"], false, "{ending:?}");
        let content = stored["turns"][0]["output"][0]["content"].as_str().unwrap_or_default();
        assert!(content.starts_with("one two") && "one two three ".starts_with(content), "{ending:?}: {content}");
    }
}

#[test]
fn a_stream_passes_piece_by_piece_as_it_came() {
    let mut world = World::new();
    let response = streamed(&["one ", "two ", "three"]);
    let request =
        world.chat("u1", &json!({"model": "fast", "stream": true, "messages": [{"role": "user", "content": "go"}]}));
    let answer = world.send(request.header("X-Thread-Id", "t1"), &response).unwrap();
    // One is the line feed without which Kong loses the end of an answer that a filter may change.
    assert_eq!(answer.pieces.len(), 6);
    assert!(answer.text().ends_with("data: [DONE]\n\n\n"));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
}

/// kong.yml with an Anthropic that speaks its native API: the service's URL has the whole path.
fn native() -> String {
    let mut text = kong_yml();
    for (old, new) in [
        ("  url: https://api.anthropic.com\n", "  url: https://api.anthropic.com/v1/messages\n"),
        (
            r#"http.headers.x_tollgate_try_1 == "anthropic"
    priority: 10
    strip_path: false"#,
            r#"http.headers.x_tollgate_try_1 == "anthropic" && http.path ^= "/v1/chat/completions"
    priority: 10
    strip_path: true"#,
        ),
        ("anthropic: {credential", "anthropic: {api: anthropic, credential"),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

#[test]
fn a_provider_with_an_api_of_its_own_is_asked_and_answers_in_the_clients_words() {
    let mut world = World::with(&native());
    let message = r#"{"id":"msg_1","type":"message","model":"claude","content":[{"type":"text","text":"h\u00ef"}],"stop_reason":"end_turn"}"#;
    let ask = says("anthropic/claude-sonnet-4-5", "hi");
    let request = world.chat("u1", &ask);
    let answer = world.send(request, &UpstreamResponse::json(200, message).in_pieces_of(9)).unwrap();
    assert!(answer.text().contains(r#""content":"h\u00ef""#), "{}", answer.text());
    let sent = world.sent();
    assert_eq!((sent.path.as_str(), sent.headers("x-api-key")), ("/v1/messages", vec!["sk-anthropic"]));
    assert_eq!(sent.headers("anthropic-version"), ["2023-06-01"]);
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]));

    let mut ask = ask;
    ask["stream"] = json!(true);
    let request = world.chat("u1", &ask);
    let events = [
        r#"{"type":"message_start","message":{"id":"m","model":"claude"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let events = events.map(|it| format!("event: x\ndata: {it}\n\n"));
    let answer = world.send(request, &UpstreamResponse::stream(events)).unwrap();
    assert!(answer.text().contains(r#""delta":{"content":"hi"}"#) && answer.text().contains("data: [DONE]\n\n"));
}

#[test]
fn the_companions_own_paths_reach_it_without_the_clients_identity_headers() {
    let mut world = World::new();
    let key = "Bearer behest_sk_live_0123456789abcdef0123456789abcdef";
    let request = Request::post("/v1/auth/mint", "{\"user_id\":\"u1\"}")
        .header("Authorization", key)
        .header("X-Project-Id", "forged");
    assert_eq!(world.get(request).status, 200);
    assert_eq!(world.services(), ["companion"]);
    assert_eq!(world.sent().headers("authorization"), [key]);
    assert_eq!(world.sent().headers("x-project-id"), [""]);
    let token = request_header(&world.chat("u1", &Value::Null));
    for path in ["/v1/threads", "/v1/threads/t1/messages"] {
        assert_eq!(world.get(Request::get(path).header("Authorization", &token)).status, 200, "{path}");
        assert_eq!(world.services(), ["companion"]);
        assert_eq!(world.get(Request::get(path)).status, 401, "{path}");
    }
}

#[test]
fn a_provider_that_fails_is_what_the_client_hears() {
    let mut world = World::new();
    let whole = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;
    let of = |message: &str, kind: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"upstream_error"}}}}"#)
    };
    for (status, body, expected) in [
        (429, r#"{"error":{"message":"slow down"}}"#, of("slow down", "rate_limit_error")),
        (500, "oops", of("oops", "server_error")),
        (400, whole, whole.to_owned()),
        (200, "", String::new()),
    ] {
        let request = world.chat("u1", &says("fast", "hi")).header("X-Thread-Id", "t1");
        let answer = world.send(request, &UpstreamResponse::json(status, body)).unwrap();
        assert_eq!((answer.status, answer.text()), (status, expected));
    }
}

#[test]
fn a_stream_that_ends_in_its_middle_says_so() {
    let mut world = World::new();
    let chunk = |choice: &str| format!("data: {{\"choices\":[{{\"index\":0,{choice}}}]}}\n\n");
    let word = chunk(r#""delta":{"content":"hi"},"finish_reason":null"#);
    let stop = chunk(r#""delta":{},"finish_reason":"stop""#);
    for (events, fails) in [
        (vec![word.clone()], true),
        (vec![], true),
        (vec![word.clone(), stop], false),
        (vec![word, "data: x".into()], true),
    ] {
        let request = world.chat("u1", &says("fast", "hi")).header("X-Thread-Id", "t1");
        let answer = world.send(request, &UpstreamResponse::stream(&events)).unwrap();
        assert_eq!((answer.status, answer.text().contains("upstream_error")), (200, fails), "{}", answer.text());
        assert_eq!(answer.text().contains(r#""content":"hi""#), !events.is_empty(), "{}", answer.text());
    }
}

#[test]
fn a_request_that_comes_while_another_waits_does_not_meet_it() {
    let mut world = World::new();
    let requests = [1, 2].map(|user| {
        let user = format!("u{user}");
        world.chat(&user, &says("fast", &user)).header("X-Thread-Id", format!("thread of {user}").replace(' ', "-"))
    });
    let jwks = world.signer.jwks();
    let history = |call: &CallOut| match call.path.as_str() {
        "/.well-known/jwks.json" => CallAnswer::json(200, &jwks),
        "/internal/v1/budgets/lease" => CallAnswer::json(200, common::lent(call).to_string()),
        _ => {
            let question: Value = serde_json::from_slice(&call.body).unwrap();
            let message =
                json!({"role": "user", "content": format!("history of {}", question["user"].as_str().unwrap())});
            CallAnswer::json(200, json!({"turn": question["user"], "messages": [message]}).to_string())
        }
    };
    let [first, second] = requests;
    let front = world.gateway.front();
    // Twice: while keys are fetched, and while the history is, for by then the keys are known.
    for round in 0..2 {
        front.meanwhile("front", second.clone(), streamed(&["other"]));
        let mut sent = None;
        let answer = front.request(
            "front",
            first.clone(),
            |it| {
                sent = Some(it.clone());
                plain("hello")
            },
            history,
        );
        let answer = answer.unwrap();
        let other = front.interludes().remove(0);
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
        for (user, sent) in [("u1", sent.unwrap()), ("u2", other.sent.unwrap())] {
            let body = String::from_utf8(sent.body.clone()).unwrap();
            assert!(body.contains(&format!("history of {user}")) && body.contains(&format!("\"{user}\"")), "{body}");
            assert_eq!(sent.headers("x-end-user-id"), [user]);
        }
        assert!(answer.text().contains("hello") && other.answer.unwrap().text().contains("other"));
    }
}
