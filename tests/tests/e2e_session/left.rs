//! A client that leaves while its turn is being opened: its gateway never hears the companion's answer.

use super::{EXAMPLE, SOON, World, caller, with_stub};
use crate::stub::Stub;
use serde_json::{Value, json};
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;
use tests::client::{Call, Client};
use tests::http::{self, Body, Framing};
use tests::{FakeProvider, Gateway, wait_until};

const OPEN: &str = "/internal/v1/turns/open";

/// Sends it, and waits for no answer.
fn begun(gateway: &Gateway, call: &Call) -> TcpStream {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port())).unwrap();
    client.write_all(&call.bytes()).unwrap();
    client
}

/// Between the gateways and the companion at this port: hands everything on, and the answer to each opening only when it is
/// told to. It says when there is one.
fn relay(companion: u16) -> (u16, Receiver<u16>, Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((opened, openings), (release, released)) = (channel(), channel());
    thread::spawn(move || {
        let released = std::sync::Arc::new(std::sync::Mutex::new(released));
        for stream in listener.incoming().map_while(Result::ok) {
            let (opened, released) = (opened.clone(), released.clone());
            thread::spawn(move || -> io::Result<()> {
                let mut reader = BufReader::new(stream);
                while let Some(head) = http::read_head(&mut reader)? {
                    let (body, _) = Body::new(Framing::of_request(&head.headers)).rest(&mut reader);
                    let path = head.first_line.split(' ').nth(1).unwrap();
                    let call = Client::new(companion).call("POST", path).body(body);
                    let [secret, media] =
                        ["authorization", "content-type"].map(|it| http::text(&head.headers, it).unwrap());
                    let answer = call.header("authorization", secret).header("content-type", media).send();
                    if path == OPEN {
                        opened.send(answer.status).unwrap();
                        let _ = released.lock().unwrap().recv();
                    }
                    let (status, body) = (answer.status, answer.text());
                    write!(reader.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
                }
                Ok(())
            });
        }
    });
    (port, openings, release)
}

#[test]
fn whoever_leaves_while_the_companion_answers_leaves_no_turn_open() {
    let World { companion, project, fake, gateway } = World::start();
    let (port, openings, release) = relay(companion.internal_port());
    let behind = Gateway::from(EXAMPLE).fake(&fake).companion(&companion);
    let behind = behind
        .edit(|root| {
            let clusters = root["static_resources"]["clusters"].as_array_mut().unwrap();
            let cluster = clusters.iter_mut().find(|it| it["name"] == "companion-internal").unwrap();
            let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
            endpoint["address"]["socket_address"]["port_value"] = json!(port);
        })
        .edit_filter("session", |config| config["companion"]["timeout"] = json!("30s"))
        .start();
    let chat = |gateway: &Gateway| caller(gateway.client().chat("t", "gpt-4o", "x"), &project.project_id, "ada");
    let client = begun(&behind, &chat(&behind).thread("t1"));
    assert_eq!(openings.recv_timeout(SOON), Ok(200));
    drop(client);
    wait_until(SOON, "Envoy to notice", || (behind.stat("http.gateway.downstream_rq_active") == 0).then_some(()));
    drop(release);
    let began = Instant::now();
    let next = chat(&gateway).thread("t1").send();
    assert_eq!((next.status, next.header("x-tollgate-memory")), (200, None), "after {:?}", began.elapsed());
}

#[test]
fn an_opening_without_an_answer_that_can_be_used_is_taken_back() {
    let fake = FakeProvider::start();
    let asked = |stub: &Stub| -> Value {
        let open = wait_until(SOON, "the opening", || stub.heard(OPEN).pop());
        serde_json::from_str::<Value>(&open).unwrap()["turn"].take()
    };
    let withdrawn = |stub: &Stub, gateway: &Gateway| {
        let report = wait_until(SOON, "its end", || stub.heard("/internal/v1/turns").pop());
        let report: Value = serde_json::from_str(&report).unwrap();
        let nothing =
            json!({"turn": asked(stub), "project": "p", "user": "ada", "complete": false, "input": [], "output": []});
        assert_eq!(report, json!({"turns": [nothing]}));
        assert_eq!(gateway.stat("wasmcustom.tollgate_session_turns_opened"), 0);
    };
    let kept = json!({"keep_unanswered": true});
    for answer in [Some((503, "")), Some((200, "garbage")), None] {
        let stub = Stub::start(answer);
        let gateway = with_stub(&stub, &fake, &kept);
        let chat = caller(gateway.client().chat("t", "gpt-4o", "x"), "p", "ada").thread("t1");
        assert_eq!(chat.send().error(), "503 companion_unavailable", "{answer:?}");
        withdrawn(&stub, &gateway);
    }
    // By the body's member, and by who leaves.
    let stub = Stub::start(None);
    let patient = json!({"keep_unanswered": true, "conversation_id_member": true, "companion": {
        "cluster": "companion-internal", "timeout": "30s", "secret": {"value": "s"}}});
    let gateway = with_stub(&stub, &fake, &patient);
    let body = r#"{"model":"gpt-4o","conversation_id":"t1","messages":[{"role":"user","content":"x"}]}"#;
    let call = caller(gateway.client().call("POST", "/v1/chat/completions").body(body), "p", "ada");
    let client = begun(&gateway, &call);
    assert!(asked(&stub).as_str().unwrap().starts_with("turn_"));
    drop(client);
    withdrawn(&stub, &gateway);
    // What the companion refused was never open.
    let stub = Stub::start(Some((400, "{}")));
    let gateway = with_stub(&stub, &fake, &kept);
    let chat = |text| caller(gateway.client().chat("t", "gpt-4o", text), "p", "ada").thread("t1");
    assert_eq!(chat("x").send().error(), "503 companion_unavailable");
    assert!(stub.heard("/internal/v1/turns").is_empty());
}
