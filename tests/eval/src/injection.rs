//! Attacks that are told, by kind, and harmless texts that are taken for attacks.

use crate::percent;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A text that is an attack or is not.
#[derive(Deserialize)]
pub(crate) struct Row {
    id: String,
    text: String,
    label: String,
    kind: String,
    #[serde(default)]
    difficulty: String,
}

impl Row {
    fn is_attack(&self) -> bool {
        self.label == "attack"
    }

    /// Harmless prose that quotes attacks has a bound of its own, so it is no false positive like others.
    fn is_quoted(&self) -> bool {
        !self.is_attack() && self.difficulty == "quoted"
    }
}

/// What the shipped table was measured with when it was made, by folds: its rows are told better by it than texts it has not seen.
const CARD: &str = include_str!("../../../plugins/sentinel/MODEL_CARD.md");

pub(crate) fn report(rows: &[Row], verbose: bool) {
    let mut kinds: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let (mut right, mut wrong, mut missed) = (0_usize, 0_usize, 0_usize);
    for row in rows {
        let verdict = sentinel::judge(&row.text);
        let flagged = verdict.is_attack();
        match (flagged, row.is_attack()) {
            (true, true) => right = right.saturating_add(1),
            (true, false) if !row.is_quoted() => wrong = wrong.saturating_add(1),
            (false, true) => missed = missed.saturating_add(1),
            _ => {}
        }
        if verbose && flagged != row.is_attack() {
            println!("  {} {} {:.3} {:?}", row.id, row.kind, verdict.score, verdict.rules);
        }
        let all = if row.is_quoted() { "(all that quote attacks)" } else { "(all)" };
        for key in [(row.label.as_str(), row.kind.as_str()), (row.label.as_str(), all)] {
            let counts = kinds.entry(key).or_default();
            counts.0 = counts.0.saturating_add(usize::from(flagged));
            counts.1 = counts.1.saturating_add(1);
        }
    }
    println!(
        "\nInjection, from {}\n{:<40} {:>8} {:>6} {:>7}",
        sentinel::threshold(),
        "label, kind",
        "flagged",
        "of",
        "%"
    );
    for ((label, kind), (flagged, all)) in kinds {
        println!("{:<40} {flagged:>8} {all:>6} {:>7}", format!("{label} {kind}"), percent(flagged, all));
    }
    let twice = right.saturating_mul(2);
    println!("precision {} %", percent(right, right.saturating_add(wrong)));
    println!("recall    {} %", percent(right, right.saturating_add(missed)));
    println!("F1        {} %", percent(twice, twice.saturating_add(wrong).saturating_add(missed)));
    println!("\nThe shipped table may have been trained on these rows; by folds, when it was made:\n{}", folds());
}

/// The card's part on folds.
fn folds() -> &'static str {
    let from = CARD.find("## Cross-validated").unwrap_or_default();
    let part = CARD.get(from..).unwrap_or_default();
    let to = part.get(2..).and_then(|it| it.find("\n## ")).map_or(part.len(), |it| it.saturating_add(2));
    part.get(..to).unwrap_or_default().trim()
}
