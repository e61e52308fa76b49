//! The callbacks: read, ask the gate, carry out.

use crate::{
    config::Config,
    fetching::{self, Fetching},
    policy::{Denial, Gate, Question, Step},
    request,
    schedule::{Asked, Want},
    signature::Engine,
};
use domain::{caller::Caller, headers, reply::Reply};
use host::metrics::Counter;
use host::{Answer, CallId, Next, NoAnswer, Plugin, RequestHead, RequestTrailers, Root};
use std::{cell::RefCell, mem, rc::Rc, time::Duration};

/// How often to look whether keys are due, and what other workers fetched.
const TICK: Duration = Duration::from_millis(50);

/// The filter, configured.
pub struct Auth {
    gate: RefCell<Gate>,
    fetching: Fetching,
    metrics: Metrics,
}

struct Metrics {
    accepted: Counter,
    bypassed: Counter,
    rejected: Vec<Counter>,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<Auth>,
    state: State,
}

/// Where the exchange is.
#[derive(Default)]
enum State {
    /// Nothing is known of it, or all that is to be known.
    #[default]
    Idle,
    /// It asked for the keys that its token needs.
    Fetching(Question),
    /// It waits for keys that another request or a worker asked for.
    Waiting(Question),
}

impl Plugin for Auth {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let engine = Engine::tested(host::verify_signature);
        let gate = Gate::new(Config::parse(config)?, engine)?;
        log::info!("auth: RSA and ECDSA signatures are verified by {} code", engine.name());
        let fetching = Fetching::new(&gate, root);
        root.tick_every(TICK);
        Ok(Self { gate: RefCell::new(gate), fetching, metrics: Metrics::define() })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), state: State::Idle }
    }

    fn tick(&self, root: &Root) {
        self.fetching.tick(&self.gate, root, host::now());
    }

    fn answered(&self, _: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        self.fetching.answered(&self.gate, call, answer);
    }
}

impl Metrics {
    fn define() -> Self {
        let rejected = |name| Counter::define(&format!("tollgate_auth_rejected_{name}"));
        Self {
            accepted: Counter::define("tollgate_auth_accepted"),
            bypassed: Counter::define("tollgate_auth_bypassed"),
            rejected: Denial::NAMES.into_iter().map(rejected).collect(),
        }
    }
}

impl host::Stream for Stream {
    const READS_BODIES: bool = false;

    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        if let Some(reply) = strip(head).or_else(|| request::upgrade(head.headers())) {
            return Next::Reply(reply);
        }
        let step = self.plugin.gate.borrow_mut().look(head.method(), head.path(), head.headers(), host::now());
        self.carry_out(head, step)
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        match mem::take(&mut self.state) {
            State::Fetching(question) => {
                self.plugin.fetching.answered_at(&self.plugin.gate, question.provider, answer);
                match self.again(&question) {
                    Step::Ask(question) => self.deny(question.refused(false)),
                    step => self.carry_out(head, step),
                }
            }
            // Nobody asked; whatever this is, it lets nobody in.
            State::Idle | State::Waiting(_) => self.deny(Denial::NoKeys),
        }
    }

    fn released(&mut self, head: &mut RequestHead) -> Next {
        match mem::take(&mut self.state) {
            State::Waiting(question) => match self.again(&question) {
                // The wait was none (Kong), or another fetch has begun.
                Step::Ask(question) => {
                    let under_way = self.plugin.fetching.is_under_way(question.provider, host::now());
                    match question.want {
                        Want::Any if under_way => self.fetch(question),
                        _ => self.deny(question.refused(under_way)),
                    }
                }
                step => self.carry_out(head, step),
            },
            State::Idle | State::Fetching(_) => self.deny(Denial::NoKeys),
        }
    }

    fn request_trailers(&mut self, trailers: &mut RequestTrailers) {
        // Some servers read trailers as if they had come with the headers. A name that is no text comes through no codec.
        for name in request::forbidden(trailers.fields()).unwrap_or_default() {
            trailers.remove(&name);
        }
    }

    fn log(&mut self) {
        if let State::Fetching(question) = mem::take(&mut self.state) {
            self.plugin.fetching.abandon(question.provider);
        }
    }
}

impl Stream {
    fn carry_out(&mut self, head: &mut RequestHead, step: Step) -> Next {
        let plugin = &self.plugin;
        match step {
            Step::Admit(verified) => {
                plugin.metrics.accepted.add(1);
                identify(head, &verified.caller);
                Next::Pass
            }
            Step::Bypass => {
                plugin.metrics.bypassed.add(1);
                head.publish_bypass();
                Next::Pass
            }
            Step::Ask(question) => self.ask(head, question),
            Step::Deny(denial) => self.deny(denial),
        }
    }

    /// Asks for keys, or waits for those that somebody else asked for.
    fn ask(&mut self, head: &mut RequestHead, question: Question) -> Next {
        match self.plugin.fetching.ask(&self.plugin.gate, &question, host::now()) {
            Asked::Newer => {
                // The keys are now as new as those of all workers, so that this question is not asked twice.
                let step = self.again(&question);
                self.carry_out(head, step)
            }
            Asked::Fetch => self.fetch(question),
            Asked::Wait => {
                let number = fetching::key(question.provider);
                self.state = State::Waiting(question);
                Next::Hold(number)
            }
            Asked::No => self.deny(question.refused(false)),
        }
    }

    fn fetch(&mut self, question: Question) -> Next {
        match self.plugin.fetching.call(question.provider) {
            Some(call) => {
                self.state = State::Fetching(question);
                Next::Call(call)
            }
            None => self.deny(question.refused(false)),
        }
    }

    /// The decision about a request that asked for keys, with those that there are now.
    fn again(&self, question: &Question) -> Step {
        self.plugin.gate.borrow_mut().answer(question, host::now())
    }

    fn deny(&self, denial: Denial) -> Next {
        if let Some(counter) = self.plugin.metrics.rejected.get(denial.place()) {
            counter.add(1);
        }
        log::debug!("auth: refused: {denial:?}");
        Next::Reply(self.plugin.gate.borrow().reply(denial))
    }
}

/// Takes away what a client must not say; the refusal of a request where that cannot be done.
fn strip(head: &mut RequestHead) -> Option<Reply> {
    let refuse = || Reply::invalid("A header that only the gateway may write cannot be taken away.");
    let Some(names) = request::forbidden(head.headers()) else { return Some(refuse()) };
    // All of them, even when one cannot be removed: the request may be logged.
    let kept = names.iter().filter(|name| !head.remove(name)).count();
    (kept > 0).then(refuse)
}

fn identify(head: &mut RequestHead, caller: &Caller) {
    let written = [
        (headers::TENANT, caller.tenant.as_deref()),
        (headers::PROJECT, Some(caller.project.as_str())),
        (headers::USER, Some(caller.user.as_str())),
        (headers::ROLE, caller.role.as_deref()),
        (headers::TIER, caller.tier.as_deref()),
    ];
    for (name, value) in written {
        if let Some(value) = value {
            head.set(name, value);
        }
    }
    head.publish(caller);
}
