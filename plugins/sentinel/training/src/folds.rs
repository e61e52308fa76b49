//! What is trained on what: cross-validation by group, families left out, and the table that is shipped.

use crate::card;
use crate::measure::{Judged, threshold};
use crate::model::{Choices, Model};
use crate::quantise;
use crate::texts::{Part, Text, family, hash};
use sentinel::Layer;
use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;
use std::thread;

/// Harmless texts that may be flagged among those held out, when the threshold is chosen.
pub(crate) const SHARE: f32 = 0.003;
const FOLDS: u64 = 5;

/// What a model that had not seen some rows thinks of them.
pub(crate) struct Unseen {
    /// Numbers of rows, and their logits less the threshold that this model chose by the held texts.
    pub(crate) judged: Vec<(usize, f32)>,
    /// Made texts that were left out, being copies of those rows.
    pub(crate) copies: usize,
}

/// What is known without the shipped table.
pub(crate) struct Study {
    /// By folds of groups.
    pub(crate) folds: Vec<Unseen>,
    /// Without any row.
    pub(crate) made_only: Option<Unseen>,
    /// Without the attacks and harmless rows of a family.
    pub(crate) left_out: Vec<(String, Unseen)>,
}

/// The table that is shipped.
pub(crate) struct Shipped {
    pub(crate) file: Vec<u8>,
    /// Share of held texts whose side of the threshold the bytes change, and largest change of a logit.
    pub(crate) changed: (usize, f32),
    pub(crate) threshold: f32,
    /// What rows in folds asked for beyond the threshold by held texts.
    pub(crate) margin: f32,
    /// Numbers of held texts, and their logits as the gateway gets them.
    pub(crate) held: Vec<(usize, f32)>,
}

/// Trains and measures on rows that were not trained on.
pub(crate) fn study(texts: &[Text]) -> Study {
    let rows: Vec<usize> = (0..texts.len()).filter(|it| texts[*it].part == Part::Row).collect();
    if rows.is_empty() {
        return Study { folds: Vec::new(), made_only: None, left_out: Vec::new() };
    }
    let mut sets: Vec<Vec<usize>> =
        (0..FOLDS).map(|fold| pick(&rows, |it| hash(&texts[it].group) % FOLDS == fold)).collect();
    sets.push(rows.clone());
    let names: BTreeSet<String> = rows.iter().map(|it| family(&texts[*it].kind).to_owned()).collect();
    let names: Vec<String> = names.into_iter().filter(|it| it != "benign").collect();
    sets.extend(names.iter().map(|name| pick(&rows, |it| family(&texts[it].kind) == name)));
    let mut done = parallel(&sets, |set| unseen(texts, set));
    let left_out = names.into_iter().zip(done.split_off(FOLDS as usize + 1)).collect();
    let made_only = done.pop();
    Study { folds: done, made_only, left_out }
}

fn pick(rows: &[usize], of: impl Fn(usize) -> bool) -> Vec<usize> {
    rows.iter().copied().filter(|it| of(*it)).collect()
}

/// Trains without some rows and without copies of them, and judges them.
fn unseen(texts: &[Text], rows: &[usize]) -> Unseen {
    let without: HashSet<usize> = rows.iter().copied().collect();
    let known: HashSet<u64> = rows.iter().flat_map(|it| texts[*it].shingles.iter().copied()).collect();
    let copy = |it: &Text| {
        let same = it.shingles.iter().filter(|it| known.contains(it)).count();
        same * 5 > it.shingles.len()
    };
    let mut copies = 0;
    let mut train = Vec::new();
    let used = texts.iter().enumerate().filter(|(at, it)| it.part != Part::Held && !without.contains(at));
    for (_, text) in used {
        if text.part == Part::Train && copy(text) {
            copies += 1;
        } else {
            train.push(text);
        }
    }
    let model = Model::train(&train, &Choices::default());
    let limit = threshold(&held(texts, |it| model.judge(it).0), SHARE);
    Unseen { judged: rows.iter().map(|it| (*it, model.judge(&texts[*it]).0 - limit)).collect(), copies }
}

fn held(texts: &[Text], judge: impl Fn(&Text) -> f32) -> Vec<Judged<'_>> {
    texts.iter().filter(|it| it.part == Part::Held).map(|text| Judged { text, logit: judge(text) }).collect()
}

/// Trains on everything but the held texts, and chooses the threshold.
pub(crate) fn ship(texts: &[Text], study: &Study) -> Shipped {
    let train: Vec<&Text> = texts.iter().filter(|it| it.part != Part::Held).collect();
    let model = Model::train(&train, &Choices::default());
    // Rows in folds were not trained on either: the threshold must hold for them too.
    let rows: Vec<Judged> = study
        .folds
        .iter()
        .flat_map(|it| &it.judged)
        .map(|(at, logit)| Judged { text: &texts[*at], logit: *logit })
        .collect();
    let margin = if rows.is_empty() { 0.0 } else { card::plain(&rows, ROWS).max(0.0) };
    let threshold = threshold(&held(texts, |it| model.judge(it).0), SHARE) + margin;
    let file = quantise::encode(&model, threshold).unwrap_or_default();
    let layer = Layer::parse(&file).ok();
    let mut held = Vec::new();
    let (mut sides, mut most) = (0, 0.0_f32);
    for (at, text) in texts.iter().enumerate().filter(|(_, it)| it.part == Part::Held) {
        let exact = model.judge(text).0;
        let byte = layer.as_ref().map_or(f32::NAN, |it| quantise::judge(it, text));
        sides += usize::from((exact >= threshold) != (byte >= threshold));
        most = most.max((exact - byte).abs());
        held.push((at, byte));
    }
    Shipped { file, changed: (sides, most), threshold, margin, held }
}

/// What was thought of texts that were not trained on: the line of the text, counted over both files, its kind, and the logit less the threshold.
pub(crate) fn scores(texts: &[Text], study: &Study, shipped: &Shipped) -> String {
    let held = shipped.held.iter().map(|(at, logit)| (*at, logit - shipped.threshold));
    let mut all: Vec<(usize, f32)> = study.folds.iter().flat_map(|it| it.judged.iter().copied()).chain(held).collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1));
    let line = |(at, logit): &(usize, f32)| format!("{at}\t{}\t{}\t{logit:.3}\n", texts[*at].attack, texts[*at].kind);
    all.iter().map(line).collect()
}

/// Harmless rows that may be flagged in folds.
pub(crate) const ROWS: f32 = 0.006;

/// The same for each, on two threads, in their order.
fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0..items.len());
    let take = || next.lock().ok().and_then(|mut it| it.next());
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let run = || std::iter::from_fn(take).map(|at| (at, work(&items[at]))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|it| it.join().unwrap_or_default()).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, it)| it).collect()
}
