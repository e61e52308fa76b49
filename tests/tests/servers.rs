//! The servers that the harness starts: real, empty, and they can go and come back.

use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use tests::{Postgres, Redis};

fn database(url: &str, statements: &[&str]) -> Result<String, sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let mut text = String::new();
        for statement in statements {
            let rows = sqlx::query(sqlx::AssertSqlSafe(*statement)).fetch_all(&mut connection).await?;
            text = rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join(" ");
        }
        Ok(text)
    })
}

#[test]
fn a_database_is_utf8_starts_empty_and_keeps_what_was_committed_before_a_crash() {
    let mut postgres = Postgres::start();
    let ask = |url: &str, statement: &str| database(url, &[statement]);
    let url = postgres.url();
    assert_eq!(ask(&url, "SHOW server_encoding").unwrap(), "UTF8");
    assert_eq!(ask(&url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").unwrap(), "");
    database(&url, &["CREATE TABLE said (word TEXT)", "INSERT INTO said VALUES ('grüezi')"]).unwrap();
    postgres.stop();
    assert!(ask(&url, "SELECT word FROM said").is_err());
    postgres.start_again();
    assert_eq!(ask(&url, "SELECT word FROM said").unwrap(), "grüezi");
}

#[test]
fn redis_runs_scripts_streams_and_forgets_all_when_it_stops() {
    let mut redis = Redis::start();
    assert_eq!(redis.ask(&["SET", "k", "v"]), json!("OK"));
    assert_eq!(redis.ask(&["EVAL", "return {redis.call('get', KEYS[1]), 7}", "1", "k"]), json!(["v", 7]));
    assert!(redis.ask(&["XADD", "tollgate:events", "*", "type", "budget.threshold"]).is_string());
    redis.stop();
    redis.start_again();
    assert_eq!(redis.ask(&["GET", "k"]), json!(null));
}
