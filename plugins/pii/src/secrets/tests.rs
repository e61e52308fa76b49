//! What holds for all recognisers of secrets: no text makes them read it more than a few times.

use crate::{Entities, find, scan};
use proptest::prelude::*;

/// What they begin to read at, and what they read.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "password=", "password\": \"", "password is ", "pwd:", "TOKEN", "api_key ", " is ", "\"", "'", "\\\"", ":", ";", "=", ",",
    "Server=", "Password=", "Pwd=a1b2;", "AccountKey=", "a@tcp(", "jdbc:", "://a:b@", "https://", "/", "@", "Bearer ", "value",
    "g h p _ ", "ghp_", "sk-", "sk-proj-", "\" + \"", "\", \"", "eyJ", "eyJ.", "SG.", "\n", "  ", "\\", "Zx9q", "a1B2c3D4", "k", "<password>",
    "0x", "1.2.3.4 ", "10.20.30.40", "version ", "::", "2a03:", "00:1A:", "bc1q", "1BvBMSEY", "AKIA ", "-----BEGIN ", "é", "\u{200b}",
    "curl -u ", "密码是", "login ", "mysql -p", "<string>", "</key>",
];

fn steps(text: &str) -> usize {
    scan::steps::of(|| drop(find(text, Entities::ALL)))
}

proptest! {
    #[test]
    fn no_text_is_read_more_than_a_few_times(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..80), times in 1..20_usize,
    ) {
        let text = pieces.concat().repeat(times);
        prop_assert!(steps(&text) <= 80 * text.len() + 256, "{} steps for {} bytes", steps(&text), text.len());
    }
}

#[test]
fn two_pieces_over_and_over_are_read_a_few_times() {
    let bodies = PIECES.iter().flat_map(|one| PIECES.iter().map(move |two| format!("{one}{two}")));
    let worst = bodies.map(|body| {
        let text = body.repeat(2_000 / body.len());
        (steps(&text) / text.len(), body)
    });
    let (times, body) = worst.max().unwrap();
    assert!(times <= 80, "{times} looks at each byte of {body:?} over and over");
}
