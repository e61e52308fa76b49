//! Who used what, added up. All sums are whole numbers: money is nano-dollars until it is printed.

use super::csv::Field;
use super::question::{Group, Question, Scope};
use super::window;
use domain::money::Usd;
use domain::time::Micros;
use serde::Serialize;
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The word for what was paid with the platform's own provider keys; everything else is a customer's own (BYOK).
const PLATFORM: &str = "platform";

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Answered requests.
    pub(crate) requests: u64,
    /// Prompt tokens, the cached ones included.
    pub(crate) input_tokens: u64,
    /// Of these, read from the provider's cache.
    pub(crate) cached_tokens: u64,
    /// Of these, written to the provider's cache.
    pub(crate) cache_write_tokens: u64,
    /// Completion tokens, reasoning included.
    pub(crate) output_tokens: u64,
    /// Of these, reasoning.
    pub(crate) reasoning_tokens: u64,
    /// What it cost in nano-dollars, as far as prices were known.
    pub(crate) cost_nanos: i64,
    /// Requests whose price was not known: their cost is missing in the sum, it is not zero.
    pub(crate) unpriced: u64,
    /// Requests whose tokens the gateway counted itself, because the provider did not say.
    pub(crate) estimated: u64,
}

/// What the database added up: rows that are kept apart by `groups`, of which the source is always one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    groups: Vec<Group>,
    rows: Vec<Row>,
}

/// One step and one value of every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// When the step began; `None` when the whole window is one.
    pub(crate) at: Option<Micros>,
    /// The value of each group, in their order; `''` is none.
    pub(crate) names: Vec<String>,
    /// What was used.
    pub(crate) sum: Sum,
}

/// Numbers, as they are written.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Numbers {
    /// Requests that a provider answered, or began to.
    requests: u64,
    /// Prompt and completion together.
    tokens: u64,
    /// Prompt tokens, the cached ones included.
    input_tokens: u64,
    /// Of these, read from the provider's cache.
    cached_tokens: u64,
    /// Of these, written to the provider's cache.
    cache_write_tokens: u64,
    /// Completion tokens, reasoning included.
    output_tokens: u64,
    /// Of these, reasoning.
    reasoning_tokens: u64,
    /// What it cost in US dollars at the prices of the time, exact to nine decimals. Requests without a known price are
    /// not in it.
    #[cfg_attr(test, schemars(with = "f64"))]
    cost_usd: Box<RawValue>,
    /// How many requests had no known price.
    unpriced: u64,
    /// How many requests' tokens the gateway counted itself, because the provider did not say.
    estimated: u64,
}

/// The answer of `/v1/usage`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Usage {
    #[serde(flatten)]
    about: About,
    /// How long a line's step is; null when each line is about the whole window.
    granularity: Option<&'static str>,
    /// By what lines are kept apart, besides time.
    group_by: Vec<&'static str>,
    /// Everything.
    totals: Numbers,
    /// What was paid with the platform's own provider keys.
    platform: Numbers,
    /// What was paid with the project's own provider keys.
    byok: Numbers,
    /// Oldest first, in one step the dearest first; a step without requests has no line.
    breakdown: Vec<Line>,
}

/// The answer of `/v1/billing/usage`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Billing {
    #[serde(flatten)]
    about: About,
    /// What was paid with the platform's own provider keys.
    platform: Bill,
    /// What was paid with the project's own provider keys.
    byok: Bill,
}

/// One side of a bill.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Bill {
    #[serde(flatten)]
    sum: Numbers,
    /// The dearest model first.
    by_model: Vec<Line>,
    /// There when `granularity` or `group_by` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    breakdown: Option<Vec<Line>>,
}

/// Whom and which time an answer is about.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct About {
    /// The project; null in an operator's report over all.
    project_id: Option<String>,
    /// The end user, when it is about one alone.
    user_id: Option<String>,
    window: Between,
}

/// From its first moment on until before `to`, in UTC (RFC 3339).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Window"))]
struct Between {
    from: String,
    to: String,
}

