//! What a gateway reports of one exchange, as it comes over the wire and as the rest of the ledger knows it.
//!
//! Strict about types and bounds, because a record is never changed; liberal about members that it does
//! not know, so that gateways and companions can be upgraded one after the other.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The longest id of a record or a node, in bytes.
const ID_BYTES: usize = 64;
/// Tenant, project, user and key together, in bytes: PostgreSQL's indexes take rows of 2,700. A name has
/// at most 1,020 bytes, so that only an operator's own names can be too long together.
const SUBJECT_BYTES: usize = 1_800;
/// The longest text that somebody chose freely; the rest is cut off.
const TEXT_BYTES: usize = 255;
/// The longest name of a budget.
const BUDGET_BYTES: usize = 128;
/// The most of anything in one record: ten thousand of them still fit a sum.
const MOST: i64 = 100_000_000_000_000;
/// The most budgets of one record. Each is a row that others wait for while it is written.
const CHARGES: usize = 256;
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// A batch, as it comes.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "UsageReport"))]
pub(crate) struct Batch {
    /// In any order. Each is looked at by itself, so that one that is wrong is the only one refused.
    #[cfg_attr(test, schemars(with = "Vec<Record>"))]
    records: Vec<Box<RawValue>>,
}

/// One exchange with a provider: who used what, and what it cost at the time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "UsageRecord"))]
pub(crate) struct Record {
    /// Its id; a second one with the same id changes nothing.
    pub(crate) id: String,
    /// When it ended, in microseconds since 1970.
    pub(crate) at: i64,
    /// The gateway that reports it.
    pub(crate) node: String,
    /// Whose it is.
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// The gateway's id of the request.
    #[serde(default)]
    pub(crate) request_id: Option<String>,
    /// What was asked for, such as `chat.completions`.
    pub(crate) endpoint: String,
    /// The model, by its canonical id.
    pub(crate) model: String,
    /// The model that answered, in the provider's words, if another.
    #[serde(default)]
    pub(crate) provider_model: Option<String>,
    /// Who answered; nobody when it came to no answer.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// Whose key paid the provider.
    pub(crate) source: Source,
    /// The status that the client got.
    pub(crate) status: u16,
    /// Whether it was streamed.
    pub(crate) stream: bool,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Whether the tokens were counted by the gateway, because the provider did not say.
    pub(crate) estimated: bool,
    /// Whether a budget ended the stream.
    #[serde(default)]
    pub(crate) cut_by_budget: bool,
    /// All tokens of the prompt.
    pub(crate) input_tokens: i64,
    /// Those of them that were read from a cache.
    #[serde(default)]
    pub(crate) cached_tokens: i64,
    /// Those of them that were written to one.
    #[serde(default)]
    pub(crate) cache_write_tokens: i64,
    /// All tokens of the answer.
    pub(crate) output_tokens: i64,
    /// Those of them that nobody saw.
    #[serde(default)]
    pub(crate) reasoning_tokens: i64,
    /// What it cost, in nano-dollars; not there when the model has no price, which is not zero.
    #[serde(default)]
    pub(crate) cost_nanos: Option<i64>,
    /// The price at the time.
    #[serde(default)]
    pub(crate) price: Option<Price>,
    /// How long it took.
    #[serde(default)]
    pub(crate) duration_ms: i64,
    /// Which budgets it is charged to.
    #[serde(default)]
    pub(crate) charges: Vec<Charge>,
}

/// Whose something is; in a budget, only what the budget counts by.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetSubject"))]
pub(crate) struct Subject {
    /// The tenant.
    #[serde(default, deserialize_with = "absent_is_empty")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) tenant: String,
    /// The project.
    #[serde(default, deserialize_with = "absent_is_empty")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) project: String,
    /// The end user.
    #[serde(default, deserialize_with = "absent_is_empty")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) user: String,
    /// The API key, by its id.
    #[serde(default, deserialize_with = "absent_is_empty")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) key: String,
}

/// Whose key paid the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Source {
    /// The operator's.
    Platform,
    /// The project's own.
    Byok,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Outcome {
    /// As it should.
    Complete,
    /// The client went first.
    ClientGone,
    /// The provider broke off.
    UpstreamGone,
    /// The gateway ended it.
    Cut,
}

/// Pico-dollars for a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Price {
    /// Of the prompt.
    pub(crate) input: i64,
    /// Of the answer.
    pub(crate) output: i64,
    /// Read from a cache.
    #[serde(default)]
    pub(crate) cached: Option<i64>,
    /// Written to a cache.
    #[serde(default)]
    pub(crate) cache_write: Option<i64>,
}

