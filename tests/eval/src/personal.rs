//! Personal data and secrets: what is masked of what should be, and what is masked besides.
//!
//! Spans count in characters in the data, in bytes in the detector. Names and addresses (tier `ner`) are out of scope,
//! and so is what the data says to ignore.

use crate::percent;
use pii::{Entities, Entity, Finding, Group};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;
use std::{hint, iter};

/// A text, and what stands in it.
#[derive(Deserialize)]
pub(crate) struct Row {
    id: String,
    text: String,
    spans: Vec<Span>,
    #[serde(default)]
    ignore_spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    #[serde(rename = "type", default)]
    entity: String,
    #[serde(default)]
    tier: String,
}

/// What became of the spans of one kind.
#[derive(Default)]
struct Tally {
    /// Some byte of it is masked.
    touched: usize,
    /// It is masked, all of it and nothing else, as what it is.
    exact: usize,
    missed: usize,
    /// Findings where nothing is.
    false_alarms: Vec<String>,
}

impl Tally {
    fn row(&self, name: &str) {
        let (all, alarms) = (self.touched.saturating_add(self.missed), self.false_alarms.len());
        let found = self.touched.saturating_add(alarms);
        let f1 = |hits: usize| percent(hits.saturating_mul(2), all.saturating_add(found));
        let (precision, recall) = (percent(self.touched, found), percent(self.touched, all));
        let columns = [all.to_string(), precision, recall, f1(self.touched), f1(self.exact), alarms.to_string()];
        println!("{name:<26}{}", columns.map(|it| format!("{it:>10}")).concat());
    }

    fn add(&mut self, other: &Self) {
        self.touched = self.touched.saturating_add(other.touched);
        self.exact = self.exact.saturating_add(other.exact);
        self.missed = self.missed.saturating_add(other.missed);
        self.false_alarms.extend(other.false_alarms.iter().cloned());
    }
}

pub(crate) fn report(rows: &[Row], verbose: bool) {
    let mut kinds: BTreeMap<String, Tally> = BTreeMap::new();
    let mut tiers: BTreeMap<&str, Tally> = BTreeMap::new();
    let (mut clean, mut harmed) = (0_usize, Vec::new());
    for row in rows {
        let found = pii::find(&row.text, Entities::ALL);
        weigh(row, &found, verbose, &mut kinds, &mut tiers);
        if row.spans.is_empty() && row.ignore_spans.is_empty() {
            clean = clean.saturating_add(1);
            harmed.extend((!found.is_empty()).then_some(row.id.as_str()));
        }
    }
    let titles = ["spans", "precision", "recall", "F1", "F1 exact", "alarms"];
    println!("Personal data and secrets\n{:<26}{}", "", titles.map(|it| format!("{it:>10}")).concat());
    let (mut all, mut secrets) = (Tally::default(), Tally::default());
    for (kind, tally) in &kinds {
        tally.row(kind);
        all.add(tally);
        if Entity::ALL.iter().any(|it| it.key() == kind && it.group() == Group::Secret) {
            secrets.add(tally);
        }
    }
    for (tier, tally) in &tiers {
        tally.row(&format!("tier {tier} (recall)"));
    }
    secrets.row("secrets");
    all.row("all (micro)");
    println!("clean texts touched: {} of {clean}, {} % {harmed:?}", harmed.len(), percent(harmed.len(), clean));
    println!("cost: {:.1} µs/KB natively, all texts, all entities", cost(rows));
    for (kind, tally) in kinds.iter().filter(|(_, it)| !it.false_alarms.is_empty()) {
        println!("false alarms, {kind}: {:?}", tally.false_alarms);
    }
}

/// Microseconds for a kilobyte; the best of some rounds, as other work only adds.
fn cost(rows: &[Row]) -> f64 {
    let bytes: usize = rows.iter().map(|it| it.text.len()).sum();
    let round = || {
        let start = Instant::now();
        let found: usize = rows.iter().map(|it| pii::find(hint::black_box(&it.text), Entities::ALL).len()).sum();
        hint::black_box(found);
        start.elapsed().as_secs_f64()
    };
    let best = iter::repeat_with(round).take(10).fold(f64::INFINITY, f64::min);
    best * 1e6 * 1024.0 / f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// Adds what `found` is worth in `row`.
fn weigh<'a>(
    row: &'a Row,
    found: &[Finding],
    verbose: bool,
    kinds: &mut BTreeMap<String, Tally>,
    tiers: &mut BTreeMap<&'a str, Tally>,
) {
    let bytes = |span: &Span| byte(&row.text, span.start)..byte(&row.text, span.end);
    let say = |what: &str, kind: &str, rule: &str, span: Range<usize>| {
        if verbose {
            let around = byte_floor(&row.text, span.start.saturating_sub(50))
                ..byte_floor(&row.text, span.end.saturating_add(20));
            let (text, around) = (row.text.get(span).unwrap_or_default(), row.text.get(around).unwrap_or_default());
            println!("  {} {what} {kind} {rule} {text:?} in {around:?}", row.id);
        }
    };
    for span in row.spans.iter().filter(|it| it.tier != "ner") {
        let (place, key) = (bytes(span), span.entity.to_lowercase());
        let touched = found.iter().any(|it| overlap(&it.span, &place));
        let exact = found.iter().any(|it| it.span == place && it.entity.key() == key);
        if !exact {
            let rule = found.iter().find(|it| overlap(&it.span, &place)).map_or("", |it| it.rule);
            say(if touched { "inexact" } else { "missed" }, &key, rule, place);
        }
        for tally in [kinds.entry(key).or_default(), tiers.entry(&span.tier).or_default()] {
            tally.touched = tally.touched.saturating_add(usize::from(touched));
            tally.missed = tally.missed.saturating_add(usize::from(!touched));
            tally.exact = tally.exact.saturating_add(usize::from(exact));
        }
    }
    for it in found {
        if !row.spans.iter().chain(&row.ignore_spans).any(|span| overlap(&it.span, &bytes(span))) {
            say("false alarm", it.entity.key(), it.rule, it.span.clone());
            kinds.entry(it.entity.key().to_owned()).or_default().false_alarms.push(row.id.clone());
        }
    }
}

fn overlap(one: &Range<usize>, two: &Range<usize>) -> bool {
    one.start < two.end && two.start < one.end
}

/// Where the character numbered `at` begins.
fn byte(text: &str, at: usize) -> usize {
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}

/// `at`, or where the character begins in which it stands.
fn byte_floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it)).unwrap_or_default()
}
