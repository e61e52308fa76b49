//! The callbacks: read, ask the policy, carry out.

use crate::config::Config;
use crate::ids::Ids;
use crate::memory::{self, Memory};
use crate::policy;
use crate::room::Room;
use crate::turn::{self, Turn, Wanted};
use domain::{
    caller::Identity,
    chat::{Body, Endpoint},
    headers,
    reply::Reply,
    turn::{Answer as Said, Assembly},
};
use host::companion::Client;
use host::metrics::Counter;
use host::outbox::Outbox;
use host::{Answer, Call, CallId, Chunk, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Waker, Watch};
use serde_json::value::RawValue;
use std::{mem, rc::Rc};

/// The filter, configured.
pub struct Session {
    config: Config,
    companion: Client,
    outbox: Outbox,
    /// Where the proxy lets an answer be held.
    waker: Option<Waker>,
    room: Rc<Room>,
    ids: Ids,
    opened: Counter,
    unavailable: Counter,
    full: Counter,
    incomplete: Counter,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<Session>,
    state: State,
}

/// Where the exchange is, and what is known by then.
#[derive(Default)]
enum State {
    /// There is nothing to remember, or it was remembered.
    #[default]
    Idle,
    /// The body, which may name a thread, is waited for; without a memory the client wants none.
    Reading(Option<Memory>),
    /// The companion was asked to open a turn; the body is there, if it had to be read for that.
    Opening(Wanted, Option<Vec<u8>>),
    /// The companion could not be asked, and the request went on without memory.
    Skipped,
    /// The turn is open; its history waits for the request's body.
    Opened(Turn, Vec<Box<RawValue>>),
    /// The request, with its history, went on.
    Asked(Turn),
    /// The answer is coming.
    Answering(Turn, Assembly),
}

impl Plugin for Session {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        if config.conversation_id_member && !root.may_ask_about_bodies() {
            return Err(
                "session: `conversation_id_member` is true, and Kong cannot ask the companion about a request's body; \
                        expected it in Envoy alone (a client can send the header `x-conversation-id`)"
                    .into(),
            );
        }
        let companion = Client::of(&config.companion, host::env).map_err(|wrong| format!("session: {wrong}"))?;
        let reports = companion.target("/internal/v1/turns", "turns");
        root.tick_every(config.report_every.get());
        Ok(Self {
            waker: root.may_hold_answers().then(|| root.waker()),
            outbox: Outbox::new(reports, Counter::define("tollgate_session_reports_dropped")),
            opened: Counter::define("tollgate_session_turns_opened"),
            unavailable: Counter::define("tollgate_session_companion_unavailable"),
            full: Counter::define("tollgate_session_memory_full"),
            room: Room::new(bytes(config.max_open_bytes)),
            ids: Ids::new(host::now()),
            incomplete: Counter::define("tollgate_session_turns_incomplete"),
            config,
            companion,
        })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), state: State::Idle }
    }

    fn tick(&self, root: &Root) {
        self.outbox.tick(root);
    }

    fn answered(&self, root: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        self.outbox.answered(root, call, &answer);
    }
}

/// How many bytes a limit of the configuration allows.
fn bytes(limit: std::num::NonZeroU32) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}

/// An open turn and its history.
type Open = (Turn, Vec<Box<RawValue>>);

/// What becomes of a request that has no memory.
enum Without {
    /// It goes on.
    Pass,
    Refuse(Reply),
}

impl Stream {
    /// The question that opens a turn for whoever calls; `None` when there is nothing to remember.
    fn ask(&mut self, head: &RequestHead, memory: Memory, body: Option<Vec<u8>>) -> Result<Option<Call>, Reply> {
        let config = &self.plugin.config;
        if memory.is_empty() && !config.token_session {
            return Ok(None);
        }
        let Identity::Known(caller) = head.identity(config.trust) else {
            return if memory.is_empty() { Ok(None) } else { Err(policy::nobody()) };
        };
        let memory = memory.or_session(caller.session.as_deref(), config.token_session);
        if memory.is_empty() {
            return Ok(None);
        }
        let size = body.as_ref().map_or(0, Vec::len);
        let Some(held) = self.plugin.room.hold(turn::COST.saturating_add(size)) else {
            return match self.full() {
                Without::Refuse(reply) => Err(reply),
                Without::Pass => Ok(None),
            };
        };
        let limits = config.limits(&caller.project);
        let wanted = Wanted { id: self.plugin.ids.next(host::now()), caller, memory, limits, held };
        let question = wanted.question(head.headers().text("x-request-id"));
        self.state = State::Opening(wanted, body);
        Ok(Some(self.plugin.companion.call("/internal/v1/turns/open", question)))
    }

