//! Names of people, asked of a service in the body's phase of a real Envoy: one that answers, and one that is down, slow or out
//! of its mind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use tests::client::chat;
use tests::http::{self, Body, Framing};
use tests::{Answer, EnvoyConfig, FakeProvider, Gateway};

/// What the analyzer says to a question; `None` is nothing at all.
type Say = fn(&Value) -> Option<(u16, String)>;

/// A service with the API of Presidio's analyzer.
struct Analyzer {
    port: u16,
    say: Arc<Mutex<Say>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Analyzer {
    fn start(say: Say) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let analyzer = Self { port, say: Arc::new(Mutex::new(say)), asked: Arc::default() };
        let (say, asked) = (Arc::clone(&analyzer.say), Arc::clone(&analyzer.asked));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (say, asked) = (Arc::clone(&say), Arc::clone(&asked));
                thread::spawn(move || serve(connection, &say, &asked));
            }
        });
        analyzer
    }

    fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(connection: TcpStream, say: &Mutex<Say>, asked: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut writer = connection;
    while let Ok(Some(head)) = http::read_head(&mut reader) {
        let (body, _) = Body::new(Framing::of_request(&head.headers)).rest(&mut reader);
        let body: Value = serde_json::from_slice(&body).unwrap();
        asked.lock().unwrap().push((head.first_line.clone(), body.clone()));
        let say = *say.lock().unwrap();
        let Some((status, text)) = say(&body) else { return thread::park() };
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Finds every `Zoë` and `Köln`, in characters, as Python counts.
fn names(question: &Value) -> Option<(u16, String)> {
    let text: Vec<char> = question["text"].as_str().unwrap().chars().collect();
    let mut found = Vec::new();
    for (name, entity) in [("Zoë", "PERSON"), ("Köln", "LOCATION")] {
        let name: Vec<char> = name.chars().collect();
        let places = text.windows(name.len()).enumerate().filter(|(_, it)| *it == name);
        found.extend(places.map(|(at, _)| {
            json!({"entity_type": entity, "start": at, "end": at + name.len(), "score": 0.85, "analysis_explanation": null})
        }));
    }
    Some((200, json!(found).to_string()))
}

fn gateway(fake: &FakeProvider, port: u16, more: &Value) -> Gateway {
    let mut analyzer = json!({"cluster": "analyzer", "timeout": "300ms"});
    analyzer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = json!({"pii": {"entities": {"email": "mask"}}, "sentinel": {"mode": "off"}, "analyzer": analyzer});
    let cluster = json!({"name": "analyzer", "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "analyzer", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]}});
    let example = EnvoyConfig::load("envoy/examples/guardrails.yaml").unwrap();
    let builder = Gateway::with(example).filter("guardrails", &config).fake(fake);
    builder.edit(|root| root["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster)).start()
}

fn ask(gateway: &Gateway, text: &str) -> Answer {
    gateway.client().post("/v1/chat/completions", &chat("gpt-4o", text)).send()
}

/// What the provider was told last.
fn told(fake: &FakeProvider) -> String {
    let body = fake.requests().pop().unwrap().json();
    body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
}

const TEXT: &str = "Grüße, Zoë (zoe@example.com) in Köln, nicht Zoë";

#[test]
fn names_that_a_service_finds_are_masked_and_restored_as_our_own_findings() {
    let (fake, analyzer) = (FakeProvider::start(), Analyzer::start(names));
    let gateway = gateway(&fake, analyzer.port, &json!({}));
    let answer = ask(&gateway, TEXT);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(told(&fake), "Grüße, [PERSON_1] ([EMAIL_1]) in [LOCATION_1], nicht [PERSON_1]");
    assert_eq!(answer.content(), format!("You said: {TEXT}"));
    assert_eq!(answer.header("x-tollgate-guardrails").as_deref(), Some("pii=mask:4"));
    let asked = analyzer.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].0.starts_with("POST /analyze "), "{asked:?}");
    assert_eq!(
        asked[0].1,
        json!({"text": TEXT, "language": "en", "entities": ["LOCATION", "PERSON"], "score_threshold": 0.5})
    );
    // Nothing to read is nothing to ask.
    assert_eq!(ask(&gateway, "1 + 1 = ?").status, 200);
    assert_eq!(analyzer.asked().len(), 1);
}

#[test]
fn a_name_may_block_a_request() {
    let (fake, analyzer) = (FakeProvider::start(), Analyzer::start(names));
    let gateway = gateway(&fake, analyzer.port, &json!({"entities": {"PERSON": "block"}}));
    let answer = ask(&gateway, TEXT);
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("content_blocked")));
    assert!(!answer.text().contains("Zo"), "{}", answer.text());
    assert_eq!(ask(&gateway, "Köln").status, 200);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_service_that_fails_lets_nothing_by_or_is_done_without_as_the_operator_chose() {
    let silence: Say = |_| None;
    let failures: [Say; 6] = [
        |_| Some((500, r#"{"error":"no model"}"#.into())),
        |_| Some((200, r#"{"error":"no model"}"#.into())),
        |_| Some((200, "[".into())),
        |_| Some((200, r#"[{"entity_type":"PERSON","start":0,"end":100000,"score":1}]"#.into())),
        |_| Some((200, String::new())),
        silence,
    ];
    for (choice, status) in [("deny", 503), ("allow", 200)] {
        let (fake, analyzer) = (FakeProvider::start(), Analyzer::start(names));
        let gateway = gateway(&fake, analyzer.port, &json!({"on_failure": choice}));
        for say in failures {
            analyzer.says(say);
            let answer = ask(&gateway, TEXT);
            assert_eq!(answer.status, status, "{}", answer.text());
            if status == 200 {
                // What the filter finds itself is masked all the same.
                assert_eq!(told(&fake), "Grüße, Zoë ([EMAIL_1]) in Köln, nicht Zoë");
            } else {
                assert_eq!(answer.error(), "503 guardrail_unavailable");
            }
        }
        analyzer.says(names);
        assert_eq!(ask(&gateway, TEXT).status, 200, "and the next request still works");
        assert!(told(&fake).contains("[PERSON_1]"));
    }
}

#[test]
fn a_service_that_is_not_there_is_one_that_fails() {
    let fake = FakeProvider::start();
    // Nobody listens there.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let gateway = gateway(&fake, port, &json!({}));
    assert_eq!(ask(&gateway, TEXT).error(), "503 guardrail_unavailable");
    assert!(fake.requests().is_empty());
}

#[test]
fn a_long_body_in_pieces_waits_whole_while_a_service_is_asked() {
    let (fake, analyzer) = (FakeProvider::start(), Analyzer::start(names));
    let gateway = gateway(&fake, analyzer.port, &json!({"max_bytes": 1_048_576}));
    let long = format!("{}{TEXT}", "lorem ipsum ".repeat(40_000));
    let answer = ask(&gateway, &long);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(told(&fake).ends_with("Grüße, [PERSON_1] ([EMAIL_1]) in [LOCATION_1], nicht [PERSON_1]"));
    assert!(told(&fake).starts_with("lorem ipsum lorem"));
}
