//! Gateways that share a budget through a companion that keeps the rules of its lease protocol, with questions and
//! answers that are lost, late and out of order.

use super::*;

const LIMIT: u64 = 1_000;

#[derive(Default, Clone)]
struct Known {
    granted: u64,
    charged: u64,
    turn: u64,
    until: u64,
}

/// The companion's side, as the protocol states it.
#[derive(Default)]
struct Companion {
    used: u64,
    nodes: [Known; 3],
}

impl Companion {
    fn left(&self, second: u64) -> u64 {
        let outstanding = |it: &Known| if it.until > second { it.granted.saturating_sub(it.charged) } else { 0 };
        LIMIT.saturating_sub(self.used + self.nodes.iter().map(outstanding).sum::<u64>())
    }

    fn answer(&mut self, node: usize, question: &Question, need: u64, want: u64, second: u64) -> Answer {
        let known = &mut self.nodes[node];
        if question.turn > known.turn {
            known.turn = question.turn;
            known.granted = known.granted.min(question.granted).max(known.charged);
            known.until = second + 60;
            let left = self.left(second);
            // What does not fulfil the need is left to others.
            self.nodes[node].granted += if need > left { 0 } else { need.max(want.min(left / 4)) };
        }
        let Known { granted, charged, .. } = self.nodes[node];
        Answer { granted, used: self.used, left: self.left(second), charged }
    }

