//! What becomes of an answer: how it is followed, and what of it passes. No proxy: bytes in, bytes out.

use crate::{
    answer::{self, Hits, Looking, OnTooLong, Settings, Streamed, Vault},
    config::OnOversize,
    found,
    guards::{Guards, Judge},
    shield::Shield,
};
use domain::{chat::Endpoint, headers::Headers, mode::Mode, reply::Reply};
use std::rc::Rc;

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Answer {
    guard: Guard,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Its events pass one by one.
    Streamed(Box<Streamed>),
    /// It is kept until it is whole.
    Kept { bytes: Vec<u8>, vault: Vault, most: usize, on_oversize: OnOversize, hits: Hits },
    /// It is longer than may be kept, and passes.
    Passing(Hits),
    /// It is longer than may be kept, and what was said in its place is out.
    Refused(Hits),
    /// This takes its place.
    Replaced(Vec<u8>, Hits),
}

/// What a request leaves behind for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What was asked for.
    pub(crate) endpoint: Endpoint,
    /// The request's placeholders.
    pub(crate) vault: Vault,
    /// The client asked for the usage at the end of the stream.
    pub(crate) wants_usage: bool,
}

/// How an answer is to be followed.
#[derive(Debug)]
pub(crate) enum Follow {
    /// Not at all.
    Not,
    /// Not at all, though a guard would look at it.
    Unseen,
    /// Piece by piece.
    Read(Box<Answer>),
    /// A guard would look at it and cannot: this takes its place.
    Refuse(Box<Answer>, Reply),
}

/// The guard of answers to one caller.
#[derive(Debug, Clone)]
struct Guard {
    shield: Rc<Shield>,
    judge: Judge,
    project: String,
}

impl Guard {
    /// Whether answers may be changed: values are put back, or one of the guards holds.
    fn holds(&self) -> bool {
        let judges = self.judge.mode == Mode::Enforce && self.judge.looks_at_responses();
        self.shield.mode == Mode::Enforce || judges
    }
}

impl Follow {
    /// How to follow the answer with this head.
    pub(crate) fn of(
        asked: Asked,
        guards: &Guards,
        project: &str,
        (status, headers): (u16, &Headers),
        (most, on_oversize): (usize, OnOversize),
    ) -> Self {
        let shield = &guards.shield;
        let judge = guards.judge;
        let looks = guards.look_at_responses();
        if !(200..300).contains(&status) || asked.endpoint == Endpoint::Embeddings || (!looks && asked.vault.is_empty())
        {
            return Self::Not;
        }
        let kind = headers.text("content-type").unwrap_or_default().to_ascii_lowercase();
        let streamed = kind.starts_with("text/event-stream");
        let pii = shield.looks_at_responses() && shield.mode == Mode::Enforce;
        let holds = pii || judge.looks_at_responses() && judge.mode == Mode::Enforce;
        let encoded = headers.text("content-encoding").is_some_and(|it| !it.is_empty() && it != "identity");
        let length: Option<usize> = headers.text("content-length").and_then(|it| it.parse().ok());
        let over = !streamed && length.is_some_and(|it| it > most);
        let guard = Guard { shield: Rc::clone(shield), judge, project: project.to_owned() };
        let why = match (streamed || kind.starts_with("application/json"), encoded, over) {
            (false, ..) => Some("in a form"),
            (_, true, _) => Some("in an encoding"),
            (.., true) if on_oversize == OnOversize::Block => Some("of a size"),
            (.., true) => return Self::Unseen,
            _ => None,
        };
        if let Some(why) = why {
            return match (holds, looks) {
                (true, _) => {
                    let message = format!("The provider's answer came {why} that this gateway cannot look at.");
                    let reply = Reply::new(502, "unreadable_answer", message);
                    let body = Body::Replaced(reply.body().into_bytes(), Hits::default());
                    Self::Refuse(Box::new(Answer { guard, body }), reply)
                }
                (false, true) => Self::Unseen,
                (false, false) => Self::Not,
            };
        }
        let settings = Settings {
            hold: shield.hold_back,
            longest_event: most,
            on_too_long: if holds && on_oversize == OnOversize::Block { OnTooLong::Block } else { OnTooLong::Allow },
            wants_usage: asked.wants_usage,
            shadow: !guard.holds(),
        };
        let body = if streamed {
            Body::Streamed(Box::new(Streamed::new(asked.endpoint, asked.vault, settings)))
        } else {
            let on_oversize = if holds { on_oversize } else { OnOversize::Allow };
            Body::Kept { bytes: Vec::new(), vault: asked.vault, most, on_oversize, hits: Hits::default() }
        };
        Self::Read(Box::new(Answer { guard, body }))
    }
}

impl Answer {
    /// A piece of the answer; what passes in its place.
    pub(crate) fn piece(&mut self, chunk: Vec<u8>, last: bool) -> Vec<u8> {
        let holds = self.guard.holds();
        let Guard { shield, judge, project } = &self.guard;
        let guard = &Looking { shield, judge: *judge, project };
        let (out, next) = match &mut self.body {
            Body::Streamed(streamed) => (streamed.read(guard, &chunk, last), None),
            Body::Passing(_) => (chunk, None),
            Body::Refused(_) => (Vec::new(), None),
            Body::Replaced(body, _) => (std::mem::take(body), None),
            Body::Kept { bytes, vault, most, on_oversize, hits } => {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > *most {
                    hits.too_long = true;
                    let hits = std::mem::take(hits);
                    match on_oversize {
                        OnOversize::Block => (too_long(*most), Some(Body::Refused(hits))),
                        OnOversize::Allow | OnOversize::ScanEnds => (std::mem::take(bytes), Some(Body::Passing(hits))),
                    }
                } else if last {
                    let edited = answer::edit(guard, vault, bytes);
                    *hits = edited.hits;
                    let body = edited.body.filter(|_| holds);
                    (body.unwrap_or_else(|| std::mem::take(bytes)), None)
                } else {
                    (Vec::new(), None)
                }
            }
        };
        if let Some(next) = next {
            self.body = next;
        }
        out
    }

    /// What was found in it.
    pub(crate) fn found(&self) -> (found::Found, &Hits) {
        let hits = match &self.body {
            Body::Streamed(it) => it.hits(),
            Body::Kept { hits, .. } | Body::Passing(hits) | Body::Refused(hits) | Body::Replaced(_, hits) => hits,
        };
        let mut pii: Option<found::Pii> = None;
        for (label, act, rule, count) in hits.each() {
            let pii = pii.get_or_insert_with(|| found::Pii {
                mode: self.guard.shield.mode,
                kinds: std::collections::BTreeMap::new(),
                rule: rule.into(),
            });
            let sum = pii.kinds.entry((act, label.into())).or_default();
            *sum = sum.saturating_add(count);
        }
        let judged = hits.judged.map(|(_, rule)| found::Sentinel {
            mode: self.guard.judge.mode,
            // A rule of answers hits or does not.
            score: None,
            attack: true,
            rule: rule.into(),
        });
        (found::Found { pii, sentinel: judged }, hits)
    }

    /// Whether it was not looked at.
    pub(crate) fn is_unseen(&self) -> bool {
        matches!(self.body, Body::Replaced(..)) || self.found().1.too_long
    }
}

fn too_long(most: usize) -> Vec<u8> {
    let message =
        format!("The provider's answer has more than {most} bytes, and this gateway looks at no longer ones.");
    Reply::new(502, "unreadable_answer", message).body().into_bytes()
}

#[cfg(test)]
mod tests;
