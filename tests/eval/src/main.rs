//! `make eval`: what the guards find in labelled texts, and what they find where nothing is.
//!
//! Depends on the detectors alone, so that whoever tunes one waits for seconds. The texts are not in the repository.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a report is what this is for")]

mod injection;
mod personal;

use serde::de::DeserializeOwned;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("usage: eval FOLDER (with pii.jsonl and injection.jsonl), as in make eval GUARD_DATA=FOLDER");
        process::exit(2);
    };
    let verbose = env::args().any(|it| it == "-v");
    let outcome = rows(&Path::new(&folder).join("pii.jsonl"))
        .map(|rows| personal::report(&rows, verbose))
        .and_then(|()| rows(&Path::new(&folder).join("injection.jsonl")))
        .map(|rows| injection::report(&rows, verbose));
    if let Err(error) = outcome {
        eprintln!("{error}");
        process::exit(1);
    }
}

/// The rows of a file of JSON lines.
fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let row = |(line, row): (usize, &str)| {
        serde_json::from_str(row).map_err(|error| format!("{}:{}: {error}", path.display(), line.saturating_add(1)))
    };
    text.lines().enumerate().map(row).collect()
}

/// `part` of `whole`, in percent.
fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = part.saturating_mul(1000).checked_div(whole).unwrap_or_default();
    format!("{}.{}", tenths / 10, tenths % 10)
}
