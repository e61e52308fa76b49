//! What is remembered, in bulk. `make soak` has more of it: 500 users while things die, and ten thousand open streams.

use tests::held;

#[test]
fn an_open_stream_holds_nothing_of_its_history() {
    let growth = held::measure(300, Some(1_000_000));
    eprintln!("{growth}");
    assert!(growth.each() < held::EACH, "each of them has a megabyte of history: {growth}");
}
