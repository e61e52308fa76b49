//! On both kinds of database.

use super::*;
use crate::usage::testing::both;
use domain::choice::{Sample, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// 2027-01-15T08:00:00Z.
const NOW: Micros = Micros(1_800_000_000_000_000);

/// What a gateway measured: an answer for each reward.
fn told(candidate: &str, rewards: &[f64]) -> Measured {
    let mut measures = Measures::default();
    for reward in rewards {
        let verdict = Verdict { valid: Some(*reward > 0.0), tools: None };
        let first_byte = Some(Duration::from_millis(300));
        measures.add(&Sample { ok: true, first_byte, throughput: Some(40.0), verdict, reward: Some(*reward) }, NOW);
    }
    Measured { candidate: candidate.to_owned(), measures }
}

fn count(known: &Snapshot) -> Vec<(&str, u32, u32)> {
    let count = |it: &Measured| (it.measures.count(), it.measures.window(NOW).count);
    known.measures.iter().map(|it| (it.candidate.as_str(), count(it).0, count(it).1)).collect()
}

#[tokio::test]
async fn what_gateways_tell_is_put_together() {
    for scratch in both().await {
        let db = &scratch.db;
        let tell = |measures| take(db, NOW, Snapshot { measures });
        let known = tell(vec![told("openai/gpt-4o", &[1.0, 0.5]), told("a/b", &[0.2])]).await.unwrap();
        assert_eq!(count(&known), [("a/b", 1, 1), ("openai/gpt-4o", 2, 2)]);
        let known = tell(vec![told("openai/gpt-4o", &[0.0]), told("openai/gpt-4o", &[0.5])]).await.unwrap();
        assert_eq!(count(&known), [("openai/gpt-4o", 4, 4)]);
        let whole = told("openai/gpt-4o", &[1.0, 0.5, 0.0, 0.5]).measures.window(NOW);
        let window = known.measures[0].measures.window(NOW);
        assert!((window.mean - whole.mean).abs() < 1e-9 && (window.uncertainty() - whole.uncertainty()).abs() < 1e-9);
        assert_eq!(count(&all(db).await.unwrap()), [("a/b", 1, 1), ("openai/gpt-4o", 4, 4)]);
        assert_eq!(tell(vec![]).await.unwrap(), Snapshot::default());
    }
}

#[tokio::test]
async fn gateways_that_tell_at_once_lose_nothing() {
    for scratch in both().await {
        let mut gateways = tokio::task::JoinSet::new();
        for nth in 0..16 {
            let db = scratch.db.clone();
            let (one, other) = (told("a/a", &[0.5]), told("b/b", &[0.5]));
            let measures = if nth % 2 == 0 { vec![one, other] } else { vec![other, one] };
            gateways.spawn(async move { take(&db, NOW, Snapshot { measures }).await.map(|_| ()) });
        }
        while let Some(done) = gateways.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(count(&all(&scratch.db).await.unwrap()), [("a/a", 16, 16), ("b/b", 16, 16)]);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_or_left_out() {
    for scratch in both().await {
        let db = &scratch.db;
        let many = (0..=MOST).map(|nth| told(&nth.to_string(), &[0.5])).collect();
        for (measures, param) in [
            (vec![told("a/b", &[0.5]), told("", &[0.5])], "measures[1].candidate"),
            (vec![told("a\0b", &[0.5])], "measures[0].candidate"),
            (vec![told(&"x".repeat(LONGEST_NAME + 1), &[0.5])], "measures[0].candidate"),
            (many, "measures"),
        ] {
            let refused = take(db, NOW, Snapshot { measures }).await.unwrap_err();
            assert_eq!((refused.0.status, refused.0.param.as_deref()), (400, Some(param)));
        }
        assert_eq!(all(db).await.unwrap(), Snapshot::default());
        // A gateway whose clock runs a year ahead.
        let year = NOW.after(Duration::from_secs(365 * 86_400));
        let mut ahead = told("a/b", &[0.5]);
        let verdict = Verdict { valid: Some(true), tools: None };
        let sample = Sample { ok: true, first_byte: None, throughput: None, verdict, reward: Some(1.0) };
        ahead.measures.add(&sample, year);
        let known = take(db, NOW, Snapshot { measures: vec![ahead] }).await.unwrap();
        assert_eq!(known.measures[0].measures.window(year).count, 0);
        // What somebody wrote by hand.
        sqlx::query("UPDATE model_measures SET measures = 'x'").execute(db.pool()).await.unwrap();
        assert_eq!(count(&all(db).await.unwrap()), [("a/b", 0, 0)]);
    }
}

#[tokio::test]
async fn who_was_not_measured_for_a_month_is_forgotten() {
    for scratch in both().await {
        let days = |it: u64| NOW.after(Duration::from_secs(it * 86_400));
        take(&scratch.db, NOW, Snapshot { measures: vec![told("a/a", &[0.5])] }).await.unwrap();
        take(&scratch.db, days(5), Snapshot { measures: vec![told("b/b", &[0.5])] }).await.unwrap();
        store::purge(&scratch.db, days(30)).await.unwrap();
        assert_eq!(all(&scratch.db).await.unwrap().measures.len(), 2);
        store::purge(&scratch.db, days(31)).await.unwrap();
        assert_eq!(count(&all(&scratch.db).await.unwrap()), [("b/b", 1, 1)]);
    }
}

#[test]
fn the_best_that_one_can_be_sure_of_is_in_front() {
    let known = vec![
        told("lucky/twice", &[1.0, 1.0]),
        told("sure/good", &[0.9; 200]),
        told("sure/poor", &[0.3; 200]),
        Measured { candidate: "never/tried".into(), measures: Measures::default() },
    ];
    let board = serde_json::to_value(Leaderboard::of(Snapshot { measures: known }, NOW)).unwrap();
    let lines = board["data"].as_array().unwrap();
    let ids: Vec<&Value> = lines.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["sure/good", "lucky/twice", "sure/poor", "never/tried"]);
    assert_eq!(
        lines[0],
        json!({"id": "sure/good", "object": "model.standing", "rank": 1, "score": 0.8975, "mean_reward": 0.9, "samples": 200,
            "requests": 200, "success": 1.0, "validity": 1.0, "tool_accuracy": null, "latency_ms": 300.0, "throughput": 40.0})
    );
    assert_eq!((&lines[3]["score"], &lines[3]["rank"], &lines[3]["validity"]), (&Value::Null, &json!(4), &Value::Null));
}
