//! The callbacks: read, decide, carry out.

use crate::{
    analyzer::{self, Named, NoSense, Question, TooLong},
    answer::Vault,
    config::Config,
    event::{Direction, Whose},
    found::Found,
    guards::{Guards, Table},
    meters::Meters,
    policy::{self, Deed, Rules},
    report::{self, Reports},
    response::{Answer, Asked, Follow},
};
use domain::{
    caller::{Caller, Identity},
    chat::Endpoint,
    headers::{CONVERSATION, MEMORY, SESSION, THREAD},
    mode::{Mode, OnFailure},
};
use host::{CallId, Chunk, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Watch, companion::Client};
use std::rc::Rc;

/// The note of what the numbers of a thread's placeholders are made of.
const NUMBERS: &str = "guardrails";

/// The filter, configured.
pub struct Guardrails {
    config: Config,
    table: Table,
    meters: Meters,
    reports: Option<Reports>,
    /// Whether whoever stores a thread, behind this filter, has its answer before a value is put back into it.
    stores_before: bool,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<Guardrails>,
    caller: Option<Caller>,
    /// The gateway's id of the request.
    request: String,
    /// The thread or session that the request goes on with.
    thread: Option<String>,
    /// The model as the request names it.
    model: String,
    /// What the response is to say about the request.
    report: Option<String>,
    stage: Stage,
}

/// How far an exchange is.
enum Stage {
    /// It asks for no model, or has not come.
    Nothing,
    /// It asks for one here.
    Called(Endpoint),
    /// Names are being looked for in its body.
    Asking(Endpoint, Question, Vec<u8>),
    /// The request went on.
    Asked(Asked),
    /// Its answer passes.
    Answered(Box<Answer>),
}

impl Plugin for Guardrails {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let table = Table::new(&config, &host::env).map_err(|why| format!("guardrails: {why}"))?;
        // Its tables take some milliseconds to read, which no request should wait for.
        sentinel::prepare();
        if config.analyzer.is_some() && !root.may_ask_about_bodies() {
            return Err("guardrails: `analyzer` is set, and Kong cannot ask another service about a request's body; expected it \
                        in Envoy alone"
                .into());
        }
        let client = config.companion.as_ref().map(|it| Client::of(it, host::env)).transpose()?;
        if client.is_some() {
            root.tick_every(report::BEAT);
        }
        let stores_before = root.answers_come_in_reverse();
        Ok(Self { stores_before, table, meters: Meters::define(), reports: client.as_ref().map(Reports::new), config })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream {
            plugin: Rc::clone(self),
            caller: None,
            request: String::new(),
            thread: None,
            model: String::new(),
            report: None,
            stage: Stage::Nothing,
        }
    }

    fn tick(&self, root: &Root) {
        self.reports.iter().for_each(|it| it.tick(root));
    }

    fn answered(&self, root: &Root, call: CallId, answer: Result<host::Answer, NoAnswer>) {
        if let Some(reports) = &self.reports {
            reports.answered(root, call, &answer);
        }
    }
}

impl Stream {
    fn guards(&self) -> &Guards {
        self.plugin.table.of(self.caller.as_ref())
    }

    fn project(&self) -> &str {
        self.caller.as_ref().map(|it| it.project.as_str()).unwrap_or_default()
    }

