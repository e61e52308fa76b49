//! Everything on both kinds of database.

use super::*;
use crate::usage::charges::EXHAUSTED;
use crate::usage::leases::{Ask, LEASE};
use crate::usage::record::{Batch, Record};
use crate::usage::testing::{Scratch, both};
use domain::time::Micros;
use serde_json::{Value, json};
use sqlx::{AnyPool, Row};
use std::time::Duration;

/// 2027-01-15T08:00:00Z, the beginning of an hour.
const NOW: Micros = Micros(1_800_000_000_000_000);

/// A record, with what `changes` says.
fn record(id: &str, changes: Value) -> Value {
    let mut record = json!({
        "id": id, "at": NOW.0, "node": "n1", "tenant": "acme", "project": "p1", "user": "ada", "key": "key_1",
        "request_id": "r1", "endpoint": "chat.completions", "model": "openai/gpt-4o", "provider_model": null,
        "provider": "openai", "source": "platform", "status": 200, "stream": true, "outcome": "complete",
        "estimated": false, "cut_by_budget": false, "input_tokens": 12, "cached_tokens": 2, "cache_write_tokens": 1,
        "output_tokens": 7, "reasoning_tokens": 3, "cost_nanos": 123,
        "price": {"input": 2_500_000, "output": 10_000_000, "cached": 1_250_000, "cache_write": null},
        "duration_ms": 1234, "charges": [],
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}

/// A charge to Ada's tokens of the day, with what `changes` says.
fn charge(amount: i64, changes: Value) -> Value {
    let mut charge = json!({
        "budget": "user-daily", "subject": {"tenant": null, "project": "p1", "user": "ada", "key": null},
        "unit": "tokens", "limit": 1000, "start": NOW.0, "end": NOW.0 + 86_400_000_000_u64, "window_seconds": null,
        "kind": "hard", "alerts": [50, 80, 95, 100], "amount": amount,
    });
    charge.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    charge
}

fn parsed(records: &[Value]) -> Vec<Record> {
    let batch: Batch = serde_json::from_str(&json!({"records": records}).to_string()).unwrap();
    let (records, refused) = batch.records();
    assert_eq!(refused, 0);
    records
}

/// Adds records and says how many were new.
async fn added(scratch: &Scratch, records: &[Value], now: Micros) -> usize {
    let records = parsed(records);
    let added = add(&scratch.db, &records.iter().collect::<Vec<_>>(), now).await.unwrap();
    assert!(added.refused.is_empty());
    added.stored.len()
}

/// The rows of a query over columns of numbers.
async fn rows(pool: &AnyPool, sql: &'static str) -> Vec<Vec<i64>> {
    let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|it| row.get(it)).collect()).collect()
}

fn question(turn: i64, granted: i64, need: i64, want: i64) -> Question {
    let it: crate::usage::record::Charge = serde_json::from_value(charge(0, json!({}))).unwrap();
    Question { period: it.period, end: it.end, limit: it.limit, ask: Ask { turn, granted, need, want } }
}

/// Granted, used, left.
async fn asked(scratch: &Scratch, node: &str, question: &Question, now: Micros) -> (i64, i64, i64) {
    let answers = ask(&scratch.db, node, std::slice::from_ref(question), now, now).await.unwrap();
    let [answer] = answers[..] else { panic!("{answers:?}") };
    (answer.granted, answer.used, answer.left)
}

#[tokio::test]
async fn a_record_counts_once_however_often_it_comes() {
    for scratch in both().await {
        let one = record("u_1", json!({"charges": [charge(19, json!({}))]}));
        let two = record("u_2", json!({"charges": [charge(1, json!({}))], "user": "bob"}));
        assert_eq!(added(&scratch, std::slice::from_ref(&one), NOW).await, 1);
        assert_eq!(added(&scratch, &[one.clone(), two.clone()], NOW).await, 1);
        let changed = record("u_1", json!({"charges": [charge(500, json!({}))], "input_tokens": 500}));
        assert_eq!(added(&scratch, &[two, changed], NOW).await, 0);
        let pool = scratch.db.pool();
        let hours = "SELECT requests, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos,
                     unpriced, estimated, hour FROM usage_hours ORDER BY user_id";
        assert_eq!(rows(pool, hours).await, vec![vec![1, 12, 2, 1, 7, 3, 123, 0, 0, 500_000]; 2]);
        assert_eq!(rows(pool, "SELECT used, limit_amount FROM budget_periods").await, [[20, 1000]]);
    }
}

