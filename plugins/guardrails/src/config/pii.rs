//! Personal data and secrets: what to look for, and what becomes of it.

use super::own::{Allow, Pattern, Words};
use domain::{mode::Mode, secret::SecretRef};
use pii::{Entity, Group};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::{BTreeMap, BTreeSet};

/// The guard `pii`. What is left out is as the default says, in a tier or project as it is without them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pii {
    /// `enforce` does what the actions say (default); `shadow` only says what it would have found, in a header of the
    /// response, in metrics and events; `off` does not look.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// Whether requests are looked at, default true.
    #[serde(default)]
    pub(crate) request: Option<bool>,
    /// Whether answers are looked at, default true. What was masked in the request is put back into the answer in any case.
    #[serde(default)]
    pub(crate) response: Option<bool>,
    /// Whether the application's own words (`system` and `developer` messages, `instructions`) are looked at too, default
    /// false.
    #[serde(default)]
    pub(crate) system_messages: Option<bool>,
    /// What to look for, and what becomes of it: `mask`, `redact`, `hash`, `block` or `report`, by entity or by group
    /// (`personal`, `secrets`); an entity goes before its group. Default: both groups are masked. When given, only what it
    /// names is looked for.
    #[serde(default, deserialize_with = "entities")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Action>>"))]
    pub(crate) entities: Option<BTreeMap<What, Action>>,
    /// Further patterns, 64 at most.
    #[serde(default)]
    pub(crate) patterns: Option<Vec<Pattern>>,
    /// Further words and phrases, in lists, 64 at most.
    #[serde(default)]
    pub(crate) words: Option<Vec<Words>>,
    /// What is never touched, whatever finds it.
    #[serde(default)]
    pub(crate) allow: Option<Allow>,
    /// How many characters of a streamed answer are held back at most, because they may become a match or a placeholder,
    /// 16 to 4096, default 64.
    #[serde(default)]
    pub(crate) hold_back: Option<u16>,
    /// The key of the action `hash`, 16 characters or more: `{"env": "NAME"}` or `{"value": "…"}`.
    #[serde(default)]
    pub(crate) hash_key: Option<SecretRef>,
}

/// What becomes of something that was found. A harsher one goes before a milder one, where two findings overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Action {
    /// It is counted and reported, and stays.
    Report,
    /// A placeholder takes its place, the same for the same value within the request; the answer has the value again.
    Mask,
    /// A keyed hash takes its place, the same for the same value in a project.
    Hash,
    /// Its kind takes its place, as in `[EMAIL]`, and nothing puts it back.
    Redact,
    /// The request is refused, the answer ends.
    Block,
}

impl Action {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Report, Self::Mask, Self::Hash, Self::Redact, Self::Block];

    /// How a configuration names it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

/// An entity, or all of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// All of a group that is not named itself.
    Group(Group),
    /// One entity.
    Entity(Entity),
}

impl What {
    fn parse(key: &str) -> Option<Self> {
        match key {
            "personal" => Some(Self::Group(Group::Personal)),
            "secrets" => Some(Self::Group(Group::Secret)),
            _ => Entity::ALL.iter().find(|it| it.key() == key).map(|it| Self::Entity(*it)),
        }
    }
}

impl Pii {
    /// This, and where it says nothing what `below` says.
    pub(crate) fn over(&self, below: &Self) -> Self {
        let it = self.clone();
        let under = below.clone();
        Self {
            mode: it.mode.or(under.mode),
            request: it.request.or(under.request),
            response: it.response.or(under.response),
            system_messages: it.system_messages.or(under.system_messages),
            entities: it.entities.or(under.entities),
            patterns: it.patterns.or(under.patterns),
            words: it.words.or(under.words),
            allow: it.allow.or(under.allow),
            hold_back: it.hold_back.or(under.hold_back),
            hash_key: it.hash_key.or(under.hash_key),
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { mode, request, response, system_messages, entities, patterns, words, allow, hold_back, hash_key } =
            self;
        let sides = mode.is_none() && request.is_none() && response.is_none() && system_messages.is_none();
        let found = entities.is_none() && patterns.is_none() && words.is_none() && allow.is_none();
        sides && found && hold_back.is_none() && hash_key.is_none()
    }

    /// Checks what its types do not.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(super) fn check(&self, place: &str) -> Result<(), String> {
        let here = |why: String| format!("{place}.{why}");
        if let Some(it) = self.hold_back.filter(|it| !(16..=4096).contains(it)) {
            return Err(here(format!("hold_back is {it}; expected 16 to 4096 characters")));
        }
        let mut names = BTreeSet::new();
        for (nth, it) in self.patterns.iter().flatten().enumerate() {
            it.check().map_err(|why| here(format!("patterns[{nth}].{why}")))?;
            unique(&mut names, &it.name).map_err(|why| here(format!("patterns[{nth}].{why}")))?;
        }
        for (nth, it) in self.words.iter().flatten().enumerate() {
            it.check().map_err(|why| here(format!("words[{nth}].{why}")))?;
            unique(&mut names, &it.name).map_err(|why| here(format!("words[{nth}].{why}")))?;
        }
        for (key, count) in
            [("patterns", self.patterns.as_ref().map(Vec::len)), ("words", self.words.as_ref().map(Vec::len))]
        {
            match count {
                Some(0) => return Err(here(format!("{key} is empty; expected one or more, or leave the key out"))),
                Some(65..) => return Err(here(format!("{key} are more than 64; expected 1 to 64"))),
                _ => {}
            }
        }
        self.allow.as_ref().map_or(Ok(()), Allow::check).map_err(|why| here(format!("allow{why}")))
    }
}

fn unique<'a>(names: &mut BTreeSet<&'a str>, name: &'a str) -> Result<(), String> {
    if What::parse(name).is_some() {
        return Err(format!("name is {name:?}, which is an entity's or a group's; expected another one"));
    }
    if !names.insert(name) {
        return Err(format!("name is {name:?}, as another one's is; expected one of each"));
    }
    Ok(())
}

fn entities<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BTreeMap<What, Action>>, D::Error> {
    // By hand, because serde's own messages do not say which key the mistake is in.
    let written = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    if written.is_empty() {
        let message =
            "`entities` is empty, so nothing could be found; expected an entity or a group, or `mode` \"off\"";
        return Err(D::Error::custom(message));
    }
    let mut all = BTreeMap::new();
    for (key, action) in written {
        let what = What::parse(&key).ok_or_else(|| {
            let known: Vec<&str> = Entity::ALL.iter().map(|it| it.key()).collect();
            D::Error::custom(format!(
                "entities: unknown entity `{key}`; expected `personal`, `secrets` or one of {}",
                known.join(", ")
            ))
        })?;
        let action = Action::deserialize(action).map_err(|why| D::Error::custom(format!("entities.{key}: {why}")))?;
        all.insert(what, action);
    }
    Ok(Some(all))
}
