//! One fetch for all workers: what they know of a provider's keys lies in shared memory, and whoever finds it due
//! asks the provider and puts the answer there.

use crate::{
    config::{HttpUri, Provider},
    keys,
    policy::{Gate, Question},
    schedule::{Asked, Pace, Schedule},
};
use domain::time::Micros;
use host::{Answer, Call, CallId, NoAnswer, Root, metrics::Counter, slots};
use sha2::{Digest, Sha256};
use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet, time::Duration};

/// The slot of a provider's table; there is no other.
const SLOT: u32 = 0;
/// How much longer than a fetch may take it is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// The fetches of one worker.
pub struct Fetching {
    /// By the provider's place; none for one whose keys stand in the configuration.
    boards: Vec<Option<Board>>,
    /// The provider whose keys each background call asks for.
    calls: RefCell<BTreeMap<CallId, usize>>,
    /// Providers for whose keys requests of this worker wait.
    awaited: RefCell<BTreeSet<usize>>,
    failures: Counter,
    skipped: Counter,
}

/// Where workers find what they know together of one provider's keys.
struct Board {
    /// The table in shared memory.
    table: String,
    pace: Pace,
    /// How long keys are used after they came.
    most: Duration,
    source: HttpUri,
    /// Stands in for a host that shares no memory.
    alone: RefCell<Schedule>,
}

impl Fetching {
    /// Prepares the shared memory for the providers of a gate.
    #[must_use]
    pub fn new(gate: &Gate, root: &Root) -> Self {
        let boards: Vec<Option<Board>> = gate.providers().map(Board::of).collect();
        for board in boards.iter().flatten() {
            root.create_slots(&board.table, 1);
        }
        Self {
            boards,
            calls: RefCell::default(),
            awaited: RefCell::default(),
            failures: Counter::define("tollgate_auth_jwks_failures"),
            skipped: Counter::define("tollgate_auth_jwks_keys_skipped"),
        }
    }

    /// Follows what other workers learned, sends the fetches that are due, and lets requests go on whose wait is over.
    pub fn tick(&self, gate: &RefCell<Gate>, root: &Root, now: Micros) {
        for (place, board) in self.boards() {
            let (due, schedule) = board.update(|it| it.start(now, board.pace));
            gate.borrow_mut().follow(place, &schedule);
            if due {
                self.send(gate, root, place, board);
            }
            let over = !schedule.is_fetching(now, board.pace) && self.awaited.borrow_mut().remove(&place);
            if over {
                root.release(key(place));
            }
        }
    }

    fn send(&self, gate: &RefCell<Gate>, root: &Root, place: usize, board: &Board) {
        match root.call(&board.call()) {
            Ok(id) => {
                let mut calls = self.calls.borrow_mut();
                // An earlier one that nobody answered is lost.
                calls.retain(|_, it| *it != place);
                calls.insert(id, place);
            }
            Err(error) => self.answered_at(gate, place, Err(error)),
        }
    }

    /// The answer to a call of [`Fetching::tick`].
    pub fn answered(&self, gate: &RefCell<Gate>, call: CallId, answer: Result<Answer, NoAnswer>) {
        let place = self.calls.borrow_mut().remove(&call);
        if let Some(place) = place {
            self.answered_at(gate, place, answer);
        }
    }

    /// The answer to whoever asked the provider at `place`.
    pub fn answered_at(&self, gate: &RefCell<Gate>, place: usize, answer: Result<Answer, NoAnswer>) {
        let Some(board) = self.board(place) else { return };
        let (read, now) = (keys::read(answer.ok().map(|it| (it.status, it.body))), host::now());
        let ((), schedule) = board.update(|it| match &read {
            Ok(keys) => keys::learn(it, keys, board.most, now, board.pace),
            Err(_) => it.failed(now),
        });
        let changed = gate.borrow_mut().follow(place, &schedule);
        match read {
            Ok(keys) if changed => {
                self.skipped.add(u64::try_from(keys.skipped).unwrap_or(u64::MAX));
                log::info!("auth: new keys, {} of them of no use", keys.skipped);
            }
            Ok(_) => {}
            Err(error) => {
                self.failures.add(1);
                log::warn!("auth: keys not fetched: {error}");
            }
        }
    }

