//! The callbacks: read, decide, carry out.

use crate::{
    config::Config,
    counters::Counters,
    events::Events,
    fleet::{self, Fleet, Got},
    lease::{Ask, Ticket},
    local::{self, Spent},
    policy::{self, Full, Standing},
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
use host::{
    Answer, CallId, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Waker, Watch, companion::Client,
};
use std::{cell::Cell, net::IpAddr, rc::Rc, time::Duration};

/// The shared memory that holds the counts.
pub(crate) const TABLE: &str = "ratelimit";

/// How often to look whether the workers still agree on the seed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often leases are looked after and reports sent.
const BEAT: Duration = Duration::from_millis(50);

/// What requests wait for while another one asks the companion.
const LEASES: u32 = 1;
/// How often a request waits, for another's question or for its own, before it asks itself and for the last time. The host
/// lets it wait eight times.
const MOST_HOLDS: u32 = 4;

/// The filter, configured.
pub struct RateLimit {
    trust: Trust,
    kill: Switches,
    rules: Rules,
    table: Cell<Table>,
    looked: Cell<Micros>,
    pub(crate) counters: Counters,
    fleet: Option<Fleet>,
    events: Option<Events>,
    waker: Waker,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<RateLimit>,
    /// What it spent, to be given back if a later filter says that it was switched off.
    spent: Vec<Spent>,
    /// What it took of leases, likewise.
    tickets: Vec<(Charge, Ticket)>,
    shown: Shown,
    /// What is to be counted once the companion answered.
    pending: Option<Pending>,
    caller: Option<Caller>,
    address: Option<IpAddr>,
    /// Some limits can be told only from the body, which is not here yet.
    needs_body: bool,
}

/// What the response is to say about the limits.
enum Shown {
    /// What the upstream says: no limit holds here.
    Untouched,
    /// Nothing: no limit counted the request, and the upstream's limit is not the caller's.
    Silent,
    /// Where the caller stands with the tightest limit.
    Stands(Standing),
}

/// A request that is not counted yet.
#[derive(Default)]
struct Pending {
    local: Vec<Charge>,
    /// Limits of the fleet of which it has no part yet.
    fleet: Vec<Charge>,
    /// What it asks the companion.
    asked: Vec<(Charge, Ask)>,
    /// Where the caller stands with those of which it has.
    standings: Vec<Standing>,
    holds: u32,
}

/// Why a request was counted by no limit.
pub(crate) enum NotCounted {
    /// These have no room for it.
    Full(Vec<Full>),
    /// A count was not to be had, and the operator wants none to pass uncounted.
    Failed,
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
        let rules = Rules::new(&config);
        let client = config.companion.as_ref().map(|it| Client::of(it, host::env)).transpose()?;
        let fleet = client.as_ref().zip(config.companion.as_ref()).filter(|_| rules.any_fleet());
        host::seed::prepare(root);
        root.create_slots(TABLE, config.slots.get());
        if fleet.is_some() {
            root.create_slots(fleet::TABLE, config.slots.get());
        }
        root.tick_every(if client.is_some() { BEAT } else { LOOK_AGAIN });
        let now = host::now();
        let plugin = Self {
            trust: config.trust,
            table: Cell::new(Table { seed: host::seed::own(now), slots: config.slots }),
            looked: Cell::default(),
            counters: Counters::define(&rules),
            fleet: fleet.map(|(client, at)| Fleet::new(client.clone(), at.timeout.get())),
            events: client.as_ref().map(Events::new),
            waker: root.waker(),
            kill: config.kill,
            rules,
        };
        plugin.tick(root);
        Ok(plugin)
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream {
            plugin: Rc::clone(self),
            spent: Vec::new(),
            tickets: Vec::new(),
            shown: Shown::Untouched,
            pending: None,
            caller: None,
            address: None,
            needs_body: false,
        }
    }

    fn tick(&self, root: &Root) {
        let now = host::now();
        self.agree(now);
        if let Some(fleet) = &self.fleet {
            fleet.tick(root, &self.table.get().seed, now);
            // Another worker may have asked for what they wait for.
            root.release(LEASES);
        }
        if let Some(events) = &self.events {
            events.tick(root);
        }
    }

    fn answered(&self, root: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        if self.fleet.as_ref().is_some_and(|it| it.landed(call, &answer, host::now())) {
            root.release(LEASES);
        } else if let Some(events) = &self.events {
            events.answered(root, call, &answer);
        }
    }
}