#[tokio::test]
async fn a_record_is_kept_as_it_came_and_unknown_is_not_zero() {
    for scratch in both().await {
        let bare = json!({
            "id": "u_2", "at": NOW.0 - 1, "node": "n1", "project": "p1", "user": "ada", "endpoint": "embeddings",
            "model": "x/y", "source": "byok", "status": 499, "stream": false, "outcome": "client_gone",
            "estimated": true, "input_tokens": 5, "output_tokens": 0, "member_of_a_later_release": 1,
        });
        assert_eq!(added(&scratch, &[record("u_1", json!({})), bare], NOW).await, 2);
        let sql = "SELECT id || '|' || node || '|' || tenant || '|' || project || '|' || user_id || '|' || api_key || '|' ||
                   request_id || '|' || endpoint || '|' || model || '|' || provider_model || '|' || provider || '|' || source || '|' || outcome
                   FROM usage_records ORDER BY id";
        let texts = sqlx::query_scalar::<_, String>(sql).fetch_all(scratch.db.pool()).await.unwrap();
        assert_eq!(texts[0], "u_1|n1|acme|p1|ada|key_1|r1|chat.completions|openai/gpt-4o||openai|platform|complete");
        assert_eq!(texts[1], "u_2|n1||p1|ada|||embeddings|x/y|||byok|client_gone");
        let sql = "SELECT at, hour, status, stream, estimated, cut_by_budget, duration_ms, COALESCE(cost_nanos, -1),
                   COALESCE(price_input, -1), COALESCE(price_cache_write, -1) FROM usage_records ORDER BY id";
        let now = i64::try_from(NOW.0).unwrap();
        let expected =
            [[now, 500_000, 200, 1, 0, 0, 1234, 123, 2_500_000, -1], [now - 1, 499_999, 499, 0, 1, 0, 0, -1, -1, -1]];
        assert_eq!(rows(scratch.db.pool(), sql).await, expected);
        let sql = "SELECT unpriced, estimated, cost_nanos FROM usage_hours ORDER BY hour";
        assert_eq!(rows(scratch.db.pool(), sql).await, [[1, 1, 0], [0, 0, 123]]);
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_a_record() {
    for scratch in both().await {
        assert_eq!(added(&scratch, &[record("u_1", json!({}))], NOW).await, 1);
        for sql in [
            "UPDATE usage_records SET cost_nanos = 0",
            "UPDATE usage_records SET id = 'u_2' WHERE id = 'u_1'",
            "DELETE FROM usage_records",
            "DELETE FROM usage_records WHERE id = 'u_1'",
        ] {
            let refused = sqlx::query(sql).execute(scratch.db.pool()).await.unwrap_err().to_string();
            assert!(refused.contains("usage records are append-only"), "{sql}: {refused}");
        }
        // Either refused or without effect.
        for sql in ["TRUNCATE usage_records", "REPLACE INTO usage_records SELECT * FROM usage_records"] {
            let _ = sqlx::query(sql).execute(scratch.db.pool()).await;
        }
        assert_eq!(rows(scratch.db.pool(), "SELECT cost_nanos FROM usage_records").await, [[123]]);
    }
}

#[tokio::test]
async fn a_record_that_the_database_never_takes_is_the_only_one_left_out() {
    for scratch in both().await {
        let one = "CREATE UNIQUE INDEX one_of_full ON usage_hours (user_id) WHERE user_id = 'full'";
        sqlx::query(one).execute(scratch.db.pool()).await.unwrap();
        assert_eq!(added(&scratch, &[record("u_full", json!({"user": "full", "model": "other"}))], NOW).await, 1);
        let values: Vec<_> = (0..70)
            .map(|it| record(&format!("u_{it}"), json!({"user": if it == 33 { "full" } else { "ada" }})))
            .collect();
        let records = parsed(&values);
        let added = add(&scratch.db, &records.iter().collect::<Vec<_>>(), NOW).await.unwrap();
        assert_eq!((added.stored.len(), added.refused), (69, ["u_33".to_owned()].into()));
        let sql = "SELECT requests FROM usage_hours WHERE user_id = 'ada'";
        assert_eq!(rows(scratch.db.pool(), sql).await, [[69]]);
    }
}

#[tokio::test]
async fn a_count_that_is_full_keeps_no_record_out() {
    const MOST: i64 = 100_000_000_000_000;
    for scratch in both().await {
        let rolling = json!({"start": 0, "window_seconds": 4800});
        let charges = json!([charge(MOST, json!({})), charge(MOST, rolling.clone())]);
        let changes = json!({"input_tokens": MOST, "cost_nanos": MOST, "charges": charges});
        let huge = |id: &str| record(id, changes.clone());
        asked(&scratch, "n1", &question(1, 0, 1, 1), NOW).await;
        assert_eq!(added(&scratch, &[huge("u_1")], NOW).await, 1);
        for full in [
            "UPDATE usage_hours SET input_tokens = 9223372036854775800, cost_nanos = 9223372036854775807",
            "UPDATE budget_periods SET used = 9223372036854775800",
            "UPDATE budget_slices SET used = 9223372036854775800",
            "UPDATE budget_leases SET charged = 9223372036854775800",
        ] {
            sqlx::query(full).execute(scratch.db.pool()).await.unwrap();
        }
        // Two slices that are full are more than a number holds, too.
        let later = NOW.after(Duration::from_secs(200));
        assert_eq!(
            added(&scratch, &[huge("u_2"), record("u_3", json!({"at": later.0, "charges": charges}))], later).await,
            2
        );
        let sql = "SELECT input_tokens, cost_nanos, requests, output_tokens FROM usage_hours";
        assert_eq!(rows(scratch.db.pool(), sql).await, [[i64::MAX, i64::MAX, 3, 21]]);
        for sql in ["SELECT used FROM budget_periods LIMIT 1", "SELECT charged FROM budget_leases"] {
            assert_eq!(rows(scratch.db.pool(), sql).await, [[i64::MAX]], "{sql}");
        }
        let mut it = question(1, 0, 1, 1);
        (it.period.start, it.period.window_seconds) = (0, Some(4800));
        assert_eq!(asked(&scratch, "n2", &it, later).await, (0, i64::MAX, 0));
    }
}

#[tokio::test]
async fn leases_of_gateways_that_are_long_gone_count_for_nothing_and_are_not_read() {
    for scratch in both().await {
        for nth in 0..8 {
            asked(&scratch, &format!("gone{nth}"), &question(1, 0, 10, 10), NOW).await;
        }
        let later = NOW.after(LEASE);
        assert_eq!(asked(&scratch, "n1", &question(1, 0, 1000, 1000), later).await, (1000, 0, 0));
        assert_eq!(asked(&scratch, "gone1", &question(2, 10, 0, 0), later).await, (0, 0, 0));
    }
}

#[tokio::test]
async fn a_threshold_is_told_once_in_a_period_and_once_in_a_rolling_window() {
    let events = "SELECT COUNT(*) FROM events WHERE fields LIKE '%budget.threshold%'";
    let ends = "SELECT COUNT(*) FROM events WHERE fields LIKE '%budget.exhausted%'";
    for scratch in both().await {
        let later = |seconds: u64| Micros(NOW.0 + seconds * 1_000_000);
        for (nth, (amount, after, told, ended)) in
            [(499, 0, 0, 0), (1, 0, 1, 0), (10, 0, 1, 0), (600, 0, 4, 1), (600, 0, 4, 1)].into_iter().enumerate()
        {
            let charges = [charge(amount, json!({}))];
            assert_eq!(
                added(&scratch, &[record(&format!("u_{nth}"), json!({"charges": charges}))], later(after)).await,
                1
            );
            let counts = (rows(scratch.db.pool(), events).await, rows(scratch.db.pool(), ends).await);
            assert_eq!(counts, (vec![vec![told]], vec![vec![ended]]), "{nth}");
        }
        assert_eq!(rows(scratch.db.pool(), "SELECT used FROM budget_periods").await, [[1710]]);
        let sql = "SELECT threshold FROM budget_alerts ORDER BY threshold";
        assert_eq!(rows(scratch.db.pool(), sql).await, [[EXHAUSTED], [50], [80], [95], [100]]);
        sqlx::query("DELETE FROM events").execute(scratch.db.pool()).await.unwrap();
        for (nth, (amount, after, told)) in
            [(500, 0, 1), (1, 30, 1), (500, 70, 2), (100, 200, 2), (500, 210, 3)].into_iter().enumerate()
        {
            let rolling = json!({"start": 0, "end": 0, "window_seconds": 60, "alerts": [50], "limit": 1000});
            let changes = json!({"charges": [charge(amount, rolling)], "at": later(after).0});
            assert_eq!(added(&scratch, &[record(&format!("w_{nth}"), changes)], later(after)).await, 1);
            assert_eq!(rows(scratch.db.pool(), events).await, [[told]], "{nth}");
        }
    }
}

#[tokio::test]
async fn a_lease_is_taken_from_what_is_left_and_charges_are_taken_from_it() {
    for scratch in both().await {
        assert_eq!(asked(&scratch, "n1", &question(1, 0, 10, 1000), NOW).await, (250, 0, 750));
        // The answer was lost.
        assert_eq!(asked(&scratch, "n1", &question(1, 0, 10, 1000), NOW).await, (250, 0, 750));
        assert_eq!(asked(&scratch, "n2", &question(1, 0, 10, 100), NOW).await, (100, 0, 650));
        let charges = [charge(50, json!({}))];
        added(&scratch, &[record("u_1", json!({"charges": charges}))], NOW).await;
        assert_eq!(asked(&scratch, "n2", &question(2, 100, 10, 0), NOW).await, (110, 50, 640));
        // n1 gives back all but the 50 that it used.
        assert_eq!(asked(&scratch, "n1", &question(2, 50, 0, 0), NOW).await, (50, 50, 840));
        assert_eq!(asked(&scratch, "n1", &question(3, 50, 841, 841), NOW).await, (50, 50, 840));
        assert_eq!(asked(&scratch, "n1", &question(4, 50, 840, 840), NOW).await, (890, 50, 0));
        // n2 is silent, and loses its 110; n1 asks on.
        let soon = NOW.after(LEASE / 2);
        assert_eq!(asked(&scratch, "n1", &question(5, 890, 0, 0), soon).await, (890, 50, 0));
        let later = NOW.after(LEASE);
        assert_eq!(asked(&scratch, "n1", &question(6, 890, 110, 110), later).await, (1000, 50, 0));
        assert_eq!(asked(&scratch, "n2", &question(3, 110, 1, 1), later).await, (0, 50, 0));
    }
}

#[tokio::test]
async fn a_rolling_window_gives_back_what_is_older() {
    for scratch in both().await {
        let rolling = json!({"start": 0, "end": 0, "window_seconds": 4800});
        let mut it = question(1, 0, 100, 1000);
        (it.period.start, it.end, it.period.window_seconds) = (0, 0, Some(4800));
        let charges = [charge(900, rolling)];
        added(&scratch, &[record("u_1", json!({"charges": charges}))], NOW).await;
        assert_eq!(asked(&scratch, "n1", &it, NOW).await, (100, 900, 0));
        it.ask = Ask { turn: 2, granted: 0, need: 1000, want: 0 };
        let later = NOW.after(Duration::from_secs(4800));
        assert_eq!(asked(&scratch, "n1", &it, later).await, (0, 900, 100));
        it.ask.turn = 3;
        assert_eq!(asked(&scratch, "n1", &it, later.after(Duration::from_secs(100))).await, (1000, 0, 0));
    }
}

#[tokio::test]
async fn several_companions_grant_no_more_than_there_is_and_charge_everything() {
    for scratch in both().await {
        let other = crate::usage::open(&scratch.url).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for node in 0..8 {
            let db = if node % 2 == 0 { scratch.db.clone() } else { other.clone() };
            tasks.spawn(async move {
                let node = format!("n{node}");
                let mut granted = 0;
                for turn in 1..=10 {
                    let it = question(turn, granted, 10, 20);
                    granted = ask(&db, &node, &[it], NOW, NOW).await.unwrap()[0].granted;
                    let charges = [charge(5, json!({})), charge(5, json!({"budget": "a"}))];
                    let records =
                        parsed(&[record(&format!("{node}_{turn}"), json!({"charges": charges, "node": node}))]);
                    add(&db, &records.iter().collect::<Vec<_>>(), NOW).await.unwrap();
                }
                granted
            });
        }
        let granted: i64 = tasks.join_all().await.into_iter().sum();
        assert!((990..=1000).contains(&granted), "{granted}");
        assert_eq!(rows(scratch.db.pool(), "SELECT used FROM budget_periods ORDER BY budget").await, [[400], [400]]);
        assert_eq!(rows(scratch.db.pool(), "SELECT requests FROM usage_hours").await, [[80]]);
        let sql = "SELECT CAST(SUM(charged) AS BIGINT) FROM budget_leases";
        assert_eq!(rows(scratch.db.pool(), sql).await, [[400]]);
    }
}