    /// What a request that asks for keys is to do.
    pub fn ask(&self, gate: &RefCell<Gate>, question: &Question, now: Micros) -> Asked {
        let place = question.provider;
        let Some(board) = self.board(place) else { return Asked::No };
        let known = gate.borrow().known_since(place);
        let (asked, schedule) = board.update(|it| it.ask(question.want, known, now, board.pace));
        match asked {
            Asked::Newer => {
                gate.borrow_mut().follow(place, &schedule);
            }
            Asked::Wait => {
                self.awaited.borrow_mut().insert(place);
            }
            Asked::Fetch | Asked::No => {}
        }
        asked
    }

    /// Whether a fetch of the provider's keys is under way, or will be in a moment.
    #[must_use]
    pub fn is_under_way(&self, place: usize, now: Micros) -> bool {
        self.board(place).is_some_and(|board| board.update(|it| it.is_coming(now, board.pace)).0)
    }

    /// The call that asks the provider at `place`.
    #[must_use]
    pub fn call(&self, place: usize) -> Option<Call> {
        self.board(place).map(Board::call)
    }

    /// The request that asked the provider is gone, and the answer with it.
    pub fn abandon(&self, place: usize) {
        if let Some(board) = self.board(place) {
            board.update(|it| it.abandon(host::now()));
        }
    }

    fn board(&self, place: usize) -> Option<&Board> {
        self.boards.get(place)?.as_ref()
    }

    fn boards(&self) -> impl Iterator<Item = (usize, &Board)> {
        self.boards.iter().enumerate().filter_map(|(place, board)| Some((place, board.as_ref()?)))
    }
}

/// The name under which requests wait for the keys of the provider at `place`.
#[must_use]
pub fn key(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Board {
    fn of(provider: &Provider) -> Option<Self> {
        let remote = provider.remote_jwks.as_ref()?;
        let (source, fresh) = (remote.http_uri.clone(), remote.cache_duration.get());
        let lost = source.timeout.get().saturating_add(GRACE);
        let most = provider.most_age();
        Some(Self {
            table: table(&source, fresh, most),
            pace: Pace { fresh, lost },
            most,
            source,
            alone: RefCell::default(),
        })
    }

    /// Changes the schedule that workers share; what came of it, and the schedule as it is now.
    fn update<T>(&self, change: impl Fn(&mut Schedule) -> T) -> (T, Schedule) {
        let shared = slots::update(&self.table, SLOT, |slot| {
            let mut schedule = Schedule::read(slot);
            let out = change(&mut schedule);
            (schedule.bytes(), (out, schedule))
        });
        shared.unwrap_or_else(|_| {
            let mut schedule = self.alone.borrow_mut();
            (change(&mut schedule), schedule.clone())
        })
    }

    fn call(&self) -> Call {
        let HttpUri { uri, cluster, timeout } = &self.source;
        Call {
            cluster: cluster.clone(),
            method: "GET",
            authority: uri.authority.clone(),
            path: uri.path.clone(),
            headers: vec![(":scheme", uri.scheme().to_owned()), ("accept", "application/json".to_owned())],
            body: Vec::new(),
            timeout: timeout.get(),
        }
    }
}

/// The table for one source of keys: providers that share the source share the table, wherever they are configured.
fn table(source: &HttpUri, fresh: Duration, most: Duration) -> String {
    let HttpUri { uri, cluster, .. } = source;
    let named = format!("{cluster} {} {} {} {fresh:?} {most:?}", uri.scheme(), uri.authority, uri.path);
    let digest = Sha256::digest(named.as_bytes());
    digest.iter().take(8).fold("auth-keys-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}