/// What is taken from one budget.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetCharge"))]
pub(crate) struct Charge {
    /// The budget and its period.
    #[serde(flatten)]
    pub(crate) period: Period,
    /// When the period ends.
    pub(crate) end: i64,
    /// How much may be used, at the time.
    pub(crate) limit: i64,
    /// Whether it is a hard one.
    pub(crate) kind: Kind,
    /// At which percentages of it somebody is to be told.
    #[serde(default)]
    pub(crate) alerts: BTreeSet<u8>,
    /// How much was used.
    pub(crate) amount: i64,
}

/// One budget of one subject in one period: what is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetPeriod"))]
pub(crate) struct Period {
    /// The budget's name.
    pub(crate) budget: String,
    /// Whose it is.
    pub(crate) subject: Subject,
    /// What it counts.
    pub(crate) unit: Unit,
    /// When the period began; 0 in a rolling window.
    pub(crate) start: i64,
    /// The length of a rolling window; without it, the period is one of the calendar.
    #[serde(default)]
    pub(crate) window_seconds: Option<i64>,
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetUnit"))]
pub(crate) enum Unit {
    /// Tokens, of prompt and answer.
    Tokens,
    /// Nano-dollars.
    Nanos,
}

/// What a budget does when it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BudgetKind"))]
pub(crate) enum Kind {
    /// Refuse.
    Hard,
    /// Tell.
    Soft,
}

impl Batch {
    /// The records that can be stored, and how many cannot.
    #[must_use]
    pub(crate) fn records(&self) -> (Vec<Record>, usize) {
        let read = |raw: &RawValue| serde_json::from_str::<Record>(raw.get()).ok()?.checked();
        let good: Vec<_> = self.records.iter().filter_map(|it| read(it)).collect();
        let refused = self.records.len().saturating_sub(good.len());
        (good, refused)
    }
}

impl Record {
    /// The hour in which it ended, in hours since 1970.
    #[must_use]
    pub(crate) fn hour(&self) -> i64 {
        self.at.div_euclid(HOUR)
    }

    fn checked(mut self) -> Option<Self> {
        let counts = [
            self.input_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.output_tokens,
            self.reasoning_tokens,
            self.cost_nanos.unwrap_or_default(),
            self.duration_ms,
        ];
        let price = self.price.as_ref().map(|it| [Some(it.input), Some(it.output), it.cached, it.cache_write]);
        let good = is_id(&self.id)
            && is_id(&self.node)
            && self.subject.is_good()
            && self.at >= 0
            && counts.into_iter().chain(price.into_iter().flatten().flatten()).all(is_amount)
            && self.charges.len() <= CHARGES
            && self.charges.iter().all(Charge::is_good);
        for text in [&mut self.endpoint, &mut self.model].into_iter().chain(&mut self.request_id) {
            cut(text);
        }
        for text in self.provider_model.iter_mut().chain(&mut self.provider) {
            cut(text);
        }
        good.then_some(self)
    }
}

impl Charge {
    fn is_good(&self) -> bool {
        self.period.is_good() && self.end >= self.period.start && is_limit(self.limit) && is_amount(self.amount)
    }
}

impl Period {
    /// Whether it can be stored.
    #[must_use]
    pub(crate) fn is_good(&self) -> bool {
        is_text(&self.budget, BUDGET_BYTES)
            && self.subject.is_good()
            && self.start >= 0
            && self.window_seconds.is_none_or(|it| (1..=MOST / 1_000_000).contains(&it))
    }
}

impl Subject {
    fn is_good(&self) -> bool {
        let texts = [&self.tenant, &self.project, &self.user, &self.key];
        let bytes = texts.iter().map(|it| it.len()).fold(0, usize::saturating_add);
        bytes <= SUBJECT_BYTES && !texts.iter().any(|it| it.contains('\0'))
    }
}

impl Source {
    /// The word for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Byok => "byok",
        }
    }
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamGone => "upstream_gone",
            Self::Cut => "cut",
        }
    }
}

impl Unit {
    /// The word for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Nanos => "nanos",
        }
    }
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

/// Whether it names a record or a gateway.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES && text.bytes().all(|it| it.is_ascii_graphic())
}

/// Whether it is an amount of something, in one record.
pub(crate) fn is_amount(amount: i64) -> bool {
    (0..=MOST).contains(&amount)
}

/// Whether it can be a budget's limit. A hundred million dollars are ten to the 17 nano-dollars.
pub(crate) fn is_limit(limit: i64) -> bool {
    (0..=MOST.saturating_mul(10_000)).contains(&limit)
}

fn is_text(text: &str, bytes: usize) -> bool {
    !text.is_empty() && text.len() <= bytes && !text.contains('\0')
}

/// PostgreSQL takes no NUL.
fn cut(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
}

fn absent_is_empty<'de, D: serde::Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(text).map(Option::unwrap_or_default)
}
