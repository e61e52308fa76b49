use crate::app::{BEGIN, TestApp, audit, command, database_url, send, tollgate};
use crate::cli::serve;
use crate::mint::claims;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

fn actions(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|it| it["action"].as_str().unwrap()).collect()
}

fn jti(minted: &Value) -> String {
    claims(&minted["access_token"])["jti"].as_str().unwrap().to_owned()
}

/// The database behind the companion's back.
async fn database(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::from_str(&database_url(dir)).unwrap().busy_timeout(Duration::from_secs(30));
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn a_mint_is_a_row_that_says_what_the_token_says_and_is_no_token() {
    let app = TestApp::start().await;
    let asked = json!({"user_id": "ada", "role": "regular", "ttl": 3600, "session_id": "s1", "tier": 2});
    let minted = app.mint(asked).await.json();
    let token = minted["access_token"].as_str().unwrap();
    let keys = app.get("/.well-known/jwks.json", "").await.json();
    let rows = audit(app.dir.path(), &["--action", "mint"]);
    assert_eq!(
        rows,
        [json!({
            "id": rows[0]["id"], "at": BEGIN, "action": "mint", "subject": app.key_id, "project": app.project,
            "address": "127.0.0.1",
            "details": {"kid": keys["keys"][0]["kid"], "jti": jti(&minted), "user_id": "ada", "role": "regular",
                "tier": 2, "ttl": 3600, "exp": BEGIN + 3600},
        })]
    );
    for file in std::fs::read_dir(app.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let signature = token.rsplit_once('.').unwrap().1;
        assert!([signature, &app.key].iter().all(|it| !bytes.windows(it.len()).any(|part| part == it.as_bytes())));
    }
}

#[tokio::test]
async fn what_is_done_to_keys_is_recorded_once() {
    let app = TestApp::start().await;
    let dir = app.dir.path();
    let second = tollgate(dir, &["key", "create", "--project", &app.project]);
    let second = second["key_id"].as_str().unwrap();
    tollgate(dir, &["key", "revoke", second]);
    tollgate(dir, &["key", "revoke", second]);
    assert!(!command(dir).args(["key", "revoke", "key_absent"]).output().unwrap().status.success());
    let rows = audit(dir, &["--project", &app.project]);
    assert_eq!(actions(&rows), ["key_created", "key_created", "key_revoked"]);
    let subjects: Vec<_> = rows.iter().map(|it| it["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, [app.key_id.as_str(), second, second]);
    assert!(rows.iter().all(|it| it["address"].is_null() && it["project"] == json!(app.project)));
    assert!(!json!(rows).to_string().contains(&app.key));
}

#[tokio::test]
async fn a_request_that_a_good_key_makes_wrong_is_no_row() {
    let app = TestApp::start().await;
    for body in ["{}", r#"{"user_id":"admin"}"#, "garbage", ""] {
        assert_eq!(app.public("POST", "/v1/auth/mint", &app.key, body).await.status, 400);
    }
    let large = "x".repeat(20_000);
    assert_eq!(app.public("POST", "/v1/auth/mint", &app.key, &large).await.status, 413);
    let rows = app.rows_in_the_end().await;
    assert!(actions(&rows).iter().all(|it| !it.starts_with("mint")), "{rows:?}");
}

#[tokio::test]
async fn two_hundred_mints_at_once_are_as_many_tokens_and_rows() {
    let app = TestApp::start().await;
    let mints = (0..200).map(|nth| app.mint(json!({"user_id": format!("u{nth}")})));
    let answers = futures(mints).await;
    let minted: HashSet<String> = answers.iter().map(|it| jti(&it.json())).collect();
    let rows = audit(app.dir.path(), &["--action", "mint"]);
    let written: HashSet<String> = rows.iter().map(|it| it["details"]["jti"].as_str().unwrap().to_owned()).collect();
    assert_eq!((minted.len(), rows.len(), minted == written), (200, 200, true));
}

#[tokio::test]
async fn a_token_that_cannot_be_written_down_is_not_given_out() {
    let app = TestApp::start().await;
    let mut database = database(app.dir.path()).await;
    sqlx::query("ALTER TABLE audit RENAME TO elsewhere").execute(&mut database).await.unwrap();
    let refused = app.mint(json!({"user_id": "ada"})).await;
    assert_eq!(refused.error(), (503, "companion_unavailable".into(), None));
    sqlx::query("ALTER TABLE elsewhere RENAME TO audit").execute(&mut database).await.unwrap();
    assert_eq!(app.mint(json!({"user_id": "ada"})).await.status, 200);
}

#[tokio::test]
async fn a_key_mints_nothing_from_the_moment_that_its_revocation_is_there() {
    let app = TestApp::start().await;
    let dir = app.dir.path();
    let minting = async {
        let mut good = Vec::new();
        loop {
            let answers = futures((0..8).map(|_| app.mint(json!({"user_id": "ada"})))).await;
            let minted = answers.iter().filter(|it| it.status == 200);
            good.extend(minted.map(|it| jti(&it.json())));
            if answers.iter().all(|it| it.status != 200) {
                return good;
            }
        }
    };
    let (dir_owned, key) = (dir.to_owned(), app.key_id.clone());
    let revoking = async {
        while audit(dir, &["--action", "mint"]).len() < 20 {
            tokio::task::yield_now().await;
        }
        tokio::task::spawn_blocking(move || tollgate(&dir_owned, &["key", "revoke", &key])).await.unwrap();
        app.mint(json!({"user_id": "ada"})).await.status
    };
    let (good, after) = tokio::join!(minting, revoking);
    assert!(matches!(after, 401 | 429), "{after}");
    let rows = audit(dir, &["--project", &app.project]);
    let end = rows.iter().position(|it| it["action"] == "key_revoked").unwrap();
    assert!(rows[end..].iter().all(|it| it["action"] != "mint"), "{rows:?}");
    let written = rows.iter().filter(|it| it["action"] == "mint").map(|it| it["details"]["jti"].as_str().unwrap());
    assert_eq!(written.collect::<HashSet<_>>(), good.iter().map(String::as_str).collect::<HashSet<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_given_out_is_in_the_table_after_the_process_was_killed() {
    let app = TestApp::start().await;
    let (dir, key) = (app.dir.path(), app.key.clone());
    let mut served = serve(dir);
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut given = HashSet::new();
    for _ in 0..4 {
        let mints = (0..25).map(|_| send(served.public, "POST", "/v1/auth/mint", &headers, r#"{"user_id":"ada"}"#));
        given.extend(futures(mints).await.iter().map(|it| jti(&it.json())));
    }
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let rows = audit(dir, &["--action", "mint"]);
    let written: HashSet<_> = rows.iter().map(|it| it["details"]["jti"].as_str().unwrap().to_owned()).collect();
    assert_eq!((given.len(), given == written), (100, true));
}

#[tokio::test]
async fn a_key_says_when_it_was_used_to_about_a_minute() {
    let app = TestApp::start().await;
    let used =
        || tollgate(app.dir.path(), &["key", "list", "--project", &app.project])["keys"][0]["last_used_at"].clone();
    assert_eq!(used(), Value::Null);
    let mut seen = Vec::new();
    for wait in [0, 30, 29, 1, 600] {
        app.pass(Duration::from_secs(wait));
        assert_eq!(app.mint(json!({"user_id": "ada"})).await.status, 200);
        seen.push(used().as_u64().unwrap() - BEGIN);
    }
    assert_eq!(seen, [0, 0, 0, 60, 660]);
}

#[tokio::test]
async fn the_list_is_read_in_pages_and_by_people() {
    let app = TestApp::start().await;
    for user in ["ada", "eve", "bob"] {
        app.mint(json!({"user_id": user})).await;
    }
    let dir = app.dir.path();
    let users = |filter: &[&str]| -> Vec<String> {
        let rows = tollgate(dir, &[&["audit", "list", "--action", "mint"], filter].concat());
        let rows = rows["entries"].as_array().unwrap().clone();
        rows.iter().map(|it| it["details"]["user_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(users(&["--limit", "2"]), ["eve", "bob"]);
    assert_eq!(users(&["--after", "0", "--limit", "2"]), ["ada", "eve"]);
    let last = audit(dir, &[]).last().unwrap()["id"].to_string();
    assert!(users(&["--after", &last]).is_empty());
    let output = command(dir).args(["audit", "list"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|it| it.contains("  2027-01-15T08:00:00Z  mint  key_")).count(), 3, "{text}");
    for wrong in [["--action", "mints"], ["--limit", "0"], ["--after", "-1"], ["--limit", "x"]] {
        let output = command(dir).args(["audit", "list"]).args(wrong).output().unwrap();
        assert!(!output.status.success(), "{wrong:?}");
    }
}

/// Runs futures at once and gives back what they gave, in their order.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).map(|it| (it, None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, done) in &mut all {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(it) => *done = Some(it),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    all.into_iter().map(|(_, done)| done.unwrap()).collect()
}