/// One line of a breakdown. The members that it was not grouped by are missing; one that is null stands for the requests
/// that have none.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "UsageLine"))]
struct Line {
    /// When its step begins (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Name,
    /// `platform` or `byok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Name,
    #[serde(flatten)]
    sum: Numbers,
}

type Name = Option<Option<String>>;

/// A line before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Added {
    at: Option<Micros>,
    names: Vec<(Group, String)>,
    sum: Sum,
}

impl About {
    /// What `question` is about, asked of `scope`.
    #[must_use]
    pub(crate) fn of(scope: &Scope, question: &Question) -> Self {
        let window = Between { from: window::text(question.window.from), to: window::text(question.window.to) };
        Self { project_id: scope.project.clone(), user_id: scope.user.clone(), window }
    }
}

impl Usage {
    /// Adds up `rows`, which answer `question`.
    #[must_use]
    pub(crate) fn of(about: About, question: &Question, rows: &Rows) -> Self {
        Self {
            about,
            granularity: question.step.map(super::window::Step::name),
            group_by: question.groups.iter().map(|it| it.word()).collect(),
            totals: Sum::of(&rows.rows).into(),
            platform: Sum::of(&rows.side(true).rows).into(),
            byok: Sum::of(&rows.side(false).rows).into(),
            breakdown: rows.written(&question.groups, true),
        }
    }
}

impl Billing {
    /// Adds up `rows`, which answer `question` and are kept apart by model too. With `broken_down` each side has the
    /// lines that were asked for.
    #[must_use]
    pub(crate) fn of(about: About, question: &Question, rows: &Rows, broken_down: bool) -> Self {
        let bill = |platform| {
            let rows = rows.side(platform);
            Bill {
                sum: Sum::of(&rows.rows).into(),
                by_model: rows.written(&[Group::Model], false),
                breakdown: broken_down.then(|| rows.written(&question.groups, true)),
            }
        };
        Self { about, platform: bill(true), byok: bill(false) }
    }
}

impl Rows {
    /// What to add up so that an answer can be made of it: the groups that were asked for, `more`, and the source.
    #[must_use]
    pub(crate) fn groups(question: &Question, more: &[Group]) -> Vec<Group> {
        let wanted = |it: &Group| question.groups.contains(it) || more.contains(it) || *it == Group::Source;
        Group::ALL.into_iter().filter(wanted).collect()
    }

    /// Rows that are kept apart by `groups`, which [`Rows::groups`] made.
    #[must_use]
    pub(crate) fn new(groups: Vec<Group>, rows: Vec<Row>) -> Self {
        Self { groups, rows }
    }

    fn name<'a>(&self, row: &'a Row, group: Group) -> &'a str {
        let nth = self.groups.iter().position(|it| *it == group);
        nth.and_then(|nth| row.names.get(nth)).map(String::as_str).unwrap_or_default()
    }

    fn side(&self, platform: bool) -> Self {
        let is_of = |row: &&Row| (self.name(row, Group::Source) == PLATFORM) == platform;
        Self { groups: self.groups.clone(), rows: self.rows.iter().filter(is_of).cloned().collect() }
    }

    /// Lines that are kept apart by `by` alone; with `steps` by time too. Times come in their order, and in one step
    /// the dearest line is the first.
    fn lines(&self, by: &[Group], steps: bool) -> Vec<Added> {
        let mut sums = BTreeMap::<(Option<Micros>, Vec<&str>), Sum>::new();
        for row in &self.rows {
            let names = by.iter().map(|it| self.name(row, *it)).collect();
            sums.entry((row.at.filter(|_| steps), names)).or_default().add(&row.sum);
        }
        let line = |((at, names), sum): ((_, Vec<&str>), _)| {
            let names = by.iter().copied().zip(names.into_iter().map(str::to_owned)).collect();
            Added { at, names, sum }
        };
        let mut lines: Vec<_> = sums.into_iter().map(line).collect();
        lines.sort_by_key(|it| (it.at, Reverse(it.sum.cost_nanos), Reverse(it.sum.requests)));
        lines
    }

    fn written(&self, by: &[Group], steps: bool) -> Vec<Line> {
        self.lines(by, steps).into_iter().map(Line::from).collect()
    }
}

