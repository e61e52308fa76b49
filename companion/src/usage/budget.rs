//! Budgets: a gateway asks what it may spend.

use super::Db;
use super::leases::{Ask, LEASE};
use super::record::{Period, is_id, is_limit};
use super::store::{self, Answer, Question};
use crate::failure::Failure;
use crate::metrics::{Count, Metrics};
use domain::time::Micros;
use serde::{Deserialize, Serialize};

/// Questions of one request.
const MOST: usize = 256;

/// What a gateway asks, of several budgets at once.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetLeaseQuestions"))]
pub(crate) struct Questions {
    /// The gateway that asks.
    node: String,
    /// Of each budget.
    leases: Vec<LeaseQuestion>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetLeaseQuestion"))]
struct LeaseQuestion {
    /// Of which budget, in which period.
    #[serde(flatten)]
    period: Period,
    /// When the period ends.
    end: i64,
    /// How much may be used in the period.
    limit: i64,
    /// The number of the question; a later one has a higher one.
    turn: i64,
    /// What the gateway knows to be granted since it first asked. Less than it was granted gives the rest
    /// back; 2^63 - 1 says that it waits for another answer.
    granted: i64,
    /// What it cannot do without.
    need: i64,
    /// What it would like.
    want: i64,
}

/// The answers, in the order of the questions.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetLeases"))]
pub(crate) struct Answers {
    leases: Vec<LeaseAnswer>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetLease"))]
struct LeaseAnswer {
    /// Granted since the gateway first asked.
    granted: i64,
    /// What the gateway's records were charged since then.
    charged: i64,
    /// Used in the period, by all gateways.
    used: i64,
    /// What is neither used nor granted to anybody.
    left: i64,
    /// For how long what is granted may be spent.
    expires_in_ms: u64,
}

/// Leases budgets to gateways.
#[derive(Debug)]
pub(crate) struct Budgets {
    db: Db,
    /// The last moment before this companion's start at which a gateway asked, and the end of the time in
    /// which leases that were good then are held to be so still. While no companion ran, no gateway could
    /// ask; what they spent meanwhile is on its way.
    before: Micros,
    until: Micros,
    metrics: Metrics,
}

impl Budgets {
    /// Begins at `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn open(db: Db, metrics: Metrics, now: Micros) -> Result<Self, sqlx::Error> {
        let before = store::last_ask(&db).await?.unwrap_or(now);
        Ok(Self { db, before, until: now.after(LEASE), metrics })
    }

    /// Answers a gateway's questions.
    ///
    /// # Errors
    /// 400 when a question is not one; 503 when the database does not answer.
    pub(crate) async fn ask(&self, questions: Questions, now: Micros) -> Result<Answers, Failure> {
        if !is_id(&questions.node) {
            return Err(Failure::invalid("node", "expected 1 to 64 visible ASCII characters"));
        }
        if questions.leases.len() > MOST {
            let what = format!("expected at most {MOST} questions, found {}", questions.leases.len());
            return Err(Failure::invalid("leases", what));
        }
        let wrong = questions.leases.iter().position(|it| !it.is_good());
        if let Some(nth) = wrong {
            let what = "expected names of no more than 1800 bytes together, and numbers from 0 to 10^18";
            return Err(Failure::invalid(&format!("leases[{nth}]"), what));
        }
        let asked: Vec<_> = questions.leases.into_iter().map(Question::from).collect();
        let alive = if now < self.until { self.before.min(now) } else { now };
        let answers = Db::bounded(store::ask(&self.db, &questions.node, &asked, now, alive)).await?;
        self.count(&answers);
        Ok(Answers { leases: answers.into_iter().map(LeaseAnswer::from).collect() })
    }

    fn count(&self, answers: &[Answer]) {
        let granted = answers.iter().filter(|it| it.enough).count();
        let refused = answers.len().saturating_sub(granted);
        self.metrics.add(Count::BudgetLeaseGranted, u64::try_from(granted).unwrap_or(u64::MAX));
        self.metrics.add(Count::BudgetLeaseRefused, u64::try_from(refused).unwrap_or(u64::MAX));
    }
}

impl LeaseQuestion {
    fn is_good(&self) -> bool {
        let numbers = [self.limit, self.turn, self.need, self.want];
        self.period.is_good() && self.end >= self.period.start && self.granted >= 0 && numbers.into_iter().all(is_limit)
    }
}

impl From<LeaseQuestion> for Question {
    fn from(it: LeaseQuestion) -> Self {
        let ask = Ask { turn: it.turn, granted: it.granted, need: it.need, want: it.want };
        Self { period: it.period, end: it.end, limit: it.limit, ask }
    }
}

impl From<Answer> for LeaseAnswer {
    fn from(it: Answer) -> Self {
        let expires_in_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        Self { granted: it.granted, charged: it.charged, used: it.used, left: it.left, expires_in_ms }
    }
}
