//! The `guardrails` filter next to no filter: requests, answers and streams of three sizes, with one guard, with both, and
//! with both in two instances, as they are shipped.
//!
//! The texts are prose with a mail address, a card and a token in each kilobyte, so that the guards find, mask and restore
//! something. What the filter adds is over the row without it in the same round, for a kilobyte too.

use serde_json::{Value, json};
use std::time::Duration;
use tests::{EnvoyConfig, Gateway};

use crate::chain::{bare, one_route};
use crate::load::{Requests, load};
use crate::measure::{Round, measure, median, medians};
use crate::upstream;

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 4;
const PATH: &str = "/v1/chat/completions";
/// Both guards as they are shipped, in two instances.
const TWICE: &str = "both, twice";
/// The second instance of the filter, which looks at answers.
const SECOND: &str = "guardrails-answers";
/// The other filters of the chain.
const OTHERS: [&str; 6] = ["auth", "ratelimit", "session", "router", "budget", "provider"];
/// The sizes in kilobytes, with the requests of one measurement.
const SIZES: [(usize, usize); 3] = [(1, 800), (16, 200), (64, 80)];
/// A kilobyte of text, all but.
const TEXT: &str = "The committee met on Tuesday to look at the figures of the last quarter, and nobody was surprised that \
    they were what the auditors had said they would be. Travel was down by a fifth; so was paper. When the chair asked what \
    had become of the plan to move the archive, Ms Lovelace (ada@example.com) said that the new rooms were dry at last and \
    the lorries ordered. The deposit was paid with card 4111 1111 1111 1111, and the receipt is in the folder. She thanked \
    those who had carried boxes through the rain. There was some talk of the canteen: the soup had been better, the queue \
    had not. The secretary will write to the caterer. As to the web site, the contractor wants access to the repository, and \
    was sent the token npm_CahJZw681SCmMW2T9CzrOmUBe7TmnGJWYpV4, which is to be withdrawn on Friday. The next meeting is in \
    three weeks, in the small hall, because the large one is let for a wedding. Minutes were taken as usual, and will be sent \
    to everybody who has asked for them. ";

/// What passes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Response,
    Stream,
}

struct Row {
    name: &'static str,
    kilobytes: usize,
    count: usize,
    gateway: Gateway,
    requests: Requests,
}

/// Everything about the guards.
pub(crate) fn run() {
    println!(
        "Guardrails: microseconds of Envoy's CPU per request, p99 in milliseconds; one worker, {CONNECTIONS} connections."
    );
    println!(
        "Medians of {ROUNDS} interleaved rounds; what a row adds is over the row without the filter in the same round.\n"
    );
    println!("{:<28} {:>9} {:>9} {:>10} {:>8} {:>10}", "", "CPU", "added", "per KB", "p99 ms", "p99 added");
    for way in [Way::Request, Way::Response, Way::Stream] {
        for (kilobytes, count) in SIZES {
            println!("{} of {kilobytes} KB", format!("{way:?}").to_lowercase());
            let rows = rows(way, kilobytes, count);
            print(&rows, &interleaved(&rows));
        }
    }
}

fn rows(way: Way, kilobytes: usize, count: usize) -> Vec<Row> {
    let text = TEXT.repeat(kilobytes);
    let upstream = match way {
        Way::Request => upstream::start(),
        Way::Response => upstream::plain(&answer(&text)),
        Way::Stream => upstream::stream(&events(&text), Duration::ZERO),
    };
    let said = if way == Way::Request { text.as_str() } else { "hello" };
    let body = json!({"model": "m", "messages": [{"role": "user", "content": said}], "stream": way == Way::Stream});
    [
        ("no filter", None),
        ("pii", Some(&["sentinel"][..])),
        ("sentinel", Some(&["pii"])),
        ("both", Some(&[])),
        (TWICE, None),
    ]
    .into_iter()
    // Answers are hardly judged.
    .filter(|(name, _)| way == Way::Request || *name != "sentinel")
    .map(|(name, off)| {
        let mut envoy = match off {
            Some(off) => once(off),
            None if name == TWICE => twice(),
            None => bare(),
        };
        envoy.providers_at(upstream);
        let gateway = Gateway::with(envoy).workers(1).start();
        let requests = Requests::new(PATH, ["none".to_owned()], &body.to_string());
        Row { name, kilobytes, count, gateway, requests }
    })
    .collect()
}

/// The shipped chain with this filter alone, twice as it is shipped.
fn twice() -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    for filter in OTHERS {
        config.without_filter(filter);
    }
    for name in ["guardrails", SECOND] {
        config.filter(name, |it| drop(it.as_object_mut().expect("an object").remove("companion")));
    }
    one_route(&mut config);
    config
}

/// The same with one instance, which has both sides; without these guards.
fn once(off: &[&str]) -> EnvoyConfig {
    let mut config = twice();
    config.without_filter(SECOND);
    config.filter("guardrails", |it| {
        for guard in ["pii", "sentinel"] {
            it[guard]["response"] = json!(true);
        }
        for guard in off {
            it[guard] = json!({"mode": "off"});
        }
    });
    config
}

fn answer(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        .to_string()
}

/// A word in each event, as models write.
fn events(text: &str) -> Vec<String> {
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
            .to_string()
    };
    let words = text.split_inclusive(' ').map(|it| chunk(json!({"content": it}), Value::Null));
    words.chain([chunk(json!({}), json!("stop")), "[DONE]".to_owned()]).collect()
}

/// Every round of every row; the rows are warm before the first.
fn interleaved(rows: &[Row]) -> Vec<Vec<Round>> {
    for row in rows {
        load(row.gateway.port(), &row.requests, row.count * 2, CONNECTIONS);
    }
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, into) in rows.iter().zip(&mut measured) {
            into.push(measure(row.gateway.process_id(), row.gateway.port(), &row.requests, row.count, CONNECTIONS));
        }
    }
    measured
}

fn print(rows: &[Row], results: &[Vec<Round>]) {
    for (nth, row) in rows.iter().enumerate() {
        let own = medians(&results[nth]);
        let over =
            |of: fn(&Round) -> f64| median(results[nth].iter().zip(&results[0]).map(|(it, than)| of(it) - of(than)));
        if nth == 0 {
            println!("  {:<26} {:>9.1} {:>9} {:>10} {:>8.3}", row.name, own.cpu, "", "", own.p99);
            continue;
        }
        let added = over(|it| it.cpu);
        let each = added / row.kilobytes as f64;
        let p99 = over(|it| it.p99);
        println!("  {:<26} {:>9.1} {added:>+9.1} {each:>10.1} {:>8.3} {p99:>+10.3}", row.name, own.cpu, own.p99);
    }
}
