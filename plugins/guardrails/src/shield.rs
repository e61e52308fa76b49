//! What the guard `pii` finds in a text, and what is to become of it.

use crate::{
    answer,
    config::{self, Action, What},
    pattern::Linear,
    words::List,
};
use domain::{mode::Mode, secret::Secret};
use pii::{Entities, Entity};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    rc::Rc,
};

/// How far in front of a match its context may stand, in bytes.
const CONTEXT: usize = 64;

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One of those that Tollgate knows.
    Entity(Entity),
    /// A pattern or list of the operator's, by its name.
    Own(Rc<str>),
}

impl Kind {
    /// How a configuration and a report name it.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Entity(it) => it.key(),
            Self::Own(name) => name,
        }
    }

    /// What it is in words.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Self::Entity(it) => it.what(),
            Self::Own(_) => "what the operator looks for",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it stands in the text, in bytes; on character boundaries.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// What is to become of it.
    pub action: Action,
    /// By which rule: `email`, `own.badge`.
    pub rule: Rc<str>,
}

/// The guard for one kind of caller.
#[derive(Debug, Clone)]
pub struct Shield {
    /// Whether it holds.
    pub mode: Mode,
    /// Whether requests are looked at.
    pub request: bool,
    /// Whether answers are looked at.
    pub response: bool,
    /// Whether the application's own words are looked at.
    pub system_messages: bool,
    /// How many characters of a stream may be held back.
    pub hold_back: usize,
    /// The key of hashes.
    pub hash_key: Option<Secret>,
    actions: BTreeMap<Entity, Action>,
    wanted: Entities,
    own: Vec<Own>,
    allow: Allow,
}

#[derive(Debug, Clone)]
struct Own {
    kind: Kind,
    action: Action,
    rule: Rc<str>,
    search: Search,
}

#[derive(Debug, Clone)]
enum Search {
    Pattern(Linear, Option<List>),
    Words(List),
}

#[derive(Debug, Clone, Default)]
struct Allow {
    values: BTreeSet<String>,
    patterns: Vec<Linear>,
}

