//! The companion's decisions against the gateways' own account of a lease (`domain::budget`), with questions and answers
//! that are lost, late and out of order, records that are late, gateways that die, and leases that expire.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers of a test's own"
)]

use super::*;
use domain::budget::{self, Question, Reservation, State, Terms};
use proptest::prelude::*;
use std::mem::take;

const LIMIT: i64 = 1_000;
const TTL: Duration = Duration::from_secs(600);

#[derive(Debug, Clone)]
enum Step {
    /// A node holds something back for a request; for a soft budget, whether it fits or not.
    Reserve(usize, u64, bool),
    /// A request is over, and used so much of what was held back, or more.
    Settle(usize, u64),
    Ask(usize, i64),
    Arrive(usize),
    Return(usize, bool),
    /// A node's records arrive.
    Report(usize),
    GiveBack(usize),
    /// A node forgets the account; it has nothing under way.
    Evict(usize),
    /// A node dies, with what is under way; another takes its place. Its records do not.
    Die(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..3_usize;
    prop_oneof![
        3 => (node.clone(), 1..120_u64, prop::bool::weighted(0.05)).prop_map(|(node, amount, soft)| Step::Reserve(node, amount, soft)),
        3 => (node.clone(), 0..130_u64).prop_map(|(node, amount)| Step::Settle(node, amount)),
        3 => (node.clone(), 0..150_i64).prop_map(|(node, need)| Step::Ask(node, need)),
        4 => (0..4_usize).prop_map(Step::Arrive),
        4 => (0..4_usize, prop::bool::weighted(0.2)).prop_map(|(nth, lost)| Step::Return(nth, lost)),
        2 => node.clone().prop_map(Step::Report),
        1 => node.clone().prop_map(Step::GiveBack),
        1 => node.clone().prop_map(Step::Evict),
        1 => node.prop_map(Step::Die),
        2 => prop_oneof![1..4_u64, 20..70_u64].prop_map(Step::Wait),
    ]
}

#[derive(Default)]
struct Node {
    state: State,
    open: Vec<Reservation>,
    unreported: i64,
    lease: Option<Lease>,
}

struct Way {
    node: usize,
    question: Question,
    need: i64,
    answer: Option<budget::Answer>,
}

/// All nodes that ever were, the companion, and what is between them.
struct World {
    now: Micros,
    nodes: Vec<Node>,
    way: Vec<Way>,
    used: i64,
    /// Charged beyond what was outstanding, which no grant can help.
    overdrawn: i64,
    /// Spent by nodes, whether reported or not.
    spent: i64,
    /// Spent beyond what was granted, or of leases that expired before the records came.
    excused: i64,
}

fn terms() -> Terms {
    Terms { limit: LIMIT as u64, start: Micros(0), end: Micros::from_seconds(1_000_000), window: None, leased: true }
}

impl World {
    fn new() -> Self {
        let nodes = std::iter::repeat_with(Node::default).take(3).collect();
        let (now, way) = (Micros::from_seconds(1), Vec::new());
        Self { now, nodes, way, used: 0, overdrawn: 0, spent: 0, excused: 0 }
    }

    fn elsewhere(&self, but: usize) -> i64 {
        let alive = |it: &(usize, &Node)| it.0 != but;
        let lease = |(_, it): (usize, &Node)| it.lease.filter(|it| it.expires > self.now).map(|it| it.outstanding());
        self.nodes.iter().enumerate().filter(alive).filter_map(lease).sum()
    }

    fn left(&self) -> i64 {
        Standing { limit: LIMIT, used: self.used, elsewhere: self.elsewhere(usize::MAX) }.left(0)
    }

    fn answer(&mut self, node: usize, ask: Ask) -> budget::Answer {
        let standing = Standing { limit: LIMIT, used: self.used, elsewhere: self.elsewhere(node) };
        let known = self.nodes[node].lease.map(|it| (it, it.expires <= self.now));
        let lease = decide(known, ask, standing, self.now);
        self.nodes[node].lease = Some(lease);
        let number = |it: i64| u64::try_from(it).unwrap();
        budget::Answer {
            granted: number(lease.granted),
            charged: number(lease.charged),
            used: number(self.used),
            left: number(standing.left(lease.outstanding())),
        }
    }

