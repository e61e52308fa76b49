//! One budget over several gateways: spent to its end, and never beyond.

use super::{FakeProvider, Gateway, Postgres, Pressure, fleet, seconds};
use serde_json::json;
use std::time::Duration;
use tests::client::{Call, chat};
use tests::{Client, Companion};

const CAP: u64 = 20_000;
const CLIENTS: usize = 24;
const PAUSE: Duration = Duration::from_millis(50);
/// Answers, in words.
const WORDS: u64 = 40;

fn gateways(companion: &Companion, fake: &FakeProvider) -> Vec<Gateway> {
    let budget = json!({"name": "project-daily", "key": "project", "tokens": CAP, "per": "day", "scope": "fleet"});
    let config = json!({"budgets": [budget], "trust": "headers", "unknown_price": "tokens_only"});
    (0..3).map(|_| fleet::example("budget", companion, config.clone()).fake(fake).start()).collect()
}

fn call(client: Client, most: u64, stream: bool) -> Call {
    let mut body = chat("fake-even-40", "hi");
    body["max_tokens"] = json!(most);
    body["stream"] = json!(stream);
    let call = client.post("/v1/chat/completions", &body);
    call.header("x-project-id", "p1").header("x-end-user-id", "ada")
}

/// What the provider served until nobody got anything any more; one of the gateways dies on the way.
fn spent(companion: Companion, kind: fn(Client) -> Call) -> u64 {
    let fake = FakeProvider::start();
    let mut gateways = gateways(&companion, &fake);
    let pressure = Pressure::of(&gateways, CLIENTS, PAUSE, kind);
    let _ = fake.wait_for(60);
    drop(gateways.pop());
    pressure.until_none_of(&[200], seconds(60));
    let asked = pressure.finish();
    assert!(asked.iter().all(|it| [0, 200, 402].contains(&it.status)), "{:?}", asked.last());
    fake.served().iter().map(|it| it.count.prompt + it.count.completion).sum()
}

#[test]
fn a_hard_budget_is_never_exceeded_by_three_gateways_one_of_which_dies() {
    let spent = spent(Companion::start(), |client| call(client, WORDS, false));
    assert!(spent <= CAP, "{spent} tokens were spent, the budget is {CAP}");
    // The gateway that died took its lease along, for a minute, and each of the others keeps what is too little for a request.
    assert!(spent * 2 >= CAP, "only {spent} of {CAP} tokens were spent");
}

#[test]
fn streams_longer_than_they_were_allowed_are_cut_where_the_budget_ends() {
    let postgres = Postgres::start();
    let companion = Companion::with().usage_database(&postgres.url()).start();
    let spent = spent(companion, |client| call(client, WORDS / 4, true));
    // Each stream may pass the cap by the chunk with which it does, and what the provider wrote before it was told.
    let overrun = CLIENTS as u64 * WORDS;
    assert!(spent <= CAP + overrun, "{spent} tokens were spent, the budget is {CAP}");
}
