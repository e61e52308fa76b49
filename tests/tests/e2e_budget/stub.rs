//! A companion as small as can be: it keeps records, and lends by the rules of the lease protocol, or misbehaves.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tests::http::{self, Body, Framing};
use tests::process::poll;

/// How it treats questions about leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    /// The connection is closed instead of an answer.
    Down,
    /// The answer comes when nobody waits any more.
    Slow,
    /// The answer is none.
    Garbage,
}

#[derive(Debug, Default)]
struct Lent {
    granted: u64,
    charged: u64,
    turn: u64,
}

#[derive(Debug, Default)]
struct Store {
    records: Vec<Value>,
    questions: usize,
    used: u64,
    nodes: HashMap<String, Lent>,
}

/// Answers until the test's process ends. All leases are of one budget and key.
pub(crate) struct Stub {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    store: Arc<Mutex<Store>>,
}

impl Stub {
    pub(crate) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, store) = (Arc::new(Mutex::new(mood)), Arc::<Mutex<Store>>::default());
        let (its_mood, its_store) = (Arc::clone(&mood), Arc::clone(&store));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (mood, store) = (Arc::clone(&its_mood), Arc::clone(&its_store));
                thread::spawn(move || serve(stream, &mood, &store));
            }
        });
        Self { port, mood, store }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How often it was asked for leases.
    pub(crate) fn questions(&self) -> usize {
        self.store.lock().unwrap().questions
    }

    /// The records, once there are `count` of them; in the order in which they came.
    pub(crate) fn records(&self, count: usize) -> Vec<Value> {
        let enough = || Some(self.store.lock().unwrap().records.clone()).filter(|it| it.len() >= count);
        let records = poll(Duration::from_secs(20), enough);
        let records =
            records.unwrap_or_else(|| panic!("{count} records, not {:?}", self.store.lock().unwrap().records));
        assert_eq!(records.len(), count, "{records:?}");
        records
    }

    /// The only record.
    pub(crate) fn record(&self) -> Value {
        self.records(1).remove(0)
    }
}

fn serve(stream: TcpStream, mood: &Mutex<Mood>, store: &Mutex<Store>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = http::read_head(&mut reader)? {
        let (body, _) = Body::new(Framing::of_request(&head.headers)).rest(&mut reader);
        let said: Value = serde_json::from_slice(&body).unwrap();
        let path = head.first_line.split(' ').nth(1).unwrap_or_default();
        let answer = if path == "/internal/v1/usage" {
            keep(&mut store.lock().unwrap(), &said)
        } else {
            store.lock().unwrap().questions += 1;
            let mood = *mood.lock().unwrap();
            match mood {
                Mood::Good => lend(&mut store.lock().unwrap(), &said),
                Mood::Down => return Ok(()),
                Mood::Slow => {
                    thread::sleep(Duration::from_secs(2));
                    lend(&mut store.lock().unwrap(), &said)
                }
                Mood::Garbage => json!({"leases": "none"}),
            }
        };
        let body = answer.to_string();
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

fn keep(store: &mut Store, said: &Value) -> Value {
    let (mut stored, mut known) = (0, 0);
    for record in said["records"].as_array().unwrap() {
        if store.records.iter().any(|it| it["id"] == record["id"]) {
            known += 1;
            continue;
        }
        stored += 1;
        for charge in record["charges"].as_array().unwrap() {
            let amount = charge["amount"].as_u64().unwrap();
            store.used += amount;
            store.nodes.entry(record["node"].as_str().unwrap().to_owned()).or_default().charged += amount;
        }
        store.records.push(record.clone());
    }
    json!({"stored": stored, "known": known})
}

fn lend(store: &mut Store, said: &Value) -> Value {
    let node = said["node"].as_str().unwrap().to_owned();
    let all = said["leases"].as_array().unwrap();
    let answers: Vec<Value> = all.iter().map(|lease| one(store, &node, lease)).collect();
    json!({"leases": answers})
}

fn one(store: &mut Store, node: &str, lease: &Value) -> Value {
    let number = |name: &str| lease[name].as_u64().unwrap_or_else(|| panic!("{name}: {lease}"));
    let left = |store: &Store| {
        let outstanding: u64 = store.nodes.values().map(|it| it.granted.saturating_sub(it.charged)).sum();
        number("limit").saturating_sub(store.used + outstanding)
    };
    let known = store.nodes.entry(node.to_owned()).or_default();
    if number("turn") > known.turn {
        known.turn = number("turn");
        known.granted = known.granted.min(number("granted")).max(known.charged);
        let free = left(store);
        let more = if number("need") > free { 0 } else { number("need").max(number("want").min(free / 4)) };
        store.nodes.get_mut(node).unwrap().granted += more;
    }
    let known = &store.nodes[node];
    json!({"granted": known.granted, "used": store.used, "left": left(store), "charged": known.charged, "expires_in_ms": 60000})
}
