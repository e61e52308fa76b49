//! A chain of two providers.

use serde_json::json;

use crate::Stage;

#[test]
fn when_the_first_provider_fails_the_second_gets_its_own_request() {
    let stage = Stage::new();
    let token = stage.token("u1");
    for behaviour in ["503", "reset", "429-after-1"] {
        stage.fake.clear();
        stage.fake.behave_well();
        stage.fake.behave("/openai", behaviour, Some(1));
        let answer = stage.client().chat(&token, "openai/gpt-4o", "hi").send();
        assert_eq!(answer.status, 200, "{behaviour}: {}", answer.text());
        let seen = stage.fake.requests();
        assert_eq!(seen.len(), 2, "{behaviour}");
        let second = &seen[1];
        assert_eq!(second.path, "/anthropic/v1/chat/completions");
        assert_eq!(second.header("host").as_deref(), Some("api.anthropic.com"));
        assert_eq!(second.header("authorization").as_deref(), Some("Bearer fake-key-anthropic"));
        assert_eq!(second.json()["model"], "claude-sonnet-4-5");
        assert_eq!(second.json()["messages"], json!([{"role": "user", "content": "hi"}]));
        let leaked = second.headers.iter().find(|(_, value)| String::from_utf8_lossy(value).contains("openai"));
        assert!(leaked.is_none(), "{leaked:?}");
    }
}

#[test]
fn a_streamed_answer_of_the_second_provider_streams() {
    let stage = Stage::new();
    let token = stage.token("u1");
    stage.fake.behave("/openai", "503", Some(1));
    let events = stage.client().chat_stream(&token, "openai/gpt-4o", "hi").stream().events();
    assert_eq!(tests::client::content(&events), "You said: hi");
    assert_eq!(events.last().map(|event| event.data.as_str()), Some("[DONE]"));
}

#[test]
fn what_a_provider_alone_in_its_chain_says_is_what_the_client_hears() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let ask = |model: &str| stage.client().chat(&token, model, "hi").send();
    assert_eq!(ask("openai/fake-503").status, 503);
    assert_eq!(stage.fake.requests().len(), 1, "no second try behind the client's back");
    let limited = ask("openai/fake-429-after-7");
    assert_eq!((limited.status, limited.header("retry-after").as_deref()), (429, Some("7")));
    assert_eq!(ask("anthropic/fake-reset").error(), "503 upstream_error");
}
