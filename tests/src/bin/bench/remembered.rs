//! A memory database with a million messages in it, as if many users had talked for long.

use sqlx::Executor as _;
use tests::{Companion, wait_until};

/// Threads; each has 2 to 200 messages, so that there are a million.
pub(crate) const THREADS: u64 = 9901;
/// Users; each has some four threads.
pub(crate) const USERS: u64 = 2500;
/// The project of all of them.
pub(crate) const PROJECT: &str = "p1";

/// The user of a thread, as the SQL below has it.
pub(crate) fn user(thread: u64) -> String {
    format!("u{}", thread % USERS)
}

/// Fills the database at `url`, which a companion has made, and says how many messages there are. Turns of a thread do not
/// stand together in the file: others spoke in between.
pub(crate) fn fill(url: &str) -> i64 {
    let sqlite = url.starts_with("sqlite:");
    let (begin, id, question, answer) = if sqlite {
        let raw = |role: &str, length: u32| {
            format!(
                "CAST(char(0) || '{{\"role\":\"{role}\",\"content\":\"' || hex(randomblob({length})) || '\"}}' AS BLOB)"
            )
        };
        ("PRAGMA synchronous = OFF", "lower(hex(randomblob(16)))", raw("user", 60), raw("assistant", 200))
    } else {
        let raw = |role: &str, times: u32| {
            format!(
                "'\\x00'::bytea || convert_to('{{\"role\":\"{role}\",\"content\":\"' || repeat(md5(seq::text), {times}) || '\"}}', 'UTF8')"
            )
        };
        ("SET synchronous_commit = off", "md5(random()::text || k || n)", raw("user", 4), raw("assistant", 12))
    };
    let numbers =
        "WITH RECURSIVE threads_of (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM threads_of WHERE k + 1 < {threads}),
        turns_of (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM turns_of WHERE n < 99)";
    let numbers = numbers.replace("{threads}", &THREADS.to_string());
    let count = "(k * 7919) % 100 + 1";
    let then = "1700000000000000";
    let statements = [
        format!(
            "INSERT INTO threads (project, user_id, id, title, metadata, message_count, created_at, updated_at)
             {numbers} SELECT '{PROJECT}', 'u' || (k % {USERS}), 't' || k, NULL, '{{}}', 2 * ({count}), {then}, {then} + k FROM threads_of"
        ),
        format!(
            "INSERT INTO turns (project, user_id, id, thread, session, model, complete, finish_reason, answer_at,
                 results_first, bytes, tokens, created_at)
             {numbers} SELECT '{PROJECT}', 'u' || (k % {USERS}), 'turn_' || {id}, 't' || k, '', 'gpt-4o', 1, 'stop', 1, 0,
                 600, 150, {then} + n FROM turns_of, threads_of WHERE n < {count} ORDER BY n, k"
        ),
        format!("INSERT INTO messages (turn, position, choice, complete, raw) SELECT seq, 0, 0, 1, {question} FROM turns"),
        format!("INSERT INTO messages (turn, position, choice, complete, raw) SELECT seq, 1, 0, 1, {answer} FROM turns"),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(url).await.expect("the memory database");
        pool.execute(sqlx::raw_sql(begin)).await.expect("a pragma");
        for sql in statements {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("a statement that fills");
        }
        let end = if sqlite { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "VACUUM ANALYZE" };
        pool.execute(sqlx::raw_sql(end)).await.expect("the end");
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM messages").fetch_one(&pool).await.expect("a count");
        pool.close().await;
        count
    })
}

/// A companion whose memory is at `url`, filled.
pub(crate) fn companion(url: &str) -> (Companion, i64) {
    let mut companion = Companion::with().env("TOLLGATE_MEMORY_DATABASE_URL", url).env("TOLLGATE_LOG", "warn").start();
    companion.kill();
    let count = fill(url);
    companion.restart();
    wait_until(std::time::Duration::from_secs(30), "the companion", || {
        companion.client().get("/readyz").try_send().ok().filter(|it| it.status == 200).map(|_| ())
    });
    (companion, count)
}
