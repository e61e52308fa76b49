//! The callbacks: read, decide, carry out.

use crate::{
    accounts::{Accounts, Held, Outcome as Reserved, TABLE, Wish},
    background::{self, Background},
    config::{Config, MaxCost},
    headers as said,
    lease::{Asked, Hot},
    meters::Meters,
    policy::{self, Bound},
    record::{Ids, Outcome},
    rules::Rules,
    settle::{self, Passing},
    stream::Following,
    tail::Tail,
    tariff::{Need, Tariff},
    ticket::{Answerer, Bill, Facts, Ticket},
};
use domain::{
    caller::Identity,
    chat::{Body, Endpoint},
    estimate::Estimate,
    headers,
    money::Usd,
    reply::Reply,
    secret::{self, Secret},
    time::Micros,
};
use host::{
    Answer, CallId, Chunk, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Watch, companion::Client,
    metrics::Counter, outbox::Outbox,
};
use std::{cell::Cell, mem, rc::Rc, time::Duration};

/// How often to look whether the workers still agree on the seed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A longer plain answer is not held back, and its cost is in no header. Envoy's own buffer has twice as much.
const LONGEST_PLAIN: usize = 512 << 10;
/// A longer name of a request or a model is none that a record could keep.
const LONGEST_ID: usize = 200;
/// How often a request asks the companion.
const MOST_ASKS: u8 = 2;
/// How often a request waits for another's question before it asks itself.
const MOST_WAITS: u8 = 5;

/// The filter, configured.
pub struct BudgetFilter {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    pub(crate) tariff: Tariff,
    pub(crate) accounts: Accounts,
    pub(crate) meters: Meters,
    pub(crate) background: Option<Background>,
    pub(crate) ids: Ids,
    hop: Option<Secret>,
    looked: Cell<Micros>,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<BudgetFilter>,
    state: State,
}

/// Where the exchange is, and what is known by then.
#[derive(Default)]
enum State {
    /// There is nothing to count, or it was counted.
    #[default]
    Idle,
    /// The companion was asked. The estimate is there, unless the body has yet to be read.
    Asking(Box<Facts>, Option<Estimate>, Vec<Asked>),
    /// Another request's question is under way.
    Waiting(Box<Facts>, Option<Estimate>),
    /// The body is to be read.
    Reading(Box<Facts>),
    /// The request went on.
    Sent(Box<Ticket>),
    /// A plain answer is coming.
    Plain(Box<Ticket>, Tail),
    /// A stream is coming.
    Streaming(Box<Ticket>, Box<Following>),
    /// All is known; without a bill nothing was used.
    Over(Box<Ticket>, Option<Bill>),
}

impl Plugin for BudgetFilter {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let named = |why: String| format!("budget: {why}");
        let rules = Rules::of(&config).map_err(named)?;
        let client = config.companion.as_ref().map(|it| Client::of(it, host::env)).transpose().map_err(named)?;
        let background = client.map(|client| {
            let target = client.target("/internal/v1/usage", "records");
            Background::new(client, Outbox::new(target, Counter::define("tollgate_budget_records_dropped")))
        });
        host::seed::prepare(root);
        root.create_slots(TABLE, config.slots.get());
        root.tick_every(if background.is_some() { config.report_every.get() } else { LOOK_AGAIN });
        let now = host::now();
        let own = host::seed::own(now);
        let accounts = Accounts {
            seed: Cell::new(host::seed::agreed(own).unwrap_or(own)),
            slots: config.slots,
            ttl: config.reservation_ttl.get(),
            patience: config.companion.as_ref().map_or(LOOK_AGAIN, |it| it.timeout.get().saturating_mul(2)),
            on_failure: config.on_failure,
            hot: Hot::default().into(),
            away: Cell::new(false),
        };
        Ok(Self {
            tariff: Tariff::of(&config).map_err(named)?,
            meters: Meters::define(&rules),
            hop: secret::hop(config.hop_secret.as_ref(), host::env).map_err(named)?,
            ids: Ids::new(now),
            looked: Cell::new(now),
            accounts,
            background,
            rules,
            config,
        })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), state: State::Idle }
    }

    fn tick(&self, root: &Root) {
        let now = host::now();
        if now.since(self.looked.get()) >= LOOK_AGAIN {
            self.looked.set(now);
            if let Some(seed) = host::seed::agreed(self.accounts.seed.get()) {
                self.accounts.seed.set(seed);
            }
        }
        if let Some(background) = &self.background {
            background.tick(&self.accounts, root, now);
        }
    }

    fn answered(&self, root: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        if let Some(background) = &self.background {
            background.answered(root, &self.accounts, call, &answer, host::now());
        }
    }
}

