//! The model card: what the shipped table was made of, how, and what it does.

use crate::folds::{self, Shipped, Study, Unseen};
use crate::measure::{self, Judged, Table};
use crate::model::Choices;
use crate::texts::{Part, Text, family};
use std::collections::BTreeMap;
use std::fmt::Write;

const SOURCES: &str = include_str!("../sources.txt");
const HEAD: &str = include_str!("../card/head.md");
const LIMITS: &str = include_str!("../card/limits.md");

/// Its text.
pub(crate) fn write(texts: &[Text], study: &Study, shipped: &Shipped) -> String {
    let mut card = HEAD.to_owned();
    data(&mut card, texts);
    method(&mut card);
    threshold(&mut card, texts, study, shipped);
    folded(&mut card, texts, study, shipped.margin);
    families(&mut card, texts, study, shipped.margin);
    quantised(&mut card, shipped);
    card.push_str(LIMITS);
    println!("{card}");
    card
}

fn data(card: &mut String, texts: &[Text]) {
    let mut counts: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    for text in texts {
        let what = match (text.part, text.attack) {
            (Part::Row, true) => "rows of GUARD_DATA, attacks",
            (Part::Row, false) => "rows of GUARD_DATA, harmless",
            (_, true) => "attacks",
            (_, false) => "harmless",
        };
        let kind = if text.part == Part::Row { "all" } else { family(&text.kind) };
        counts.entry((what, kind)).or_default()[usize::from(text.part == Part::Held)] += 1;
    }
    card.push_str("\n## Data\n\n| what | kind | trained on | held out |\n|---|---|---:|---:|\n");
    for ((what, kind), [trained, held]) in &counts {
        let _ = writeln!(card, "| {what} | {kind} | {trained} | {held} |");
    }
    let rows = texts.iter().filter(|it| it.part == Part::Row).count();
    let _ = if rows == 0 {
        writeln!(card, "\nThe shipped table was trained **without** rows of `GUARD_DATA`.")
    } else {
        writeln!(
            card,
            "\nThe shipped table was trained on all {rows} rows of `GUARD_DATA` as well; none of them is in the repository."
        )
    };
    card.push_str("\nPackages, each with its checksum in `training/sources.txt`; attacks are read from those marked so, harmless texts from the others:\n\n");
    card.push_str("| package | version | for | licence |\n|---|---|---|---|\n");
    for line in SOURCES.lines().filter(|it| !it.starts_with('#')) {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        if let [registry, name, version, _, used, licence] = words[..] {
            let _ = writeln!(card, "| {registry} {name} | {version} | {used} | {licence} |");
        }
    }
}

fn method(card: &mut String) {
    let Choices { epochs, step, decay, without_grams, harmless, window_penalty } = Choices::default();
    let _ = writeln!(
        card,
        "\n## Method\n\nLogistic regression over `sentinel::units`, the gateway's own reading: a text is what the worst of its whole and its windows is, so in a\n\
         long document the window with the attack is learnt, and of a harmless one the window that looks worst. AdaGrad, {epochs} passes, step {step}, decay\n\
         {decay:?} for n-grams, pairs and rules; in {:.0} % of the steps without the n-grams; harmless texts count {harmless} times; a window counts\n\
         {window_penalty} times the logarithm of their number less. All texts of a kind together count like the 0.6th power of their number, and rows of one\n\
         group like its root. Order and choices come from one seed. Tried by folds: 5 and 14 passes; steps of 0.12, 0.25 and 0.5; no window penalty. Recall at\n\
         one to eight false positives of 465 moved by at most 1.6 points between them, so these choices matter little.",
        without_grams * 100.0
    );
}

fn threshold(card: &mut String, texts: &[Text], study: &Study, shipped: &Shipped) {
    let _ = writeln!(
        card,
        "\n## Threshold\n\nA logit of {:.2} is a score of 0.5, the threshold: where {} % of the held-out harmless texts are flagged, each kind counting like the root of its\n\
         number; prose that quotes attacks is not among them. No text or source of the held-out ones, and no template of theirs, was trained on.",
        shipped.threshold,
        folds::SHARE * 100.0
    );
    if !study.folds.is_empty() {
        let _ = writeln!(
            card,
            "By folds, rows asked for {:.2} more, to have at most {} % of them flagged.",
            shipped.margin,
            folds::ROWS * 100.0
        );
    }
    card.push_str("\n| held-out harmless texts | flagged | of | % |\n|---|---:|---:|---:|\n");
    let held: Vec<Judged> =
        shipped.held.iter().map(|(at, logit)| Judged { text: &texts[*at], logit: *logit }).collect();
    lines(card, &measure::table(&held, shipped.threshold, |it| Some(family(&it.kind).to_owned())));
}

