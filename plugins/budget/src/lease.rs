//! Questions to the companion about shares of budgets: `POST /internal/v1/budgets/lease`.

use crate::rules::{Rule, Subject};
use domain::{
    budget::{Answer, Question, Terms},
    slots::Place,
    time::Micros,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, rc::Rc};

/// Where they go.
pub(crate) const PATH: &str = "/internal/v1/budgets/lease";
/// How many one question holds at the most.
pub(crate) const MOST: usize = 256;
/// How many accounts a worker looks after at the most; the one that was not used for longest is left out.
const MOST_HOT: usize = 1_024;

/// What an ordinary request needs, in tokens and in nano-dollars.
const ORDINARY_TOKENS: u64 = 8_192;
const ORDINARY_NANOS: u64 = 50_000_000;
/// What a byte of a request costs at the most, by a dear model.
const NANOS_A_BYTE: u64 = 10_000;

/// One key's part of a question.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) account: Account,
    pub(crate) question: Question,
    /// What a request lacks.
    pub(crate) need: u64,
    /// What would be good to have.
    pub(crate) want: u64,
}

/// An account of a leased budget.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) rule: Rc<Rule>,
    pub(crate) terms: Terms,
    pub(crate) place: Place,
    pub(crate) subject: Subject,
    pub(crate) tier: Option<String>,
}

impl Account {
    /// What it is good to have at hand: a fiftieth of the limit, and enough for an ordinary request.
    pub(crate) fn want(&self) -> u64 {
        let ordinary = if self.rule.money { ORDINARY_NANOS } else { ORDINARY_TOKENS };
        self.terms.limit.div_ceil(50).max(ordinary).min(self.terms.limit)
    }

    /// What a request may need of which only the length is known.
    pub(crate) fn need(&self, bytes: u64) -> u64 {
        let each = if self.rule.money { NANOS_A_BYTE } else { 1 };
        self.want().saturating_add(bytes.saturating_mul(each)).min(self.terms.limit)
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    node: &'a str,
    leases: Vec<Lease<'a>>,
}

#[derive(Serialize)]
struct Lease<'a> {
    budget: &'a str,
    subject: &'a Subject,
    unit: &'static str,
    limit: u64,
    start: u64,
    end: u64,
    window_seconds: Option<u64>,
    turn: u64,
    granted: u64,
    need: u64,
    want: u64,
}

/// The companion counts in 64 bits with a sign.
fn signed(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}

/// The question's body.
pub(crate) fn question(node: &str, asked: &[Asked]) -> Vec<u8> {
    // Numbers, strings and their lists always serialise; an empty body, which can not be, would be refused.
    serde_json::to_vec(&Batch { node, leases: asked.iter().map(Lease::of).collect() }).unwrap_or_default()
}

impl<'a> Lease<'a> {
    fn of(asked: &'a Asked) -> Self {
        let Asked { account, question, need, want } = asked;
        let Account { rule, terms, subject, .. } = account;
        let window_seconds = rule.window();
        let moment = |it: u64| if window_seconds.is_some() { 0 } else { signed(it) };
        Self {
            budget: &rule.name,
            subject,
            unit: rule.unit(),
            limit: terms.limit,
            start: moment(terms.start.0),
            end: moment(terms.end.0),
            window_seconds,
            turn: signed(question.turn),
            granted: signed(question.granted),
            need: (*need).min(terms.limit),
            want: (*want).min(terms.limit),
        }
    }
}

#[derive(Deserialize)]
struct Answers {
    leases: Vec<OneAnswer>,
}

#[derive(Deserialize)]
struct OneAnswer {
    granted: u64,
    used: u64,
    left: u64,
    #[serde(default)]
    charged: u64,
}

/// Reads an answer to `count` questions; `None` when it is none.
pub(crate) fn answers(status: u16, body: &[u8], count: usize) -> Option<Vec<Answer>> {
    let answers: Answers = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
    let answer = |it: OneAnswer| Answer { granted: it.granted, used: it.used, left: it.left, charged: it.charged };
    (answers.leases.len() == count).then(|| answers.leases.into_iter().map(answer).collect())
}

/// The leased accounts that this worker used lately.
#[derive(Default)]
pub(crate) struct Hot(BTreeMap<u64, (Micros, Account)>);

impl Hot {
    pub(crate) fn used(&mut self, account: &Account, now: Micros) {
        let key = account.place.key();
        if self.0.len() >= MOST_HOT && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| *key);
            oldest.map(|it| self.0.remove(&it));
        }
        self.0.insert(key, (now, account.clone()));
    }

    pub(crate) fn forget(&mut self, key: u64) {
        self.0.remove(&key);
    }

    /// All of them, at the terms that hold now.
    pub(crate) fn all(&self, now: Micros) -> Vec<Account> {
        let renewed =
            |(_, it): &(Micros, Account)| Account { terms: it.rule.terms(it.tier.as_deref(), now), ..it.clone() };
        self.0.values().map(renewed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, rules::Rules};
    use domain::{caller::Caller, slots::Seed};

    fn account(user: &str) -> Account {
        let json = br#"{"budgets":[{"name":"b","key":"user","tokens":1000,"per":"day","scope":"fleet"}],
            "companion":{"cluster":"c","secret":{"value":"s"}}}"#;
        let rules = Rules::of(&Config::parse(json).unwrap()).unwrap();
        let rule = Rc::clone(&rules.of_project("p")[0]);
        let caller = Caller { project: "p".into(), user: user.into(), ..Caller::default() };
        Account {
            terms: rule.terms(None, Micros(5)),
            place: rule.place(&caller, &Seed::new([1; 16]), std::num::NonZeroU32::MIN),
            subject: rule.subject(&caller),
            tier: None,
            rule,
        }
    }

    #[test]
    fn a_question_is_what_the_companion_reads() {
        let question = Question { turn: 3, granted: 20, fresh: false, at: Micros(5) };
        let asked = Asked { account: account("ada"), question, need: 9, want: 20 };
        let json = String::from_utf8(super::question("0123456789abcdef", &[asked])).unwrap();
        assert_eq!(
            json,
            r#"{"node":"0123456789abcdef","leases":[{"budget":"b","subject":{"tenant":null,"project":"p","user":"ada","key":null},"unit":"tokens","limit":1000,"start":0,"end":86400000000,"window_seconds":null,"turn":3,"granted":20,"need":9,"want":20}]}"#
        );
    }

    #[test]
    fn an_answer_has_as_many_leases_as_were_asked_for() {
        let body = br#"{"leases":[{"granted":40,"used":3,"left":6,"expires_in_ms":60000}]}"#;
        let want = Answer { granted: 40, used: 3, left: 6, charged: 0 };
        assert_eq!(answers(200, body, 1), Some(vec![want]));
        assert_eq!(answers(200, body, 2), None);
        assert_eq!(answers(503, body, 1), None);
        for garbage in [&b""[..], b"{}", br#"{"leases":[{"granted":-1,"used":0,"left":0}]}"#, b"\xff"] {
            assert_eq!(answers(200, garbage, 1), None);
        }
    }

    #[test]
    fn the_list_of_hot_accounts_is_bounded_and_the_oldest_goes() {
        let mut hot = Hot::default();
        for nth in 0..=1_024_u64 {
            hot.used(&account(&nth.to_string()), Micros(nth + 1));
        }
        assert_eq!(hot.all(Micros(9)).len(), 1_024);
        hot.forget(account("0").place.key());
        assert_eq!(hot.all(Micros(9)).len(), 1_024, "the first one was gone");
    }
}