    fn rules(&self) -> Rules<'_> {
        let thread = self.thread.as_deref();
        Rules { guards: self.guards(), config: &self.plugin.config, project: self.project(), thread }
    }

    /// Does with a request what the guards say, when somebody else found these names in it.
    fn decide(&mut self, endpoint: Endpoint, body: &[u8], named: &[Named]) -> Edit {
        let mut outcome = policy::inspect_with(self.rules(), body, named);
        self.agree_on_numbers(&mut outcome.vault);
        if outcome.unseen {
            self.plugin.meters.unseen(Direction::Input);
        }
        self.model = outcome.model.unwrap_or_default();
        self.tell(Direction::Input, &outcome.found);
        self.report = outcome.report;
        // What was put back would be stored, and go to the model in the next turn.
        let restores = self.plugin.stores_before || self.thread.is_none();
        let vault = if restores { outcome.vault } else { Vault::default() };
        self.stage = Stage::Asked(Asked { endpoint, vault, wants_usage: outcome.wants_usage });
        match outcome.deed {
            Deed::Pass => Edit::Keep,
            Deed::Mask(body) => Edit::Replace(body),
            Deed::Block(mut reply) => {
                self.stage = Stage::Nothing;
                reply.headers.extend(self.report.take().map(|report| (policy::REPORT, report)));
                Edit::Reply(reply)
            }
        }
    }

    /// One instance may look at requests and another at answers, and filters between them change what names the thread:
    /// the first one tells the second what it makes numbers of.
    fn agree_on_numbers(&self, vault: &mut Vault) {
        if !self.guards().look_at_requests() {
            host::note::read(NUMBERS).into_iter().for_each(|it| *vault = Vault::numbered_as(it));
        } else if let Some(numbers) = vault.numbers() {
            host::note::write(NUMBERS, numbers);
        }
    }

    /// What becomes of a request about which nobody answered.
    fn unanswered(&mut self, endpoint: Endpoint, body: &[u8], on_failure: OnFailure) -> Edit {
        self.plugin.meters.unanswered();
        if on_failure == OnFailure::Deny && self.guards().shield.mode == Mode::Enforce {
            self.stage = Stage::Nothing;
            return Edit::Reply(analyzer::unavailable());
        }
        self.decide(endpoint, body, &[])
    }

    /// Tells metrics and events what was found.
    fn tell(&self, direction: Direction, found: &Found) {
        self.plugin.meters.count(direction, found);
        if let Some(reports) = &self.plugin.reports {
            let whose = Whose { caller: self.caller.as_ref(), request: &self.request, model: &self.model };
            found.seen(direction).iter().for_each(|it| reports.tell(it, whose));
        }
    }

    /// The most bytes of an answer that are kept.
    fn most(&self) -> usize {
        usize::try_from(self.plugin.config.max_answer_bytes.get()).unwrap_or(usize::MAX)
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let Some(endpoint) = Endpoint::of(head.method(), head.path()) else {
            return Next::Pass;
        };
        if self.plugin.table.need_a_caller() || self.plugin.reports.is_some() {
            self.caller = match head.identity(self.plugin.config.trust) {
                Identity::Known(caller) => Some(caller),
                // Who is not known has what holds for all.
                Identity::Bypassed | Identity::Missing => None,
            };
        }
        let guards = self.guards();
        if !guards.look_at_requests() && !guards.look_at_responses() {
            return Next::Pass;
        }
        // An answer that nobody can read cannot be guarded.
        head.set("accept-encoding", "identity");
        if self.plugin.reports.is_some() {
            self.request = head.headers().text("x-request-id").unwrap_or_default().to_owned();
        }
        let headers = head.headers();
        let thread = [THREAD, CONVERSATION, SESSION].into_iter().find_map(|it| headers.text(it));
        let token = || self.caller.as_ref().and_then(|it| it.session.as_deref()).unwrap_or(SESSION);
        let asks = headers.text(MEMORY) == Some("session");
        self.thread = thread.or_else(|| asks.then(token)).filter(|it| !it.is_empty()).map(str::to_owned);
        self.stage = Stage::Called(endpoint);
        Next::Body
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        let Stage::Called(endpoint) = self.stage else {
            return Edit::Keep;
        };
        match (policy::question(self.rules(), &body), &self.plugin.config.analyzer) {
            (Some(Ok(question)), Some(analyzer)) => {
                let call = question.call(analyzer);
                self.stage = Stage::Asking(endpoint, question, body);
                Edit::Call(call)
            }
            (Some(Err(TooLong)), Some(analyzer)) => self.unanswered(endpoint, &body, analyzer.on_failure),
            _ => self.decide(endpoint, &body, &[]),
        }
    }

    fn body_answered(&mut self, _: &mut RequestHead, answer: Result<host::Answer, NoAnswer>) -> Edit {
        let plugin = Rc::clone(&self.plugin);
        let (Stage::Asking(endpoint, question, body), Some(analyzer)) =
            (std::mem::replace(&mut self.stage, Stage::Nothing), &plugin.config.analyzer)
        else {
            return Edit::Keep;
        };
        match answer.map_err(|_| NoSense).and_then(|it| question.answer(analyzer, it.status, &it.body)) {
            Ok(named) => self.decide(endpoint, &body, &named),
            Err(NoSense) => self.unanswered(endpoint, &body, analyzer.on_failure),
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if let Some(report) = self.report.take() {
            head.set(policy::REPORT, &report);
        }
        let Stage::Asked(asked) = std::mem::replace(&mut self.stage, Stage::Nothing) else {
            return Watch::Nothing;
        };
        let limits = (self.most(), self.plugin.config.on_oversize);
        match Follow::of(asked, self.guards(), self.project(), (head.status(), head.headers()), limits) {
            Follow::Not => return Watch::Nothing,
            Follow::Unseen => {
                self.plugin.meters.unseen(Direction::Output);
                return Watch::Nothing;
            }
            Follow::Read(answer) => self.stage = Stage::Answered(answer),
            Follow::Refuse(answer, reply) => {
                head.set(":status", &reply.status.to_string());
                head.set("content-type", "application/json");
                head.remove("content-encoding");
                self.stage = Stage::Answered(answer);
            }
        }
        Watch::Edit
    }

    fn response_chunk(&mut self, chunk: Vec<u8>, last: bool) -> Chunk {
        match &mut self.stage {
            Stage::Answered(answer) => Chunk::Replace(answer.piece(chunk, last)),
            _ => Chunk::Keep,
        }
    }

    fn log(&mut self) {
        let Stage::Answered(answer) = std::mem::replace(&mut self.stage, Stage::Nothing) else {
            return;
        };
        let (found, hits) = answer.found();
        self.plugin.meters.restored(hits.restored);
        if answer.is_unseen() && self.guards().look_at_responses() {
            self.plugin.meters.unseen(Direction::Output);
        }
        self.tell(Direction::Output, &found);
    }
}