fn list<'t>(texts: &'t [Text], some: &[Unseen]) -> Vec<Judged<'t>> {
    let judged = some.iter().flat_map(|it| &it.judged);
    judged.map(|(at, logit)| Judged { text: &texts[*at], logit: *logit }).collect()
}

fn folded(card: &mut String, texts: &[Text], study: &Study, margin: f32) {
    card.push_str("\n## Cross-validated by group\n\n");
    if study.folds.is_empty() {
        card.push_str("There were no rows to measure on: run with `GUARD_DATA`.\n");
        return;
    }
    let copies: usize = study.folds.iter().map(|it| it.copies).sum();
    let _ = writeln!(
        card,
        "Five folds of the rows of `GUARD_DATA`, no group in two of them. Each fold is judged by a table that saw neither its rows nor texts out of packages\n\
         that share runs of eight words with them ({copies} such texts were left out), at the threshold that table chose by the held-out texts. These are the\n\
         figures to believe, with one reserve: who wrote our templates had read the rows.\n"
    );
    let judged = list(texts, &study.folds);
    card.push_str("| rows | flagged | of | % |\n|---|---:|---:|---:|\n");
    lines(card, &measure::table(&judged, margin, measure::total));
    lines(card, &measure::table(&judged, margin, measure::required));
    let _ = writeln!(card, "\n| if so many harmless rows are flagged | recall % |\n|---|---:|");
    for share in [0.0025, 0.005, 0.01, 0.02] {
        let found = measure::table(&judged, plain(&judged, share), measure::total);
        let _ = writeln!(
            card,
            "| {} % | {:.1} |",
            share * 100.0,
            percent(found.get("attacks").copied().unwrap_or_default())
        );
    }
    card.push_str("\nBy kind:\n\n| rows | flagged | of | % |\n|---|---:|---:|---:|\n");
    lines(
        card,
        &measure::table(&judged, margin, |it| {
            Some(format!("{} {}", if it.attack { "attack" } else { "harmless" }, it.kind))
        }),
    );
}

fn families(card: &mut String, texts: &[Text], study: &Study, margin: f32) {
    let Some(made) = &study.made_only else { return };
    let judged = list(texts, std::slice::from_ref(made));
    card.push_str("\n## Unseen sources\n\nThe same rows, judged by a table that was trained on none of them, only on what `generate.py` makes:\n\n| rows | flagged | of | % |\n|---|---:|---:|---:|\n");
    lines(card, &measure::table(&judged, margin, measure::total));
    lines(card, &measure::table(&judged, margin, measure::required));
    card.push_str("\nAnd with all rows of a source left out, trained on the others:\n\n| source left out | flagged | of | % |\n|---|---:|---:|---:|\n");
    for (name, unseen) in &study.left_out {
        for (label, counts) in measure::table(&list(texts, std::slice::from_ref(unseen)), margin, measure::total) {
            lines(card, &Table::from([(format!("{name}, {label}"), counts)]));
        }
    }
}

fn quantised(card: &mut String, shipped: &Shipped) {
    let (sides, most) = shipped.changed;
    let _ = writeln!(
        card,
        "\n## A byte per weight\n\nOne scale for each of n-grams, pairs and rules. Of the {} held-out texts, {sides} are on the other side of the threshold than in floating point; the\n\
         largest change of a logit is {most:.2}. The file has {} bytes.",
        shipped.held.len(),
        shipped.file.len()
    );
}

/// The threshold at which a share of the harmless rows is flagged, each counting alike.
pub(crate) fn plain(judged: &[Judged], share: f32) -> f32 {
    let mut logits: Vec<f32> =
        judged.iter().filter(|it| !it.text.attack && !it.text.quoted).map(|it| it.logit).collect();
    logits.sort_by(|one, other| other.total_cmp(one));
    logits.get((logits.len() as f32 * share) as usize).map_or(0.0, |it| it + 1e-4)
}

fn lines(card: &mut String, table: &Table) {
    for (name, counts) in table {
        let _ = writeln!(card, "| {name} | {} | {} | {:.1} |", counts.0, counts.1, percent(*counts));
    }
}

fn percent((flagged, all): (usize, usize)) -> f32 {
    100.0 * flagged as f32 / all.max(1) as f32
}