impl RateLimit {
    /// Takes over the seed that the workers agreed on.
    fn agree(&self, now: Micros) {
        if self.looked.get() != Micros(0) && now.since(self.looked.get()) < LOOK_AGAIN {
            return;
        }
        self.looked.set(now);
        // Without shared memory there is no count either; each request then follows `on_failure`.
        let table = self.table.get();
        if let Some(seed) = host::seed::agreed(table.seed) {
            self.table.set(Table { seed, ..table });
        }
    }

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
    fn subject<'a>(&'a self, model: Option<&'a str>) -> Subject<'a> {
        Subject { caller: self.caller.as_ref(), address: self.address, model }
    }

    /// Counts the request by all limits, or none.
    fn count(&mut self, head: &RequestHead, mut pending: Pending, now: Micros) -> Next {
        let plugin = Rc::clone(&self.plugin);
        // Where the companion must be asked, all is looked at again when it has answered.
        let local = if pending.fleet.is_empty() { std::mem::take(&mut pending.local) } else { pending.local.clone() };
        let looked = match plugin.look(local, now) {
            Ok(looked) => looked,
            Err(why) => return Next::Reply(self.refuse(head, why, now)),
        };
        if let Some(fleet) = &plugin.fleet {
            if let Err(why) = self.take_leases(fleet, &mut pending, now) {
                return Next::Reply(self.refuse(head, why, now));
            }
            if !pending.asked.is_empty() {
                let question = fleet.question(&plugin.table.get().seed, &pending.asked);
                self.pending = Some(pending);
                return Next::Call(question);
            }
            if !pending.fleet.is_empty() {
                pending.holds = pending.holds.saturating_add(1);
                self.pending = Some(pending);
                return Next::Hold(LEASES);
            }
        }
        match plugin.write(looked) {
            Ok(counted) => {
                self.spent.extend(counted.spent);
                self.show(counted.standings.into_iter().chain(pending.standings));
                self.counted()
            }
            Err(why) => Next::Reply(self.refuse(head, why, now)),
        }
    }

    /// All limits that can be told from the head have counted the request.
    fn counted(&self) -> Next {
        if self.needs_body {
            return Next::Body;
        }
        self.plugin.counters.passed.add(1);
        Next::Pass
    }

    fn show(&mut self, standings: impl Iterator<Item = Standing>) {
        let before = match self.shown {
            Shown::Stands(standing) => Some(standing),
            Shown::Untouched | Shown::Silent => None,
        };
        if let Some(standing) = policy::tightest(standings.chain(before)) {
            self.shown = Shown::Stands(standing);
        }
    }

    /// Takes the request's part of each lease, as far as there is something to take.
    fn take_leases(&mut self, fleet: &Fleet, pending: &mut Pending, now: Micros) -> Result<(), NotCounted> {
        let insists = pending.holds >= MOST_HOLDS;
        let got: Vec<(Charge, Got)> = std::mem::take(&mut pending.fleet)
            .into_iter()
            .map(|charge| {
                let got = fleet.take(&charge, now, insists).unwrap_or(Got::Failing);
                (charge, got)
            })
            .collect();
        let taken = self.took(got, pending);
        if taken.is_err() {
            fleet.not_asked(&pending.asked, now);
        }
        taken
    }

