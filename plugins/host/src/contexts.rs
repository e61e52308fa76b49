//! The contexts of one worker: which plugin or exchange a callback of the host is for.
//!
//! A callback for a context that is not there (Kong makes new ones after a trap) is answered, not
//! trusted: a request fails closed.

use crate::{
    abi::{self, Buffer, Map},
    exchange::{Action, Exchange, Turn},
    head,
    kind::{Kind, kind},
    logger,
    plugin::{Answer, Call, CallId, NoAnswer, Plugin},
    refused::Refused,
    root::Root,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// The largest answer to a call-out that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// How many exchanges go on in one callback. Envoy lets each go on within the one before, on the same stack, and V8 gives up
/// at some 1,500 of them: then the worker's filters are gone, and whoever was held waits for good.
const TOGETHER: usize = 128;

/// Who asked for a call-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Root(u32),
    Exchange(u32),
}

/// A plugin without its type.
trait AnyRoot {
    fn configure(&self) -> bool;
    fn exchange(&self, id: u32) -> Box<dyn Turn>;
    fn tick(&self);
    fn answered(&self, call: CallId, answer: Result<Answer, NoAnswer>);
}

type MakeRoot = fn(u32) -> Rc<dyn AnyRoot>;
type Shared<T> = Rc<RefCell<Box<T>>>;

#[derive(Default)]
struct Contexts {
    make: Cell<Option<MakeRoot>>,
    roots: RefCell<BTreeMap<u32, Rc<dyn AnyRoot>>>,
    exchanges: RefCell<BTreeMap<u32, Shared<dyn Turn>>>,
    calls: RefCell<BTreeMap<u32, Owner>>,
    /// The exchanges that wait, by the root of their plugin and what they wait for.
    held: RefCell<BTreeMap<(u32, u32), Vec<u32>>>,
    /// Those of them that may go on, each with its root.
    free: RefCell<VecDeque<(u32, u32)>>,
    /// What an exchange lets go on, once its own callback is over.
    woken: RefCell<Vec<(u32, u32)>>,
    /// The exchange whose callback this is.
    current: Cell<Option<u32>>,
}

thread_local! {
    static CONTEXTS: Contexts = Contexts::default();
}

#[doc(hidden)]
pub fn register<P: Plugin>() {
    CONTEXTS.with(|it| it.make.set(Some(|id| Rc::new(Configured::<P>::new(id)))));
}

/// A root context and the plugin it was configured to be.
struct Configured<P> {
    root: Root,
    plugin: RefCell<Option<Rc<P>>>,
}

impl<P: Plugin> Configured<P> {
    fn new(id: u32) -> Self {
        Self { root: Root::new(id), plugin: RefCell::new(None) }
    }

    fn plugin(&self) -> Option<Rc<P>> {
        self.plugin.borrow().clone()
    }
}

impl<P: Plugin> AnyRoot for Configured<P> {
    fn configure(&self) -> bool {
        logger::install();
        let config = abi::buffer(Buffer::PluginConfiguration, usize::MAX);
        let config = config.ok().flatten().unwrap_or_default();
        match P::configure(&config, &self.root) {
            Ok(plugin) => {
                self.plugin.replace(Some(Rc::new(plugin)));
                true
            }
            Err(why) => {
                log::error!("configuration refused: {why}");
                self.plugin.replace(None);
                // Kong would start all the same and let requests pass unfiltered; with a context
                // that is in place each of them is refused instead.
                kind() == Kind::Kong
            }
        }
    }

    fn exchange(&self, id: u32) -> Box<dyn Turn> {
        match self.plugin() {
            Some(plugin) => Box::new(Exchange::new(id, self.root.id(), plugin.stream())),
            None => Box::new(Refused),
        }
    }

    fn tick(&self) {
        if let Some(plugin) = self.plugin() {
            plugin.tick(&self.root);
        }
    }

    fn answered(&self, call: CallId, answer: Result<Answer, NoAnswer>) {
        if let Some(plugin) = self.plugin() {
            plugin.answered(&self.root, call, answer);
        }
    }
}

pub(crate) fn create(id: u32, parent: u32) {
    CONTEXTS.with(|it| {
        if parent == 0 {
            if let Some(make) = it.make.get() {
                it.roots.borrow_mut().insert(id, make(id));
            }
            return;
        }
        let root = it.roots.borrow().get(&parent).cloned();
        let exchange = root.map_or_else(|| Box::new(Refused) as Box<dyn Turn>, |it| it.exchange(id));
        it.exchanges.borrow_mut().insert(id, Rc::new(RefCell::new(exchange)));
    });
}

pub(crate) fn delete(id: u32) {
    // The context is dropped after the maps are free again, for what it owns may look into them.
    let gone = CONTEXTS.with(|it| {
        it.calls.borrow_mut().retain(|_, owner| *owner != Owner::Exchange(id));
        it.held.borrow_mut().values_mut().for_each(|held| held.retain(|it| *it != id));
        (it.roots.borrow_mut().remove(&id), it.exchanges.borrow_mut().remove(&id))
    });
    drop(gone);
}

