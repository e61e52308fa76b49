//! What is changed, purged or sealed anew while somebody else goes on.

use super::*;

/// Until somebody waits for another's lock.
async fn until_somebody_waits(store: &Store) {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(store.db.pool()).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_thread_in_which_somebody_is_being_answered_is_not_too_old() {
    let places = places();
    let day = DAY.as_secs();
    for url in &places.urls {
        let store = open(url, "").await;
        store.retain("p1", Some(2)).await.unwrap();
        add(&store, "ada", &[turn("1", "old", "", &["one", "."])], 1).await;
        store.begin_turns(&[beginning("ada", "2", "old", "", 4 * day)]).await.unwrap();
        assert_eq!(store.purge(second(4 * day + 1)).await.unwrap(), 0);
        assert_eq!(add(&store, "ada", &[turn("2", "old", "", &["two", "."])], 4 * day + 2).await, 1);
        assert_eq!(store.purge(second(4 * day + 3)).await.unwrap(), 0);
        assert_eq!(said(&store, "ada", &thread("old"), Bounds::default(), 4 * day + 4).await, ["one", ".", "two", "."]);
        // It was found to be old, and then somebody was answered.
        assert!(!store.delete_old_thread(&caller("ada"), "old", 3 * DAY, second(4 * day + 5)).await.unwrap());
        assert!(store.delete_old_thread(&caller("ada"), "old", 3 * DAY, second(8 * day)).await.unwrap());
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_deleted_of_a_turn_takes_no_room_in_the_history() {
    let places = places();
    for url in &places.urls {
        let store = open(url, KEY).await;
        let long = "a word ".repeat(2000);
        let turns = [
            turn("1", "t", "", &["one", "."]),
            turn("2", "t", "", &[&long, "two"]),
            turn("3", "t", "", &["three", "!"]),
        ];
        add(&store, "ada", &turns, 1).await;
        for position in [0, 1] {
            assert!(store.delete_message(&caller("ada"), "t", "3", position).await.unwrap());
        }
        let check = async |bounds: Bounds| said(&store, "ada", &thread("t"), bounds, 2).await;
        assert_eq!(check(Bounds { turns: 1, ..Bounds::default() }).await, [&long, "two"], "none is left of the third");
        let few = Bounds { tokens: 100, ..Bounds::default() };
        assert!(check(few).await.is_empty());
        assert!(store.delete_message(&caller("ada"), "t", "2", 0).await.unwrap());
        assert_eq!(check(few).await, ["one", ".", "two"]);
        // What was deleted is not stored again.
        assert_eq!(add(&store, "ada", &turns, 3).await, 0);
        store.close().await;
    }
}

#[tokio::test]
async fn who_deletes_a_message_and_who_changes_its_thread_do_not_wait_for_each_other() {
    let places = places();
    let store = open(&places.urls[1], "").await;
    add(&store, "ada", &[turn("1", "t", "", &["one", "."])], 1).await;
    let mut tx = store.db.write().await.unwrap();
    sqlx::query("SELECT 1 FROM threads FOR UPDATE").fetch_one(&mut *tx).await.unwrap();
    let deleting = tokio::spawn({
        let store = store.clone();
        async move { store.delete_message(&caller("ada"), "t", "1", 1).await }
    });
    until_somebody_waits(&store).await;
    sqlx::query("DELETE FROM messages").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!deleting.await.unwrap().unwrap(), "it was gone by then");
    store.close().await;
}

#[tokio::test]
async fn what_changes_while_all_is_sealed_anew_stays_changed() {
    let places = places();
    let store = open(&places.urls[1], "").await;
    add(&store, "ada", &[turn("1", "t", "", &["one", "."])], 1).await;
    store.close().await;
    let store = open(&places.urls[1], KEY).await;
    let mut tx = store.db.write().await.unwrap();
    let place = message_place(("p1", "ada"), "1", 0);
    let raw = store.close_text(r#"{"role":"user","content":"changed"}"#, &place).unwrap();
    let title = store.close_text("renamed", &title_place(("p1", "ada"), "t")).unwrap();
    sqlx::query("UPDATE messages SET raw = $1 WHERE position = 0").bind(raw).execute(&mut *tx).await.unwrap();
    sqlx::query("UPDATE threads SET title = $1").bind(title).execute(&mut *tx).await.unwrap();
    let sealing = tokio::spawn({
        let store = store.clone();
        async move { store.reseal().await }
    });
    until_somebody_waits(&store).await;
    tx.commit().await.unwrap();
    sealing.await.unwrap().unwrap();
    store.reseal().await.unwrap();
    assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 2).await, ["changed", "."]);
    assert_eq!(store.thread(&caller("ada"), "t").await.unwrap().unwrap().title.as_deref(), Some("renamed"));
    store.close().await;
}

#[tokio::test]
async fn a_search_gives_back_no_more_than_a_page_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite://{}", dir.path().join("memory.db").display()), "").await;
    let long = format!("needle {}", "x".repeat(1 << 20));
    for nth in 0..12 {
        add(&store, "ada", &[turn(&nth.to_string(), &format!("t{nth}"), "", &[&long])], nth).await;
    }
    let (hits, all) = store.search(&caller("ada"), |it| it.contains("needle"), 100).await.unwrap();
    let threads: Vec<_> = hits.iter().map(|it| it.thread.id.as_str()).collect();
    assert!((2..12).contains(&hits.len()) && !all && threads[..2] == ["t11", "t10"], "{threads:?}");
    let (hits, all) = store.search(&caller("ada"), |it| it.contains("about 3"), 100).await.unwrap();
    assert_eq!((hits.len(), all), (1, true), "what is not found takes no room");
    // Titles: the thread that went on last comes first, as of messages.
    let (hits, _) = store.search(&caller("ada"), |it| it.starts_with("about 1"), 2).await.unwrap();
    assert_eq!(hits.iter().map(|it| it.thread.id.as_str()).collect::<Vec<_>>(), ["t11", "t10"]);
    store.close().await;
}

