//! The callbacks: read, decide, carry out.

use crate::{
    config::Config,
    counters::Counters,
    local::{self, NotCounted, Spent},
    policy::{self, Standing},
    rules::{Charge, Rule, Rules, Subject, Table},
};
use domain::{
    caller::{Caller, Identity, Trust},
    chat,
    headers::KILLED,
    kill::Switches,
    mode::Mode,
    model::ModelName,
    reply::Reply,
    time::Micros,
};
use host::{Edit, Next, Plugin, RequestHead, ResponseHead, Root, Watch};
use std::{cell::Cell, net::IpAddr, rc::Rc, time::Duration};

/// The shared memory that holds the counts.
pub(crate) const TABLE: &str = "ratelimit";

/// How often to look whether the workers still agree on the seed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The filter, configured.
pub struct RateLimit {
    trust: Trust,
    kill: Switches,
    rules: Rules,
    table: Cell<Table>,
    pub(crate) counters: Counters,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<RateLimit>,
    /// What it spent, to be given back if a later filter says that it was switched off.
    spent: Vec<Spent>,
    answer: Answer,
    waiting: Option<Waiting>,
}

/// What the response is to say about the limits.
enum Answer {
    /// What the upstream says: no limit holds here.
    Untouched,
    /// Nothing: no limit counted the request, and the upstream's limit is not the caller's.
    Silent,
    /// Where the caller stands with the tightest limit.
    Stands(Standing),
}

/// Whose request waits for its body, to be counted by the limits by model.
struct Waiting {
    caller: Option<Caller>,
    address: Option<IpAddr>,
}

/// Who calls.
enum Who {
    /// Somebody who is counted; `None` where nobody asks who it is.
    Counted(Option<Caller>),
    /// Somebody whose request is not counted, and what becomes of it.
    Not(Next),
}

impl Plugin for RateLimit {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let rules = Rules::of(&config);
        host::seed::prepare(root);
        root.create_slots(TABLE, config.slots.get());
        root.tick_every(LOOK_AGAIN);
        let plugin = Self {
            trust: config.trust,
            kill: config.kill,
            table: Cell::new(Table { seed: host::seed::own(host::now()), slots: config.slots }),
            counters: Counters::define(&rules),
            rules,
        };
        plugin.tick(root);
        Ok(plugin)
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), spent: Vec::new(), answer: Answer::Untouched, waiting: None }
    }

    fn tick(&self, _: &Root) {
        // Without shared memory there is no count either; each request then follows `on_failure`.
        let table = self.table.get();
        if let Some(seed) = host::seed::agreed(table.seed) {
            self.table.set(Table { seed, ..table });
        }
    }
}

impl RateLimit {
    fn who(&self, head: &RequestHead) -> Who {
        match head.identity(self.trust) {
            Identity::Bypassed => Who::Not(Next::Pass),
            Identity::Known(caller) => match self.kill.subject(&caller) {
                None => Who::Counted(Some(caller)),
                Some(reply) => {
                    self.counters.killed.add(1);
                    Who::Not(Next::Reply(reply))
                }
            },
            Identity::Missing if self.rules.need_a_caller() || !self.kill.is_empty() => {
                self.counters.nobody.add(1);
                Who::Not(Next::Reply(policy::nobody()))
            }
            Identity::Missing => Who::Counted(None),
        }
    }

    fn charges(&self, rules: &[Rc<Rule>], subject: Subject<'_>, by_model: bool) -> Vec<Charge> {
        let table = self.table.get();
        let rules = rules.iter().filter(|it| it.is_by_model() == by_model);
        let charges: Vec<Charge> = rules.filter_map(|it| it.charge(subject, &table)).collect();
        if charges.iter().any(|it| it.unknown_tier) {
            self.counters.unknown_tier.add(1);
        }
        charges
    }
}

impl Stream {
    /// Counts the request by all of `charges`; the answer, if one refuses.
    fn count(&mut self, charges: Vec<Charge>, now: Micros) -> Option<Reply> {
        match self.plugin.count(charges, now) {
            Ok(counted) => {
                self.spent.extend(counted.spent);
                let before = match self.answer {
                    Answer::Stands(standing) => Some(standing),
                    Answer::Untouched | Answer::Silent => None,
                };
                if let Some(standing) = policy::tightest(counted.standings.into_iter().chain(before)) {
                    self.answer = Answer::Stands(standing);
                }
                None
            }
            Err(why) => {
                self.give_back(now);
                Some(self.refuse(why))
            }
        }
    }

    fn refuse(&self, why: NotCounted) -> Reply {
        match why {
            NotCounted::Failed(reply) => reply,
            NotCounted::Full(full) => {
                for it in &full {
                    self.plugin.counters.refused(&it.rule);
                }
                policy::too_many(&full)
            }
        }
    }

    fn give_back(&mut self, now: Micros) {
        local::give_back(&std::mem::take(&mut self.spent), now);
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let plugin = Rc::clone(&self.plugin);
        let caller = match plugin.who(head) {
            Who::Counted(caller) => caller,
            Who::Not(next) => return next,
        };
        let rules = plugin.rules.of_project(caller.as_ref().map(|it| it.project.as_str()));
        if rules.iter().any(|it| it.limit.mode == Mode::Enforce) {
            self.answer = Answer::Silent;
        }
        let address = if rules.iter().any(|it| it.is_by_address()) { head.address() } else { None };
        let subject = Subject { caller: caller.as_ref(), address, model: None };
        let charges = plugin.charges(rules, subject, false);
        if let Some(reply) = self.count(charges, host::now()) {
            return Next::Reply(reply);
        }
        if rules.iter().any(|it| it.is_by_model()) {
            self.waiting = Some(Waiting { caller, address });
            return Next::Body;
        }
        plugin.counters.passed.add(1);
        Next::Pass
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        let Some(Waiting { caller, address }) = self.waiting.take() else {
            return Edit::Keep;
        };
        let plugin = Rc::clone(&self.plugin);
        let model = asked_model(&body);
        let rules = plugin.rules.of_project(caller.as_ref().map(|it| it.project.as_str()));
        let subject = Subject { caller: caller.as_ref(), address, model: model.as_deref() };
        match self.count(plugin.charges(rules, subject, true), host::now()) {
            Some(reply) => Edit::Reply(reply),
            None => {
                plugin.counters.passed.add(1);
                Edit::Keep
            }
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if !self.spent.is_empty() && head.has(KILLED) {
            self.plugin.counters.given_back.add(1);
            self.give_back(host::now());
            return Watch::Nothing;
        }
        // Every call to the host costs: what is replaced need not be looked for or removed first.
        match &self.answer {
            Answer::Untouched => return Watch::Nothing,
            Answer::Silent => policy::UPSTREAMS_REQUESTS.iter().for_each(|name| head.remove(name)),
            Answer::Stands(standing) => standing.headers().iter().for_each(|(name, value)| head.set(name, value)),
        }
        policy::UPSTREAMS_TOKENS.iter().for_each(|name| head.remove(name));
        Watch::Nothing
    }
}

/// The canonical name of the model that a body asks for. A body that cannot be read in only one way asks for none here:
/// `router` refuses it.
fn asked_model(body: &[u8]) -> Option<String> {
    let body = chat::Body::parse(body).ok()?;
    let name = ModelName::parse(body.model()?).ok()?;
    Some(name.canonical().to_string())
}
