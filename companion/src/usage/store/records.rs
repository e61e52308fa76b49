//! Usage records and what hangs on them, in one transaction: hours, budgets, events.

use super::{charges, pieces, query, sum, values};
use crate::usage::Db;
use crate::usage::charges::gather;
use crate::usage::record::Record;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// How often a transaction is tried that lost to another, before its batch is sent again later.
const TRIES: usize = 3;
const RECORD: &str = "INSERT INTO usage_records (id, at, hour, node, tenant, project, user_id, api_key, request_id, endpoint, model,
    provider_model, provider, source, status, stream, outcome, estimated, cut_by_budget, input_tokens, cached_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, price_input, price_output, price_cached, price_cache_write,
    duration_ms) VALUES ";
const RECORD_COLUMNS: usize = 30;
const HOUR: &str =
    "INSERT INTO usage_hours (project, user_id, hour, tenant, api_key, model, provider, source, requests, input_tokens,
    cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, unpriced, estimated) VALUES ";
const HOUR_COLUMNS: usize = 17;
/// The columns of a roll-up that are added up.
pub(crate) const SUMS: [&str; 9] = [
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanos",
    "unpriced",
    "estimated",
];

/// What became of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Added {
    /// Which are new, by their ids.
    pub(crate) stored: BTreeSet<String>,
    /// Which the database would never take, by their ids.
    pub(crate) refused: BTreeSet<String>,
    /// How many events were written into the outbox.
    pub(crate) events: u64,
}

/// Adds `records`, each with its own id, that are not there yet, and what they were charged, all at once.
/// Records that the database would never take are left out, and found by halves.
///
/// # Errors
/// When the database does not answer; then nothing of some half is added, and all may be sent again.
pub(crate) async fn add(db: &Db, records: &[&Record], now: Micros) -> Result<Added, sqlx::Error> {
    let (mut added, mut halves) = (Added::default(), vec![records]);
    while let Some(half) = halves.pop() {
        match (attempt(db, half, now).await, half) {
            (Ok((stored, events)), _) => {
                added.stored.extend(stored);
                added.events = added.events.saturating_add(events);
            }
            (Err(error), [one]) if is_of_the_data(&error) => {
                tracing::error!(record = one.id, "the database does not take a usage record");
                added.refused.insert(one.id.clone());
            }
            (Err(error), _) if is_of_the_data(&error) => {
                let (first, second) = half.split_at(half.len() / 2);
                halves.extend([second, first]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(added)
}

/// Which records are new, and how many events they made.
type Stored = (BTreeSet<String>, u64);

async fn attempt(db: &Db, records: &[&Record], now: Micros) -> Result<Stored, sqlx::Error> {
    let mut tries = 1;
    loop {
        match add_all(db, records, now).await {
            Err(error) if tries < TRIES && lost_to_another(&error) => tries = tries.saturating_add(1),
            result => return result,
        }
    }
}

async fn add_all(db: &Db, records: &[&Record], now: Micros) -> Result<Stored, sqlx::Error> {
    let mut tx = db.write().await?;
    let mut rows = records.to_vec();
    rows.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let mut stored = BTreeSet::new();
    for piece in pieces(&rows) {
        stored.extend(insert(&mut tx, piece).await?);
    }
    rows.retain(|it| stored.contains(&it.id));
    let hours: Vec<_> = sums(&rows).into_iter().collect();
    for piece in pieces(&hours) {
        add_hours(&mut tx, piece).await?;
    }
    let events = charges::charge(&mut tx, &gather(rows, now), now).await?;
    tx.commit().await?;
    Ok((stored, events))
}

/// Inserts those that are not there, and says which.
async fn insert(tx: &mut AnyConnection, records: &[&Record]) -> Result<Vec<String>, sqlx::Error> {
    let rows = values(records.len(), RECORD_COLUMNS);
    let mut query = query(format!("{RECORD}{rows} ON CONFLICT DO NOTHING RETURNING id"));
    for it in records {
        let (subject, price) = (&it.subject, it.price.as_ref());
        query = query.bind(&it.id).bind(it.at).bind(it.hour()).bind(&it.node);
        query = query.bind(&subject.tenant).bind(&subject.project).bind(&subject.user).bind(&subject.key);
        query = query.bind(text(&it.request_id)).bind(&it.endpoint).bind(&it.model);
        query = query.bind(text(&it.provider_model)).bind(text(&it.provider)).bind(it.source.name());
        query = query.bind(i64::from(it.status)).bind(i64::from(it.stream)).bind(it.outcome.name());
        query = query.bind(i64::from(it.estimated)).bind(i64::from(it.cut_by_budget));
        query = query.bind(it.input_tokens).bind(it.cached_tokens).bind(it.cache_write_tokens);
        query = query.bind(it.output_tokens).bind(it.reasoning_tokens).bind(it.cost_nanos);
        query = query.bind(price.map(|it| it.input)).bind(price.map(|it| it.output));
        query = query.bind(price.and_then(|it| it.cached)).bind(price.and_then(|it| it.cache_write));
        query = query.bind(it.duration_ms);
    }
    query.fetch_all(tx).await?.iter().map(|it| it.try_get(0)).collect()
}

/// What is added up together: project, user, hour, tenant, key, model, provider, source.
type HourKey<'a> = (&'a str, &'a str, i64, &'a str, &'a str, &'a str, &'a str, &'a str);

fn sums<'a>(records: &[&'a Record]) -> BTreeMap<HourKey<'a>, [i64; 9]> {
    let mut hours = BTreeMap::<HourKey<'a>, [i64; 9]>::new();
    for it in records {
        let subject = &it.subject;
        let (provider, source) = (text(&it.provider), it.source.name());
        let key = (
            &*subject.project,
            &*subject.user,
            it.hour(),
            &*subject.tenant,
            &*subject.key,
            &*it.model,
            provider,
            source,
        );
        let counts = [
            1,
            it.input_tokens,
            it.cached_tokens,
            it.cache_write_tokens,
            it.output_tokens,
            it.reasoning_tokens,
            it.cost_nanos.unwrap_or_default(),
            i64::from(it.cost_nanos.is_none()),
            i64::from(it.estimated),
        ];
        let sums = hours.entry(key).or_default();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }
    hours
}

