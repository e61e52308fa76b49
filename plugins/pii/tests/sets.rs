//! What is found in texts of many countries, languages and forms, and what stays. All values are made up.
//!
//! `found.tsv` has a kind and a text in which the value stands in `⟦⟧`; `stays.txt` has texts with nothing in them. In both,
//! `\n` is a line feed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that fails says where, and that is what it is for"
)]

use pii::{Entities, find};

const FOUND: &str = include_str!("sets/found.tsv");
const STAYS: &str = include_str!("sets/stays.txt");

/// The text of a line, and what is to be found in it with its kind.
fn read(line: &str) -> (String, (String, String)) {
    let (kind, marked) = line.split_once('\t').unwrap();
    let marked = marked.replace("\\n", "\n");
    let (_, value) = marked.split_once('⟦').unwrap();
    let (value, _) = value.split_once('⟧').unwrap();
    (marked.replace(['⟦', '⟧'], ""), (kind.to_owned(), value.to_owned()))
}

fn check(text: &str, want: &[(String, String)]) -> bool {
    let found = find(text, Entities::ALL).into_iter();
    let found: Vec<_> = found.map(|it| (it.entity.key().to_owned(), text[it.span].to_owned())).collect();
    if found != want {
        println!("{text:?}\n    {found:?}, not {want:?}");
    }
    found == want
}

#[test]
fn personal_data_of_many_countries_is_found() {
    let wrong = FOUND.lines().map(read).filter(|(text, want)| !check(text, std::slice::from_ref(want))).count();
    assert_eq!(wrong, 0, "of {}", FOUND.lines().count());
}

#[test]
fn what_looks_like_it_stays() {
    let wrong = STAYS.lines().filter(|it| !check(&it.replace("\\n", "\n"), &[])).count();
    assert_eq!(wrong, 0, "of {}", STAYS.lines().count());
}
