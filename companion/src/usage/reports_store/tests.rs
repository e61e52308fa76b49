//! Reports on both kinds of database, against a sum of the records themselves.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test's own")]

use super::*;
use crate::usage::record::{Batch, Record};
use crate::usage::store;
use crate::usage::testing::{Scratch, both};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 2027-01-15T08:00:00Z, the beginning of an hour.
const NOW: u64 = 1_800_000_000_000_000;
const AN_HOUR: u64 = 3_600_000_000;

/// A moment in the three days before [`NOW`], often where an hour begins.
fn moment() -> impl Strategy<Value = u64> {
    (0..72_u64, select(vec![0, 0, 1, AN_HOUR - 1, AN_HOUR / 2, 60_000_000]))
        .prop_map(|(hour, rest)| NOW - (hour + 1) * AN_HOUR + rest)
}

fn records() -> impl Strategy<Value = Vec<Value>> {
    let names = (select(vec!["p1", "p2"]), select(vec!["ada", "eve", ""]), select(vec!["a/x", "b/y", ""]));
    let more =
        (select(vec![None, Some("key_1")]), select(vec!["platform", "byok"]), prop::option::of(0..5_000_000_i64));
    let one = (moment(), names, more, 0..1000_u64, any::<bool>());
    let record = |(nth, (at, (project, user, model), (key, source, cost), tokens, estimated))| {
        json!({
            "id": format!("u_{nth}"), "at": at, "node": "n1", "tenant": "acme", "project": project, "user": user, "key": key,
            "endpoint": "chat.completions", "model": model, "provider": "openai", "source": source, "status": 200,
            "stream": false, "outcome": "complete", "estimated": estimated, "input_tokens": tokens, "cached_tokens": 1,
            "cache_write_tokens": 2, "output_tokens": tokens / 2, "reasoning_tokens": 3, "cost_nanos": cost,
        })
    };
    prop::collection::vec(one, 300).prop_map(move |all| all.into_iter().enumerate().map(record).collect())
}

fn questions() -> impl Strategy<Value = (Window, Option<Step>, Vec<Group>, Scope)> {
    let steps = select(vec![None, Some(Step::Minute), Some(Step::Hour), Some(Step::Day)]);
    let groups = prop::sample::subsequence(Group::ALL.to_vec(), 0..=6);
    let scope = (prop::option::of(select(vec!["p1", "p2"])), prop::option::of(select(vec!["ada", "eve"])));
    let scope =
        scope.prop_map(|(project, user)| Scope { project: project.map(Into::into), user: user.map(Into::into) });
    (moment(), moment(), steps, groups, scope).prop_map(|(one, other, step, groups, scope)| {
        (Window { from: Micros(one.min(other)), to: Micros(one.max(other)) }, step, groups, scope)
    })
}

/// The same rows, from the records themselves.
fn added(records: &[Record], asked: &Asked<'_>) -> Vec<Row> {
    let mut sums = BTreeMap::<(Option<Micros>, Vec<String>), Sum>::new();
    for it in records {
        let at = Micros(u64::try_from(it.at).unwrap());
        let is_of = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|it| it == found);
        let in_scope = is_of(&asked.scope.project, &it.subject.project) && is_of(&asked.scope.user, &it.subject.user);
        if !in_scope || at < asked.window.from || at >= asked.window.to {
            continue;
        }
        let name = |group: &Group| match group {
            Group::Project => it.subject.project.clone(),
            Group::User => it.subject.user.clone(),
            Group::Key => it.subject.key.clone(),
            Group::Model => it.model.clone(),
            Group::Provider => it.provider.clone().unwrap_or_default(),
            Group::Source => it.source.name().to_owned(),
        };
        let at = asked.step.map(|step| Micros::from_seconds(at.seconds() / step.seconds() * step.seconds()));
        let sum = sums.entry((at, asked.groups.iter().map(name).collect())).or_default();
        let n = |it: i64| u64::try_from(it).unwrap();
        sum.requests += 1;
        sum.input_tokens += n(it.input_tokens);
        sum.cached_tokens += n(it.cached_tokens);
        sum.cache_write_tokens += n(it.cache_write_tokens);
        sum.output_tokens += n(it.output_tokens);
        sum.reasoning_tokens += n(it.reasoning_tokens);
        sum.cost_nanos += it.cost_nanos.unwrap_or_default();
        sum.unpriced += u64::from(it.cost_nanos.is_none());
        sum.estimated += u64::from(it.estimated);
    }
    sums.into_iter().map(|((at, names), sum)| Row { at, names, sum }).collect()
}

