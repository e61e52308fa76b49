//! The callbacks: read, decide, carry out.

use crate::config::Config;
use crate::policy::{self, Deed, Outcome};
use domain::{chat::Endpoint, mode::Mode};
use host::{Edit, Next, Plugin, RequestHead, ResponseHead, Root, Watch, metrics::Counter};
use std::rc::Rc;

/// The filter, configured.
pub struct Guardrails {
    config: Config,
    masked: Found,
    blocked: Found,
    shadowed: Found,
    unseen: Counter,
}

/// What was found in requests that ended in one way.
struct Found {
    emails: Counter,
    secrets: Counter,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<Guardrails>,
    /// What the response is to say about the request.
    report: Option<String>,
}

impl Plugin for Guardrails {
    type Stream = Stream;

    fn configure(config: &[u8], _: &Root) -> Result<Self, String> {
        let found = |deed: &str| Found {
            emails: Counter::define(&format!("tollgate_guardrails_emails_{deed}")),
            secrets: Counter::define(&format!("tollgate_guardrails_secrets_{deed}")),
        };
        Ok(Self {
            config: Config::parse(config)?,
            masked: found("masked"),
            blocked: found("blocked"),
            shadowed: found("shadowed"),
            unseen: Counter::define("tollgate_guardrails_unseen"),
        })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), report: None }
    }
}

impl Guardrails {
    fn count(&self, outcome: &Outcome) {
        let Some(report) = &outcome.report else {
            return;
        };
        let found = match &outcome.deed {
            // Something was to be said, and nothing was found: it could not be looked at.
            _ if outcome.counts == policy::Counts::default() => return self.unseen.add(1),
            Deed::Pass => &self.shadowed,
            Deed::Mask(_) => &self.masked,
            Deed::Block(_) => &self.blocked,
        };
        log::debug!("{report}");
        for (counter, count) in [(&found.emails, outcome.counts.emails), (&found.secrets, outcome.counts.secrets)] {
            if count > 0 {
                counter.add(count);
            }
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        match Endpoint::of(head.method(), head.path()) {
            Some(_) if self.plugin.config.mode != Mode::Off => Next::Body,
            _ => Next::Pass,
        }
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        let outcome = policy::inspect(&self.plugin.config, &body);
        self.plugin.count(&outcome);
        self.report = outcome.report;
        match outcome.deed {
            Deed::Pass => Edit::Keep,
            Deed::Mask(body) => Edit::Replace(body),
            Deed::Block(mut reply) => {
                reply.headers.extend(self.report.take().map(|report| (policy::REPORT, report)));
                Edit::Reply(reply)
            }
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if let Some(report) = self.report.take() {
            head.set(policy::REPORT, &report);
        }
        Watch::Nothing
    }
}
