//! From what a request names to the candidates that may serve it, the first to try in front.

use crate::policy::not_found;
use domain::{
    caller::Caller,
    chat::Body,
    kill::ModelSwitches,
    model::{Candidate, Canonical, Catalog, MOST_TRIES, ModelName, Resolved, Told},
    reply::Reply,
};
use std::borrow::Cow;

/// The most names that one request may give.
const MOST_NAMES: usize = 16;

/// What a request may be served by.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// What each of its names leads to; never empty.
    pub(crate) named: Vec<Resolved<'a>>,
    /// The candidates of all of them, in order; never empty.
    pub(crate) choices: Vec<Choice>,
}

/// One candidate for one of the names.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Which of the names.
    pub(crate) named: usize,
    /// The candidate.
    pub(crate) candidate: Candidate,
    /// The id that it is asked for.
    pub(crate) id: String,
}

impl Found<'_> {
    /// What each of the candidates serves: by that name its price and abilities are known.
    pub(crate) fn serves(&self) -> Vec<String> {
        let asked = |it: &Choice| self.named.get(it.named).map(|it| it.canonical.clone());
        let each = self.choices.iter().map(|it| it.serves().or_else(|| asked(it)));
        each.map(|it| it.map(|it| it.to_string()).unwrap_or_default()).collect()
    }

    /// Leaves those at these places, and no more of them than can be tried.
    pub(crate) fn keep(&mut self, places: &[usize]) {
        let mut place = 0_usize..;
        self.choices.retain(|_| place.next().is_some_and(|it| places.contains(&it)));
        self.choices.truncate(MOST_TRIES);
    }
}

impl Choice {
    /// The canonical name of what it serves, by which its price and abilities are known.
    pub(crate) fn serves(&self) -> Option<Canonical> {
        ModelName::parse(&format!("{}/{}", self.candidate.provider.as_str(), self.id)).ok().map(|it| it.canonical())
    }
}

/// The names that a request gives: its `model`, which may be several with `|` between them, then OpenRouter's `models`.
///
/// # Errors
/// 400 when they are too many, one is empty, or `models` is no list of texts.
pub(crate) fn names<'a>(body: &'a Body<'_>) -> Result<Vec<Cow<'a, str>>, Reply> {
    let mut names: Vec<Cow<'a, str>> = body.model().map(alternatives).unwrap_or_default();
    let listed = body.member("models").filter(|it| *it != "null");
    if let Some(listed) = listed {
        let wrong = || Reply::invalid("`models` must be a list of models' names").about("models");
        let listed: Vec<Cow<'a, str>> = serde_json::from_str(listed).map_err(|_| wrong())?;
        if names.iter().all(|it| it.is_empty()) && !listed.is_empty() {
            names.clear();
        }
        for name in listed {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.len() > MOST_NAMES {
        let message = format!("the request names {} models: expected {MOST_NAMES} at most", names.len());
        return Err(Reply::invalid(message).about("model"));
    }
    if names.len() > 1 && names.iter().any(|it| it.is_empty()) {
        return Err(Reply::invalid("one of the models' names is empty").about("model"));
    }
    Ok(names)
}

/// The names that a selector such as `gpt-4o|claude-sonnet-4-5` has.
pub(crate) fn alternatives(selector: &str) -> Vec<Cow<'_, str>> {
    selector.split('|').map(Cow::Borrowed).collect()
}

/// Who may serve a request that gives `names`.
///
/// # Errors
/// What [`Catalog::resolve_for`] refuses of any name, and 503 when all that is left of them is switched off.
pub(crate) fn find<'a>(
    catalog: &'a Catalog,
    kill: &ModelSwitches,
    caller: Option<&Caller>,
    names: &[Cow<'_, str>],
    told: Told<'_>,
) -> Result<Found<'a>, Reply> {
    let asked: Vec<Option<&str>> =
        if names.is_empty() { vec![None] } else { names.iter().map(|it| Some(it.as_ref())).collect() };
    let mut found = Found { named: Vec::with_capacity(asked.len()), choices: Vec::new() };
    let mut off = None;
    for (named, name) in asked.into_iter().enumerate() {
        let mut resolved = catalog.resolve_for(caller, name, told).map_err(|refused| not_found(&refused))?;
        let candidates = std::mem::take(&mut resolved.candidates);
        if let Some(reply) = kill.model(&resolved.canonical) {
            told(format_args!("kill.models has `{}`", resolved.canonical));
            off.get_or_insert(reply);
        } else {
            for candidate in candidates {
                let id = candidate.model_id(&resolved.canonical).into_owned();
                let choice = Choice { named, candidate, id };
                match switched_off(kill, &choice) {
                    Some(reply) => {
                        told(format_args!(
                            "kill switches off `{}` with `{}`",
                            choice.candidate.provider.as_str(),
                            choice.id
                        ));
                        off.get_or_insert(reply);
                    }
                    None if found.choices.iter().any(|it| is_same(it, &choice)) => {}
                    None => found.choices.push(choice),
                }
            }
        }
        found.named.push(resolved);
    }
    match off.filter(|_| found.choices.is_empty()) {
        Some(reply) => Err(reply.about("model")),
        None => Ok(found),
    }
}

/// Under `*` one provider's model has as many names as there are vendors, so what is asked of the provider counts.
fn switched_off(kill: &ModelSwitches, choice: &Choice) -> Option<Reply> {
    let provider = kill.provider(&choice.candidate.provider).then(|| kill.no_provider());
    choice.serves().and_then(|it| kill.model(&it)).or(provider)
}

fn is_same(one: &Choice, other: &Choice) -> bool {
    one.candidate.provider == other.candidate.provider && one.id == other.id
}
