use super::*;
use crate::memory::tests::{beginning, caller, second};

const LONG: usize = 200;

/// What is open, and what is told as missing.
fn open(here: &Here, user: &str) -> (u64, u64) {
    let open = here.still_open(&caller(user), &Memory::Any, second(1));
    (open.awaited, open.missing)
}

fn close(here: &Here, user: &str, id: &str) {
    here.close(std::iter::once((&caller(user), id)));
}

#[test]
fn open_turns_are_one_companions_until_it_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let one = Here::open(&path).unwrap();
    assert_eq!(Here::open(&path).unwrap_err().to_string(), TAKEN);
    one.leave();
    Here::open(&path).unwrap();
}

#[tokio::test]
async fn the_next_companion_knows_what_this_one_knew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let here = Here::open(&path).unwrap();
    for (user, id) in [("ada", "1"), ("ada", "2"), ("ada", "3"), ("e\u{301}ve \"q\"", "1")] {
        assert!(here.begin(&beginning(user, id, "t", "s", 1)).unwrap().is_some());
    }
    close(&here, "ada", "2");
    here.give_up(&caller("ada"), &Memory::Before(Some("t".into()), None, 2), second(1)).unwrap();
    let told = ["ada", "e\u{301}ve \"q\"", "nobody"].map(|it| open(&here, it));
    assert_eq!(told, [(1, 1), (1, 0), (0, 0)]);
    drop(here);
    // Twice, because each writes the journal anew.
    for _ in 0..2 {
        let here = Here::open(&path).unwrap();
        assert_eq!(["ada", "e\u{301}ve \"q\"", "nobody"].map(|it| open(&here, it)), told);
        let next = here.begin(&beginning("ada", "4", "t", "", 1)).unwrap().unwrap();
        assert_eq!(next.behind, 2);
        close(&here, "ada", "4");
    }
}

#[tokio::test]
async fn a_turn_that_was_closed_first_does_not_begin_and_few_of_those_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let here = Here::open(&dir.path().join("journal")).unwrap();
    let ids: Vec<String> = (0..=EARLY).map(|it| it.to_string()).collect();
    let (first, last) = (&ids[0], &ids[EARLY]);
    let ada = caller("ada");
    here.close(ids.iter().map(|it| (&ada, it.as_str())));
    assert!(here.begin(&beginning("ada", last, "t", "", 1)).unwrap().is_none());
    assert!(here.begin(&beginning("eve", last, "t", "", 1)).unwrap().is_some());
    assert!(here.begin(&beginning("ada", first, "t", "", 1)).unwrap().is_some(), "the oldest is forgotten");
    assert!(here.begin(&beginning("ada", first, "t", "", 1)).unwrap().is_none(), "it is open already");
    let early = &here.known().early;
    assert_eq!((early.known.len(), early.order.len()), (EARLY, EARLY));
}

#[tokio::test]
async fn the_journal_does_not_grow_with_the_turns_that_there_ever_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let here = Here::open(&path).unwrap();
    here.begin(&beginning("ada", "stays", "t", "", 1)).unwrap();
    let long = "x".repeat(LONG);
    let mut longest = 0;
    for number in 0..20_000 {
        let id = format!("{long}{number}");
        here.begin(&beginning("ada", &id, &long, &long, 1)).unwrap();
        close(&here, "ada", &id);
        longest = longest.max(std::fs::metadata(&path).unwrap().len());
    }
    assert!((8_000_000..9_000_000).contains(&longest), "{longest}");
    assert_eq!(open(&here, "ada"), (1, 0));
    drop(here);
    assert_eq!(open(&Here::open(&path).unwrap(), "ada"), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_opening_before_a_silence_is_taken_to_the_disk_too() {
    let dir = tempfile::tempdir().unwrap();
    let here = Here::open(&dir.path().join("journal")).unwrap();
    here.begin(&beginning("ada", "1", "t", "", 1)).unwrap();
    here.begin(&beginning("ada", "2", "t", "", 1)).unwrap();
    assert!(!here.journal().is_left_alone(), "somebody has it");
    tokio::time::sleep(TO_DISK_WITHIN).await;
    while !here.journal().is_left_alone() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_left_writes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (one, also) = (Here::open(&path).unwrap(), beginning("ada", "2", "t", "", 1));
    one.begin(&beginning("ada", "1", "t", "", 1)).unwrap();
    one.leave();
    let other = Here::open(&path).unwrap();
    assert!(one.begin(&also).is_err());
    close(&one, "ada", "1");
    assert_eq!(open(&other, "ada"), (1, 0));
    assert!(other.begin(&also).unwrap().is_some());
}
