//! The callbacks: read, ask the gate, carry out.

use crate::{
    config::{Config, HttpUri},
    keys::News,
    policy::{Denial, Gate, Question, Step},
    request,
};
use domain::{caller::Caller, headers, reply::Reply};
use host::metrics::Counter;
use host::{Answer, Call, CallId, Next, NoAnswer, Plugin, RequestHead, Root};
use std::{cell::RefCell, collections::BTreeMap, mem, rc::Rc, time::Duration};

/// How often to look whether keys are due. Costs a comparison for each provider.
const TICK: Duration = Duration::from_millis(50);

/// The filter, configured.
pub struct Auth {
    gate: RefCell<Gate>,
    /// The provider whose keys each background call asks for.
    calls: RefCell<BTreeMap<CallId, usize>>,
    metrics: Metrics,
}

struct Metrics {
    accepted: Counter,
    bypassed: Counter,
    rejected: Vec<Counter>,
    jwks_failures: Counter,
    jwks_skipped: Counter,
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
    /// Its token waits for keys.
    Waiting(Question),
}

impl Plugin for Auth {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let gate = Gate::new(Config::parse(config)?)?;
        root.tick_every(TICK);
        Ok(Self { gate: RefCell::new(gate), calls: RefCell::default(), metrics: Metrics::define() })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), state: State::Idle }
    }

    fn tick(&self, root: &Root) {
        let due = self.gate.borrow_mut().due(host::now());
        for place in due {
            match self.fetch(place).ok_or(NoAnswer::NotSent).and_then(|call| root.call(&call)) {
                Ok(id) => {
                    let mut calls = self.calls.borrow_mut();
                    // An earlier one that nobody answered is lost.
                    calls.retain(|_, it| *it != place);
                    calls.insert(id, place);
                }
                Err(error) => self.fetched(place, Err(error)),
            }
        }
    }

    fn answered(&self, _: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        let place = self.calls.borrow_mut().remove(&call);
        if let Some(place) = place {
            self.fetched(place, answer);
        }
    }
}

impl Auth {
    fn fetch(&self, place: usize) -> Option<Call> {
        let gate = self.gate.borrow();
        let HttpUri { uri, cluster, timeout } = &gate.provider(place)?.remote_jwks.as_ref()?.http_uri;
        Some(Call {
            cluster: cluster.clone(),
            method: "GET",
            authority: uri.authority.clone(),
            path: uri.path.clone(),
            headers: vec![("accept", "application/json".to_owned())],
            body: Vec::new(),
            timeout: timeout.get(),
        })
    }

    fn fetched(&self, place: usize, answer: Result<Answer, NoAnswer>) {
        let answer = answer.ok().map(|it| (it.status, it.body));
        let news = self.gate.borrow_mut().fetched(place, answer, host::now());
        match news {
            Ok(News::Same) => {}
            Ok(News::Changed { skipped }) => {
                self.metrics.jwks_skipped.add(u64::try_from(skipped).unwrap_or(u64::MAX));
                log::info!("auth: new keys, {skipped} of them of no use");
            }
            Err(error) => {
                self.metrics.jwks_failures.add(1);
                log::warn!("auth: keys not fetched: {error}");
            }
        }
    }
}

impl Metrics {
    fn define() -> Self {
        let rejected = |name| Counter::define(&format!("tollgate_auth_rejected_{name}"));
        Self {
            accepted: Counter::define("tollgate_auth_accepted"),
            bypassed: Counter::define("tollgate_auth_bypassed"),
            rejected: Denial::NAMES.into_iter().map(rejected).collect(),
            jwks_failures: Counter::define("tollgate_auth_jwks_failures"),
            jwks_skipped: Counter::define("tollgate_auth_jwks_keys_skipped"),
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        if let Some(reply) = strip(head).or_else(|| request::upgrade(head.headers())) {
            return Next::Reply(reply);
        }
        let step = self.plugin.gate.borrow_mut().look(head.method(), head.path(), head.headers(), host::now());
        self.carry_out(head, step)
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        match mem::take(&mut self.state) {
            // Nobody asked; whatever this is, it lets nobody in.
            State::Idle => self.deny(Denial::NoKeys),
            State::Waiting(question) => {
                self.plugin.fetched(question.provider, answer);
                let step = self.plugin.gate.borrow_mut().answer(&question, host::now());
                self.carry_out(head, step)
            }
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
            Step::Ask(question) => match plugin.fetch(question.provider) {
                Some(call) => {
                    self.state = State::Waiting(question);
                    Next::Call(call)
                }
                None => self.deny(Denial::NoKeys),
            },
            Step::Deny(denial) => self.deny(denial),
        }
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