impl Stream {
    /// Decides about a request, as far as it is known. In the headers phase the companion may be asked.
    fn decide(&mut self, head: &mut RequestHead, facts: Box<Facts>, estimate: Option<Estimate>, may_ask: bool) -> Next {
        let plugin = Rc::clone(&self.plugin);
        let wish = |need| Wish {
            caller: &facts.caller,
            need,
            may_ask: may_ask && plugin.background.is_some(),
            may_wait: may_ask && facts.asks == 0 && facts.waits < MOST_WAITS,
            now: host::now(),
        };
        let nothing = Need { input: 0, output: 0, cost: None };
        let need = estimate.as_ref().map_or(nothing, |it| plugin.tariff.need(it));
        let reserved = match &estimate {
            None => plugin.accounts.warm(&plugin.rules, length(head), &wish(&need)),
            Some(_) => plugin.accounts.reserve(&plugin.rules, &plugin.tariff, &plugin.meters, &wish(&need)),
        };
        match (reserved, estimate) {
            (Reserved::Held(held), Some(estimate)) => {
                let warnings = plugin.warnings(&held);
                let from = Answerer { price: plugin.price(&estimate, None, None), ..Answerer::default() };
                let ticket = Ticket { facts: *facts, estimate, need, held, warnings, from };
                plugin.send(head, &ticket);
                self.state = State::Sent(Box::new(ticket));
                Next::Pass
            }
            (Reserved::Held(_), None) => {
                self.state = State::Reading(facts);
                Next::Body
            }
            (Reserved::Refused(reply), _) => Next::Reply(reply),
            (Reserved::Ask(asked), estimate) => match &plugin.background {
                Some(background) => {
                    let call = background.question(&plugin.accounts.seed.get().node(), &asked);
                    self.state = State::Asking(facts, estimate, asked);
                    Next::Call(call)
                }
                None => Next::Reply(policy::no_lease()),
            },
            (Reserved::Wait(place), estimate) => match &plugin.background {
                Some(background) => {
                    let number = background.wait(place);
                    let waits = facts.waits.saturating_add(1);
                    self.state = State::Waiting(Box::new(Facts { waits, ..*facts }), estimate);
                    Next::Hold(number)
                }
                None => Next::Reply(policy::no_lease()),
            },
        }
    }

    /// What the client wants to pay is looked at first: it needs nobody's memory.
    fn begin(&mut self, head: &mut RequestHead, facts: Box<Facts>, estimate: Estimate, may_ask: bool) -> Next {
        match self.plugin.bound(&estimate, facts.max_cost) {
            Err(reply) => Next::Reply(reply),
            Ok(()) => self.decide(head, facts, Some(estimate), may_ask),
        }
    }
}

impl BudgetFilter {
    /// What the request's head says of a model call; `None` when nobody's budget is to pay.
    fn facts(&self, head: &mut RequestHead) -> Result<Option<Box<Facts>>, Reply> {
        let Some(endpoint) = Endpoint::of(head.method(), head.path()) else { return Ok(None) };
        let caller = match head.identity(self.config.trust) {
            Identity::Known(caller) => caller,
            Identity::Bypassed => {
                self.prove(head);
                return Ok(None);
            }
            Identity::Missing => {
                self.meters.nobody.add(1);
                return Err(policy::nobody());
            }
        };
        let max_cost = match self.config.max_cost {
            MaxCost::Off => None,
            MaxCost::Active | MaxCost::Passive => policy::max_cost(head.headers())?,
        };
        let request_id = head.headers().text("x-request-id").filter(|it| it.len() <= LONGEST_ID).map(str::to_owned);
        Ok(Some(Box::new(Facts { caller, endpoint, request_id, max_cost, started: host::now(), waits: 0, asks: 0 })))
    }

    fn bound(&self, estimate: &Estimate, max_cost: Option<Usd>) -> Result<(), Reply> {
        let Some(most) = max_cost.filter(|_| self.config.max_cost == MaxCost::Active) else { return Ok(()) };
        let refused = match policy::bound(&self.tariff.need(estimate), Some(most)) {
            Bound::Above(estimate) => policy::too_dear(estimate, most),
            Bound::Unknown if !self.tariff.lets_unknown_pass() => policy::no_price("cost_exceeded"),
            Bound::Fits | Bound::Unknown => return Ok(()),
        };
        self.meters.too_dear();
        Err(refused)
    }

    fn price(&self, estimate: &Estimate, provider: Option<&str>, id: Option<&str>) -> Option<domain::price::Price> {
        Answerer::price(&self.tariff, &estimate.models, provider, id)
    }