    fn charge(&mut self, node: usize) {
        let amount = take(&mut self.nodes[node].unreported);
        let now = self.now;
        let lease = self.nodes[node].lease.as_mut();
        let outstanding = lease.as_ref().filter(|it| it.expires > now).map_or(0, |it| it.outstanding());
        self.overdrawn += (amount - outstanding).max(0);
        self.used += amount;
        if let Some(lease) = lease {
            lease.charged += amount;
        }
    }

    /// Time passes. What a node has under way when the companion gives its lease to others cannot be held back any more.
    fn wait(&mut self, seconds: u64) {
        let before = self.now;
        self.now = self.now.after(Duration::from_secs(seconds));
        for node in &self.nodes {
            let expired = node.lease.is_some_and(|it| before < it.expires && it.expires <= self.now);
            if expired {
                self.excused += node.unreported + node.open.iter().map(held).sum::<i64>();
            }
        }
    }

    fn reserve(&mut self, node: usize, amount: u64, soft: bool) {
        let state = &mut self.nodes[node].state;
        let free = state.free(&terms());
        let ask = budget::Ask { least: 1, most: amount, anyway: soft };
        if let Ok(reserved) = state.reserve(&terms(), ask, TTL, self.now) {
            self.excused += held(&reserved).saturating_sub_unsigned(free).max(0);
            self.nodes[node].open.push(reserved);
        }
    }

    fn settle(&mut self, node: usize, amount: u64) {
        let node = &mut self.nodes[node];
        if let Some(reserved) = node.open.pop() {
            node.state.settle(&terms(), &reserved, amount, self.now);
            let amount = i64::try_from(amount).unwrap();
            self.excused += (amount - held(&reserved)).max(0);
            node.unreported += amount;
            self.spent += amount;
        }
    }