fn root(id: u32) -> Option<Rc<dyn AnyRoot>> {
    CONTEXTS.with(|it| it.roots.borrow().get(&id).cloned())
}

pub(crate) fn configure(id: u32) -> bool {
    root(id).is_some_and(|it| it.configure())
}

pub(crate) fn tick(id: u32) {
    if let Some(root) = root(id) {
        root.tick();
    }
    go_on();
}

/// Runs `act` on an exchange; a request without one is refused, anything else goes on.
pub(crate) fn exchange(id: u32, act: impl FnOnce(&mut dyn Turn) -> Action) -> Action {
    let found = CONTEXTS.with(|it| it.exchanges.borrow().get(&id).cloned());
    let before = CONTEXTS.with(|it| it.current.replace(Some(id)));
    let action = match found.as_ref().map(|it| it.try_borrow_mut()) {
        Some(Ok(mut exchange)) => act(exchange.as_mut()),
        Some(Err(_)) => Action::Pause,
        None => act(&mut Refused),
    };
    CONTEXTS.with(|it| it.current.set(before));
    action
}

/// Keeps an exchange until its plugin's root releases what waits for `number`.
pub(crate) fn hold(root: u32, number: u32, id: u32) {
    CONTEXTS.with(|it| it.held.borrow_mut().entry((root, number)).or_default().push(id));
}

/// Lets the exchanges go on that wait for this root and number, [`TOGETHER`] with this callback and the others with the
/// next ticks and answers; one that waits again waits for the next time.
pub(crate) fn release(root: u32, number: u32) {
    CONTEXTS.with(|it| {
        let free = it.held.borrow_mut().remove(&(root, number)).unwrap_or_default();
        it.free.borrow_mut().extend(free.into_iter().map(|id| (root, id)));
    });
}

/// At the end of a callback that is no exchange's own: some of those go on that may.
fn go_on() {
    let free = CONTEXTS.with(|it| {
        let mut free = it.free.borrow_mut();
        let some = free.len().min(TOGETHER);
        free.drain(..some).collect::<Vec<_>>()
    });
    for (_, id) in &free {
        // One that is gone has nobody to answer to.
        if CONTEXTS.with(|it| it.exchanges.borrow().contains_key(id)) {
            abi::act_for(*id);
            exchange(*id, |it| it.released());
        }
    }
    if let Some((root, _)) = free.last() {
        abi::act_for(*root);
    }
}

/// Has [`release`] called when the answer to an exchange's call-out is dealt with.
pub(crate) fn wake(root: u32, number: u32) {
    CONTEXTS.with(|it| it.woken.borrow_mut().push((root, number)));
}

fn release_woken() {
    let woken = CONTEXTS.with(|it| std::mem::take(&mut *it.woken.borrow_mut()));
    for (root, number) in woken {
        release(root, number);
    }
}

/// Starts a call-out for a root from within one of its exchanges, which may end before it is answered.
pub(crate) fn call_for_root(root: u32, question: &Call) -> Result<CallId, NoAnswer> {
    let current = CONTEXTS.with(|it| it.current.get());
    abi::act_for(root);
    let sent = call(Owner::Root(root), question);
    if let Some(id) = current {
        abi::act_for(id);
    }
    sent
}

/// Starts a call-out for `owner`.
pub(crate) fn call(owner: Owner, call: &Call) -> Result<CallId, NoAnswer> {
    let mut headers =
        vec![(":method", call.method), (":authority", call.authority.as_str()), (":path", call.path.as_str())];
    headers.extend(call.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let timeout = u32::try_from(call.timeout.as_millis()).unwrap_or(u32::MAX).max(1);
    let token = abi::http_call(&call.cluster, &headers, &call.body, timeout).map_err(|status| {
        log::warn!("cluster {} was not asked: {status:?}", call.cluster);
        NoAnswer::NotSent
    })?;
    CONTEXTS.with(|it| it.calls.borrow_mut().insert(token, owner));
    Ok(CallId(token))
}

/// Hands the answer to a call-out to who asked for it. One that nobody waits for any more is dropped.
pub(crate) fn answered(token: u32, headers: usize, size: usize) {
    let Some(owner) = CONTEXTS.with(|it| it.calls.borrow_mut().remove(&token)) else {
        return;
    };
    let answer = read_answer(headers, size);
    match owner {
        Owner::Root(id) => {
            abi::act_for(id);
            if let Some(root) = root(id) {
                root.answered(CallId(token), answer);
            }
        }
        Owner::Exchange(id) => {
            abi::act_for(id);
            exchange(id, |it| it.answered(answer));
            release_woken();
        }
    }
    go_on();
}

fn read_answer(headers: usize, size: usize) -> Result<Answer, NoAnswer> {
    let status = if headers == 0 { 0 } else { head::status(Map::CallResponse) };
    if status == 0 || size > MAX_ANSWER {
        return Err(NoAnswer::Failed);
    }
    let body = match size {
        0 => Vec::new(),
        _ => abi::buffer(Buffer::CallBody, size).ok().flatten().ok_or(NoAnswer::Failed)?,
    };
    Ok(Answer { status, body })
}