#[tokio::test]
async fn what_is_left_of_another_restore_is_no_part_of_this_one() {
    let (dir, store, url, copy) = copied().await;
    store.close().await;
    let left = ["memory.db.before-restore-wal", "memory.db.restoring-wal"].map(|it| dir.path().join(it));
    left.iter().for_each(|it| std::fs::write(it, "another database's").unwrap());
    restore(&url, &copy).await.unwrap().unwrap();
    assert!(left.iter().all(|it| !it.exists()));
    let store = open(&url, "").await;
    assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 3).await, ["one", "."]);
    store.close().await;
}

#[tokio::test]
async fn a_database_that_a_companion_runs_on_is_not_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("memory.db"), dir.path().join("copy.db"));
    let url = format!("sqlite://{}", path.display());
    let store = open(&url, "").await;
    backup(&url, &copy).await.unwrap();
    let said_why = restore(&url, &copy).await.unwrap_err();
    assert!(said_why.contains("somebody has it open"), "{said_why}");
    add(&store, "ada", &[turn("1", "t", "", &["one", "."])], 1).await;
    store.close().await;
    let store = open(&url, "").await;
    assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 2).await, ["one", "."]);
    store.close().await;
    restore(&url, &copy).await.unwrap().unwrap();
}

#[tokio::test]
async fn nobody_else_reads_a_copy_while_it_is_written_and_half_a_copy_is_none() {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("memory.db"), dir.path().join("copy.db"));
    let url = format!("sqlite://{}", path.display());
    let store = open(&url, "").await;
    let long = "x".repeat(1 << 20);
    for nth in 0..8 {
        add(&store, "ada", &[turn(&nth.to_string(), "t", "", &[&long, "."])], 1).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let (copy, over) = (copy.clone(), over.clone());
        move || {
            let mut modes = std::collections::BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                modes.extend(std::fs::metadata(&copy).ok().map(|it| it.permissions().mode() & 0o777));
            }
            modes
        }
    });
    backup(&url, &copy).await.unwrap();
    over.store(true, Ordering::SeqCst);
    assert!(watch.join().unwrap().iter().all(|it| *it == 0o600));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    store.close().await;
    std::fs::write(&path, "no database at all, but a text").unwrap();
    let half = dir.path().join("half.db");
    assert!(backup(&url, &half).await.is_err() && !half.exists());
}
