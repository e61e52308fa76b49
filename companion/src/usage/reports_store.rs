//! The SQL of reports: only reads.
//!
//! Whole hours come from the roll-up; what of a window is no whole hour, and steps of a minute, come from the records
//! themselves, so that a sum is exact whatever the window.

use super::question::{Group, Scope};
use super::report::{Row, Sum};
use super::store::records::SUMS;
use super::window::{HOUR, Step, Window, ceil, floor};
use crate::db::{Db, to_sql};
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

/// How many rows an answer may have.
pub(crate) const MAX_ROWS: usize = 10_000;

/// The columns that are added up, as a record has them.
const SUMS_OF_RECORD: &str = "1 AS requests, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, COALESCE(cost_nanos, 0) AS cost_nanos, CASE WHEN cost_nanos IS NULL THEN 1 ELSE 0 END AS unpriced,
    estimated";
/// No record has this hour.
const NO_HOUR: i64 = -1;
const NAMES: &str = "project, user_id, api_key, model, provider, source";

/// What is to be added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// Whose.
    pub(crate) scope: &'a Scope,
    /// When.
    pub(crate) window: Window,
    /// In which steps; `None`: in one.
    pub(crate) step: Option<Step>,
    /// By what rows are kept apart.
    pub(crate) groups: &'a [Group],
}

/// A statement in the making, with what its placeholders stand for.
#[derive(Debug, Default)]
struct Statement<'a> {
    numbers: Vec<i64>,
    texts: Vec<&'a str>,
}

impl Db {
    /// The rows that answer `asked`, in no order; `None` when they are more than [`MAX_ROWS`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn usage_rows(&self, asked: &Asked<'_>) -> Result<Option<Vec<Row>>, sqlx::Error> {
        let mut statement = Statement::default();
        let sql = asked.sql(&mut statement);
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for number in statement.numbers {
            query = query.bind(number);
        }
        for text in statement.texts {
            query = query.bind(text.to_owned());
        }
        let (permit, pool) = (self.reading().await?, self.pool().clone());
        // By itself: SQLite reads on when whoever asked has gone, and who asks and goes must not get round the bound.
        let reading = tokio::spawn(async move {
            let rows = query.fetch_all(&pool).await;
            drop(permit);
            rows
        });
        let rows = Db::bounded(async { reading.await.map_err(|_| sqlx::Error::WorkerCrashed)? }).await?;
        if rows.len() > MAX_ROWS {
            return Ok(None);
        }
        rows.iter().map(|row| asked.row(row)).collect::<Result<Vec<_>, _>>().map(Some)
    }
}

impl<'a> Asked<'a> {
    /// Numbers are bound before texts, so that each knows its place.
    fn sql(&self, statement: &mut Statement<'a>) -> String {
        let step = self.step.map_or("0", |step| match step {
            Step::Minute => "at / 60000000",
            Step::Hour => "hour",
            Step::Day => "hour / 24",
        });
        let rows = if self.step == Some(Step::Minute) { self.minutes(statement) } else { self.hours(statement) };
        let names: String = self.groups.iter().map(|it| format!(", {}", column(*it))).collect();
        let sums: Vec<_> = SUMS.iter().map(|it| sum(it)).collect();
        let group: Vec<_> = (1..=self.groups.len().saturating_add(1)).map(|it| it.to_string()).collect();
        let (sums, group, limit) = (sums.join(", "), group.join(", "), MAX_ROWS.saturating_add(1));
        format!("SELECT {step} AS step{names}, {sums} FROM ({rows}) AS used GROUP BY {group} LIMIT {limit}")
    }

    fn minutes(&self, statement: &mut Statement<'a>) -> String {
        let Window { from, to } = self.window;
        let numbers = [to_sql(from), to_sql(to), hour(from), hour(to)].map(|it| statement.number(it));
        let [from, to, first, last] = numbers;
        let scope = self.scope(statement);
        // The hours are what the indexes know.
        format!(
            "SELECT at, hour, {NAMES}, {SUMS_OF_RECORD} FROM usage_records
             WHERE hour >= {first} AND hour <= {last} AND at >= {from} AND at < {to}{scope}"
        )
    }

