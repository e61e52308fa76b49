//! The guards as they look at an answer.

use super::finder::{Finder, Found};
use super::{Act, begun};
use crate::{
    guards::Judge,
    replace,
    shield::{Kind, Shield},
};
use domain::mode::Mode;
use std::borrow::Cow;

/// A caller's guards, and the project that hashes are of.
#[derive(Debug, Clone, Copy)]
pub struct Looking<'a> {
    /// The guard `pii`.
    pub shield: &'a Shield,
    /// The guard `sentinel`, whose rules of answers have no score.
    pub judge: Judge,
    /// The caller's project.
    pub project: &'a str,
}

impl Looking<'_> {
    /// In shadow nothing becomes of anything.
    fn act(&self, action: Act) -> Act {
        if self.shield.mode == Mode::Enforce { action } else { Act::Report }
    }
}

impl Finder for Looking<'_> {
    fn find<'a>(&'a self, text: &str) -> Vec<Found<'a>> {
        if !self.shield.looks_at_responses() {
            return Vec::new();
        }
        let found = self.shield.find(text).into_iter();
        let label = |it: &Kind| match it {
            Kind::Entity(it) => Cow::Borrowed(it.key()),
            Kind::Own(name) => Cow::Owned(name.to_string()),
        };
        let found = found.map(|it| Found {
            label: label(&it.kind),
            rule: Cow::Owned(it.rule.to_string()),
            act: self.act(it.action),
            span: it.span,
        });
        found.collect()
    }

    fn settled(&self, text: &str, from: usize) -> usize {
        if self.shield.looks_at_responses() { self.shield.settled(text, from) } else { text.len() }
    }

    fn changes(&self) -> bool {
        self.shield.mode == Mode::Enforce
    }

    fn begun<'a>(&'a self, text: &str) -> Option<Found<'a>> {
        if !self.shield.looks_at_responses() {
            return None;
        }
        let (span, entity) = begun(text)?;
        let act = self.act(self.shield.action(entity)?);
        Some(Found { span, label: Cow::Borrowed(entity.key()), rule: Cow::Borrowed("begun"), act })
    }

    fn judge(&self, words: &str) -> Option<(Act, &'static str)> {
        if !self.judge.looks_at_responses() {
            return None;
        }
        let hit = sentinel::answer(words).into_iter().next()?;
        Some((if self.judge.mode == Mode::Enforce { Act::Block } else { Act::Report }, hit.rule))
    }

    fn hash(&self, label: &str, value: &str) -> String {
        replace::hashed(self.shield, self.project, label, value)
    }
}
