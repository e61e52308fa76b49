//! The outbox, in both databases.

use super::outbox::{Delivery, Outcome, claim, list, purge, settle, spread, waiting};
use super::record;
use crate::events::{Event, Kind};
use crate::usage::Db;
use crate::usage::testing::both;
use domain::time::Micros;
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: Micros = Micros(1_800_000_000_000_000);

async fn add(db: &Db, kind: Kind, count: u64, at: Micros) {
    let mut tx = db.write().await.unwrap();
    for _ in 0..count {
        record(&mut tx, &Event::new(kind, at).unwrap().with("limit", "user")).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn names(targets: &[&str]) -> Vec<String> {
    targets.iter().map(|it| (*it).to_owned()).collect()
}

fn later(seconds: u64) -> Micros {
    NOW.after(Duration::from_secs(seconds))
}

async fn claimed(db: &Db, target: &str, seconds: u64) -> Vec<Delivery> {
    claim(db, target, (later(seconds), later(seconds).after(Duration::from_secs(60))), 100).await.unwrap()
}

#[tokio::test]
async fn each_target_gets_each_event_by_itself_and_what_is_taken_is_nobody_elses_for_a_while() {
    for scratch in both().await {
        let db = &scratch.db;
        add(db, Kind::RatelimitRejected, 2, NOW).await;
        // Nobody is to be told: they stay as they are.
        assert!(!spread(db, &[], NOW).await.unwrap());
        assert_eq!(list(db, None, None, 9).await.unwrap().iter().map(|it| it.waiting).sum::<i64>(), 0);
        let targets = names(&["redis", "webhook:1"]);
        spread(db, &targets, NOW).await.unwrap();
        spread(db, &targets, NOW).await.unwrap();
        assert_eq!(waiting(db).await.unwrap(), 4);
        let redis = claimed(db, "redis", 0).await;
        assert_eq!(redis.iter().map(|it| (it.number, it.attempts)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
        assert!(claimed(db, "redis", 59).await.is_empty());
        assert_eq!(claimed(db, "webhook:1", 0).await.len(), 2);
        settle(db, "redis", &[(1, Outcome::Told), (2, Outcome::Again(later(100)))]).await.unwrap();
        assert!(claimed(db, "redis", 99).await.is_empty());
        assert_eq!(
            claimed(db, "redis", 100).await.iter().map(|it| (it.number, it.attempts)).collect::<Vec<_>>(),
            [(2, 2)]
        );
        // Whoever took it and died is no loss.
        assert_eq!(claimed(db, "redis", 160).await.len(), 1);
        settle(db, "redis", &[(2, Outcome::GivenUp(later(200)))]).await.unwrap();
        assert!(claimed(db, "redis", 9999).await.is_empty());
        let rows = list(db, None, None, 9).await.unwrap();
        assert_eq!(
            rows.iter().map(|it| (it.number, it.waiting, it.failed)).collect::<Vec<_>>(),
            [(1, 1, 0), (2, 1, 1)]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_that_share_a_database_take_each_event_once() {
    for scratch in both().await {
        add(&scratch.db, Kind::BudgetThreshold, 120, NOW).await;
        let companion = || {
            let db = scratch.db.clone();
            tokio::spawn(async move {
                while spread(&db, &names(&["redis"]), NOW).await.unwrap() {}
                let mut numbers = Vec::new();
                for _ in 0..20 {
                    let taken = claim(&db, "redis", (NOW, later(60)), 10).await.unwrap();
                    numbers.extend(taken.into_iter().map(|it| it.number));
                }
                numbers
            })
        };
        let mut all = Vec::new();
        for companion in [companion(), companion(), companion()] {
            all.extend(companion.await.unwrap());
        }
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (120, 120));
    }
}

#[tokio::test]
async fn old_events_are_deleted_a_batch_at_a_time_whoever_has_them() {
    for scratch in both().await {
        let db = &scratch.db;
        add(db, Kind::BudgetExhausted, 250, NOW).await;
        add(db, Kind::RatelimitRejected, 1, later(10)).await;
        while spread(db, &names(&["redis"]), NOW).await.unwrap() {}
        assert!(purge(db, later(5)).await.unwrap());
        assert!(!purge(db, later(5)).await.unwrap());
        let rows = list(db, None, Some(0), 9).await.unwrap();
        assert_eq!(rows.iter().map(|it| it.number).collect::<Vec<_>>(), [251]);
        assert_eq!(waiting(db).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn events_are_listed_by_type_and_number() {
    for scratch in both().await {
        let db = &scratch.db;
        for kind in [Kind::BudgetThreshold, Kind::RatelimitRejected, Kind::BudgetThreshold, Kind::BudgetExhausted] {
            add(db, kind, 1, NOW).await;
        }
        let check = async |kind, after, most| -> Vec<i64> {
            list(db, kind, after, most).await.unwrap().iter().map(|it| it.number).collect()
        };
        assert_eq!(check(None, None, 9).await, [1, 2, 3, 4]);
        assert_eq!(check(None, None, 2).await, [3, 4]);
        assert_eq!(check(None, Some(1), 2).await, [2, 3]);
        assert_eq!(check(Some("budget.threshold"), None, 9).await, [1, 3]);
        assert_eq!(check(Some("budget.threshold"), Some(1), 9).await, [3]);
    }
}
