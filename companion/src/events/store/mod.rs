//! The outbox in the usage database.

pub(crate) mod outbox;
#[cfg(test)]
mod outbox_tests;

use super::Event;
use crate::db::to_sql;
use crate::random;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use sqlx::{AnyConnection, Row};

/// The key that users' names are hashed with, by its name in the database.
const USER_HASH: &str = "user_hash";
/// Of a hash, the bytes that are shown: enough to tell users apart.
const SHOWN_BYTES: usize = 16;

/// Writes `event` into the outbox, in the transaction of what it tells of; `false` when its id is there
/// already.
///
/// # Errors
/// When the database does not answer; then the transaction must not be committed.
pub(crate) async fn record(connection: &mut AnyConnection, event: &Event) -> Result<bool, sqlx::Error> {
    let mut fields = event.fields.clone();
    fields.insert("id".to_owned(), Value::String(event.id.clone()));
    if let Some(user) = &event.user {
        let key = user_key(connection).await?;
        let project = fields.get("project_id").and_then(Value::as_str).unwrap_or_default();
        let hash = user_hash(&key, project, user);
        fields.insert("user_hash".to_owned(), Value::String(hash));
    }
    let sql = "INSERT INTO events (id, type, fields, recorded_at, spread) VALUES ($1, $2, $3, $4, 0)
               ON CONFLICT (id) DO NOTHING";
    let query = sqlx::query(sql).bind(&event.id).bind(event.kind.name());
    let query = query.bind(Value::Object(fields).to_string()).bind(to_sql(event.recorded_at));
    query.execute(connection).await.map(|it| it.rows_affected() > 0)
}

/// The installation's key; made when there is none.
async fn user_key(connection: &mut AnyConnection) -> Result<String, sqlx::Error> {
    let sql = "SELECT value FROM installation_keys WHERE name = $1";
    if let Some(row) = sqlx::query(sql).bind(USER_HASH).fetch_optional(&mut *connection).await? {
        return row.try_get(0);
    }
    let new = random::bytes::<32>().map_err(|_| sqlx::Error::Io(std::io::Error::other("no random bytes")))?;
    let insert = "INSERT INTO installation_keys (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    sqlx::query(insert).bind(USER_HASH).bind(random::hex(&new)).execute(&mut *connection).await?;
    // Another may have been first.
    sqlx::query(sql).bind(USER_HASH).fetch_one(connection).await?.try_get(0)
}

/// What stands for a user in events: the same for the same user of the same project, in this
/// installation. Without the key nobody can try names out.
fn user_hash(key: &str, project: &str, user: &str) -> String {
    // HMAC takes a key of any length; the error cannot happen, and then no hash is better than a weak one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(project.as_bytes());
    // Stands in no name.
    mac.update(&[0]);
    mac.update(user.as_bytes());
    let digest = mac.finalize().into_bytes();
    random::hex(digest.get(..SHOWN_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Kind;
    use crate::usage::Db;
    use domain::time::Micros;

    async fn fields(db: &Db) -> Vec<Value> {
        let rows = sqlx::query("SELECT fields FROM events ORDER BY number").fetch_all(db.pool()).await.unwrap();
        rows.iter().map(|it| serde_json::from_str(it.get::<&str, _>(0)).unwrap()).collect()
    }

    #[tokio::test]
    async fn an_event_is_recorded_once_with_its_transaction_and_without_the_users_name() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::usage::open(&format!("sqlite://{}", dir.path().join("usage.db").display())).await.unwrap();
        let at = Micros::from_seconds(1_800_000_000);
        let event = |id: &str, project: &str| {
            let event = Event::known(id.to_owned(), Kind::RatelimitRejected, at, at).about("ada");
            event.with("project_id", project).with("sampled", 3)
        };
        for (id, project) in [("e_1", "p1"), ("e_1", "p1"), ("e_2", "p1"), ("e_3", "p2")] {
            let mut tx = db.write().await.unwrap();
            record(&mut tx, &event(id, project)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = db.write().await.unwrap();
        record(&mut tx, &event("e_4", "p1")).await.unwrap();
        tx.rollback().await.unwrap();
        let found = fields(&db).await;
        let hash = |nth: usize| found[nth]["user_hash"].as_str().unwrap().to_owned();
        assert_eq!(
            found[0],
            serde_json::json!({"id": "e_1", "type": "ratelimit.rejected", "schema_version": "1",
                "timestamp": "2027-01-15T08:00:00.000Z", "tenant_id": "", "project_id": "p1", "request_id": "",
                "user_hash": hash(0), "sampled": "3"})
        );
        assert_eq!((found.len(), hash(0).len()), (3, 32));
        assert_eq!(hash(0), hash(1));
        assert_ne!(hash(0), hash(2));
    }
}
