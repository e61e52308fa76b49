use super::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

mod members;

const CHAT: &str = r#" { "temperature" : 1.0e0, "model":"gpt" ,
 "messages":[ {"role":"system","content":"be nice"},{"content":[{"type":"text","text":"h\u0069"},{"type":"image_url","image_url":{"url":"x"}}],"role":"user"} ],"stream":true, "x":[{}] } "#;

fn check(body: &str) -> Body<'_> {
    Body::parse(body.as_bytes()).unwrap()
}

fn refused(body: &str) -> (u16, Option<String>) {
    let reply = Reply::from(Body::parse(body.as_bytes()).and_then(|it| it.texts()).unwrap_err());
    assert_eq!(reply.code, "invalid_request");
    (reply.status, reply.param)
}

fn edited(body: &str, edit: impl FnOnce(&Body<'_>) -> Option<Edit>) -> String {
    let body = check(body);
    String::from_utf8(body.apply(edit(&body))).unwrap()
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[test]
fn the_members_that_tollgate_reads_are_found() {
    let body = check(CHAT);
    assert_eq!(body.model(), Some("gpt"));
    assert!(body.stream());
    let messages = body.messages().unwrap();
    assert_eq!(messages.iter().map(|it| &*it.role).collect::<Vec<_>>(), ["system", "user"]);
    assert_eq!(messages[0].raw, r#"{"role":"system","content":"be nice"}"#);
    assert!(messages[0].instructs() && !messages[1].instructs());
    assert!(!check(r#"{"stream":null}"#).stream());
    assert!(!check("{}").has_messages());
}

#[test]
fn a_body_that_two_parsers_could_read_differently_is_refused() {
    for (body, param) in [
        ("", None),
        ("[]", None),
        ("null", None),
        ("{", None),
        ("{}x", None),
        ("{} {}", None),
        ("\u{feff}{}", None),
        (r#"{"a":tru}"#, None),
        (r#"{"a":1,}"#, None),
        (r#"{"model":"a","model":"b"}"#, Some("model")),
        (r#"{"model":"a","Model":"b"}"#, Some("model")),
        (r#"{"MODEL":"b"}"#, Some("model")),
        (r#"{"\u006dodel":"b"}"#, Some("model")),
        (r#"{"me\u017f\u017fages":[]}"#, Some("messages")),
        (r#"{"messages":[{"\ud800":1}]}"#, Some("messages[0]")),
        ("{\"me\u{17f}sages\":[]}", Some("messages")),
        (r#"{"messages":[],"messages":[]}"#, Some("messages")),
        (r#"{"model":1}"#, Some("model")),
        (r#"{"model":null}"#, Some("model")),
        (r#"{"model":"\ud800"}"#, Some("model")),
        (r#"{"messages":{}}"#, Some("messages")),
        (r#"{"messages" : null}"#, Some("messages")),
        (r#"{"messages":[1]}"#, Some("messages")),
        (r#"{"stream":"yes"}"#, Some("stream")),
        (r#"{"messages":[{},{"content":"a","content":"b"}]}"#, Some("messages[1].content")),
        (r#"{"messages":[{"Content":"a"}]}"#, Some("messages[0].content")),
        (r#"{"messages":[{"role":1}]}"#, Some("messages[0].role")),
        (r#"{"messages":[{"content":[{"TEXT":"a"}]}]}"#, Some("messages[0].content[0].text")),
        (r#"{"messages":[{"content":"\udc00"}]}"#, Some("messages[0].content")),
        (r#"{"input":[{"content":[],"content":"b"}]}"#, Some("input[0].content")),
    ] {
        assert_eq!(refused(body), (400, param.map(str::to_owned)), "{body}");
    }
    assert!(Body::parse(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn the_reason_names_the_member_and_quotes_nothing() {
    let check = |body: &str| Body::parse(body.as_bytes()).and_then(|it| it.texts()).unwrap_err().message;
    assert_eq!(check(r#"{"messages":[{"role":"user","role":"x"}]}"#), "`messages[0].role` stands there twice");
    assert_eq!(check(r#"{"a":"secret"#), "the body is no valid JSON at line 1, column 12");
}

#[test]
fn a_model_is_replaced_where_it_stands_or_becomes_the_first_member() {
    let check = |body: &str| edited(body, |it| Some(it.set_model("a\"b")));
    assert_eq!(check(r#"{"x":1.0, "model" : "gpt-\u0034" }"#), r#"{"x":1.0, "model" : "a\"b" }"#);
    assert_eq!(check(r#"{ "x":1}"#), r#"{"model":"a\"b", "x":1}"#);
    assert_eq!(check(" { } "), r#" {"model":"a\"b" } "#);
}

#[test]
fn history_goes_behind_the_leading_instructions() {
    let (one, two) = (raw("{\"a\": 1}"), raw("2"));
    let check = |messages: &str| {
        let body = format!("{{\"messages\":{messages}}}");
        let new = edited(&body, |it| it.insert_after_system(&[&one, &two]).unwrap());
        new.strip_prefix("{\"messages\":").and_then(|it| it.strip_suffix('}')).unwrap().to_owned()
    };
    let (s, d, u) = (r#"{"role":"system"}"#, r#"{"role":"developer"}"#, r#"{"role":"user"}"#);
    assert_eq!(check("[ ]"), r#"[{"a": 1},2 ]"#);
    assert_eq!(check(&format!("[ {u}]")), format!("[ {{\"a\": 1}},2,{u}]"));
    assert_eq!(check(&format!("[{s},\n{d} , {u},{s}]")), format!("[{s},\n{d} , {{\"a\": 1}},2,{u},{s}]"));
    assert_eq!(check(&format!("[{s} ]")), format!("[{s},{{\"a\": 1}},2 ]"));
    assert_eq!(check_none("{}"), None);
}

fn check_none(body: &str) -> Option<Edit> {
    check(body).insert_after_system(&[&raw("1")]).unwrap()
}

#[test]
fn every_text_is_shown_with_its_place() {
    let check = |body: &str| -> Vec<String> {
        let texts = check(body).texts().unwrap();
        texts.iter().map(|it| format!("{} {} {}", it.place, it.role, it.text)).collect()
    };
    assert_eq!(check(CHAT), ["messages[0].content system be nice", "messages[1].content[0].text user hi"]);
    assert_eq!(
        check(r#"{"prompt":["a","b"],"suffix":"c"}"#),
        ["prompt[0] user a", "prompt[1] user b", "suffix user c"]
    );
    assert_eq!(check(r#"{"input":"a"}"#), ["input user a"]);
    assert_eq!(check(r#"{"input":[[1,2],3]}"#), [""; 0]);
    assert_eq!(
        check(
            r#"{"instructions":"i","input":[{"role":"assistant","content":[{"type":"output_text","text":"t"}]},{"output":"o"},"s"]}"#
        ),
        ["instructions system i", "input[0].content[0].text assistant t", "input[1].output user o", "input[2] user s"]
    );
    assert_eq!(
        check(r#"{"messages":[{"role":"assistant","content":[{"refusal":"no"},"x"]}]}"#),
        ["messages[0].content[0].refusal assistant no", "messages[0].content[1] assistant x"]
    );
    let own = r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[
        {"type":"tool_result","content":"a"},{"type":"tool_result","content":[{"type":"text","text":"b"}]},
        {"type":"tool_use","name":"n","input":{ "k\"" : ["x\\",{"l":1,"m":"\"y"}],"": ""}},
        {"type":"document","source":{"type":"text","data":"c"}},{"type":"image","source":{"type":"base64","data":"d"}}]}]}"#;
    let places = [
        "content[0].content user a",
        "content[1].content[0].text user b",
        "content[2].input user x\\",
        "content[2].input user \"y",
        "content[2].input user ",
        "content[3].source.data user c",
    ];
    let mut places: Vec<_> = places.iter().map(|it| format!("messages[0].{it}")).collect();
    places.push("system[0].text system s".to_owned());
    assert_eq!(check(own), places);
}

#[test]
fn what_a_tool_call_hands_over_is_a_text_too() {
    let body = r#"{"messages":[{"role":"assistant","refusal":"no","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}},{"custom":{"input":"x"}},1],"function_call":{"name":"f","arguments":"o"}}],"input":[{"type":"function_call","arguments":"y"},{"type":"custom_tool_call","input":"z"},{"type":"reasoning","summary":[{"text":"s"}]}]}"#;
    let body = check(body);
    let texts = body.texts().unwrap();
    let texts: Vec<_> = texts.iter().map(|it| (it.place.as_str(), &*it.text)).collect();
    assert_eq!(
        texts,
        [
            ("messages[0].refusal", "no"),
            ("messages[0].tool_calls[0].function.arguments", "{\"a\":1}"),
            ("messages[0].tool_calls[1].custom.input", "x"),
            ("messages[0].function_call.arguments", "o"),
            ("input[0].arguments", "y"),
            ("input[1].input", "z"),
            ("input[2].summary[0].text", "s"),
        ]
    );
    let twice = r#"{"messages":[{"tool_calls":[{"function":{"arguments":"a","arguments":"b"}}]}]}"#;
    assert_eq!(refused(twice).1.as_deref(), Some("messages[0].tool_calls[0].function.arguments"));
}

#[test]
fn thoughts_that_are_sent_back_are_texts_but_for_signed_ones() {
    let body = r#"{"messages":[{"reasoning_content":"a","reasoning":"b","content":[{"thinking":"signed","signature":"x"},{"thinking":[{"text":"c"}]}]}]}"#;
    let body = check(body);
    let texts: Vec<_> = body.texts().unwrap().into_iter().map(|it| (it.place, it.text.into_owned())).collect();
    let places = ["content[1].thinking[0].text", "reasoning_content", "reasoning"];
    let want = places.map(|it| format!("messages[0].{it}")).into_iter().zip(["c", "a", "b"].map(str::to_owned));
    assert_eq!(texts, want.collect::<Vec<_>>());
}

#[test]
fn depth_is_no_danger() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let body = format!(
        r#"{{"x":{deep},"messages":[{{"content":{deep},"tool_calls":{deep},"system":[{{"content":{deep}}}]}}],"input":{deep}}}"#
    );
    exercise(body.as_bytes());
    exercise(&body.as_bytes()[..300_000]);
}

#[test]
fn a_text_is_replaced_and_all_else_stays() {
    let body = check(CHAT);
    let edits: Vec<Edit> = body.texts().unwrap().iter().map(|it| it.replace("*\n")).collect();
    let new = String::from_utf8(body.apply(edits)).unwrap();
    assert_eq!(new, CHAT.replace(r#""be nice""#, r#""*\n""#).replace(r#""h\u0069""#, r#""*\n""#));
}

#[test]
fn the_later_edit_of_one_span_stands() {
    let body = check(r#"{"model":"a"}"#);
    let new = body.apply([body.set_model("b"), body.set_model("c")]);
    assert_eq!(new, br#"{"model":"c"}"#);
}

/// Everything that can be done to a body, all at once; the result must be JSON.
fn exercise(bytes: &[u8]) {
    let Ok(body) = Body::parse(bytes) else { return };
    assert_eq!(body.apply([]), bytes);
    let mut edits = vec![body.set_model("m\u{0}\"")];
    edits.extend(body.texts().unwrap_or_default().iter().map(|it| it.replace("\u{2028}\\")));
    edits.extend(body.insert_after_system(&[&raw("{}")]).ok().flatten());
    let new = body.apply(edits);
    serde_json::from_slice::<serde::de::IgnoredAny>(&new).unwrap();
    assert_eq!(Body::parse(&new).unwrap().model(), Some("m\u{0}\""));
}

#[test]
fn no_flip_and_no_cut_of_a_byte_panics() {
    let sample = br#"{"model":"g\u0034","messages":[{"role":"system","content":"s"},{"content":[{"text":"t"},"u"]}],"input":["a",{"content":"b"}],"stream":true}"#;
    for at in 0..sample.len() {
        exercise(&sample[..at]);
        for bit in 0..=255_u8 {
            let mut bytes = sample.to_vec();
            bytes[at] = bit;
            exercise(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn any_text_goes_in_and_comes_out(model in "\\PC*", text in any::<String>(), space in "[ \t\r\n]{0,3}") {
        let json = |it: &str| serde_json::to_string(it).unwrap();
        let body = format!(
            "{space}{{{space}\"messages\"{space}:{space}[{space}{{\"content\"{space}:{space}{}{space}}}{space}]{space}}}{space}",
            json(&text)
        );
        let body = check(&body);
        prop_assert_eq!(&body.texts().unwrap()[0].text, &text);
        let new = body.apply([body.set_model(&model), body.texts().unwrap()[0].replace(&model)]);
        let new = Body::parse(&new).unwrap();
        prop_assert_eq!(new.model(), Some(&*model));
        prop_assert_eq!(&new.texts().unwrap()[0].text, &model);
        exercise(body.found.text.as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}:,\"a-z\\\\ ]{0,64}") {
        exercise(&bytes);
        exercise(text.as_bytes());
        let _ = Endpoint::of("POST", &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn usage_is_asked_for_in_what_is_there_already() {
    let check = |text: &str| {
        let body = Body::parse(text.as_bytes()).unwrap();
        body.ask_usage()
            .map(|it| it.map(|edit| String::from_utf8(body.apply([edit])).unwrap()))
            .map_err(|it| it.message)
    };
    for (body, expected) in [
        ("{}", r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{ "n":1.0}"#, r#"{"stream_options":{"include_usage":true}, "n":1.0}"#),
        (r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options": { } }"#, r#"{"stream_options": {"include_usage":true } }"#),
        (r#"{"stream_options":{"x":1}}"#, r#"{"stream_options":{"include_usage":true,"x":1}}"#),
        (r#"{"stream_options":{"x":1,"include_usage":false}}"#, r#"{"stream_options":{"x":1,"include_usage":true}}"#),
        (r#"{"stream_options":{"include_usage":null}}"#, r#"{"stream_options":{"include_usage":true}}"#),
    ] {
        assert_eq!(check(body), Ok(Some(expected.to_owned())), "{body}");
    }
    assert_eq!(check(r#"{"stream_options":{"include_usage":true}}"#), Ok(None));
    assert_eq!(check(r#"{"stream_options":7}"#), Err("`stream_options` is no object".to_owned()));
    let twice = check(r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#).unwrap_err();
    assert!(twice.contains("`stream_options.include_usage` stands there twice"), "{twice}");
}
