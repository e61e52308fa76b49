//! The decision: what becomes of a request's body. No proxy, no clock: a function of configuration and bytes.

use crate::{
    analyzer::{Named, Question, TooLong},
    answer::Vault,
    config::{Action, Config, OnOversize, Status},
    found::{Found, Pii, Sentinel},
    guards::Guards,
    request::{self, Looked},
};
use domain::{
    chat::{Body, Malformed, Text},
    mode::Mode,
    reply::Reply,
};
use std::collections::BTreeSet;

/// The header in which the guards say what they did.
pub const REPORT: &str = "x-tollgate-guardrails";

/// What holds for a request.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What is looked for.
    pub guards: &'a Guards,
    /// In how much.
    pub config: &'a Config,
    /// The caller's project; hashes are its own.
    pub project: &'a str,
    /// The thread that the request goes on with, if its history is stored behind this filter.
    pub thread: Option<&'a str>,
}

impl Rules<'_> {
    /// How many bytes of text are looked at.
    fn most(&self) -> usize {
        usize::try_from(self.config.max_bytes.get()).unwrap_or(usize::MAX)
    }
}

/// What the guards say about a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What is to happen to the request.
    pub deed: Deed,
    /// The value of [`REPORT`]; without one there is nothing to say.
    pub report: Option<String>,
    /// What was found.
    pub found: Found,
    /// Whether it was not looked at, or not at all of it.
    pub unseen: bool,
    /// The model as the request names it.
    pub model: Option<String>,
    /// What the placeholders stand for.
    pub vault: Vault,
    /// The client asked for a stream that ends with its usage.
    pub wants_usage: bool,
}

/// What is to happen to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It goes on as it is.
    Pass,
    /// It goes on with this body.
    Mask(Vec<u8>),
    /// It is answered with this.
    Block(Reply),
}

/// What somebody else is to be asked about the body of a request, if anything is.
pub(crate) fn question(rules: Rules, body: &[u8]) -> Option<Result<Question, TooLong>> {
    let (analyzer, shield) = (rules.config.analyzer.as_ref()?, &rules.guards.shield);
    if !shield.looks_at_requests() {
        return None;
    }
    // What cannot be read, or is too long to be looked at, has its answer without.
    let (_, texts) = read(rules.guards, body).ok()?;
    if size(&texts) > rules.most() && rules.config.on_oversize != OnOversize::ScanEnds {
        return None;
    }
    let texts = request::meant(shield, &texts);
    analyzer.question(texts.iter().map(String::as_str)).transpose()
}

/// Looks through the body of a request.
#[must_use]
pub fn inspect(rules: Rules, body: &[u8]) -> Outcome {
    inspect_with(rules, body, &[])
}

/// The same, when somebody else found these names in it.
#[must_use]
pub(crate) fn inspect_with(rules: Rules, body: &[u8], named: &[Named]) -> Outcome {
    if !rules.guards.look_at_requests() {
        return untouched(rules, body);
    }
    let (body, texts) = match read(rules.guards, body) {
        Ok(both) => both,
        // The model may read what we cannot, so in doubt the request is refused.
        Err(wrong) => return unseen(rules.guards, "unreadable", Some(wrong.into())),
    };
    let most = rules.most();
    let (over, parts) = match rules.config.on_oversize {
        _ if size(&texts) <= most => (false, Vec::new()),
        OnOversize::Block => return unseen(rules.guards, "oversize", Some(too_large(most))),
        OnOversize::Allow => return unseen(rules.guards, "oversize", None),
        OnOversize::ScanEnds => (true, request::ends(&texts, most)),
    };
    let (judge, shield) = (&rules.guards.judge, &rules.guards.shield);
    let verdict = if judge.looks_at_requests() { request::judge(judge, &texts, &parts) } else { None };
    let sentinel = verdict.map(|it| Sentinel {
        mode: judge.mode,
        score: Some(it.score),
        attack: it.score >= judge.threshold,
        rule: it.rules.first().copied().unwrap_or_default().into(),
    });
    let mut looked = if shield.looks_at_requests() { request::look(shield, texts, &parts) } else { Vec::new() };
    request::add(shield, &mut looked, named);
    let found = Found { pii: Pii::of(shield.mode, looked.iter().flat_map(|it| &it.hits)), sentinel };
    let report =
        [over.then(|| "scan=ends".to_owned()), found.report()].into_iter().flatten().collect::<Vec<_>>().join(";");
    let mut vault = vault(rules, &body);
    if !shield.looks_at_requests() {
        leave(&mut vault, &body);
    }
    Outcome {
        deed: deed(rules, &body, &looked, &found, &mut vault),
        report: Some(report).filter(|it| !it.is_empty()),
        found,
        unseen: over,
        model: body.model().map(str::to_owned),
        vault,
        wants_usage: wants_usage(&body),
    }
}