    /// There is no room for one more turn.
    fn full(&mut self) -> Without {
        self.plugin.full.add(1);
        self.state = State::Skipped;
        policy::full(self.plugin.config.on_failure).map_or(Without::Pass, Without::Refuse)
    }

    /// The turn that the companion opened, and its history; the `body` is held beside them.
    fn opened(&mut self, wanted: Wanted, body: usize, answer: Result<Answer, NoAnswer>) -> Result<Open, Without> {
        let (status, said) = match answer {
            Ok(answer) => (answer.status, answer.body),
            Err(why) => {
                self.plugin.withdraw(&wanted);
                return Err(self.unopened(&format!("{why:?}")));
            }
        };
        if let Some(reply) = turn::refused(status, &said) {
            return Err(Without::Refuse(reply));
        }
        let (mut turn, history) = match turn::opened(wanted, status, &said) {
            Ok(open) => open,
            Err(wanted) => {
                // What it refused it did not open. Whatever else may come of a proxy on the way.
                if !(400..500).contains(&status) {
                    self.plugin.withdraw(&wanted);
                }
                return Err(self.unopened(&format!("status {status}")));
            }
        };
        self.plugin.opened.add(1);
        let size = history.iter().map(|it| it.get().len()).fold(body, usize::saturating_add);
        if turn.fits(size) {
            return Ok((turn, history));
        }
        self.plugin.close(&turn);
        Err(self.full())
    }

    /// The companion opened no turn, as far as is known.
    fn unopened(&mut self, said: &str) -> Without {
        self.plugin.unavailable.add(1);
        log::warn!("the companion opened no turn: {said}");
        self.state = State::Skipped;
        policy::unopened(self.plugin.config.on_failure).map_or(Without::Pass, Without::Refuse)
    }

    /// Puts the history into the request.
    fn begin(&mut self, mut turn: Turn, history: Vec<Box<RawValue>>, body: &[u8]) -> Edit {
        let config = &self.plugin.config;
        let begun = turn.begin(body, &history, bytes(config.max_request_bytes), config.conversation_id_member);
        drop(history);
        match begun {
            // What was refused here is not the provider's failure, so nothing of it is kept.
            Err(reply) => {
                self.plugin.close(&turn.forgotten());
                Edit::Reply(reply)
            }
            Ok(_) if !turn.fits(0) => {
                self.plugin.close(&turn.forgotten());
                let without = self.full();
                self.without(without, body)
            }
            Ok(new) => {
                self.state = State::Asked(turn);
                new.map_or(Edit::Keep, Edit::Replace)
            }
        }
    }

    /// A request goes on without memory, or not at all.
    fn without(&self, without: Without, body: &[u8]) -> Edit {
        if let Without::Refuse(reply) = without {
            return Edit::Reply(reply);
        }
        match self.plugin.config.conversation_id_member.then(|| turn::unnamed(body)).transpose() {
            Ok(new) => new.flatten().map_or(Edit::Keep, Edit::Replace),
            Err(reply) => Edit::Reply(reply),
        }
    }

