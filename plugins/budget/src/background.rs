//! What happens between requests: records leave, leases are kept, asked for and given back.

use crate::{
    accounts::Accounts,
    lease::{self, Asked},
};
use domain::{budget::Wish, slots::Place, time::Micros};
use host::{Answer, Call, CallId, NoAnswer, Root, companion::Client, outbox::Outbox};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// How often leases are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The companion, and what is under way to it.
pub(crate) struct Background {
    pub(crate) client: Client,
    pub(crate) outbox: Outbox,
    looked: Cell<Micros>,
    way: RefCell<BTreeMap<CallId, Vec<Asked>>>,
    /// Where requests wait for somebody else's answer.
    waiting: RefCell<BTreeMap<u32, Place>>,
}

impl Background {
    pub(crate) fn new(client: Client, outbox: Outbox) -> Self {
        Self { client, outbox, looked: Cell::new(Micros(0)), way: RefCell::default(), waiting: RefCell::default() }
    }

    /// The question that lends what `asked` says.
    pub(crate) fn question(&self, node: &str, asked: &[Asked]) -> Call {
        self.client.call(lease::PATH, lease::question(node, asked))
    }

    /// A request waits until nobody asks for the account at `place`; under which number.
    pub(crate) fn wait(&self, place: Place) -> u32 {
        // The number only has to be one that few share: who is woken in vain waits again.
        let number = u32::try_from(place.key() & 0x7fff_ffff).unwrap_or_default();
        self.waiting.borrow_mut().insert(number, place);
        number
    }

    pub(crate) fn tick(&self, accounts: &Accounts, root: &Root, now: Micros) {
        self.outbox.tick(root);
        self.wake(accounts, root, now);
        if now.since(self.looked.get()) >= LOOK {
            self.looked.set(now);
            self.look(accounts, root, now);
        }
    }

    fn wake(&self, accounts: &Accounts, root: &Root, now: Micros) {
        let free = |place: &Place| accounts.read(*place).is_none_or(|it| !it.lease().is_asking(now));
        let awake: Vec<u32> =
            self.waiting.borrow().iter().filter(|(_, place)| free(place)).map(|(number, _)| *number).collect();
        for number in awake {
            self.waiting.borrow_mut().remove(&number);
            root.release(number);
        }
    }

    fn look(&self, accounts: &Accounts, root: &Root, now: Micros) {
        let mut asked = Vec::new();
        let hot = accounts.hot.borrow().all(now);
        for account in hot {
            let wish = accounts.read(account.place).map_or(Wish::Forget, |state| {
                state.at(&account.terms, now).wish(&account.terms, account.want().div_ceil(2), now)
            });
            match wish {
                Wish::Nothing => {}
                Wish::Forget => accounts.hot.borrow_mut().forget(account.place.key()),
                Wish::More | Wish::GiveBack if asked.len() < lease::MOST => {
                    asked.extend(accounts.ask(&account, wish == Wish::GiveBack, now));
                }
                Wish::More | Wish::GiveBack => {}
            }
        }
        if asked.is_empty() {
            return;
        }
        match root.call(&self.question(&accounts.seed.get().node(), &asked)) {
            Ok(id) => drop(self.way.borrow_mut().insert(id, asked)),
            Err(_) => accounts.answered(&asked, None, now),
        }
    }

    pub(crate) fn answered(
        &self,
        root: &Root,
        accounts: &Accounts,
        call: CallId,
        answer: &Result<Answer, NoAnswer>,
        now: Micros,
    ) {
        let asked = self.way.borrow_mut().remove(&call);
        match asked {
            Some(asked) => take(accounts, &asked, answer, now),
            None => drop(self.outbox.answered(root, call, answer)),
        }
    }
}

/// Takes in an answer about leases, or that there was none.
pub(crate) fn take(accounts: &Accounts, asked: &[Asked], answer: &Result<Answer, NoAnswer>, now: Micros) {
    let answers = answer.as_ref().ok().and_then(|it| lease::answers(it.status, &it.body, asked.len()));
    // Said once, not for each question of an outage; the metrics count those.
    if accounts.away.replace(answers.is_none()) != answers.is_none() {
        let said = answer.as_ref().map_or_else(|why| format!("{why:?}"), |it| format!("status {}", it.status));
        log::warn!("the companion lends {}: {said}", if answers.is_none() { "nothing" } else { "again" });
    }
    accounts.answered(asked, answers.as_deref(), now);
}