async fn store(scratch: &Scratch, records: &[Value]) -> Vec<Record> {
    let batch: Batch = serde_json::from_str(&json!({"records": records}).to_string()).unwrap();
    let (records, refused) = batch.records();
    assert_eq!(refused, 0);
    let stored = store::add(&scratch.db, &records.iter().collect::<Vec<_>>(), Micros(NOW)).await.unwrap();
    assert_eq!(stored.stored.len(), records.len());
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_window_step_and_group_adds_up_to_what_the_records_say() {
    let mut runner = TestRunner::deterministic();
    let said = records().new_tree(&mut runner).unwrap().current();
    let databases = both().await;
    let mut records = Vec::new();
    for database in &databases {
        records = store(database, &said).await;
    }
    let mut rows_seen = 0;
    for _ in 0..100 {
        let (window, step, groups, scope) = questions().new_tree(&mut runner).unwrap().current();
        let asked = Asked { scope: &scope, window, step, groups: &groups };
        let expected = added(&records, &asked);
        rows_seen += expected.len();
        for database in &databases {
            let mut rows = database.db.usage_rows(&asked).await.unwrap().unwrap();
            rows.sort_by(|one, other| (one.at, &one.names).cmp(&(other.at, &other.names)));
            assert_eq!(rows, expected, "{asked:?} at {}", database.url);
        }
    }
    assert!(rows_seen > 1000, "{rows_seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_too_many_rows_is_none() {
    let record = |nth: usize| {
        json!({"id": format!("u_{nth}"), "at": NOW, "node": "n1", "project": "p1", "user": format!("u{nth}"), "endpoint": "e",
            "model": "m", "source": "byok", "status": 200, "stream": false, "outcome": "complete", "estimated": false,
            "input_tokens": 1, "output_tokens": 1})
    };
    let records: Vec<_> = (0..=MAX_ROWS).map(record).collect();
    let window = Window { from: Micros(NOW), to: Micros(NOW + AN_HOUR) };
    for database in &both().await {
        store(database, &records[1..]).await;
        let scope = Scope::default();
        let by_user = Asked { scope: &scope, window, step: None, groups: &[Group::User] };
        assert_eq!(database.db.usage_rows(&by_user).await.unwrap().map(|it| it.len()), Some(MAX_ROWS));
        store(database, &records[..1]).await;
        assert_eq!(database.db.usage_rows(&by_user).await.unwrap(), None);
        let all = Asked { groups: &[], ..by_user };
        let rows = database.db.usage_rows(&all).await.unwrap().unwrap();
        assert_eq!((rows.len(), rows[0].sum.requests), (1, 10_001));
    }
}

#[tokio::test]
async fn a_sum_that_no_number_holds_is_the_largest_number() {
    let hour = |hour: i64, tokens: i64| {
        format!(
            "INSERT INTO usage_hours (hour, tenant, project, user_id, api_key, model, provider, source, requests, input_tokens,
             cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, unpriced, estimated)
             VALUES ({hour}, '', 'p1', 'ada', '', '', '', 'byok', 1, {tokens}, 999999999, 1000000001, 3, 0, {tokens}, 0, 0)"
        )
    };
    let window = Window { from: Micros(NOW), to: Micros(NOW + 3 * AN_HOUR) };
    let asked = Asked { scope: &Scope::default(), window, step: None, groups: &[Group::User] };
    for Scratch { db, .. } in &both().await {
        const FITS: i64 = 9_223_372_035_999_999_999;
        for (nth, tokens) in [(0, FITS), (1, 1), (2, i64::MAX)] {
            sqlx::query(AssertSqlSafe(hour(500_000 + nth, tokens))).execute(db.pool()).await.unwrap();
            let rows = db.usage_rows(&asked).await.unwrap().unwrap();
            let [Row { sum, .. }] = &rows[..] else { panic!("{rows:?}") };
            let most = if nth == 0 { FITS } else { i64::MAX };
            assert_eq!((sum.input_tokens, sum.cost_nanos), (most.unsigned_abs(), most));
            let count = nth.unsigned_abs() + 1;
            let others = [sum.requests, sum.cached_tokens, sum.cache_write_tokens, sum.output_tokens];
            assert_eq!(others, [count, count * 999_999_999, count * 1_000_000_001, count * 3]);
        }
    }
}