fn deed(rules: Rules, body: &Body, looked: &[Looked], found: &Found, vault: &mut Vault) -> Deed {
    if let Some(reply) = refusal(rules.config.status, looked, found) {
        return Deed::Block(reply);
    }
    if rules.guards.shield.mode != Mode::Enforce {
        return Deed::Pass;
    }
    let edits = request::replace(rules.guards, rules.project, looked, vault);
    if edits.is_empty() { Deed::Pass } else { Deed::Mask(body.apply(edits)) }
}

/// No placeholders yet, with numbers of the thread that the request goes on with, if any.
fn vault(rules: Rules, body: &Body) -> Vault {
    let named = body.member("conversation_id").and_then(|it| it.strip_prefix('"')?.strip_suffix('"'));
    let thread = rules.thread.or(named);
    thread.map_or_else(Vault::default, |it| Vault::of_thread(rules.project, it))
}

/// What some other filter, or somebody, wrote as a placeholder is no value of the answer's. In a thread it may be: an
/// earlier answer's comes back with the history, and has the number that the value still has.
fn leave(vault: &mut Vault, body: &Body) {
    if vault.numbers().is_none() {
        body.texts().unwrap_or_default().iter().for_each(|it| vault.reserve(&it.text));
    }
}

/// A request that nobody wants to look at; what its answer needs to know of it.
fn untouched(rules: Rules, body: &[u8]) -> Outcome {
    let mut outcome = Outcome {
        deed: Deed::Pass,
        report: None,
        found: Found::default(),
        unseen: false,
        model: None,
        vault: Vault::default(),
        wants_usage: false,
    };
    if let Ok(body) = Body::parse(body) {
        outcome.model = body.model().map(str::to_owned);
        outcome.wants_usage = wants_usage(&body);
        outcome.vault = vault(rules, &body);
        leave(&mut outcome.vault, &body);
    }
    outcome
}

fn size(texts: &[Text]) -> usize {
    texts.iter().fold(0, |sum, it| sum.saturating_add(it.text.len()))
}

/// Whether the client asked for a stream that ends with its usage.
fn wants_usage(body: &Body) -> bool {
    body.stream() && body.ask_usage().is_ok_and(|it| it.is_none())
}

/// The body and those of its texts that a guard looks at.
fn read<'a>(guards: &Guards, body: &'a [u8]) -> Result<(Body<'a>, Vec<Text<'a>>), Malformed> {
    let body = Body::parse(body)?;
    let mut texts = body.texts()?;
    let shield = guards.shield.looks_at_requests() && guards.shield.system_messages;
    let judge = guards.judge.looks_at_requests() && guards.judge.system_messages;
    if !shield && !judge {
        // What the application tells the model on its own behalf is its own business.
        texts.retain(|it| !request::is_system(it));
    }
    Ok((body, texts))
}

/// A request that was not looked at. Where all guards are in shadow it goes on.
fn unseen(guards: &Guards, why: &str, reply: Option<Reply>) -> Outcome {
    let (shield, judge) = (&guards.shield, &guards.judge);
    let (pii, sentinel) = (shield.looks_at_requests(), judge.looks_at_requests());
    let holds = pii && shield.mode == Mode::Enforce || sentinel && judge.mode == Mode::Enforce;
    let names = [("pii", pii), ("sentinel", sentinel)];
    let said: Vec<String> = names.into_iter().filter(|it| it.1).map(|it| format!("{}={why}", it.0)).collect();
    Outcome {
        deed: reply.filter(|_| holds).map_or(Deed::Pass, Deed::Block),
        report: Some(said.join(";")),
        found: Found::default(),
        unseen: true,
        model: None,
        vault: Vault::default(),
        wants_usage: false,
    }
}

/// Says which guards and what kinds of things, never the thing.
fn refusal(status: Status, looked: &[Looked], found: &Found) -> Option<Reply> {
    let pii = found.pii.as_ref().is_some_and(Pii::blocks);
    let sentinel = found.sentinel.as_ref().is_some_and(Sentinel::blocks);
    if !pii && !sentinel {
        return None;
    }
    let hits = looked.iter().flat_map(|at| at.hits.iter().map(move |hit| (&at.text, hit)));
    let blocked: Vec<_> = hits.filter(|it| pii && it.1.action == Action::Block).collect();
    let kinds: BTreeSet<_> = blocked.iter().map(|it| (it.1.kind.what(), it.1.kind.key())).collect();
    let mut why = Vec::new();
    if pii {
        let kinds: Vec<String> = kinds.into_iter().map(|(what, key)| format!("{what} (`{key}`)")).collect();
        why.push(format!("Blocked by the guard `pii`: the request contains {}.", kinds.join(", ")));
    }
    if sentinel {
        why.push(
            "Blocked by the guard `sentinel`: the request reads like an attempt to take over the model.".to_owned(),
        );
    }
    let reply = Reply::new(status.code(), "content_blocked", why.join(" "));
    Some(match blocked.first() {
        Some((text, _)) => reply.about(text.place.clone()),
        None => reply,
    })
}

fn too_large(most: usize) -> Reply {
    Reply::new(413, "request_too_large", format!("The request has more than {most} bytes of text."))
}

#[cfg(test)]
mod tests;