    fn warnings(&self, held: &[Held]) -> Vec<String> {
        let warned = held.iter().filter(|it| it.rule.warns());
        let one = |it: &Held| {
            let percent = it.rule.warning(it.used, it.terms.limit)?;
            self.meters.warned(&it.rule.name);
            Some(format!("{} {percent}%", it.rule.name))
        };
        warned.filter_map(one).collect()
    }

    /// Proves to Kong's second hop that this filter ran.
    fn prove(&self, head: &mut RequestHead) {
        if let Some(hop) = &self.hop {
            head.set(headers::HOP, hop.reveal());
        }
    }

    /// What a request that goes on says to those behind.
    fn send(&self, head: &mut RequestHead, ticket: &Ticket) {
        let Ticket { estimate, facts, .. } = ticket;
        let has_chunk = matches!(facts.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        if estimate.stream && !estimate.usage && has_chunk {
            head.set(headers::USAGE, "ask");
            // `provider` takes the header off at its first attempt, and it stays off at the next.
            host::note::write("usage", "ask");
        }
        // The answer is to be read, so it must not come compressed.
        head.set("accept-encoding", "identity");
        self.prove(head);
    }

    /// What the response's head says of the cost, before it is known.
    fn announce(&self, head: &mut ResponseHead, ticket: &Ticket) {
        let mut warnings = ticket.warnings.clone();
        if let (Some(most), Some(estimate)) = (ticket.facts.max_cost, ticket.estimated_cost())
            && estimate > most
        {
            warnings.insert(0, format!("max-cost {most}"));
        }
        let compat = self.config.compat;
        let mut all = said::before(ticket.estimated_cost(), &warnings, compat);
        all.extend(said::answered_by(
            ticket.estimate.models.first().map(String::as_str),
            ticket.from.provider.as_deref(),
            compat,
        ));
        for (name, value) in all {
            head.set(name, &value);
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let facts = match self.plugin.facts(head) {
            Ok(Some(facts)) => facts,
            Ok(None) => return Next::Pass,
            Err(reply) => return Next::Reply(reply),
        };
        match estimate(head) {
            Ok(Some(estimate)) => self.begin(head, facts, estimate, true),
            // In Kong `router` reads the body after this; without a router this filter reads it itself.
            Ok(None) => self.decide(head, facts, None, true),
            Err(reply) => Next::Reply(reply),
        }
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        let State::Asking(facts, estimate, asked) = mem::take(&mut self.state) else {
            return Next::Pass;
        };
        background::take(&self.plugin.accounts, &asked, &answer, host::now());
        // Asked again, it knows how much is left to ask for.
        let asks = facts.asks.saturating_add(1);
        let may_ask = asks < MOST_ASKS && answer.is_ok();
        self.decide(head, Box::new(Facts { asks, ..*facts }), estimate, may_ask)
    }

    fn released(&mut self, head: &mut RequestHead) -> Next {
        match mem::take(&mut self.state) {
            State::Waiting(facts, estimate) => self.decide(head, facts, estimate, true),
            _ => Next::Pass,
        }
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        let State::Reading(facts) = mem::take(&mut self.state) else {
            return Edit::Keep;
        };
        let read = || {
            let body = Body::parse(&body)?;
            let models =
                body.model().filter(|it| (1..=LONGEST_ID).contains(&it.len())).map(str::to_owned).into_iter().collect();
            Ok(Estimate { models, ..Estimate::of(&body, facts.endpoint) })
        };
        let estimate = match estimate(head).and_then(|it| it.map_or_else(read, Ok)) {
            Ok(estimate) => estimate,
            Err(reply) => return Edit::Reply(reply),
        };
        match self.begin(head, facts, estimate, false) {
            Next::Reply(reply) => Edit::Reply(reply),
            _ => Edit::Keep,
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        let State::Sent(mut ticket) = mem::take(&mut self.state) else {
            return Watch::Nothing;
        };
        let text = |name| head.headers().text(name).map(str::to_owned);
        let (provider, provider_model) = (text(headers::PROVIDER), text(headers::PROVIDER_MODEL));
        let status = text(":status").and_then(|it| it.parse().ok()).unwrap_or_default();
        let price = self.plugin.price(&ticket.estimate, provider.as_deref(), provider_model.as_deref());
        ticket.from = Answerer { status, provider, provider_model, price };
        let encoding = head.headers().get("content-encoding").unwrap_or(b"identity");
        let readable = encoding.eq_ignore_ascii_case(b"identity");
        let media = head.headers().get("content-type").unwrap_or_default();
        let streams = media.get(..17).is_some_and(|it| it.eq_ignore_ascii_case(b"text/event-stream"));
        self.plugin.announce(head, &ticket);
        if (200..300).contains(&status) && streams && readable {
            let (wants_usage, cap) = (ticket.estimate.usage, ticket.cap());
            let provider = ticket.from.provider.as_deref();
            let following = Following::new(ticket.facts.endpoint, provider, ticket.need.input, wants_usage, cap);
            self.state = State::Streaming(ticket, Box::new(following));
            return Watch::Edit;
        }
        self.state = State::Plain(ticket, Tail::default());
        if readable && !streams { Watch::Whole { limit: LONGEST_PLAIN } } else { Watch::Read }
    }

    fn response_whole(&mut self, head: Option<&mut ResponseHead>, body: &[u8]) {
        let State::Plain(ticket, _) = mem::take(&mut self.state) else {
            return;
        };
        let bill = settle::plain(&ticket, body);
        if let (Some(head), Some(bill), Some(price)) = (head, &bill, &ticket.from.price) {
            let actual = price.cost(&bill.told.usage);
            for (name, value) in said::after(ticket.estimated_cost(), actual, self.plugin.config.compat) {
                head.set(name, &value);
            }
        }
        self.state = State::Over(ticket, bill);
    }

    fn response_chunk(&mut self, chunk: Vec<u8>, last: bool) -> Chunk {
        match &mut self.state {
            State::Streaming(ticket, following) => {
                let cut = following.was_cut();
                let mut passing = Passing { plugin: &self.plugin, ticket };
                let out = following.read(&chunk, last, &mut passing);
                if following.was_cut() && !cut {
                    self.plugin.meters.cut();
                }
                if last && let State::Streaming(ticket, following) = mem::take(&mut self.state) {
                    let outcome = if following.was_cut() { Outcome::Cut } else { Outcome::Complete };
                    let told = following.told(true);
                    self.state = State::Over(ticket, Some(Bill { told, outcome }));
                }
                if out == chunk { Chunk::Keep } else { Chunk::Replace(out) }
            }
            State::Plain(_, tail) => {
                tail.add(&chunk);
                if last && let State::Plain(ticket, tail) = mem::take(&mut self.state) {
                    let bill = settle::in_pieces(&ticket, &tail);
                    self.state = State::Over(ticket, bill);
                }
                Chunk::Keep
            }
            _ => Chunk::Keep,
        }
    }

    fn log(&mut self) {
        let plugin = &self.plugin;
        let gone = || if host::ending::by_client() { Outcome::ClientGone } else { Outcome::UpstreamGone };
        let rate = plugin.config.abandoned_tokens_per_second.get();
        match mem::take(&mut self.state) {
            State::Idle | State::Reading(_) | State::Waiting(..) => {}
            // Who asked has gone, and the answer to its question with it.
            State::Asking(_, _, asked) => plugin.accounts.withdraw(&asked, host::now()),
            State::Sent(mut ticket) => {
                // The client's going is the only ending without a response.
                ticket.from.status = 499;
                let bill = ticket.abandoned(rate, Outcome::ClientGone, host::now());
                plugin.settle(*ticket, host::ending::reached_upstream().then_some(bill));
            }
            State::Plain(ticket, tail) => {
                let failed = !(200..300).contains(&ticket.from.status);
                let bill = ticket.abandoned(rate, gone(), host::now());
                let told = settle::torn(&ticket, &tail, bill.told);
                plugin.settle(*ticket, (!failed).then_some(Bill { told, ..bill }));
            }
            State::Streaming(ticket, following) => {
                let outcome = if following.was_cut() { Outcome::Cut } else { gone() };
                plugin.settle(*ticket, Some(Bill { told: following.told(false), outcome }));
            }
            State::Over(ticket, bill) => plugin.settle(*ticket, bill),
        }
    }
}

/// How long the body is said to be.
fn length(head: &RequestHead) -> u64 {
    head.headers().text("content-length").and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// What `router` read in the body.
fn estimate(head: &RequestHead) -> Result<Option<Estimate>, Reply> {
    let wrong =
        || Reply::invalid(format!("the header `{}` is the gateway's own and must not be sent", headers::ESTIMATE));
    match head.headers().copies(headers::ESTIMATE) {
        0 => Ok(None),
        1 => match head.headers().text(headers::ESTIMATE) {
            None if head.headers().get(headers::ESTIMATE).is_none() => Ok(None),
            text => text.and_then(Estimate::decode).map(Some).ok_or_else(wrong),
        },
        _ => Err(wrong()),
    }
}