impl Sum {
    fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut sum = Self::default();
        rows.into_iter().for_each(|row| sum.add(&row.sum));
        sum
    }

    fn add(&mut self, more: &Self) {
        let add = |to: &mut u64, n: u64| *to = to.saturating_add(n);
        add(&mut self.requests, more.requests);
        add(&mut self.input_tokens, more.input_tokens);
        add(&mut self.cached_tokens, more.cached_tokens);
        add(&mut self.cache_write_tokens, more.cache_write_tokens);
        add(&mut self.output_tokens, more.output_tokens);
        add(&mut self.reasoning_tokens, more.reasoning_tokens);
        self.cost_nanos = self.cost_nanos.saturating_add(more.cost_nanos);
        add(&mut self.unpriced, more.unpriced);
        add(&mut self.estimated, more.estimated);
    }

    fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The columns of a table.
    fn numbers(&self) -> [(&'static str, String); 10] {
        let text = |it: u64| it.to_string();
        [
            ("requests", text(self.requests)),
            ("tokens", text(self.tokens())),
            ("input_tokens", text(self.input_tokens)),
            ("cached_tokens", text(self.cached_tokens)),
            ("cache_write_tokens", text(self.cache_write_tokens)),
            ("output_tokens", text(self.output_tokens)),
            ("reasoning_tokens", text(self.reasoning_tokens)),
            ("cost_usd", Usd::from_nanos(self.cost_nanos).to_string()),
            ("unpriced", text(self.unpriced)),
            ("estimated", text(self.estimated)),
        ]
    }
}

impl From<Sum> for Numbers {
    fn from(sum: Sum) -> Self {
        Self {
            requests: sum.requests,
            tokens: sum.tokens(),
            input_tokens: sum.input_tokens,
            cached_tokens: sum.cached_tokens,
            cache_write_tokens: sum.cache_write_tokens,
            output_tokens: sum.output_tokens,
            reasoning_tokens: sum.reasoning_tokens,
            cost_usd: dollars(sum.cost_nanos),
            unpriced: sum.unpriced,
            estimated: sum.estimated,
        }
    }
}

impl From<Added> for Line {
    fn from(line: Added) -> Self {
        let name = |group| {
            let (_, name) = line.names.iter().find(|(it, _)| *it == group)?;
            Some((!name.is_empty()).then(|| name.clone()))
        };
        Self {
            timestamp: line.at.map(window::text),
            project_id: name(Group::Project),
            user_id: name(Group::User),
            key_id: name(Group::Key),
            model: name(Group::Model),
            provider: name(Group::Provider),
            source: name(Group::Source),
            sum: line.sum.into(),
        }
    }
}

/// An amount as a JSON number of its own decimal digits: a binary fraction would print some of them wrong.
#[must_use]
pub(crate) fn dollars(nanos: i64) -> Box<RawValue> {
    // What Usd writes is a JSON number.
    RawValue::from_string(Usd::from_nanos(nanos).to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// `rows` as a table with a head: what `question` groups by, and the two sources always on lines of their own.
#[must_use]
pub(crate) fn table(question: &Question, rows: &Rows) -> Vec<Vec<Field>> {
    let by = Rows::groups(question, &[]);
    let time = question.step.map(|_| "timestamp");
    let numbers = Sum::default().numbers();
    let head = time.into_iter().chain(by.iter().map(|it| it.member())).chain(numbers.iter().map(|it| it.0));
    let mut table = vec![head.map(|it| Field::Plain(it.to_owned())).collect()];
    for line in rows.lines(&by, true) {
        let time = line.at.map(|it| Field::Plain(window::text(it)));
        let names = line.names.into_iter().map(|(_, name)| Field::Text(name));
        let numbers = line.sum.numbers().into_iter().map(|(_, number)| Field::Plain(number));
        table.push(time.into_iter().chain(names).chain(numbers).collect());
    }
    table
}

#[cfg(test)]
mod tests;
