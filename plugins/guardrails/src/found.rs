//! What guards found in one direction of an exchange, as it is told: in a header, in metrics, in events.

use crate::{
    config::Action,
    event::{Direction, Guard, Seen, Taken},
    shield::Hit,
};
use domain::mode::Mode;
use std::{collections::BTreeMap, fmt::Write, rc::Rc};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// By the guard `pii`.
    pub pii: Option<Pii>,
    /// By the guard `sentinel`, which always has an opinion.
    pub sentinel: Option<Sentinel>,
}

/// Personal data and secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Pii {
    /// The guard's mode.
    pub mode: Mode,
    /// Kinds, by their keys, each with how many there are and what is done with them.
    pub kinds: BTreeMap<(Action, Rc<str>), u64>,
    /// The rule that found the first.
    pub rule: Rc<str>,
}

/// An opinion of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentinel {
    /// The guard's mode.
    pub mode: Mode,
    /// How likely it is an attack, 0 to 1; `None` where it was told by words alone.
    pub score: Option<f32>,
    /// Whether that is enough.
    pub attack: bool,
    /// The rule that weighed the most.
    pub rule: Rc<str>,
}

impl Pii {
    /// What is told of these hits; `None` when there are none. Where something is blocked nothing else matters.
    #[must_use]
    pub fn of<'a>(mode: Mode, hits: impl Iterator<Item = &'a Hit> + Clone) -> Option<Self> {
        let blocks = mode == Mode::Enforce && hits.clone().any(|it| it.action == Action::Block);
        let mut hits = hits.filter(|it| !blocks || it.action == Action::Block).peekable();
        let rule = Rc::clone(&hits.peek()?.rule);
        let mut kinds: BTreeMap<(Action, Rc<str>), u64> = BTreeMap::new();
        for it in hits {
            let count = kinds.entry((it.action, it.kind.key().into())).or_default();
            *count = count.saturating_add(1);
        }
        Some(Self { mode, kinds, rule })
    }

    /// How many there are of each action.
    #[must_use]
    pub fn actions(&self) -> BTreeMap<Action, u64> {
        let mut actions = BTreeMap::new();
        for ((action, _), count) in &self.kinds {
            let sum: &mut u64 = actions.entry(*action).or_default();
            *sum = sum.saturating_add(*count);
        }
        actions
    }

    /// Whether the exchange ends here.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.mode == Mode::Enforce && self.kinds.keys().any(|it| it.0 == Action::Block)
    }

    fn taken(&self) -> Taken {
        let changes = |it: &(Action, Rc<str>)| matches!(it.0, Action::Mask | Action::Hash | Action::Redact);
        match self.mode {
            Mode::Enforce if self.blocks() => Taken::Blocked,
            Mode::Enforce if self.kinds.keys().any(changes) => Taken::Masked,
            _ => Taken::Logged,
        }
    }
}

impl Sentinel {
    /// Whether the exchange ends here.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.mode == Mode::Enforce && self.attack
    }
}

impl Found {
    /// The header's value: `pii=mask:2,redact:1;sentinel=0.03`; `None` when there is nothing to say.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let mut text = String::new();
        // Writing to a string does not fail.
        if let Some(pii) = &self.pii {
            text.push_str("pii=");
            if pii.mode == Mode::Shadow {
                let _ = write!(text, "shadow:{}", pii.kinds.values().fold(0_u64, |sum, it| sum.saturating_add(*it)));
            } else {
                for (nth, (action, count)) in pii.actions().iter().rev().enumerate() {
                    let comma = if nth == 0 { "" } else { "," };
                    let _ = write!(text, "{comma}{}:{count}", action.key());
                }
            }
        }
        if let Some(sentinel) = &self.sentinel {
            let semicolon = if text.is_empty() { "" } else { ";" };
            let _ = match sentinel.score {
                Some(score) => write!(text, "{semicolon}sentinel={score:.2}"),
                None => write!(text, "{semicolon}sentinel={}", sentinel.rule),
            };
        }
        Some(text).filter(|it| !it.is_empty())
    }

    /// What events tell of it.
    #[must_use]
    pub fn seen(&self, direction: Direction) -> Vec<Seen<'_>> {
        let pii = self.pii.iter().map(|it| Seen {
            guard: Guard::Pii,
            direction,
            mode: it.mode,
            taken: it.taken(),
            types: it.kinds.keys().map(|it| &*it.1).collect(),
            count: it.kinds.values().fold(0, |sum, it| sum.saturating_add(*it)),
            rule: &it.rule,
            score: None,
        });
        let sentinel = self.sentinel.iter().filter(|it| it.attack).map(|it| Seen {
            guard: Guard::Sentinel,
            direction,
            mode: it.mode,
            taken: if it.blocks() { Taken::Blocked } else { Taken::Logged },
            types: vec!["prompt_injection"],
            count: 1,
            rule: &it.rule,
            score: it.score,
        });
        pii.chain(sentinel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shield::Kind;

    fn hits(all: &[(Action, &str)]) -> Vec<Hit> {
        let hit = |(action, name): &(Action, &str)| Hit {
            span: 0..1,
            kind: Kind::Own((*name).into()),
            action: *action,
            rule: format!("own.{name}").into(),
        };
        all.iter().map(hit).collect()
    }

    fn check(mode: Mode, all: &[(Action, &str)], score: Option<f32>) -> (Option<String>, Vec<(Taken, u64)>) {
        let sentinel = score.map(|score| Sentinel {
            mode: Mode::Enforce,
            score: Some(score),
            attack: score > 0.5,
            rule: "override".into(),
        });
        let found = Found { pii: Pii::of(mode, hits(all).iter()), sentinel };
        let seen = found.seen(Direction::Input).iter().map(|it| (it.taken, it.count)).collect();
        (found.report(), seen)
    }

    #[test]
    fn a_report_says_what_was_done_how_often() {
        use Action::{Block, Mask, Redact, Report};
        let said = |it: &str| Some(it.to_owned());
        for (mode, all, score, want) in [
            (Mode::Enforce, &[][..], None, (None, vec![])),
            (Mode::Enforce, &[], Some(0.03), (said("sentinel=0.03"), vec![])),
            (
                Mode::Enforce,
                &[(Mask, "a"), (Mask, "b")],
                Some(0.97),
                (said("pii=mask:2;sentinel=0.97"), vec![(Taken::Masked, 2), (Taken::Blocked, 1)]),
            ),
            (
                Mode::Enforce,
                &[(Mask, "a"), (Redact, "b"), (Mask, "a")],
                None,
                (said("pii=redact:1,mask:2"), vec![(Taken::Masked, 3)]),
            ),
            (Mode::Enforce, &[(Mask, "a"), (Block, "b")], None, (said("pii=block:1"), vec![(Taken::Blocked, 1)])),
            (
                Mode::Shadow,
                &[(Mask, "a"), (Block, "b"), (Block, "b")],
                None,
                (said("pii=shadow:3"), vec![(Taken::Logged, 3)]),
            ),
            (Mode::Enforce, &[(Report, "a")], None, (said("pii=report:1"), vec![(Taken::Logged, 1)])),
        ] {
            assert_eq!(check(mode, all, score), want);
        }
    }
}
