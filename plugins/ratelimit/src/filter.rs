//! The callbacks: read, decide, carry out.

use crate::config::{Config, Mode};
use crate::policy::{self, Standing, Verdict};
use crate::seed;
use domain::{
    caller::{Caller, Identity},
    slots::{self, Place, Seed},
};
use host::{Next, Plugin, RequestHead, ResponseHead, Root, Watch, metrics::Counter, slots::Contended};
use std::{cell::Cell, rc::Rc, time::Duration};

/// The shared memory that holds the counts.
const TABLE: &str = "ratelimit";

/// How often to look whether the workers still agree on the seed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The filter, configured.
pub struct RateLimit {
    config: Config,
    seed: Cell<Seed>,
    refused: Counter,
    shadowed: Counter,
    nobody: Counter,
    failed: Counter,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<RateLimit>,
    answer: Answer,
}

/// What the response is to say about the limit.
enum Answer {
    /// What the upstream says.
    Untouched,
    /// Nothing: the request passed uncounted, and the upstream's limit is not the caller's.
    Silent,
    /// Where the caller stands.
    Stands(Standing),
}

impl Plugin for RateLimit {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let own = seed::own(host::now());
        if config.mode != Mode::Off {
            root.create_slots(seed::TABLE, 1);
            root.create_slots(TABLE, config.slots.get());
            root.tick_every(LOOK_AGAIN);
        }
        let plugin = Self {
            config,
            seed: Cell::new(own),
            refused: Counter::define("tollgate_ratelimit_refused"),
            shadowed: Counter::define("tollgate_ratelimit_shadowed"),
            nobody: Counter::define("tollgate_ratelimit_nobody"),
            failed: Counter::define("tollgate_ratelimit_failed"),
        };
        plugin.tick(root);
        Ok(plugin)
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), answer: Answer::Untouched }
    }

    fn tick(&self, _: &Root) {
        if self.config.mode == Mode::Off {
            return;
        }
        // Without shared memory there is no count either; each request then follows `on_failure`.
        if let Ok(seed) = host::slots::update(seed::TABLE, 0, |found| seed::agree(found, self.seed.get())) {
            self.seed.set(seed);
        }
    }
}

impl RateLimit {
    fn spend(&self, caller: &Caller) -> Result<Verdict, Contended> {
        let name = [self.config.name.as_str(), &caller.project, &caller.user];
        let (place, now) = (Place::of(&name, &self.seed.get(), self.config.slots), host::now());
        host::slots::update(TABLE, place.slot, |slot| {
            slots::update(slot, place, now, |state| policy::decide(&self.config, caller, state, now))
        })
    }

    fn enforce(&self, identity: &Identity) -> (Answer, Next) {
        let caller = match identity {
            Identity::Known(caller) => caller,
            Identity::Bypassed => return (Answer::Untouched, Next::Pass),
            Identity::Missing => {
                self.nobody.add(1);
                return (Answer::Untouched, Next::Reply(policy::nobody()));
            }
        };
        match self.spend(caller) {
            Ok(Verdict::Pass(standing)) => (Answer::Stands(standing), Next::Pass),
            Ok(Verdict::Refuse(reply)) => {
                self.refused.add(1);
                (Answer::Untouched, Next::Reply(reply))
            }
            Err(Contended) => {
                self.failed.add(1);
                (Answer::Silent, policy::uncounted(self.config.on_failure).map_or(Next::Pass, Next::Reply))
            }
        }
    }

    /// Counts, and lets everything pass.
    fn watch(&self, identity: &Identity) {
        match identity {
            Identity::Known(caller) => match self.spend(caller) {
                Ok(Verdict::Pass(_)) => {}
                Ok(Verdict::Refuse(_)) => self.shadowed.add(1),
                Err(Contended) => self.failed.add(1),
            },
            Identity::Bypassed => {}
            Identity::Missing => self.nobody.add(1),
        }
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        let plugin = &self.plugin;
        match plugin.config.mode {
            Mode::Off => Next::Pass,
            Mode::Shadow => {
                plugin.watch(&head.identity(plugin.config.trust));
                Next::Pass
            }
            Mode::Enforce => {
                let (answer, next) = plugin.enforce(&head.identity(plugin.config.trust));
                self.answer = answer;
                next
            }
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        let ours = match &self.answer {
            Answer::Untouched => return Watch::Nothing,
            Answer::Silent => Vec::new(),
            Answer::Stands(standing) => standing.headers().to_vec(),
        };
        // Every call to the host costs: what is replaced need not be removed first.
        let kept = |name: &str| ours.iter().any(|(it, _)| *it == name);
        for name in policy::UPSTREAMS_OWN.into_iter().filter(|name| !kept(name)) {
            if head.headers().get(name).is_some() {
                head.remove(name);
            }
        }
        for (name, value) in &ours {
            head.set(name, value);
        }
        Watch::Nothing
    }
}
