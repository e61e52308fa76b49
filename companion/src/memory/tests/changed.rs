//! What is changed, purged or sealed anew while somebody else goes on.

use super::*;

#[tokio::test]
async fn what_is_left_of_another_restore_is_no_part_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("memory.db"), dir.path().join("copy.db"));
    let url = format!("sqlite://{}", path.display());
    let store = open(&url, "").await;
    add(&store, "ada", &[turn("1", "t", "", &["one", "."])], 1).await;
    backup(&url, &copy).await.unwrap();
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
