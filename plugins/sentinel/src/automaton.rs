//! Finds the rules in a text: each word moves the rules whose classes it has one step on, so a text is read once, whatever it repeats.

use crate::lexicon::Meaning;
use crate::rules::{MOST_STEPS, RULES};
use crate::steps;
use crate::words::Word;
use std::sync::OnceLock;

/// A rule that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    /// Its name's number.
    pub(crate) name: usize,
    /// The first word, and the one after the last.
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// How far a rule has come: the latest words that its steps so far were found at. The latest are the best, since what follows must be near.
#[derive(Debug, Clone, Copy)]
struct Reached {
    first: usize,
    end: usize,
    place: u32,
}

/// Which steps a class is part of: rule and step, later steps first so that a word is not two steps of a rule.
fn index() -> &'static [Vec<(usize, usize)>] {
    static INDEX: OnceLock<Vec<Vec<(usize, usize)>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = vec![Vec::new(); 128];
        for (rule, it) in RULES.iter().enumerate() {
            for (step, it) in it.steps.iter().enumerate().rev() {
                for class in it.any.numbers() {
                    if let Some(steps) = usize::try_from(class).ok().and_then(|it| index.get_mut(it)) {
                        steps.push((rule, step));
                    }
                }
            }
        }
        index
    })
}

/// All rules found, in the order of their ends.
pub(crate) fn run(words: &[Word], meanings: &[Meaning]) -> Vec<Match> {
    let index = index();
    let mut states = vec![[None::<Reached>; MOST_STEPS]; RULES.len()];
    let mut found = Vec::new();
    for meaning in meanings {
        let Some(place) = words.get(meaning.first).map(|it| it.place) else { continue };
        let last = meaning.end.checked_sub(1).and_then(|it| words.get(it)).map_or(place, |it| it.place);
        for class in meaning.classes.numbers() {
            let steps = usize::try_from(class).ok().and_then(|it| index.get(it)).map(Vec::as_slice).unwrap_or_default();
            steps::take(steps.len());
            for (rule, step) in steps {
                let (Some(rule), Some(state)) = (RULES.get(*rule), states.get_mut(*rule)) else { continue };
                let Some(it) = rule.steps.get(*step) else { continue };
                let first = match step.checked_sub(1).map(|before| state.get(before).copied().flatten()) {
                    None => meaning.first,
                    Some(Some(before))
                        if before.end <= meaning.first && place.saturating_sub(before.place) <= it.within =>
                    {
                        before.first
                    }
                    Some(_) => continue,
                };
                if step.saturating_add(1) == rule.steps.len() {
                    found.push(Match { name: rule.name, first, end: meaning.end });
                } else if let Some(slot) = state.get_mut(*step) {
                    *slot = Some(Reached { first, end: meaning.end, place: last });
                }
            }
        }
    }
    found
}
