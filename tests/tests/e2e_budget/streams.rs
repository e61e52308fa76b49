//! Streams are read as they pass, and end well-formed where a budget ends.

use super::*;

fn with_usage(mut body: Value) -> Value {
    body["stream_options"] = json!({"include_usage": true});
    body
}

/// The comment with the cost.
fn comment(text: &str) -> Value {
    let at = text.find(": tollgate ").unwrap_or_else(|| panic!("no comment: {text}"));
    serde_json::from_str(text[at + 11..].lines().next().unwrap()).unwrap()
}

#[test]
fn the_usage_chunk_is_for_who_asked_and_the_cost_comes_before_the_end() {
    let world = World::daily(100_000);
    let asked = world.ask(&with_usage(streamed(100)), "words-20").send().text();
    assert!(asked.contains(r#""total_tokens":21"#) && asked.ends_with("\n\ndata: [DONE]\n\n"), "{asked}");
    let want =
        json!({"cost": "0.000041", "estimated": false, "input_tokens": 1, "output_tokens": 20, "efficiency": "5.00"});
    assert_eq!(comment(&asked), want);
    // As when `provider` asked for it, at the filter's wish.
    let unasked = world.ask(&streamed(100), "words-20+usage").send().text();
    assert!(!unasked.contains("total_tokens"), "{unasked}");
    assert_eq!(comment(&unasked), want);
    let crlf = world.ask(&streamed(100), "words-20+usage+crlf").send().text();
    assert!(!crlf.contains("total_tokens") && crlf.ends_with("data: [DONE]\r\n\r\n"), "{crlf}");
    assert!(world.fake.requests().iter().skip(1).all(|it| it.header("x-tollgate-usage").as_deref() == Some("ask")));
    for record in world.stub.records(3) {
        assert_eq!(
            (&record["estimated"], &record["output_tokens"], &record["stream"]),
            (&json!(false), &json!(20), &json!(true))
        );
    }
}

#[test]
fn where_usage_never_comes_the_text_is_counted() {
    let world = World::daily(100_000);
    let answer = world.ask(&streamed(1000), "words-400").send();
    let text = tests::client::content(&[]);
    assert!(text.is_empty() && answer.text().contains("w399"));
    let record = world.stub.record();
    assert_eq!((&record["estimated"], &record["input_tokens"]), (&json!(true), &json!(5)));
    let output = record["output_tokens"].as_u64().unwrap();
    assert!((400..=500).contains(&output), "{output} for 400 words of four or five letters");
}

#[test]
fn every_providers_way_of_saying_it_is_read() {
    for (behaviour, output) in
        [("usage-every", 20), ("usage-last", 20), ("usage-reasoning", 27), ("usage-xai", 27), ("usage-cached", 20)]
    {
        let world = World::daily(100_000);
        let call = world.ask(&with_usage(streamed(100)), &format!("words-20+{behaviour}"));
        let call = if behaviour.ends_with("xai") { call } else { call.header("x-other", "1") };
        assert_eq!(call.send().status, 200);
        let record = world.stub.record();
        assert_eq!((&record["output_tokens"], &record["estimated"]), (&json!(output), &json!(false)), "{behaviour}");
        assert_eq!(world.fake.served()[0].count.completion, output, "{behaviour}");
    }
}

#[test]
fn a_stream_that_passes_its_cap_ends_as_one_that_reached_its_length() {
    let world = World::daily(60);
    let mut stream = world.ask(&with_usage(streamed(1000)), "words-500+slow-1ms").stream();
    let events = stream.events();
    assert!(!stream.broken);
    let last: Vec<_> = events.iter().rev().take(3).collect();
    assert_eq!(last[0].data, "[DONE]");
    let usage = last[1].json();
    assert_eq!((&usage["choices"], &usage["usage"]["prompt_tokens"]), (&json!([]), &json!(5)));
    let end = last[2].json();
    assert_eq!((&end["choices"][0]["finish_reason"], &end["id"]), (&json!("length"), &events[0].json()["id"]));
    let said = tests::client::content(&events).len() as u64;
    assert!(said.div_ceil(4) >= 55 && said.div_ceil(4) < 60, "{said} bytes for 55 tokens, and not an event more");

    let record = world.stub.record();
    assert_eq!((&record["outcome"], &record["cut_by_budget"]), (&json!("cut"), &json!(true)));
    let served = world.fake.served()[0].count.completion;
    assert!(record["output_tokens"].as_u64().unwrap() <= served.max(60), "{record}");
    assert_eq!(world.stat("cut"), 1);
    assert_eq!(refusal(&world.plain(5, "")).0, "402 quota_exceeded");
}

#[test]
fn a_stream_takes_more_while_the_budget_has_more() {
    let world = World::daily(2000);
    // The provider says much more than it was allowed: 100 were reserved.
    let answer = world.ask(&with_usage(streamed(100)), "words-800").send();
    assert!(answer.text().contains("w799") && answer.text().contains(r#""finish_reason":"stop""#));
    assert_eq!(world.stub.record()["outcome"], "complete");
}

#[test]
fn the_responses_api_is_cut_in_its_own_words() {
    let world = World::daily(60);
    let body = json!({"model": "gpt-4o", "input": "hi", "stream": true});
    let call = world.gateway.client().post("/v1/responses", &body).header("x-fake", "words-500");
    let mut stream = call.header("x-project-id", "p1").header("x-end-user-id", "ada").stream();
    let events = stream.events();
    let last = events.last().unwrap();
    assert_eq!(last.name.as_deref(), Some("response.incomplete"));
    assert_eq!(last.json()["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(world.stub.record()["cut_by_budget"], true);
}