impl Shield {
    /// The guard that a configuration describes.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(crate) fn new(it: &config::Pii, env: impl FnOnce(&str) -> Option<String>) -> Result<Self, String> {
        let actions = actions(it.entities.as_ref());
        let mut own = Vec::new();
        for it in it.patterns.iter().flatten() {
            let context = Some(&it.context).filter(|it| !it.is_empty()).map(|it| List::new(it)).transpose()?;
            own.push(Own::new(&it.name, it.action, Search::Pattern(Linear::new(&it.regex)?, context)));
        }
        for it in it.words.iter().flatten() {
            own.push(Own::new(&it.name, it.action, Search::Words(List::new(&it.words)?)));
        }
        let hash_key = it.hash_key.as_ref().and_then(|it| it.resolve(env));
        let hashes = actions.values().chain(own.iter().map(|it| &it.action)).any(|it| *it == Action::Hash);
        if hashes && hash_key.as_ref().is_none_or(|it| it.reveal().len() < 16) {
            return Err("hash_key is not set, or shorter than 16 characters; expected a key, which `hash` needs".into());
        }
        Ok(Self {
            mode: it.mode.unwrap_or_default(),
            request: it.request.unwrap_or(true),
            response: it.response.unwrap_or(true),
            system_messages: it.system_messages.unwrap_or(false),
            hold_back: it.hold_back.unwrap_or(64).into(),
            hash_key,
            wanted: actions.keys().copied().collect(),
            actions,
            own,
            allow: it.allow.as_ref().map(Allow::new).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether it looks at requests.
    #[must_use]
    pub fn looks_at_requests(&self) -> bool {
        self.mode != Mode::Off && self.request
    }

    /// Whether it looks for something in answers.
    #[must_use]
    pub fn looks_at_responses(&self) -> bool {
        self.mode != Mode::Off && self.response
    }

    /// Everything in `text` that is looked for, in order; no two overlap.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Hit> {
        let mut found: Vec<Hit> = pii::find(text, self.wanted).into_iter().filter_map(|it| self.known(it)).collect();
        for own in &self.own {
            own.find(text, &mut found);
        }
        if !self.allow.is_empty() {
            found.retain(|it| !self.allow.has(text.get(it.span.clone()).unwrap_or_default()));
        }
        if self.own.is_empty() { found } else { merged(found) }
    }

    /// What was found in `text`, and what somebody else found there; in order, no two overlap.
    pub(crate) fn with(&self, text: &str, mut found: Vec<Hit>, more: impl Iterator<Item = Hit>) -> Vec<Hit> {
        found.extend(more.filter(|it| !self.allow.has(text.get(it.span.clone()).unwrap_or_default())));
        merged(found)
    }

    /// Up to which byte of `text` [`Self::find`] has said all, whatever may follow; of what operators look for,
    /// `hold_back` bytes at the end are asked whether they begin something.
    #[must_use]
    pub fn settled(&self, text: &str, from: usize) -> usize {
        let settled = answer::settled(text, from);
        if settled <= from || self.own.is_empty() {
            return settled;
        }
        let from = text.floor_char_boundary(text.len().saturating_sub(self.hold_back));
        let begun = self.own.iter().filter_map(|it| it.begun(text, from));
        begun.chain([settled]).min().unwrap_or_default()
    }

    /// What becomes of an entity; `None` when it is not looked for.
    #[must_use]
    pub fn action(&self, entity: Entity) -> Option<Action> {
        self.actions.get(&entity).copied()
    }

    fn known(&self, it: pii::Finding) -> Option<Hit> {
        let action = *self.actions.get(&it.entity)?;
        Some(Hit { span: it.span, kind: Kind::Entity(it.entity), action, rule: it.rule.into() })
    }
}

/// What becomes of each entity: an entity goes before its group.
fn actions(written: Option<&BTreeMap<What, Action>>) -> BTreeMap<Entity, Action> {
    let of = |it: &Entity| match written {
        None => Some(Action::Mask),
        Some(written) => {
            let own = written.get(&What::Entity(*it));
            own.or_else(|| written.get(&What::Group(it.group()))).copied()
        }
    };
    Entity::ALL.iter().filter_map(|it| Some((*it, of(it)?))).collect()
}

/// The hits in order. Of those that overlap the harshest stands for all, over all that they cover: leaving one out
/// would let its other end through.
fn merged(mut all: Vec<Hit>) -> Vec<Hit> {
    all.sort_by_key(|it| (it.span.start, std::cmp::Reverse(it.span.end)));
    all.dedup_by(|next, kept| {
        let overlap = next.span.start < kept.span.end;
        if overlap {
            let end = kept.span.end.max(next.span.end);
            if next.action > kept.action {
                next.span.start = kept.span.start;
                std::mem::swap(next, kept);
            }
            kept.span.end = end;
        }
        overlap
    });
    all
}

impl Own {
    fn new(name: &str, action: Action, search: Search) -> Self {
        Self { kind: Kind::Own(name.into()), action, rule: format!("own.{name}").into(), search }
    }

    fn begun(&self, text: &str, from: usize) -> Option<usize> {
        match &self.search {
            Search::Words(list) => list.begun(text, from),
            Search::Pattern(pattern, _) => pattern.begun(text, from),
        }
    }

