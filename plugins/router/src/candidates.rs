//! From what a request names to the candidates that may serve it, the first to try in front.

use crate::{order::By, policy::not_found};
use domain::{
    caller::Caller,
    chat::Body,
    choice::Strategy,
    kill::ModelSwitches,
    model::{AUTO, Candidate, Canonical, Catalog, Resolved, Told},
    reply::Reply,
};
use std::borrow::Cow;

/// The most names that one request may give.
const MOST_NAMES: usize = 16;

/// The longest `models` that is read, in bytes: so many names have room in it, with every letter escaped.
const LONGEST_LIST: usize = 128 * 1024;

/// What a request may be served by.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// What each of its names leads to; never empty.
    pub(crate) named: Vec<Resolved<'a>>,
    /// By what the client wants each name's candidates put in order, where the name says so.
    pub(crate) variants: Vec<Option<Strategy>>,
    /// The candidates of all of them, in order; never empty.
    pub(crate) choices: Vec<Choice>,
    /// By what they are to be put in order.
    pub(crate) by: By,
}

/// Words behind a name and a `:` that say what the client wants of the candidates. Any other is part of the name
/// (`llama3:8b`).
const VARIANTS: [(&str, Strategy); 5] = [
    (":floor", Strategy::Price),
    (":fast", Strategy::Latency),
    (":nitro", Strategy::Throughput),
    (":best", Strategy::Quality),
    (":smart", Strategy::Bandit),
];

/// One candidate for one of the names.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Which of the names.
    pub(crate) named: usize,
    /// The candidate.
    pub(crate) candidate: Candidate,
    /// The id that it is asked for.
    pub(crate) id: String,
    /// By what earlier outcomes of it are remembered.
    pub(crate) key: String,
    /// The canonical name of what it serves, by which its price and abilities are known.
    pub(crate) serves: Option<Canonical>,
}

impl Found<'_> {
    /// What each of the candidates serves: by that name its price and abilities are known.
    pub(crate) fn serves(&self) -> Vec<String> {
        let asked = |it: &Choice| self.named.get(it.named).map(|it| &it.canonical);
        let each = self.choices.iter().map(|it| it.serves.as_ref().or_else(|| asked(it)));
        each.map(|it| it.map(ToString::to_string).unwrap_or_default()).collect()
    }

    /// By what the candidates of one of the names are put in order.
    pub(crate) fn strategy(&self, named: usize) -> Strategy {
        let chains = || self.named.get(named).map(|it| it.policy.strategy);
        match self.by {
            By::Client => Strategy::Priority,
            By::Each(strategy) | By::All(strategy) => strategy,
            By::Chains => self.variants.get(named).copied().flatten().or_else(chains).unwrap_or_default(),
        }
    }

    /// Leaves those at these places.
    pub(crate) fn keep(&mut self, places: &[usize]) {
        let mut place = 0_usize..;
        self.choices.retain(|_| place.next().is_some_and(|it| places.contains(&it)));
    }
}

