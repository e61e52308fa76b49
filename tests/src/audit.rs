//! Compares what clients saw, what the provider served and what the ledger holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::companion::Companion;
use crate::fake::{FakeProvider, Served};
use crate::gateway::Gateway;
use crate::ledger::{self, Record};
use crate::process::wait_until;
use crate::token::Signer;
use crate::traffic::{self, Asked, Load};

/// How long the last records may take into the ledger.
const ARRIVE: Duration = Duration::from_secs(60);

/// How far broken-off streams may be off on average, in tokens of output: what was on its way from the provider to the gateway
/// when the gateway learnt that the client is gone. The ledger then holds less than the provider served; it never holds more.
pub const ON_ITS_WAY: u64 = 4;
/// How far the prompt of an answer whose usage never came may be off: the gateway has no tokenizer, and counts quotes and roles.
pub const PROMPT: u64 = 24;

/// Two gateways with the whole chain under this load, and a companion that is killed after a fifth of the requests, is back after
/// `away`, is stopped in an orderly way after two thirds of them, and is back again after as long. Then the ledger is compared
/// with what the provider served.
///
/// # Panics
/// If they differ, by more than the bounds of broken-off answers; with the first request that does.
#[must_use]
pub fn storm(companion: Companion, load: Load, away: Duration) -> Summary {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateways = [(); 2].map(|()| gateway(&companion, &fake, &signer));
    let clients: Vec<Client> = gateways.iter().map(Gateway::client).collect();
    let companion = Mutex::new(companion);
    let asked = thread::scope(|scope| {
        let leave = |stop: fn(&mut Companion)| {
            let companion = &companion;
            stop(&mut companion.lock().unwrap_or_else(PoisonError::into_inner));
            scope.spawn(move || {
                thread::sleep(away);
                companion.lock().unwrap_or_else(PoisonError::into_inner).restart();
            });
        };
        let each = |number: usize| {
            if number == load.count / 5 {
                leave(Companion::kill);
            } else if number == load.count * 2 / 3 {
                leave(|companion| assert!(companion.terminate(), "the companion did not stop in an orderly way"));
            }
        };
        traffic::run(&clients, load, |user| signer.user(user), each)
    });
    let companion = companion.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (served, url) = (fake.served(), companion.usage_database());
    let audit = wait_until(ARRIVE, "every answer in the ledger", || {
        let audit = Audit::new(&asked, &served, ledger::records(&url));
        audit.missing().is_empty().then_some(audit)
    });
    let summary = audit.check();
    audit.check_hours(&ledger::hours(&url));
    summary
}

/// The whole chain, whose tokens this signer signs, without a limit that this load would reach.
fn gateway(companion: &Companion, fake: &FakeProvider, signer: &Signer) -> Gateway {
    let many = json!({"limits": [{"name": "user", "key": "user", "requests": 1000, "per": "second"}]});
    let chain = Gateway::from("envoy/envoy.yaml").fake(fake).companion(companion).filter("ratelimit", &many);
    // While the companion is away, the load must go on.
    let chain = chain.edit_filter("budget", |config| {
        for budget in config["budgets"].as_array_mut().expect("budgets") {
            budget["on_failure"] = json!("allow");
        }
    });
    chain.filter("auth", &signer.auth_config()).start()
}

/// What a plain answer costs that nobody waited for, for each millisecond of waiting: the filter's default of 100 a second.
const ABANDONED_AFTER: u64 = 10;

/// The three sides of each request, by its user.
#[derive(Debug)]
pub struct Audit {
    asked: BTreeMap<String, Asked>,
    served: BTreeMap<String, Served>,
    records: BTreeMap<String, Vec<Record>>,
}

/// What was compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Answers whose usage the provider said and that came to their end; equal to the token.
    pub exact: usize,
    /// Streams that were broken off by a client or the provider, and answers without usage.
    pub bounded: usize,
    /// Plain answers that nobody waited for.
    pub abandoned: usize,
    /// Tokens of output that the provider served in these and the ledger does not hold.
    pub short: u64,
    /// Of the one that is most short.
    pub most_short: u64,
    /// Requests that reached nobody, and what they cost.
    pub unserved: usize,
    /// Input and output tokens in the ledger, and as served.
    pub ledger: (u64, u64),
    /// The same as served.
    pub provider: (u64, u64),
}

impl Audit {
    /// Of these requests.
    #[must_use]
    pub fn new(asked: &[Asked], served: &[Served], records: Vec<Record>) -> Self {
        let mut by_user: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in records {
            by_user.entry(record.user.clone()).or_default().push(record);
        }
        let user = |it: &Served| it.heard.split(' ').next().unwrap_or_default().to_owned();
        Self {
            asked: asked.iter().map(|it| (it.user.clone(), it.clone())).collect(),
            served: served.iter().map(|it| (user(it), it.clone())).collect(),
            records: by_user,
        }
    }