    fn find(&self, text: &str, found: &mut Vec<Hit>) {
        let hit = |span| Hit { span, kind: self.kind.clone(), action: self.action, rule: Rc::clone(&self.rule) };
        match &self.search {
            Search::Words(list) => found.extend(list.find_all(text).map(hit)),
            Search::Pattern(pattern, None) => found.extend(pattern.find_all(text).map(hit)),
            Search::Pattern(pattern, Some(context)) => {
                let said = |it: &Range<usize>| context.find_all(before(text, it.start)).next().is_some();
                found.extend(pattern.find_all(text).filter(said).map(hit));
            }
        }
    }
}

/// What stands in front of `at`, no more than a context of it.
fn before(text: &str, at: usize) -> &str {
    let from = at.saturating_sub(CONTEXT);
    let from = (from..=at).find(|it| text.is_char_boundary(*it)).unwrap_or(at);
    text.get(from..at).unwrap_or_default()
}

impl Allow {
    fn new(it: &config::Allow) -> Result<Self, String> {
        let patterns = it.patterns.iter().map(|it| Linear::whole(it)).collect::<Result<_, _>>()?;
        Ok(Self { values: it.values.iter().map(|it| it.to_ascii_lowercase()).collect(), patterns })
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.patterns.is_empty()
    }

    fn has(&self, value: &str) -> bool {
        self.values.contains(&value.to_ascii_lowercase()) || self.patterns.iter().any(|it| it.is_match(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, text: &str) -> Vec<(String, &'static str)> {
        let shield = Shield::new(&serde_json::from_str(json).unwrap(), |_| None).unwrap();
        let said = |it: Hit| (format!("{} {}", it.kind.key(), &text[it.span]), it.action.key());
        shield.find(text).into_iter().map(said).collect()
    }

    fn found(all: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        all.iter().map(|(what, action)| ((*what).to_owned(), *action)).collect()
    }

    #[test]
    fn an_entity_goes_before_its_group() {
        let actions = |json: &str| {
            let actions = Shield::new(&serde_json::from_str(json).unwrap(), |_| None).unwrap().actions;
            [Entity::Email, Entity::Ipv4, Entity::NpmToken].map(|it| actions.get(&it).map(|it| it.key()))
        };
        let json = r#"{"entities": {"personal": "block", "ipv4": "report"}}"#;
        assert_eq!(actions(json), [Some("block"), Some("report"), None]);
        assert_eq!(actions("{}"), [Some("mask"); 3]);
    }

    #[test]
    fn operators_look_for_their_own() {
        let json = r#"{"patterns": [{"name": "badge", "regex": "B-\\d{4}", "action": "redact"},
                                    {"name": "room", "regex": "\\d{3}", "action": "mask", "context": ["room", "zimmer"]}],
                       "words": [{"name": "project", "words": ["Blue Falcon"], "action": "block"}]}"#;
        let text = "B-1234 in ROOM 217, not 218x but in blue falcon";
        let want =
            [("badge B-1234", "redact"), ("room 217", "mask"), ("room 218", "mask"), ("project blue falcon", "block")];
        assert_eq!(check(json, text), found(&want));
        assert_eq!(check(json, &format!("room {} 217", "x".repeat(64))), found(&[]));
    }

    #[test]
    fn of_what_overlaps_the_harshest_stands_for_all() {
        let json = r#"{"patterns": [{"name": "domain", "regex": "example\\.com/\\w+", "action": "block"},
                                    {"name": "line", "regex": "to .*com", "action": "report"}]}"#;
        assert_eq!(check(json, "to ada@example.com/x ."), found(&[("domain to ada@example.com/x", "block")]));
    }

    #[test]
    fn what_is_allowed_is_not_touched() {
        let json = r#"{"allow": {"values": ["Help@Example.com"], "patterns": [".*@acme\\.example"]}}"#;
        let text = "help@example.com, ada@acme.example, ada@acme.example.org";
        assert_eq!(check(json, text), found(&[("email ada@acme.example.org", "mask")]));
    }

    #[test]
    fn a_hash_needs_a_key() {
        let config =
            |more: &str| serde_json::from_str(&format!(r#"{{"entities": {{"email": "hash"}}{more}}}"#)).unwrap();
        assert!(Shield::new(&config(""), |_| None).unwrap_err().contains("hash_key is not set"));
        assert!(Shield::new(&config(r#", "hash_key": {"value": "short"}"#), |_| None).is_err());
        assert!(Shield::new(&config(r#", "hash_key": {"env": "KEY"}"#), |_| Some("k".repeat(16))).is_ok());
    }
}
