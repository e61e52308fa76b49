//! Trains Sentinel's layer: `sentinel-training TEXTS [ROWS [SCORES]]` reads the texts that `generate.py` made and, if given, labelled rows to tune
//! on, and writes `weights.bin` and `MODEL_CARD.md`; into SCORES what it thought of each text it had not trained on, for who tunes.
//! `make sentinel` runs it.
//!
//! It reads texts with the very function that the gateway reads them with. The same input gives the same bytes: seeds are fixed, sums are
//! added in one order, and threads share nothing.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "runs on the machine of who trains, on files of theirs, and should stop where it is wrong"
)]

mod card;
mod folds;
mod measure;
mod model;
mod quantise;
mod texts;

use std::{env, fs, process};

fn main() {
    if let Err(error) = run(&env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("{error}");
        process::exit(1);
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let Some(made) = args.first() else { return Err("usage: sentinel-training TEXTS [ROWS [SCORES]]".to_owned()) };
    let mut texts = texts::read(made, false)?;
    if let Some(rows) = args.get(1) {
        texts.extend(texts::read(rows, true)?);
    }
    let texts = texts::prepare(texts);
    let study = folds::study(&texts);
    let shipped = folds::ship(&texts, &study);
    for (file, bytes) in [
        ("weights.bin", shipped.file.clone()),
        ("../MODEL_CARD.md", card::write(&texts, &study, &shipped).into_bytes()),
    ] {
        let path = format!("{}/../src/{file}", env!("CARGO_MANIFEST_DIR"));
        fs::write(&path, bytes).map_err(|error| format!("{path}: {error}"))?;
    }
    if let Some(path) = args.get(2) {
        fs::write(path, folds::scores(&texts, &study, &shipped)).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}