async fn add_hours(tx: &mut AnyConnection, hours: &[(HourKey<'_>, [i64; 9])]) -> Result<(), sqlx::Error> {
    let rows = values(hours.len(), HOUR_COLUMNS);
    let sums = SUMS.map(|it| format!("{it} = {}", sum("usage_hours", it, &format!("excluded.{it}")))).join(", ");
    let conflict = "ON CONFLICT (project, user_id, hour, tenant, api_key, model, provider, source) DO UPDATE SET";
    let mut query = query(format!("{HOUR}{rows} {conflict} {sums}"));
    for ((project, user, hour, tenant, key, model, provider, source), sums) in hours {
        query = query.bind(*project).bind(*user).bind(*hour).bind(*tenant).bind(*key);
        query = query.bind(*model).bind(*provider).bind(*source);
        query = sums.iter().fold(query, |query, sum| query.bind(*sum));
    }
    query.execute(tx).await.map(|_| ())
}

/// Absent is empty.
fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

/// Whether the same statement would fail for ever: SQLSTATE classes 22 (data exception), 23 (integrity)
/// and 54 (limits), and SQLite's own CONSTRAINT, MISMATCH and TOOBIG.
fn is_of_the_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    let Some(code) = code.as_deref() else {
        return false;
    };
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number % 256, 18..=20),
        _ => ["22", "23", "54"].iter().any(|it| code.starts_with(it)),
    }
}

/// Whether the transaction is worth another try at once: a deadlock, or a conflict of two.
fn lost_to_another(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    matches!(code.as_deref(), Some("40001" | "40P01"))
}
