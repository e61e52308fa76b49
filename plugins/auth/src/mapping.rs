//! What the operator writes about who calls: which claim says it, what holds whatever the token says, and what a tier is
//! called here.

use serde::Deserialize;
use std::{borrow::Borrow, collections::BTreeMap, fmt};

/// Claims by what they say. `o.id` is the member `id` of the claim `o`, unless there is a claim that
/// is called `o.id`. Each must be a text of 1 to 255 visible characters, `tier` also an integer;
/// anything else is a refusal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claims {
    /// The end user; must be in every token. Default `uid`.
    pub(crate) user: Option<ClaimPath>,
    /// The project; must be in every token unless `fixed` names it. Default `pid`.
    pub(crate) project: Option<ClaimPath>,
    /// The tenant. Default `tid`.
    pub(crate) tenant: Option<ClaimPath>,
    /// The session. Default `sid`.
    pub(crate) session: Option<ClaimPath>,
    /// The tier. Default `tier`.
    pub(crate) tier: Option<ClaimPath>,
    /// The role. Default `role`.
    pub(crate) role: Option<ClaimPath>,
    /// The id of the API key that minted the token, by which budgets and reports tell a project's keys apart: `key` in the
    /// companion's tokens. A claim that is no such text is passed over, and so is one in a token that a customer's own
    /// key has signed. Default none.
    pub(crate) key: Option<ClaimPath>,
}

/// What holds for every caller of an issuer; no claim is asked for it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fixed {
    /// The tenant.
    pub(crate) tenant: Option<Name>,
    /// The project. Without it the issuer may speak for any project, so that it must be one of your own.
    pub(crate) project: Option<Name>,
    /// The tier.
    pub(crate) tier: Option<Name>,
    /// The role.
    pub(crate) role: Option<Name>,
}

/// Tiers by what the token calls them.
pub type Tiers = BTreeMap<Name, Name>;

/// The way to a claim: its name, or names of nested members with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct ClaimPath(String);

/// A text that [`is_plain`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Name(String);

/// Where a fact about the caller is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// In the configuration.
    Fixed(&'a Name),
    /// In the claim of this path.
    Claim(&'a str),
}

impl Fixed {
    /// The facts that are fixed or claimed here, by name, each with where it is found.
    fn pairs<'a>(&'a self, claims: &'a Claims) -> [(&'static str, &'a Option<Name>, &'a Option<ClaimPath>); 4] {
        [
            ("tenant", &self.tenant, &claims.tenant),
            ("project", &self.project, &claims.project),
            ("tier", &self.tier, &claims.tier),
            ("role", &self.role, &claims.role),
        ]
    }

    /// Refuses what fixes nothing, and what would leave a claim unread that the operator named.
    pub(crate) fn check(&self, claims: &Claims) -> Result<(), String> {
        let pairs = self.pairs(claims);
        if pairs.iter().all(|(_, fixed, _)| fixed.is_none()) {
            return Err("fixed is empty; expected tenant, project, tier or role".to_owned());
        }
        match pairs.iter().find(|(_, fixed, claim)| fixed.is_some() && claim.is_some()) {
            Some((name, ..)) => Err(format!("fixed.{name} and claims.{name} are both there; expected one of them")),
            None => Ok(()),
        }
    }
}

impl Source<'_> {
    /// The fixed value, else the claim that the operator named, else the usual one.
    pub(crate) fn of<'a>(fixed: &'a Option<Name>, claim: &'a Option<ClaimPath>, usual: &'a str) -> Source<'a> {
        match (fixed, claim) {
            (Some(name), _) => Source::Fixed(name),
            (None, Some(path)) => Source::Claim(path.as_str()),
            (None, None) => Source::Claim(usual),
        }
    }
}

impl ClaimPath {
    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        if path.split('.').any(str::is_empty) {
            return Err(format!("{path:?} names no claim; expected a name, or names with single dots between them"));
        }
        Ok(Self(path))
    }
}

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_plain(&text) {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is no name; expected 1 to 255 visible characters without spaces around them"))
    }
}

/// Whether a text can be a header, a key of a counter and a line of a log without becoming another: 1 to 255 characters,
/// all of them visible or spaces, no space at the ends.
pub(crate) fn is_plain(text: &str) -> bool {
    let length = text.chars().count();
    (1..=255).contains(&length) && text.trim() == text && text.chars().all(is_visible)
}

fn is_visible(it: char) -> bool {
    let white = it.is_whitespace() && it != ' ';
    // What has no shape of its own (Unicode's Default_Ignorable_Code_Point, and what is drawn as nothing): joiners,
    // directions, tags, fillers. Two names that differ only in these look the same.
    let invisible = matches!(it,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    // Code points that are no characters, and never will be.
    let none = matches!(it, '\u{fdd0}'..='\u{fdef}') || u32::from(it) & 0xfffe == 0xfffe;
    !white && !invisible && !none && !it.is_control()
}
