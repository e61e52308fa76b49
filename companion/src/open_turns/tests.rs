use super::*;
use crate::names::Name;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

fn caller(user: &str) -> Caller {
    let name = |text: &str| Name::try_from(text.to_owned()).unwrap();
    Caller { project: name("p"), user: name(user) }
}

fn thread(id: &str) -> Vec<Memory> {
    vec![Memory::Thread(id.into())]
}

/// Whether a turn of `user` in `memories` finds nothing missing, waiting shortly.
async fn finds_all(turns: &OpenTurns, user: &str, memories: Vec<Memory>) -> bool {
    turns.open(&caller(user), "probe", memories, Micros(0)).wait(SHORT).await
}

#[tokio::test]
async fn only_the_same_memory_of_the_same_caller_is_waited_for() {
    let turns = OpenTurns::default();
    let both = vec![Memory::Thread("t".into()), Memory::Session("s".into())];
    turns.open(&caller("ada"), "1", both, Micros(0)).keep();
    assert!(finds_all(&turns, "eve", thread("t")).await);
    assert!(finds_all(&turns, "ada", thread("s")).await);
    assert!(finds_all(&turns, "ada", vec![Memory::Session("t".into())]).await);
    assert!(!finds_all(&turns, "ada", vec![Memory::Session("s".into())]).await);
    assert!(!finds_all(&turns, "ada", thread("t")).await);
    turns.close(&caller("eve"), "1");
    assert_eq!(turns.count(), 1);
    turns.close(&caller("ada"), "1");
    assert!(finds_all(&turns, "ada", thread("t")).await);
    let table = turns.lock();
    assert_eq!((table.turns.len(), table.by_memory.len(), table.by_id.len()), (0, 0, 0));
}

#[tokio::test]
async fn turns_go_on_one_after_the_other() {
    let turns = OpenTurns::default();
    let ada = caller("ada");
    turns.open(&ada, "1", thread("t"), Micros(0)).keep();
    let mut second = turns.open(&ada, "2", thread("t"), Micros(0));
    let mut third = turns.open(&ada, "3", thread("t"), Micros(0));
    turns.close(&ada, "1");
    assert!(second.wait(LONG).await);
    second.keep();
    let waiting = tokio::spawn(async move { third.wait(LONG).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    turns.close(&ada, "2");
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_waited_for_in_vain_only_once() {
    let turns = OpenTurns::default();
    turns.open(&caller("ada"), "1", thread("t"), Micros(0)).keep();
    let begun = tokio::time::Instant::now();
    assert!(!turns.open(&caller("ada"), "2", thread("t"), Micros(0)).wait(LONG).await);
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert!(!turns.open(&caller("ada"), "3", thread("t"), Micros(0)).wait(LONG).await);
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_turn_that_nobody_closes_expires_and_one_whose_request_is_gone_is_dropped() {
    let turns = OpenTurns::default();
    turns.open(&caller("ada"), "1", thread("t"), Micros(0)).keep();
    drop(turns.open(&caller("ada"), "2", thread("t"), Micros(0)));
    assert_eq!(turns.of(&caller("ada"), Memory::Thread("t".into())), ["1"]);
    let late = Micros(0).after(LIFETIME);
    assert!(turns.open(&caller("ada"), "3", thread("t"), late).wait(LONG).await);
}

#[test]
fn their_number_is_bounded() {
    let turns = OpenTurns::default();
    for number in 0..CAPACITY + 10 {
        turns.open(&caller("ada"), &number.to_string(), thread(&number.to_string()), Micros(0)).keep();
    }
    assert_eq!(turns.count(), CAPACITY);
    assert!(turns.of(&caller("ada"), Memory::Thread("9".into())).is_empty());
}
