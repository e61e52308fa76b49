//! The model card.

use crate::folds::{Shipped, Study, Unseen};
use crate::measure::{self, Judged, Table};
use crate::texts::{Part, Text};
use std::fmt::Write;

/// Its text.
pub(crate) fn write(texts: &[Text], study: &Study, shipped: &Shipped) -> String {
    let mut card = String::new();
    let judged = |unseen: &[Unseen]| -> Vec<(usize, f32)> { unseen.iter().flat_map(|it| it.judged.clone()).collect() };
    let rows = judged(&study.folds);
    section(&mut card, "cross-validated by group", texts, &rows);
    if let Some(made) = &study.made_only {
        section(&mut card, "made texts only", texts, &made.judged);
    }
    for (name, unseen) in &study.left_out {
        let list: Vec<Judged> =
            unseen.judged.iter().map(|(at, logit)| Judged { text: &texts[*at], logit: *logit }).collect();
        let (flagged, all) = measure::table(&list, 0.0, measure::total).remove("attacks").unwrap_or_default();
        let _ = writeln!(card, "without {name}: {flagged}/{all}, copies {}", unseen.copies);
    }
    let _ = writeln!(
        card,
        "threshold {} changed {:?} {}",
        shipped.threshold,
        shipped.changed,
        texts.iter().filter(|it| it.part == Part::Row).count()
    );
    println!("{card}");
    card
}

fn section(card: &mut String, title: &str, texts: &[Text], rows: &[(usize, f32)]) {
    let judged: Vec<Judged> = rows.iter().map(|(at, logit)| Judged { text: &texts[*at], logit: *logit }).collect();
    for share in [0.0, 0.005, 0.01, 0.02] {
        let limit = if share == 0.0 { 0.0 } else { plain(&judged, share) };
        let _ = writeln!(card, "## {title}: {share} at {limit}");
        lines(card, &measure::table(&judged, limit, measure::total));
        if share == 0.01 || share == 0.0 {
            lines(card, &measure::table(&judged, limit, measure::required));
        }
    }
    let limit = plain(&judged, 0.01);
    lines(
        card,
        &measure::table(&judged, limit, |it| {
            Some(format!("{} {}", if it.attack { "attack" } else { "harmless" }, it.kind))
        }),
    );
}

/// The threshold at which a share of the harmless rows is flagged, each counting alike.
fn plain(judged: &[Judged], share: f32) -> f32 {
    let mut logits: Vec<f32> =
        judged.iter().filter(|it| !it.text.attack && !it.text.quoted).map(|it| it.logit).collect();
    logits.sort_by(|one, other| other.total_cmp(one));
    logits.get((logits.len() as f32 * share) as usize).map_or(0.0, |it| it + 1e-4)
}

fn lines(card: &mut String, table: &Table) {
    for (name, (flagged, all)) in table {
        let _ = writeln!(card, "{name:<40} {flagged:>5} {all:>5} {:>6.1}", 100.0 * *flagged as f32 / *all as f32);
    }
}
