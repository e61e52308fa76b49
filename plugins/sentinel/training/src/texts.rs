//! Texts with labels, and what the gateway would see of them.

use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A line of either file.
#[derive(Deserialize)]
struct Line {
    text: String,
    label: String,
    kind: String,
    #[serde(default)]
    part: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    difficulty: String,
}

/// What a text is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// To train on.
    Train,
    /// Harmless, to choose the threshold with, never trained on.
    Held,
    /// A labelled row that somebody else made: trained on, and measured on by folds.
    Row,
}

/// A text before it is read.
pub(crate) struct Raw {
    text: String,
    attack: bool,
    kind: String,
    part: Part,
    group: String,
    quoted: bool,
}

/// The features of a text or a window of it. All n-grams have the same value, so it is kept once.
pub(crate) struct Unit {
    grams: Vec<u32>,
    gram: f32,
    rest: Vec<(u32, f32)>,
}

impl Unit {
    /// All features.
    pub(crate) fn features(&self) -> impl Iterator<Item = (u32, f32)> {
        self.grams.iter().map(|it| (*it, self.gram)).chain(self.rest.iter().copied())
    }

    /// Those without the n-grams.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (u32, f32)> {
        self.rest.iter().copied()
    }
}

/// A text.
pub(crate) struct Text {
    pub(crate) attack: bool,
    pub(crate) kind: String,
    pub(crate) part: Part,
    /// Rows of one group are in one fold.
    pub(crate) group: String,
    /// Harmless prose that quotes attacks: counted on its own.
    pub(crate) quoted: bool,
    /// The whole, then the windows.
    pub(crate) units: Vec<Unit>,
    /// Hashes of runs of eight words, by which copies are told.
    pub(crate) shingles: HashSet<u64>,
    /// How much it counts.
    pub(crate) weight: f32,
}

/// Reads a file of lines.
pub(crate) fn read(path: &str, rows: bool) -> Result<Vec<Raw>, String> {
    let file = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let raw = |(number, line): (usize, &str)| {
        let line: Line = serde_json::from_str(line).map_err(|error| format!("{path}:{}: {error}", number + 1))?;
        let part = match line.part.as_str() {
            _ if rows => Part::Row,
            "held" => Part::Held,
            _ => Part::Train,
        };
        let quoted = line.difficulty == "quoted" || line.kind.starts_with("security");
        Ok(Raw { attack: line.label == "attack", quoted, text: line.text, kind: line.kind, part, group: line.group })
    };
    file.lines().enumerate().map(raw).collect()
}

/// Reads the texts as the gateway does, on all cores, and says how much each counts.
pub(crate) fn prepare(raw: Vec<Raw>) -> Vec<Text> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(text) = raw.get(at) else { return done };
            done.push((at, text.prepare()));
        }
    };
    let mut texts = thread::scope(|scope| {
        let others: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        others.into_iter().flat_map(|it| it.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    texts.sort_by_key(|(at, _)| *at);
    let mut texts: Vec<Text> = texts.into_iter().map(|(_, it)| it).collect();
    weigh(&mut texts);
    texts
}

impl Raw {
    fn prepare(&self) -> Text {
        let units = sentinel::units(&self.text).into_iter().map(unit).collect();
        let (kind, group) = (self.kind.clone(), self.group.clone());
        let shingles = if self.text.len() < 12_000 { shingles(&self.text) } else { HashSet::new() };
        Text { attack: self.attack, kind, part: self.part, group, quoted: self.quoted, units, shingles, weight: 1.0 }
    }
}

fn unit(features: Vec<sentinel::Feature>) -> Unit {
    let (grams, rest): (Vec<_>, Vec<_>) =
        features.into_iter().partition(|(index, _)| sentinel::Region::of(*index) == sentinel::Region::Grams);
    let gram = grams.first().map_or(0.0, |it| it.1);
    Unit { grams: grams.into_iter().map(|it| it.0).collect(), gram, rest }
}

fn shingles(text: &str) -> HashSet<u64> {
    let words: Vec<u64> = text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty()).map(hash).collect();
    let run = |it: &[u64]| it.iter().fold(7, |all: u64, word| all.wrapping_mul(0x0100_0000_01b3) ^ word);
    if words.len() < 8 { HashSet::from([run(&words)]) } else { words.windows(8).map(run).collect() }
}

/// FNV-1a of the word in lower case.
pub(crate) fn hash(word: &str) -> u64 {
    word.to_lowercase()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |all, it| (all ^ u64::from(it)).wrapping_mul(0x0100_0000_01b3))
}

/// What a kind belongs to: what stands before the first underscore.
pub(crate) fn family(kind: &str) -> &str {
    kind.split('_').next().unwrap_or(kind)
}

/// How much all texts of a family count together: the root of their number, so that neither few nor many drown the others. A group of rows
/// counts like one and a half, since its members differ by a word.
fn weigh(texts: &mut [Text]) {
    let mut kinds: BTreeMap<(bool, Part, String), f32> = BTreeMap::new();
    let mut groups: BTreeMap<String, f32> = BTreeMap::new();
    let key = |it: &Text| {
        (it.attack, it.part, if it.part == Part::Row { it.kind.clone() } else { family(&it.kind).to_owned() })
    };
    for text in texts.iter() {
        *kinds.entry(key(text)).or_default() += 1.0;
        *groups.entry(text.group.clone()).or_default() += 1.0;
    }
    for text in texts {
        text.weight = if text.part == Part::Row {
            ROW * groups[&text.group].powf(-0.5)
        } else {
            let count = kinds[&key(text)];
            FAMILY * count.powf(-0.4)
        };
    }
}

/// How much a row counts, if it is alone in its group.
const ROW: f32 = 3.0;
/// How much a made text counts, if it is alone in its family.
const FAMILY: f32 = 16.0;