impl Choice {
    fn new(named: usize, candidate: Candidate, asked: &Canonical) -> Self {
        let id = candidate.model_id(asked).into_owned();
        let key = [candidate.provider.as_str(), "/", &id].concat();
        let serves = Canonical::parse(&key);
        Self { named, candidate, id, key, serves }
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
        let listed = Some(listed).filter(|it| it.len() <= LONGEST_LIST).ok_or_else(wrong)?;
        let listed: Vec<Cow<'a, str>> = serde_json::from_str(listed).map_err(|_| wrong())?;
        if names.iter().all(|it| it.is_empty()) && !listed.is_empty() {
            names.clear();
        }
        for name in listed {
            if names.len() <= MOST_NAMES && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.len() > MOST_NAMES {
        let message = format!("the request names more than {MOST_NAMES} models: expected as many at most");
        return Err(Reply::invalid(message).about("model"));
    }
    if names.len() > 1 && names.iter().any(|it| it.is_empty()) {
        return Err(Reply::invalid("one of the models' names is empty").about("model"));
    }
    Ok(names)
}

/// The names that a selector such as `gpt-4o|claude-sonnet-4-5` has. Of too many, which a body has room for by the million,
/// as many as show that they are.
pub(crate) fn alternatives(selector: &str) -> Vec<Cow<'_, str>> {
    selector.split('|').take(MOST_NAMES.saturating_add(1)).map(Cow::Borrowed).collect()
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
    if let [one] = names
        && one == AUTO
        && !catalog.auto().is_empty()
    {
        return any(catalog, kill, caller, told);
    }
    each(catalog, kill, caller, names, told)
}

/// The same, where `auto` is a name like any other.
fn each<'a>(
    catalog: &'a Catalog,
    kill: &ModelSwitches,
    caller: Option<&Caller>,
    names: &[Cow<'_, str>],
    told: Told<'_>,
) -> Result<Found<'a>, Reply> {
    let asked: Vec<Option<&str>> =
        if names.is_empty() { vec![None] } else { names.iter().map(|it| Some(it.as_ref())).collect() };
    let mut found =
        Found { named: Vec::with_capacity(asked.len()), variants: Vec::new(), choices: Vec::new(), by: By::Chains };
    let mut off = None;
    for (named, name) in asked.into_iter().enumerate() {
        let (name, variant) = variant(catalog, name, told);
        let mut resolved = catalog.resolve_for(caller, name.as_deref(), told).map_err(|refused| not_found(&refused))?;
        found.variants.push(variant);
        let candidates = std::mem::take(&mut resolved.candidates);
        if let Some(reply) = kill.model(&resolved.canonical) {
            told(format_args!("kill.models has `{}`", resolved.canonical));
            off.get_or_insert(reply);
        } else {
            for candidate in candidates {
                let choice = Choice::new(named, candidate, &resolved.canonical);
                match switched_off(kill, &choice) {
                    Some(reply) => {
                        told(format_args!(
                            "kill switches off `{}` with `{}`",
                            choice.candidate.provider.as_str(),
                            choice.id
                        ));
                        off.get_or_insert(reply);
                    }
                    None if found.choices.iter().any(|it| it.key == choice.key) => {}
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

/// The cheapest of what `auto` stands for, as far as the caller gets it.
fn any<'a>(
    catalog: &'a Catalog,
    kill: &ModelSwitches,
    caller: Option<&Caller>,
    told: Told<'_>,
) -> Result<Found<'a>, Reply> {
    let given = |name: &&String| {
        catalog.resolve_for(caller, Some(name), &mut |_| {}).is_ok_and(|it| it.reason != "model_policy")
    };
    let names: Vec<Cow<'_, str>> = catalog.auto().iter().filter(given).map(|it| it.as_str().into()).collect();
    if names.is_empty() {
        // Then the caller's rules say what comes of it.
        return each(catalog, kill, caller, &[AUTO.into()], told);
    }
    told(format_args!("auto chooses from {}", names.join(", ")));
    let mut found = each(catalog, kill, caller, &names, told)?;
    for it in &mut found.named {
        (it.replaced, it.reason) = (Some(AUTO.to_owned()), AUTO);
    }
    found.by = By::All(Strategy::Price);
    Ok(found)
}

/// A name without the word behind it that says what the client wants of the candidates, and what that is.
fn variant<'t>(catalog: &Catalog, name: Option<&'t str>, told: Told<'_>) -> (Option<Cow<'t, str>>, Option<Strategy>) {
    let Some(name) = name else { return (None, None) };
    let (plain, parameters) = name.find('?').map_or((name, ""), |at| name.split_at(at));
    let found = VARIANTS.iter().find_map(|(word, strategy)| {
        // `openai:best` is a provider's model of that name.
        let base = plain.strip_suffix(word).filter(|it| !it.is_empty() && !catalog.is_provider(it))?;
        Some((base, word, *strategy))
    });
    let found = found.filter(|_| !catalog.names().any(|it| it == plain));
    let Some((base, word, strategy)) = found else { return (Some(name.into()), None) };
    told(format_args!("`{word}` puts its candidates in order"));
    (Some(if parameters.is_empty() { base.into() } else { format!("{base}{parameters}").into() }), Some(strategy))
}

/// Under `*` one provider's model has as many names as there are vendors, so what is asked of the provider counts.
fn switched_off(kill: &ModelSwitches, choice: &Choice) -> Option<Reply> {
    if kill.is_empty() {
        return None;
    }
    let provider = kill.provider(&choice.candidate.provider).then(|| kill.no_provider());
    // A host serves others' models, by their own names; OpenRouter has variants of each (`openai/gpt-4o:online`).
    let plain = choice.id.split(':').next().filter(|_| choice.candidate.provider.is_openrouter());
    let mut names = choice
        .serves
        .clone()
        .into_iter()
        .chain([Some(choice.id.as_str()), plain].into_iter().flatten().filter_map(Canonical::parse));
    names.find_map(|it| kill.model(&it)).or(provider)
}
