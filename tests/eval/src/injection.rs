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
}

/// At this score and above a text is an attack.
const THRESHOLD: f32 = 0.5;

pub(crate) fn report(rows: &[Row], verbose: bool) {
    let mut kinds: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for row in rows {
        let verdict = sentinel::judge(&row.text);
        let flagged = verdict.score >= THRESHOLD;
        if verbose && flagged != (row.label == "attack") {
            println!("  {} {} {:.3} {:?}", row.id, row.kind, verdict.score, verdict.rules);
        }
        for key in [(row.label.as_str(), row.kind.as_str()), (row.label.as_str(), "(all)")] {
            let counts = kinds.entry(key).or_default();
            counts.0 = counts.0.saturating_add(usize::from(flagged));
            counts.1 = counts.1.saturating_add(1);
        }
    }
    println!("\nInjection, at {THRESHOLD}\n{:<40} {:>8} {:>6} {:>7}", "label, kind", "flagged", "of", "%");
    for ((label, kind), (flagged, all)) in kinds {
        println!("{:<40} {flagged:>8} {all:>6} {:>7}", format!("{label} {kind}"), percent(flagged, all));
    }
}