    /// Sorts what was got of the fleet's limits.
    fn took(&mut self, got: Vec<(Charge, Got)>, pending: &mut Pending) -> Result<(), NotCounted> {
        let (mut refusing, mut failing) = (Vec::new(), Vec::new());
        for (charge, got) in got {
            let enforced = charge.rule.limit.mode == Mode::Enforce;
            match got {
                Got::Ticket(ticket, standing) => {
                    self.tickets.push((charge, ticket));
                    pending.standings.extend(enforced.then_some(standing));
                }
                Got::Full(full) if enforced => refusing.push(full),
                Got::Full(full) => self.plugin.counters.refused(&full.rule),
                Got::Failing => failing.push(charge),
                Got::Wait if pending.holds > MOST_HOLDS => failing.push(charge),
                Got::Wait => pending.fleet.push(charge),
                Got::Ask(ask) => pending.asked.push((charge, ask)),
            }
        }
        if !refusing.is_empty() {
            return Err(NotCounted::Full(refusing));
        }
        self.plugin.not_counted(&failing)
    }

    /// Nothing counts the request.
    fn refuse(&mut self, head: &RequestHead, why: NotCounted, now: Micros) -> Reply {
        self.give_back(now);
        match why {
            NotCounted::Failed => policy::unavailable(),
            NotCounted::Full(mut full) => {
                full.sort_by_key(|it| it.rule.order);
                for it in &full {
                    self.plugin.counters.refused(&it.rule);
                }
                if let (Some(events), Some(first)) = (&self.plugin.events, full.first()) {
                    events.rejected(first, self.caller.as_ref(), head, now);
                }
                policy::too_many(&full)
            }
        }
    }

    fn give_back(&mut self, now: Micros) {
        local::give_back(std::mem::take(&mut self.spent), now);
        for (charge, ticket) in std::mem::take(&mut self.tickets) {
            Fleet::give_back(&charge, ticket, now);
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let plugin = Rc::clone(&self.plugin);
        match plugin.who(head) {
            Who::Counted(caller) => self.caller = caller,
            Who::Not(next) => return next,
        }
        let rules = plugin.rules.of(self.caller.as_ref());
        if rules.iter().any(|it| it.limit.mode == Mode::Enforce) {
            self.shown = Shown::Silent;
        }
        if rules.iter().any(|it| it.is_by_address()) {
            self.address = head.address();
        }
        self.needs_body = rules.iter().any(|it| it.is_by_model());
        let charges = plugin.charges(rules, self.subject(None), false);
        let (fleet, local) = charges.into_iter().partition(|it| it.rule.is_fleet());
        self.count(head, Pending { local, fleet, ..Pending::default() }, host::now())
    }

    fn released(&mut self, head: &mut RequestHead) -> Next {
        match self.pending.take() {
            Some(pending) => self.count(head, pending, host::now()),
            None => Next::Pass,
        }
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        let plugin = Rc::clone(&self.plugin);
        let (Some(mut pending), Some(fleet)) = (self.pending.take(), &plugin.fleet) else {
            return Next::Pass;
        };
        // Not for ever, where every answer comes too late.
        pending.holds = pending.holds.saturating_add(1);
        let now = host::now();
        let got = fleet.answered(std::mem::take(&mut pending.asked), answer, now);
        plugin.waker.wake(LEASES);
        match self.took(got, &mut pending) {
            Ok(()) => self.count(head, pending, now),
            Err(why) => Next::Reply(self.refuse(head, why, now)),
        }
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        self.needs_body = false;
        let plugin = Rc::clone(&self.plugin);
        let model = asked_model(&body);
        let local = plugin.charges(plugin.rules.of(self.caller.as_ref()), self.subject(model.as_deref()), true);
        match self.count(head, Pending { local, ..Pending::default() }, host::now()) {
            Next::Reply(reply) => Edit::Reply(reply),
            _ => Edit::Keep,
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if !(self.spent.is_empty() && self.tickets.is_empty()) && head.has(KILLED) && !host::ending::is_upstreams() {
            self.plugin.counters.given_back.add(1);
            self.give_back(host::now());
            return Watch::Nothing;
        }
        // Every call to the host costs: what is replaced need not be looked for or removed first.
        match &self.shown {
            Shown::Untouched => return Watch::Nothing,
            Shown::Silent => policy::UPSTREAMS_REQUESTS.iter().for_each(|name| head.remove(name)),
            Shown::Stands(standing) => standing.headers().iter().for_each(|(name, value)| head.set(name, value)),
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
