//! The callbacks: read, ask the policy, carry out.

use crate::config::Config;
use crate::policy::{self, Memory, Turn};
use domain::{
    caller::{Caller, Identity},
    chat::Endpoint,
    headers,
    turn::{Answer as Said, Assembly},
};
use host::companion::Client;
use host::metrics::Counter;
use host::outbox::Outbox;
use host::{Answer, CallId, Chunk, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Waker, Watch};
use serde_json::value::RawValue;
use std::{mem, rc::Rc};

/// The filter, configured.
pub struct Session {
    config: Config,
    companion: Client,
    outbox: Outbox,
    /// Where the proxy lets an answer be held.
    waker: Option<Waker>,
    opened: Counter,
    unavailable: Counter,
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
    /// The companion was asked to open a turn.
    Opening(Caller, Memory),
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
        let companion = Client::of(&config.companion, host::env).map_err(|wrong| format!("session: {wrong}"))?;
        let reports = companion.target("/internal/v1/turns", "turns");
        root.tick_every(config.report_every.get());
        Ok(Self {
            waker: root.may_hold_answers().then(|| root.waker()),
            outbox: Outbox::new(reports, Counter::define("tollgate_session_reports_dropped")),
            opened: Counter::define("tollgate_session_turns_opened"),
            unavailable: Counter::define("tollgate_session_companion_unavailable"),
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

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let config = &self.plugin.config;
        // Most requests ask for no memory: three headers that are absent cost less than a look at all of them.
        let asks = [headers::THREAD, headers::SESSION, headers::MEMORY].into_iter().any(|name| head.has(name));
        if !asks && !config.token_session {
            return Next::Pass;
        }
        if Endpoint::of(head.method(), head.path()) != Some(Endpoint::ChatCompletions) {
            return Next::Pass;
        }
        let memory = match policy::asked(head.headers()) {
            Ok(Some(memory)) if !memory.is_empty() || config.token_session => memory,
            Ok(_) => return Next::Pass,
            Err(reply) => return Next::Reply(reply),
        };
        let Identity::Known(caller) = head.identity(config.trust) else {
            return if memory.is_empty() { Next::Pass } else { Next::Reply(policy::nobody()) };
        };
        let memory = memory.or_session(caller.session.as_deref());
        if memory.is_empty() {
            return Next::Pass;
        }
        let question = memory.question(&caller, head.headers().text("x-request-id"));
        self.state = State::Opening(caller, memory);
        Next::Call(self.plugin.companion.call("/internal/v1/turns/open", question))
    }

    fn call_answered(&mut self, head: &mut RequestHead, answer: Result<Answer, NoAnswer>) -> Next {
        let State::Opening(caller, memory) = mem::take(&mut self.state) else {
            return Next::Pass;
        };
        let said = match &answer {
            Ok(answer) => format!("status {}", answer.status),
            Err(why) => format!("{why:?}"),
        };
        let opened = answer.ok().and_then(|it| policy::opened(caller, memory, it.status, &it.body));
        if let Some((turn, history)) = opened {
            self.plugin.opened.add(1);
            // The answer is to be read, so it must not come compressed.
            head.set("accept-encoding", "identity");
            self.state = State::Opened(turn, history);
            return Next::Body;
        }
        self.plugin.unavailable.add(1);
        log::warn!("the companion opened no turn: {said}");
        match policy::unopened(self.plugin.config.on_failure) {
            Some(reply) => Next::Reply(reply),
            None => {
                self.state = State::Skipped;
                Next::Pass
            }
        }
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        let State::Opened(mut turn, history) = mem::take(&mut self.state) else {
            return Edit::Keep;
        };
        let begun = turn.begin(&body, &history, bytes(self.plugin.config.max_request_bytes));
        self.state = State::Asked(turn);
        match begun {
            Ok(Some(body)) => Edit::Replace(body),
            Ok(None) => Edit::Keep,
            Err(reply) => Edit::Reply(reply),
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
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
        if let State::Answering(_, assembly) = &mut self.state {
            assembly.read(&chunk);
            if (last || assembly.is_over())
                && let State::Answering(turn, assembly) = mem::take(&mut self.state)
            {
                return self.plugin.report(&turn, &assembly.finish(true)).map_or(Chunk::Keep, Chunk::Hold);
            }
        }
        Chunk::Keep
    }

    fn log(&mut self) {
        match mem::take(&mut self.state) {
            State::Answering(turn, assembly) => drop(self.plugin.report(&turn, &assembly.finish(false))),
            State::Opened(turn, _) | State::Asked(turn) => self.plugin.close(&turn),
            State::Idle | State::Opening(..) | State::Skipped => {}
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

    /// Reports that there is nothing to store.
    fn close(&self, turn: &Turn) {
        self.send(turn.report(&Said::default()));
    }

    fn send(&self, report: Vec<u8>) -> Option<u32> {
        if let Some(waker) = self.waker {
            return self.outbox.deliver(report, waker, self.config.hold_end.get());
        }
        self.outbox.push(report);
        None
    }
}