    /// Who was served and is not in the ledger.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        self.served.keys().map(String::as_str).filter(|user| !self.records.contains_key(*user)).collect()
    }

    /// Compares.
    ///
    /// # Panics
    /// With the three sides of the first request that is wrong.
    #[must_use]
    pub fn check(&self) -> Summary {
        let (mut summary, mut wrong) = (Summary::default(), Vec::new());
        for (user, asked) in &self.asked {
            let records = self.records.get(user).map(Vec::as_slice).unwrap_or_default();
            let served = self.served.get(user);
            if let Err(why) = one(asked, served, records, &mut summary) {
                wrong.push(format!("{why}: {asked:?}\n  {served:?}\n  {records:?}\n"));
            }
        }
        assert!(wrong.is_empty(), "{} are wrong, such as\n{}", wrong.len(), wrong[..wrong.len().min(5)].concat());
        let most = ON_ITS_WAY * summary.bounded as u64;
        assert!(summary.short <= most, "the ledger holds much less than was served: {summary}");
        assert!(self.records.keys().all(|user| self.asked.contains_key(user)), "a record of nobody's");
        summary
    }

    /// The sums by hour are those of the records.
    ///
    /// # Panics
    /// If they are not.
    pub fn check_hours(&self, hours: &BTreeMap<String, [u64; 3]>) {
        let sum = |records: &Vec<Record>| {
            let of = |what: fn(&Record) -> u64| records.iter().map(what).sum();
            [of(|it| it.input), of(|it| it.output), records.len() as u64]
        };
        let sums: BTreeMap<String, [u64; 3]> = self.records.iter().map(|(user, it)| (user.clone(), sum(it))).collect();
        assert_eq!(&sums, hours, "the sums by hour are not those of the records");
    }
}

fn one(asked: &Asked, served: Option<&Served>, records: &[Record], summary: &mut Summary) -> Result<(), &'static str> {
    match (served, records) {
        (Some(served), [record]) => compare(asked, served, record, summary),
        (Some(_), []) => Err("not in the ledger"),
        (_, [_, _, ..]) => Err("in the ledger more than once"),
        (None, records) => {
            summary.unserved += 1;
            let free = |it: &Record| it.output == 0 || (it.outcome == "client_gone" && it.output <= waited(it));
            if records.iter().all(free) { Ok(()) } else { Err("nobody served this") }
        }
    }
}

/// The output that is charged for an answer of which nobody knows how far it was.
fn waited(record: &Record) -> u64 {
    1 + record.milliseconds / ABANDONED_AFTER
}

fn compare(asked: &Asked, served: &Served, record: &Record, summary: &mut Summary) -> Result<(), &'static str> {
    let count = &served.count;
    summary.ledger.0 += record.input;
    summary.ledger.1 += record.output;
    summary.provider.0 += count.prompt;
    summary.provider.1 += count.completion;
    if served.complete && served.usage_sent && asked.whole {
        summary.exact += 1;
        let ledger = (record.input, record.cached, record.output, record.reasoning, record.estimated);
        let provider = (count.prompt, count.cached, count.completion, count.reasoning, false);
        return if ledger == provider { Ok(()) } else { Err("a complete answer is not exact") };
    }
    if record.input.abs_diff(count.prompt) > PROMPT {
        return Err("the prompt is far off");
    }
    if !served.stream && record.outcome == "client_gone" {
        summary.abandoned += 1;
        let most = count.completion.max(waited(record));
        return if record.output <= most { Ok(()) } else { Err("too much for an answer that nobody waited for") };
    }
    summary.bounded += 1;
    if record.output > count.completion {
        return Err("the ledger holds more than was served");
    }
    if record.output < asked.seen {
        return Err("the client saw more than the ledger holds");
    }
    let short = count.completion - record.output;
    summary.short += short;
    summary.most_short = summary.most_short.max(short);
    Ok(())
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Self { exact, bounded, abandoned, short, most_short, unserved, ledger, provider } = self;
        writeln!(out, "complete, with usage: {exact}, all exact")?;
        writeln!(out, "broken off or without usage: {bounded}, {short} tokens short in all, at most {most_short}")?;
        writeln!(out, "plain, and nobody waited for them: {abandoned}")?;
        writeln!(out, "reached nobody: {unserved}")?;
        writeln!(out, "ledger: {} + {} tokens; provider: {} + {}", ledger.0, ledger.1, provider.0, provider.1)
    }
}