    /// What the body asks for, whose thread no header named.
    fn read(&mut self, head: &mut RequestHead, memory: Option<Memory>, body: Vec<u8>) -> Edit {
        let Some(memory) = memory else {
            return self.without(Without::Pass, &body);
        };
        let may_name = memory::may_name(&body);
        if !may_name && memory.is_empty() && !self.plugin.config.token_session {
            return Edit::Keep;
        }
        let (named, kept) = if may_name {
            (Body::parse(&body).map_err(Reply::from).and_then(|it| memory::named(&it)), body.clone())
        } else {
            (Ok(None), Vec::new())
        };
        let asked = named.and_then(|it| memory.and_thread(it)).and_then(|it| self.ask(head, it, Some(body)));
        match asked {
            Ok(Some(call)) => Edit::Call(call),
            Ok(None) => self.without(Without::Pass, &kept),
            Err(reply) => Edit::Reply(reply),
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let config = &self.plugin.config;
        // Most requests ask for no memory: headers that are absent cost less than a look at all of them.
        let named = [headers::THREAD, headers::SESSION, headers::CONVERSATION, headers::MEMORY];
        let named = named.into_iter().any(|it| head.has(it));
        let asks = named || config.token_session || config.conversation_id_member;
        if !asks || head.endpoint() != Some(Endpoint::ChatCompletions) {
            return Next::Pass;
        }
        let memory = match named.then(|| memory::asked(head.headers())) {
            None => Some(Memory::default()),
            Some(Ok(memory)) => memory,
            Some(Err(reply)) => return Next::Reply(reply),
        };
        let member = config.conversation_id_member;
        if member && memory.as_ref().is_none_or(|it| it.thread.is_none()) {
            self.state = State::Reading(memory);
            return Next::Body;
        }
        let Some(memory) = memory else {
            return Next::Pass;
        };
        match self.ask(head, memory, None) {
            Ok(Some(call)) => Next::Call(call),
            Ok(None) if member => Next::Body,
            Ok(None) => Next::Pass,
            Err(reply) => Next::Reply(reply),
        }
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        let State::Opening(wanted, _) = mem::take(&mut self.state) else {
            return Next::Pass;
        };
        match self.opened(wanted, 0, answer) {
            Ok((turn, history)) => {
                // The answer is to be read, so it must not come compressed.
                head.set("accept-encoding", "identity");
                self.state = State::Opened(turn, history);
                Next::Body
            }
            Err(Without::Pass) if self.plugin.config.conversation_id_member => Next::Body,
            Err(Without::Pass) => Next::Pass,
            Err(Without::Refuse(reply)) => Next::Reply(reply),
        }
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        match mem::take(&mut self.state) {
            State::Reading(memory) => self.read(head, memory, body),
            State::Opened(turn, history) => self.begin(turn, history, &body),
            other => {
                self.state = other;
                self.without(Without::Pass, &body)
            }
        }
    }

    fn body_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Edit {
        let State::Opening(wanted, Some(body)) = mem::take(&mut self.state) else {
            return Edit::Keep;
        };
        match self.opened(wanted, body.len(), answer) {
            Ok((turn, history)) => {
                head.set("accept-encoding", "identity");
                self.begin(turn, history, &body)
            }
            Err(without) => self.without(without, &body),
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if matches!(self.state, State::Idle) {
            return Watch::Nothing;
        }
        match mem::take(&mut self.state) {
            State::Asked(turn) => {
                for (name, value) in turn.response_headers() {
                    head.set(name, value);
                }
                let limit = bytes(self.plugin.config.max_answer_bytes);
                match policy::assembly(head.status(), head.headers(), limit) {
                    Some(assembly) => self.state = State::Answering(turn, assembly),
                    None => {
                        if (200..300).contains(&head.status()) {
                            log::warn!("a turn is not stored: the answer is compressed, or neither JSON nor a stream");
                        }
                        self.plugin.close(&turn);
                    }
                }
            }
            State::Skipped => head.set(headers::MEMORY, "skipped"),
            // A later filter may answer while an earlier state holds; `log` closes the turn then.
            other => self.state = other,
        }
        if matches!(self.state, State::Answering(..)) { Watch::Read } else { Watch::Nothing }
    }

    fn response_chunk(&mut self, chunk: Vec<u8>, last: bool) -> Chunk {
        if let State::Answering(turn, assembly) = &mut self.state {
            assembly.read(&chunk);
            if !assembly.is_cut() && !turn.fits(assembly.held()) {
                self.plugin.full.add(1);
                assembly.cut();
                // What there is of it stays, and is soon gone.
                let _ = turn.fits(assembly.held());
            }
            if (last || assembly.is_over())
                && let State::Answering(turn, assembly) = mem::take(&mut self.state)
            {
                return self.plugin.report(&turn, &assembly.finish(true)).map_or(Chunk::Keep, Chunk::Hold);
            }
        }
        Chunk::Keep
    }

    fn log(&mut self) {
        if matches!(self.state, State::Idle) {
            return;
        }
        match mem::take(&mut self.state) {
            State::Answering(turn, assembly) => drop(self.plugin.report(&turn, &assembly.finish(false))),
            State::Opened(turn, _) | State::Asked(turn) => self.plugin.close(&turn),
            // The companion's answer, if there was one, came too late to be heard.
            State::Opening(wanted, _) => self.plugin.withdraw(&wanted),
            State::Idle | State::Reading(_) | State::Skipped => {}
        }
    }
}

impl Session {
    /// Reports the turn, so that it is stored; the number to hold the answer's end for, so that the client may rely on it.
    fn report(&self, turn: &Turn, said: &Said) -> Option<u32> {
        if !said.complete {
            self.incomplete.add(1);
        }
        self.send(turn.report(said))
    }

    /// Reports that nothing was answered.
    fn close(&self, turn: &Turn) {
        self.send(turn.report(&Said::default()));
    }

    /// Takes a turn back that may or may not be open.
    fn withdraw(&self, wanted: &Wanted) {
        self.outbox.offer(wanted.withdrawal());
    }

    fn send(&self, report: Vec<u8>) -> Option<u32> {
        if let Some(waker) = self.waker {
            return self.outbox.deliver(report, waker, self.config.hold_end.get());
        }
        self.outbox.push(report);
        None
    }
}