    fn hours(&self, statement: &mut Statement<'a>) -> String {
        let Window { from, to } = self.window;
        let (first, end) = (ceil(from, HOUR), floor(to, HOUR));
        let whole = [hour(first), hour(end)].map(|it| statement.number(it));
        let edges = (first != from || end != to).then(|| {
            // An hour that is whole on one side stands in the roll-up, or outside.
            let begun = if first == from { NO_HOUR } else { hour(from) };
            let ended = if end == to { NO_HOUR } else { hour(to) };
            [begun, ended, to_sql(from), to_sql(to)].map(|it| statement.number(it))
        });
        let scope = self.scope(statement);
        let [first, end] = whole;
        let sums = SUMS.join(", ");
        let rolled =
            format!("SELECT hour, {NAMES}, {sums} FROM usage_hours WHERE hour >= {first} AND hour < {end}{scope}");
        let Some([begun, ended, from, to]) = edges else {
            return rolled;
        };
        format!(
            "{rolled} UNION ALL SELECT hour, {NAMES}, {SUMS_OF_RECORD} FROM usage_records
             WHERE hour IN ({begun}, {ended}) AND at >= {from} AND at < {to}{scope}"
        )
    }

    fn scope(&self, statement: &mut Statement<'a>) -> String {
        let Scope { project, user } = self.scope;
        let both = [("project", project), ("user_id", user)];
        let known = both.into_iter().filter_map(|(column, value)| Some((column, value.as_deref()?)));
        known.map(|(column, value)| format!(" AND {column} = {}", statement.text(value))).collect()
    }

    fn row(&self, row: &AnyRow) -> Result<Row, sqlx::Error> {
        let number = |name: &str| row.try_get::<i64, _>(name).map(|it| u64::try_from(it).unwrap_or_default());
        let names = self.groups.iter().map(|it| row.try_get(column(*it)));
        let at = |step: Step| number("step").map(|it| Micros::from_seconds(it.saturating_mul(step.seconds())));
        Ok(Row {
            at: self.step.map(at).transpose()?,
            names: names.collect::<Result<_, _>>()?,
            sum: Sum {
                requests: number("requests")?,
                input_tokens: number("input_tokens")?,
                cached_tokens: number("cached_tokens")?,
                cache_write_tokens: number("cache_write_tokens")?,
                output_tokens: number("output_tokens")?,
                reasoning_tokens: number("reasoning_tokens")?,
                cost_nanos: row.try_get("cost_nanos")?,
                unpriced: number("unpriced")?,
                estimated: number("estimated")?,
            },
        })
    }
}

impl<'a> Statement<'a> {
    fn number(&mut self, number: i64) -> String {
        self.numbers.push(number);
        format!("${}", self.numbers.len())
    }

    fn text(&mut self, text: &'a str) -> String {
        self.texts.push(text);
        format!("${}", self.numbers.len().saturating_add(self.texts.len()))
    }
}

/// The sum of a column whose values are not below zero: what passes 9.22 times 10 to the 18 is the largest number. Added up in two parts, because
/// SQLite fails at a sum that it cannot hold.
fn sum(column: &str) -> String {
    const PART: i64 = 1_000_000_000;
    let (most, top) = (i64::MAX, i64::MAX / PART);
    let (high, low) = (format!("SUM({column} / {PART})"), format!("SUM({column} % {PART})"));
    format!(
        "CASE WHEN {high} + {low} / {PART} >= {top} THEN {most} ELSE CAST({high} * {PART} + {low} AS BIGINT) END AS {column}"
    )
}

const fn column(group: Group) -> &'static str {
    match group {
        Group::Project => "project",
        Group::User => "user_id",
        Group::Key => "api_key",
        Group::Model => "model",
        Group::Provider => "provider",
        Group::Source => "source",
    }
}

fn hour(at: Micros) -> i64 {
    to_sql(at).div_euclid(3_600_000_000)
}

#[cfg(test)]
mod tests;
