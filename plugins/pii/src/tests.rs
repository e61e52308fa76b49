//! What holds for all recognisers: one `check`, no overlap, no more than linear cost.

use super::{Entities, Entity, Finding, find, scan};
use proptest::prelude::*;

/// `text` holds these of `entity`, in order, and nothing else of it.
pub(crate) fn check(entity: Entity, text: &str, want: &[&str]) {
    let found = find(text, Entities::default().with(entity));
    let found: Vec<&str> = found.iter().map(|it| &text[it.span.clone()]).collect();
    assert_eq!(found, want, "{text}");
}

/// What the scanners begin to read at, and what they read.
const PIECES: [&str; 44] = [
    "@",
    ".",
    "://",
    ":",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "-----",
    "eyJhbGciOiJI",
    "eyJ",
    "sk-",
    "sk-proj-",
    "ghp_",
    "AKIA",
    "SG.",
    "hooks.slack.com/services/",
    "/",
    "123456789",
    ":AA",
    "ya29.",
    "a",
    "Zx9",
    "é",
    " ",
    "\n",
    "-",
    "0",
    "4111 ",
    "+49 ",
    "(0",
    "123-45-6789 ",
    "AB12",
    "DE89",
    "1 ",
    "12.",
    "card ",
    "phone ",
    "passport ",
    "born ",
    "p",
    "1985-",
    "電",
    "٤",
    "\u{200b}",
];

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..120);
    let any = (pieces, 1..20_usize).prop_map(|(pieces, times)| pieces.concat().repeat(times));
    prop_oneof![any, "\\PC{0,300}"]
}

fn steps(text: &str) -> usize {
    scan::steps::of(|| drop(find(text, Entities::ALL)))
}

proptest! {
    #[test]
    fn findings_are_in_order_and_do_not_overlap(text in texts()) {
        let found = find(&text, Entities::ALL);
        for Finding { span, .. } in &found {
            prop_assert!(!span.is_empty() && text.get(span.clone()).is_some());
        }
        prop_assert!(found.is_sorted_by(|a, b| a.span.end <= b.span.start));
    }

    #[test]
    fn no_text_costs_more_than_a_few_looks_at_each_byte(text in texts()) {
        prop_assert!(steps(&text) <= 96 * text.len() + 96, "{} steps for {} bytes", steps(&text), text.len());
    }
}

#[test]
fn each_piece_alone_over_and_over_stays_linear() {
    let bodies = PIECES.iter().flat_map(|one| PIECES.iter().map(move |two| format!("{one}{two}")));
    let worst = bodies.map(|body| {
        let text = body.repeat(800 / body.len());
        (steps(&text) * 10 / text.len(), body)
    });
    let (tenths, body) = worst.max().unwrap();
    assert!(tenths <= 960, "{tenths} tenths of a look at each byte of {body:?} over and over");
}

#[test]
fn overlapping_findings_go_together() {
    // The end of the token is the beginning of an address.
    let text = "ghp_CpE2h8elheSieRKRsuFZFSrL7Y9SgTPk4J3q@example.com";
    let found = find(text, Entities::ALL);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].span.clone(), found[0].entity), (0..text.len(), Entity::GithubToken));
}

/// Prints what a kilobyte costs, natively: `cargo test -p pii --release -- --nocapture cost`.
#[test]
#[allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement to read")]
fn cost_is_printed() {
    let prose = "Dear Ada, thank you for your letter of the 3rd; we shall meet at noon, won't we? ".repeat(13);
    let mixed = format!("{prose} ada@example.com sk-proj-{}", "Zx9Qw4Rt7".repeat(8));
    let words = "-----BEGIN PRIVATE KEY-----eyJ.eyJ.sk-@".repeat(27);
    for (name, text) in [("prose", prose), ("prose with findings", mixed), ("hostile", words)] {
        let start = std::time::Instant::now();
        let rounds = 2_000;
        let found: usize = (0..rounds).map(|_| find(std::hint::black_box(&text), Entities::ALL).len()).sum();
        let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds) / (text.len() as f64 / 1024.0);
        println!("{name}: {micros:.2} µs/KB, {} findings", found / 2_000);
    }
}
