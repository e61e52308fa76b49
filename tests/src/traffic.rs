//! Requests of every kind, from clients of whom a third hang up: what a ledger must add up in spite of it.
//!
//! Each request is of a user of its own, who is also the first word of its text, so that a record, what the provider served and
//! what the client saw can be told to belong together by nothing but themselves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

/// What providers do, and whether as a stream; `{n}` becomes a number of words. All are models of providers that
/// `envoy/envoy.yaml` knows. Streams take their time, as what is sent at once has all left before anybody hangs up.
const KINDS: [(&str, bool); 16] = [
    ("openai/fake-even-{n}", false),
    ("openai/fake-even-{n}+slow-1ms", true),
    ("openai/fake-even-{n}+slow-1ms+usage-cached", true),
    ("openai/fake-even-{n}+usage-reasoning", false),
    ("openai/fake-even-{n}+slow-1ms+usage-every", true),
    ("openai/fake-even-{n}+slow-1ms+usage-none", true),
    ("openai/fake-even-{n}+usage-none", false),
    ("openai/fake-even-{n}+slow-2ms+crlf", true),
    ("openai/fake-even-{n}+slow-4ms", true),
    ("mistral/fake-even-{n}+slow-1ms+usage-last", true),
    ("anthropic/fake-even-{n}+slow-1ms", true),
    ("google/fake-even-{n}+slow-1ms+usage", true),
    ("openai/fake-even-60+slow-3ms+cut-{n}", true),
    ("openai/fake-even-60+slow-1ms+end-{n}", true),
    ("openai/fake-even-{n}+start-20ms", false),
    ("openai/fake-503", false),
];

/// When a client hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It stays to the end.
    Never,
    /// So long after it asked, whatever has come by then.
    After(Duration),
    /// When it has seen so many events of its stream.
    Events(usize),
}

/// One request, and what its client saw of the answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of this one request.
    pub user: String,
    /// Names the provider and what it will do.
    pub model: String,
    /// Whether, and when, its client hung up.
    pub leave: Leave,
    /// 0: the client saw none.
    pub status: u16,
    /// How many words the client saw.
    pub seen: u64,
    /// The answer came to its end.
    pub whole: bool,
}

/// Numbers that look random and are the same each time.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A sequence of its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests in all.
    pub count: usize,
    /// Clients at once.
    pub clients: usize,
    /// Of a client, between two requests.
    pub pause: Duration,
}

/// Asks all gateways in turn; `sign` makes a user's token. Before each request `each` is called with how many were sent, so
/// that a test can break things on the way.
///
/// # Panics
/// If a client, `sign` or `each` does.
pub fn run(
    gateways: &[Client],
    load: Load,
    sign: impl Fn(&str) -> String + Sync,
    each: impl Fn(usize) + Sync,
) -> Vec<Asked> {
    let Load { count, clients, pause } = load;
    let next = AtomicUsize::new(0);
    let client = || {
        let mut all = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= count {
                return all;
            }
            each(number);
            thread::sleep(pause);
            all.push(ask(gateways[number % gateways.len()], number, &sign));
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

fn ask(gateway: Client, number: usize, sign: &impl Fn(&str) -> String) -> Asked {
    let mut dice = Dice::new(number as u64);
    let (kind, stream) = KINDS[number % KINDS.len()];
    let model = kind.replace("{n}", &(2 + dice.below(38)).to_string());
    let leave = match (dice.below(3), dice.below(2), stream) {
        (1.., ..) => Leave::Never,
        (0, 0, true) => Leave::Events(1 + dice.below(20) as usize),
        _ => Leave::After(Duration::from_millis(dice.below(60))),
    };
    let user = format!("r{number}");
    let body = body(&user, &model, stream, &mut dice);
    let call = gateway.post("/v1/chat/completions", &body).bearer(&sign(&user));
    let mut asked = Asked { user, model, leave, status: 0, seen: 0, whole: false };
    if let Leave::After(wait) = leave {
        drop(call.abandon(wait));
        return asked;
    }
    let Ok(mut answer) = call.try_stream() else { return asked };
    asked.status = answer.status;
    if !stream {
        let answer = answer.rest();
        let content = &serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["choices"][0]["message"];
        asked.seen = words(content["content"].as_str().unwrap_or_default());
        asked.whole = !answer.broken;
        return asked;
    }
    let most = if let Leave::Events(most) = leave { most } else { usize::MAX };
    let mut events = 0;
    while events < most {
        let Some(event) = answer.event() else {
            asked.whole = !answer.broken;
            break;
        };
        events += 1;
        asked.seen += words(&event.content());
    }
    asked
}

fn body(user: &str, model: &str, stream: bool, dice: &mut Dice) -> Value {
    let text = format!("{user} {}", "abc ".repeat(1 + dice.below(60) as usize));
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": text.trim_end()}]});
    if stream {
        body["stream"] = json!(true);
        if dice.below(2) == 0 {
            body["stream_options"] = json!({"include_usage": true});
        }
    }
    body
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