    fn take(&mut self, step: Step) {
        for node in &mut self.nodes {
            node.state = take(&mut node.state).at(&terms(), self.now);
        }
        // The last three are alive.
        let alive = |it: usize| self.nodes.len() - 3 + it;
        match step {
            Step::Reserve(node, amount, soft) => self.reserve(alive(node), amount, soft),
            Step::Settle(node, amount) => self.settle(alive(node), amount),
            Step::Ask(node, need) => {
                let node = alive(node);
                let question = self.nodes[node].state.ask(Duration::from_secs(3), self.now);
                self.way.push(Way { node, question, need, answer: None });
            }
            Step::Arrive(nth) => {
                if let Some(Way { node, question, need, answer: None }) = self.way.get(nth) {
                    let (turn, granted) = (question.turn as i64, question.granted as i64);
                    let answer = self.answer(*node, Ask { turn, granted, need: *need, want: 2 * need });
                    self.way[nth].answer = Some(answer);
                }
            }
            Step::Return(nth, lost) if nth < self.way.len() => {
                let Way { node, question, answer, .. } = self.way.remove(nth);
                let state = &mut self.nodes[node].state;
                match answer.filter(|_| !lost) {
                    Some(answer) => state.answered(&question, &answer, self.now),
                    None => state.unanswered(&question, self.now),
                }
            }
            Step::Report(node) => self.charge(alive(node)),
            Step::GiveBack(node) if !self.nodes[alive(node)].state.lease().is_asking(self.now) => {
                let node = alive(node);
                self.nodes[node].state.give_back();
            }
            Step::Evict(node) if self.nodes[alive(node)].open.is_empty() && self.nodes[alive(node)].unreported == 0 => {
                let node = alive(node);
                self.nodes[node].state = State::default();
                self.way.retain(|it| it.node != node);
            }
            Step::Die(node) => {
                let node = alive(node);
                self.nodes[node].open.clear();
                let dead = self.nodes.remove(node);
                self.way.retain(|it| it.node != node);
                self.way.iter_mut().filter(|it| it.node > node).for_each(|it| it.node -= 1);
                self.nodes.insert(0, dead);
                self.way.iter_mut().for_each(|it| it.node += 1);
                self.nodes.push(Node::default());
            }
            Step::Wait(seconds) => self.wait(seconds),
            Step::Return(..) | Step::GiveBack(_) | Step::Evict(_) => {}
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let promised = self.used + self.elsewhere(usize::MAX);
        prop_assert!(promised <= LIMIT + self.overdrawn, "{promised} promised, {} overdrawn", self.overdrawn);
        let held: i64 = self.nodes.iter().flat_map(|it| &it.open).map(held).sum();
        let bound = self.spent + held;
        prop_assert!(bound <= LIMIT + self.excused, "{bound} spent or held, {} excused", self.excused);
        Ok(())
    }
}

fn held(reservation: &Reservation) -> i64 {
    i64::try_from(reservation.amount()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_more_is_granted_than_there_is_and_nothing_leaks(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in steps {
            let shown = format!("{step:?}");
            world.take(step);
            world.check().map_err(|it| TestCaseError::fail(format!("{it} after {shown}")))?;
        }
        // Everybody reports and goes; what nobody used is all there again.
        (0..world.nodes.len()).for_each(|it| world.charge(it));
        world.wait(LEASE.as_secs());
        let left = (LIMIT - world.used).max(0);
        prop_assert_eq!(world.left(), left);
        world.nodes.push(Node::default());
        let new = world.nodes.len() - 1;
        let answer = world.answer(new, Ask { turn: 1, granted: 0, need: left, want: left });
        prop_assert_eq!(answer.granted, left as u64);
    }
}

#[test]
fn a_node_that_forgot_everything_and_whose_first_answer_was_lost_does_not_spend_twice() {
    let mut world = World::new();
    let asked = |need: i64, lost: bool| [Step::Ask(0, need), Step::Arrive(0), Step::Return(0, lost)];
    let spent = [Step::Reserve(0, 1_000, false), Step::Settle(0, 600), Step::Report(0)];
    let steps = asked(600, false).into_iter().chain(spent).chain([Step::Evict(0)]);
    let steps = steps.chain(asked(10, true)).chain([Step::Wait(3)]).chain(asked(10, false));
    for step in steps.chain([Step::Reserve(0, 1_000, false)]) {
        let shown = format!("{step:?}");
        world.take(step);
        world.check().unwrap_or_else(|it| panic!("{it} after {shown}"));
    }
}

/// What is granted to a node that knows `granted` and needs so much, given what is known of it.
fn check(known: Option<(i64, i64, bool)>, claim: i64, need: i64, free: i64) -> i64 {
    let now = Micros::from_seconds(100);
    let known = known.map(|(granted, charged, expired)| (Lease { turn: 1, granted, charged, expires: now }, expired));
    let outstanding = known.map_or(0, |(it, expired)| if expired { 0 } else { it.outstanding() });
    let standing = Standing { limit: 1_000, used: 1_000 - free - outstanding, elsewhere: 0 };
    decide(known, Ask { turn: 2, granted: claim, need, want: need }, standing, now).granted
}

#[test]
fn a_node_that_was_forgotten_or_forgot_gets_what_it_can_spend() {
    // Known and unknown nodes that need 10 of 100.
    assert_eq!(check(None, 0, 10, 100), 10);
    assert_eq!(check(None, 70, 10, 100), 80);
    assert_eq!(check(None, ALL, 10, 100), 10);
    assert_eq!(check(Some((50, 20, false)), 50, 10, 100), 60);
    assert_eq!(check(Some((50, 20, false)), 30, 10, 100), 40);
    assert_eq!(check(Some((50, 20, false)), 0, 10, 100), 30);
    assert_eq!(check(Some((50, 20, false)), ALL, 10, 100), 60);
    // An overdrawn one.
    assert_eq!(check(Some((50, 60, false)), 50, 10, 100), 70);
    assert_eq!(check(Some((50, 60, false)), 50, 0, 100), 50);
    // One whose lease expired: it gets back what it spent, as far as it is still there.
    assert_eq!(check(Some((50, 20, true)), 30, 10, 100), 40);
    assert_eq!(check(Some((50, 20, true)), 30, 10, 5), 25);
    assert_eq!(check(Some((50, 20, true)), ALL, 0, 100), 50);
}

#[test]
fn a_part_of_what_is_left_is_granted_or_what_is_needed_and_nothing_where_the_need_is_not_met() {
    let check = |need: i64, want: i64, free: i64| {
        let standing = Standing { limit: free, used: 0, elsewhere: 0 };
        decide(None, Ask { turn: 1, granted: 0, need, want }, standing, Micros(0)).granted
    };
    assert_eq!(check(0, 1_000, 1_000), 250);
    assert_eq!(check(10, 100, 1_000), 100);
    assert_eq!(check(900, 100, 1_000), 900);
    assert_eq!(check(1_001, 2_000, 1_000), 0);
    assert_eq!(check(0, 0, 1_000), 0);
    assert_eq!(check(1, 1, 0), 0);
}