    fn charge(&mut self, node: usize, amount: u64) {
        self.used += amount;
        self.nodes[node].charged += amount;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(usize, u64),
    Settle(usize, u64),
    Ask(usize, u64),
    Arrive(usize),
    Return(usize, bool),
    Report(usize),
    GiveBack(usize),
    Evict(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..3_usize;
    prop_oneof![
        (node.clone(), 1..120_u64).prop_map(|(node, amount)| Step::Reserve(node, amount)),
        (node.clone(), 0..120_u64).prop_map(|(node, amount)| Step::Settle(node, amount)),
        (node.clone(), 0..150_u64).prop_map(|(node, need)| Step::Ask(node, need)),
        (0..4_usize).prop_map(Step::Arrive),
        (0..4_usize, any::<bool>()).prop_map(|(nth, lost)| Step::Return(nth, lost)),
        node.clone().prop_map(Step::Report),
        node.clone().prop_map(Step::GiveBack),
        node.prop_map(Step::Evict),
        (1..4_u64).prop_map(Step::Wait),
    ]
}

#[derive(Default)]
struct Node {
    state: State,
    open: Vec<Reservation>,
    unreported: u64,
    used: u64,
}

#[derive(Default)]
struct World {
    second: u64,
    nodes: [Node; 3],
    companion: Companion,
    /// Questions under way: whose, what, how much, and the answer once the companion gave it.
    way: Vec<(usize, Question, u64, Option<Answer>)>,
}

impl World {
    fn terms() -> Terms {
        Terms { leased: true, ..terms(LIMIT) }
    }

    fn take(&mut self, step: Step) {
        let (now, terms) = (Micros::from_seconds(self.second), Self::terms());
        for node in &mut self.nodes {
            node.state = std::mem::take(&mut node.state).at(&terms, now);
        }
        match step {
            Step::Reserve(node, amount) => {
                let Node { state, open, .. } = &mut self.nodes[node];
                open.extend(state.reserve(&terms, ask(1, amount), TTL * 100, now));
            }
            Step::Settle(node, amount) => {
                let node = &mut self.nodes[node];
                if let Some(reserved) = node.open.pop() {
                    let used = amount.min(reserved.amount());
                    node.state.settle(&terms, &reserved, used, now);
                    node.unreported += used;
                    node.used += used;
                }
            }
            Step::Ask(node, need) => {
                let question = self.nodes[node].state.ask(Duration::from_secs(3), now);
                self.way.push((node, question, need, None));
            }
            Step::Arrive(nth) => {
                if let Some((node, question, need, answer @ None)) = self.way.get_mut(nth) {
                    *answer = Some(self.companion.answer(*node, question, *need, *need, self.second));
                }
            }
            Step::Return(nth, lost) if nth < self.way.len() => {
                let (node, question, _, answer) = self.way.remove(nth);
                match answer.filter(|_| !lost) {
                    Some(answer) => self.nodes[node].state.answered(&question, &answer, now),
                    None => self.nodes[node].state.unanswered(&question, now),
                }
            }
            Step::Report(node) => {
                let amount = std::mem::take(&mut self.nodes[node].unreported);
                self.companion.charge(node, amount);
            }
            Step::GiveBack(node) if !self.nodes[node].state.lease().is_asking(now) => {
                self.nodes[node].state.give_back();
            }
            // What is under way when an account is evicted is the stated cost; here there is nothing.
            Step::Evict(node) if self.nodes[node].open.is_empty() && self.nodes[node].unreported == 0 => {
                self.nodes[node].state = State::default().at(&terms, now);
            }
            Step::Wait(seconds) => self.wait(seconds),
            Step::Return(..) | Step::GiveBack(_) | Step::Evict(_) => {}
        }
    }

    /// Time passes; who has requests under way keeps its lease, as the background does.
    fn wait(&mut self, seconds: u64) {
        self.second += seconds;
        for (nth, node) in self.nodes.iter_mut().enumerate() {
            let busy = !node.open.is_empty() || node.unreported > 0;
            if busy {
                self.companion.nodes[nth].until = self.companion.nodes[nth].until.max(self.second + 31);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_fleet_never_uses_more_than_the_limit(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World { second: 1, ..World::default() };
        for step in steps {
            world.take(step.clone());
            let bound: u64 = world.nodes.iter().map(|it| it.used + it.open.iter().map(Reservation::amount).sum::<u64>()).sum();
            prop_assert!(bound <= LIMIT, "{bound} after {step:?}");
        }
    }
}

#[test]
fn what_is_left_reaches_whoever_asks() {
    let mut world = World { second: 1, ..World::default() };
    for node in [0, 1, 2] {
        for step in [Step::Ask(node, 300), Step::Arrive(0), Step::Return(0, false), Step::Reserve(node, 300)] {
            world.take(step);
        }
    }
    let got: Vec<u64> = world.nodes.iter().map(|it| it.open.iter().map(Reservation::amount).sum()).collect();
    assert_eq!(got, [300, 300, 300]);
}

#[test]
fn a_lease_is_kept_while_it_is_used_given_back_when_idle_and_not_asked_for_in_vain() {
    let (terms, second) = (World::terms(), Micros::from_seconds);
    let mut state = State::default().at(&terms, second(1));
    let question = state.ask(TTL, second(1));
    assert_eq!(state.wish(&terms, 10, second(2)), Wish::Nothing, "an answer is awaited");
    state.answered(&question, &Answer { granted: 100, used: 30, left: 50, charged: 0 }, second(2));
    assert_eq!((state.free(&terms), state.used()), (100, 30));
    let reserved = state.reserve(&terms, ask(1, 95), TTL, second(2)).unwrap();
    assert_eq!(state.wish(&terms, 10, second(3)), Wish::More, "little is left");
    assert_eq!(state.wish(&terms, 5, second(3)), Wish::Nothing);
    assert_eq!(state.wish(&terms, 5, second(12)), Wish::More, "the lease grows old");
    state.settle(&terms, &reserved, 20, second(12));
    assert_eq!(state.wish(&terms, 5, second(23)), Wish::GiveBack);
    state.give_back();
    let question = state.ask(TTL, second(23));
    assert_eq!(question.granted, 20);
    state.answered(&question, &Answer { granted: 20, used: 50, left: 0, charged: 20 }, second(23));
    assert_eq!(state.wish(&terms, 5, second(23)), Wish::Nothing, "there is no more");
    assert_eq!(state.wish(&terms, 5, second(25)), Wish::Forget);
}
