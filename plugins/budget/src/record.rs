//! What is reported of a request that used something: `POST /internal/v1/usage`.

use crate::{
    config::Kind,
    rules::{Rule, Subject},
};
use domain::{budget::Terms, caller::Caller, chat::Endpoint, money::Usd, price::Price, slots::Seed, usage::Usage};
use serde::Serialize;
use std::{
    cell::Cell,
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// As its provider meant it.
    Complete,
    /// The client went away.
    ClientGone,
    /// The provider went away.
    UpstreamGone,
    /// A budget ended it.
    Cut,
}

/// A usage record.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) id: String,
    pub(crate) at: u64,
    pub(crate) node: &'a str,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) project: &'a str,
    pub(crate) user: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) endpoint: &'static str,
    pub(crate) model: &'a str,
    pub(crate) provider_model: Option<&'a str>,
    pub(crate) provider: Option<&'a str>,
    pub(crate) source: &'static str,
    pub(crate) status: u16,
    pub(crate) stream: bool,
    pub(crate) outcome: Outcome,
    pub(crate) estimated: bool,
    pub(crate) cut_by_budget: bool,
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) reasoning_tokens: u64,
    pub(crate) cost_nanos: Option<i64>,
    pub(crate) price: Option<Price>,
    pub(crate) duration_ms: u64,
    pub(crate) charges: Vec<Charge<'a>>,
}

/// What a budget is charged.
#[derive(Serialize)]
pub(crate) struct Charge<'a> {
    budget: &'a str,
    subject: &'a Subject,
    unit: &'static str,
    limit: u64,
    start: u64,
    end: u64,
    window_seconds: Option<u64>,
    kind: &'static str,
    alerts: &'a BTreeSet<u8>,
    amount: u64,
}

impl<'a> Charge<'a> {
    pub(crate) fn of(rule: &'a Rule, subject: &'a Subject, terms: &Terms, amount: u64) -> Self {
        let window_seconds = rule.window();
        let moment = |it: u64| if window_seconds.is_some() { 0 } else { it.min(i64::MAX.unsigned_abs()) };
        Self {
            budget: &rule.name,
            subject,
            unit: rule.unit(),
            limit: terms.limit.min(i64::MAX.unsigned_abs()),
            start: moment(terms.start.0),
            end: moment(terms.end.0),
            window_seconds,
            kind: if rule.kind == Kind::Hard { "hard" } else { "soft" },
            alerts: &rule.alerts,
            amount,
        }
    }
}

impl<'a> Record<'a> {
    /// Says whose it is.
    pub(crate) fn of(id: String, node: &'a str, caller: &'a Caller, endpoint: Endpoint, model: &'a str) -> Self {
        Self {
            id,
            at: 0,
            node,
            tenant: caller.tenant.as_deref(),
            project: &caller.project,
            user: &caller.user,
            key: caller.key.as_deref(),
            request_id: None,
            endpoint: name(endpoint),
            model,
            provider_model: None,
            provider: None,
            source: "platform",
            status: 0,
            stream: false,
            outcome: Outcome::Complete,
            estimated: false,
            cut_by_budget: false,
            input_tokens: 0,
            cached_tokens: 0,
            cache_write_tokens: 0,
            output_tokens: 0,
            reasoning_tokens: 0,
            cost_nanos: None,
            price: None,
            duration_ms: 0,
            charges: Vec::new(),
        }
    }

    /// Says how much it was, and what it cost.
    pub(crate) fn used(&mut self, usage: &Usage, price: Option<&Price>) {
        self.input_tokens = usage.input;
        self.cached_tokens = usage.cached;
        self.cache_write_tokens = usage.cache_write;
        self.output_tokens = usage.output;
        self.reasoning_tokens = usage.reasoning;
        self.cost_nanos = price.map(|it| it.cost(usage)).map(Usd::nanos);
        self.price = price.map(|it| it.of(usage));
    }

    /// The record as JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        // Numbers, strings and their lists always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "chat.completions",
        Endpoint::Completions => "completions",
        Endpoint::Embeddings => "embeddings",
        Endpoint::Responses => "responses",
        Endpoint::Messages => "messages",
    }
}

/// Makes names for records that no other worker, gateway or start of this one makes. They need not be secret.
pub(crate) struct Ids {
    start: u64,
    next: Cell<u64>,
}

impl Ids {
    /// Those of this worker, from now on.
    pub(crate) fn new(now: domain::time::Micros) -> Self {
        Self { start: RandomState::new().hash_one(now.0), next: Cell::new(0) }
    }

    /// One more, of the gateway that has this seed.
    pub(crate) fn next(&self, seed: &Seed) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let mut hasher = DefaultHasher::new();
        (seed.bytes(), "\0record").hash(&mut hasher);
        // A start's names differ in the second half, two starts' in the first; the seed tells gateways apart.
        format!("u_{:016x}{:016x}", self.start, hasher.finish() ^ number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, rules::Rules};
    use domain::time::Micros;

    #[test]
    fn a_record_is_what_the_companion_reads() {
        let json = br#"{"budgets":[{"name":"b","key":"user","tokens":1000,"per":"day"}]}"#;
        let rules = Rules::of(&Config::parse(json).unwrap()).unwrap();
        let rule = &rules.of_project("p")[0];
        let caller = Caller { project: "p".into(), user: "ada".into(), tenant: Some("t".into()), ..Caller::default() };
        let subject = rule.subject(&caller);
        let price =
            Price { input: 2_500_000, output: 10_000_000, cached: None, cache_write: None, long: None, priority: None };
        let mut record = Record::of("u_1".into(), "n", &caller, Endpoint::ChatCompletions, "openai/gpt-4o");
        record.used(&Usage { input: 12, output: 7, ..Usage::default() }, Some(&price));
        record.outcome = Outcome::ClientGone;
        record.charges.push(Charge::of(rule, &subject, &rule.terms(None, Micros(5)), 19));
        let want = concat!(
            r#"{"id":"u_1","at":0,"node":"n","tenant":"t","project":"p","user":"ada","key":null,"request_id":null,"#,
            r#""endpoint":"chat.completions","model":"openai/gpt-4o","provider_model":null,"provider":null,"source":"platform","#,
            r#""status":0,"stream":false,"outcome":"client_gone","estimated":false,"cut_by_budget":false,"input_tokens":12,"#,
            r#""cached_tokens":0,"cache_write_tokens":0,"output_tokens":7,"reasoning_tokens":0,"cost_nanos":100000,"#,
            r#""price":{"input":2500000,"output":10000000,"cached":null,"cache_write":null},"duration_ms":0,"#,
            r#""charges":[{"budget":"b","subject":{"tenant":null,"project":"p","user":"ada","key":null},"unit":"tokens","#,
            r#""limit":1000,"start":0,"end":86400000000,"window_seconds":null,"kind":"hard","alerts":[50,80,95,100],"amount":19}]}"#
        );
        assert_eq!(String::from_utf8(record.json()).unwrap(), want);
    }

    #[test]
    fn no_two_records_have_one_name() {
        let (one, other, seed) = (Ids::new(Micros(1)), Ids::new(Micros(1)), Seed::new([1; 16]));
        let seeds = [seed, Seed::new([2; 16])];
        let mut names: Vec<String> =
            [&one, &other].iter().flat_map(|ids| seeds.iter().map(|it| ids.next(it))).collect();
        names.extend([one.next(&seed), one.next(&seed)]);
        assert!(names.iter().all(|it| it.len() == 34));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 6);
    }
}
