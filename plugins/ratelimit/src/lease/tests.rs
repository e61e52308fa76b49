use super::*;
use domain::slots::{Place, Seed, Slot};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

const PATIENCE: Duration = Duration::from_millis(500);
const BEGIN: Micros = Micros(1_800_000_000_000_000);

fn quota(requests: u32, seconds: u32) -> Quota {
    Quota::new(NonZeroU32::new(requests).unwrap(), NonZeroU32::new(seconds).unwrap())
}

fn at(millis: u64) -> Micros {
    Micros(BEGIN.0 + millis * 1000)
}

fn granted(count: u32) -> Granted {
    let (valid, wait) = (Duration::from_secs(1), Duration::ZERO);
    Granted { count, valid, slice: 7, wait, remaining: 90 }
}

fn denied(wait: u64) -> Granted {
    Granted { wait: Duration::from_millis(wait), remaining: 0, ..granted(0) }
}

/// A lease with `count` granted at the beginning.
fn holding(count: u32) -> Lease {
    let mut lease = Lease::default();
    lease.ask(at(0), quota(100, 60));
    lease.settle(at(0), granted(count));
    lease
}

fn take(lease: &mut Lease, millis: u64) -> Take {
    lease.take(at(millis), PATIENCE)
}

/// What each request gets, at these milliseconds, of two that are held since the beginning.
#[test]
fn a_grant_is_spent_once_and_not_after_it_ends() {
    let mut lease = holding(2);
    assert!(matches!(take(&mut lease, 10), Take::Granted(_)));
    assert!(matches!(take(&mut lease, 20), Take::Granted(_)));
    assert_eq!(take(&mut lease, 30), Take::Ask);
    assert_eq!(take(&mut holding(2), 1000), Take::Ask, "from the moment of the question on, one second");
}

#[test]
fn one_asks_and_the_others_wait() {
    let mut lease = Lease::default();
    assert_eq!(take(&mut lease, 0), Take::Ask);
    let ask = lease.ask(at(0), quota(100, 60));
    assert_eq!((ask.need, ask.want), (1, 1), "nobody knows yet how many will come");
    assert_eq!(take(&mut lease, 1), Take::Wait);
    assert_eq!(take(&mut lease, 500), Take::Ask, "an answer that is so late is lost");
}

#[test]
fn who_is_refused_causes_no_question() {
    let mut lease = holding(0);
    lease.settle(at(0), denied(600));
    assert_eq!(take(&mut lease, 100), Take::Denied(Duration::from_millis(500)));
    assert_eq!(take(&mut lease, 600), Take::Ask);
    lease.ask(at(600), quota(100, 60));
    assert_eq!(take(&mut lease, 601), Take::Denied(SOON), "while one asks whether there is room again");
    lease.settle(at(600), granted(1));
    assert!(matches!(take(&mut lease, 603), Take::Granted(_)));
}

#[test]
fn a_companion_that_fails_is_left_alone_for_a_while() {
    let mut lease = Lease::default();
    lease.ask(at(0), quota(100, 60));
    lease.fail(at(0), at(300));
    assert_eq!([take(&mut lease, 301), take(&mut lease, 1299)], [Take::Failing; 2]);
    assert_eq!(take(&mut lease, 1300), Take::Ask);
}

#[test]
fn what_a_request_did_not_use_is_there_for_the_next() {
    let mut lease = holding(1);
    let Take::Granted(ticket) = take(&mut lease, 1) else { panic!() };
    lease.give_back(ticket);
    assert_eq!(take(&mut lease, 2), Take::Granted(ticket));
    lease.settle(at(0), granted(0));
    let mut other = holding(3);
    other.give_back(Ticket { slice: 8 });
    assert_eq!(other, holding(3), "a ticket of a grant that is gone is worth nothing");
}

#[test]
fn a_hot_key_is_refilled_before_it_runs_dry_by_as_much_as_it_uses() {
    let quota = quota(6000, 60);
    let mut lease = holding(40);
    for nth in 0..30 {
        assert!(matches!(take(&mut lease, nth * 8), Take::Granted(_)));
    }
    // 30 in a quarter of a second: 120 will do for the second that a grant lasts.
    let Refill::Ask(ask) = lease.refill(at(240), PATIENCE, quota) else { panic!("it is low") };
    assert_eq!((ask.need, ask.want, ask.returned), (1, 110, vec![]));
    assert_eq!(lease.refill(at(241), PATIENCE, quota), Refill::Nothing, "somebody asks already");
    lease.settle(at(240), granted(110));
    assert_eq!(lease.refill(at(250), PATIENCE, quota), Refill::Nothing);
}

#[test]
fn what_an_idle_key_holds_is_returned_and_then_forgotten() {
    let quota = quota(100, 60);
    let mut lease = holding(5);
    assert!(matches!(take(&mut lease, 1), Take::Granted(_)));
    assert_eq!(lease.refill(at(300), PATIENCE, quota), Refill::Nothing, "it may still come");
    let Refill::Ask(ask) = lease.refill(at(600), PATIENCE, quota) else { panic!("it is idle") };
    assert_eq!((ask.need, ask.want, ask.returned), (0, 0, vec![(7, 4)]));
    assert_eq!(take(&mut lease, 601), Take::Wait, "what is returned is not spent");
    lease.answered(at(600));
    assert_eq!(lease.refill(at(700), PATIENCE, quota), Refill::Forget);
    // What expired goes back with the next question.
    let mut late = holding(5);
    assert_eq!(late.ask(at(1500), quota).returned, [(7, 5)]);
}

#[test]
fn a_caller_hears_what_the_whole_fleet_has_left() {
    let quota = quota(100, 60);
    let mut lease = holding(5);
    let left = lease.left(at(1), quota);
    assert_eq!((left.remaining, left.reset), (95, Duration::from_secs(3)));
    lease.settle(at(0), denied(9000));
    let left = lease.left(at(1000), quota);
    assert_eq!((left.remaining, left.reset), (0, Duration::from_secs(60)));
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let mut lease = holding(5);
    lease.ask(at(3), quota(100, 60));
    lease.settle(at(3), Granted { slice: u64::MAX, ..granted(u32::MAX) });
    take(&mut lease, 5);
    lease.fail(at(3), at(9));
    lease.settle(at(4), denied(70));
    let mut bytes = Vec::new();
    lease.write(&mut bytes);
    assert_eq!((bytes.len(), Lease::read(&bytes)), (Lease::SIZE, lease));
    let place = Place::of(&["x"], &Seed::new([1; 16]), NonZeroU32::MIN);
    let mut slot = Slot::read(b"\x01of another kind");
    slot.put(place, lease, at(5));
    assert_eq!(Slot::<Lease>::read(&slot.bytes()).get(place), lease);
}

/// The companion's rule (contract of `/internal/v1/leases`), without a burst.
struct Companion {
    quota: Quota,
    slices: BTreeMap<u64, u32>,
}

impl Companion {
    fn grant(&mut self, now: Micros, ask: &Ask) -> Granted {
        let window = u64::from(self.quota.seconds()) * 1_000_000;
        let slice = (window / 60).max(50_000);
        for (nth, count) in &ask.returned {
            let held = self.slices.entry(*nth).or_default();
            assert!(*count <= *held, "more is returned than was granted");
            *held -= count;
        }
        let oldest = now.0 / slice - window.div_ceil(slice);
        let sum: u32 = self.slices.range(oldest..).map(|(_, count)| count).sum();
        let left = self.quota.requests() - sum;
        let valid = valid(self.quota);
        let newest = now.after(valid).0 / slice;
        let count = if ask.need <= left { ask.want.min(ask.need.max(left / 8)) } else { 0 };
        *self.slices.entry(newest).or_default() += count;
        let wait = Duration::from_micros(slice);
        Granted { count, valid, slice: newest, wait, remaining: left - count }
    }
}

/// A question on its way to the companion, or an answer on its way back.
struct Flight {
    arrives: Micros,
    node: usize,
    ask: Ask,
    answer: Option<Granted>,
    /// In how long the answer comes; never, if it is lost.
    back: Option<Duration>,
}

/// One thing that happens at a node.
#[derive(Debug, Clone)]
struct Step {
    node: usize,
    gap: u64,
    out: u64,
    back: Option<u64>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Request,
    /// A request that comes to nothing, and is given back.
    InVain,
    Tick,
    /// The proxy dies and starts anew.
    Death,
    NoAnswer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        20 => Just(What::Request), 2 => Just(What::InVain), 6 => Just(What::Tick), 1 => Just(What::Death), 1 => Just(What::NoAnswer)
    ];
    let back =
        prop_oneof![6 => (0..30_000_u64).prop_map(Some), 1 => (0..3_000_000_u64).prop_map(Some), 1 => Just(None)];
    let gap = prop_oneof![10 => 0..5_000_u64, 1 => 0..400_000_u64];
    let step = (0..3_usize, gap, 0..40_000_u64, back, what);
    let step = step.prop_map(|(node, gap, out, back, what)| Step { node, gap, out, back, what });
    prop::collection::vec(step, 1..600)
}

struct World {
    quota: Quota,
    now: Micros,
    companion: Companion,
    nodes: [Lease; 3],
    flights: Vec<Flight>,
    /// When a request passed, at whatever node.
    passed: Vec<u64>,
}

impl World {
    fn new(quota: Quota) -> Self {
        let companion = Companion { quota, slices: BTreeMap::new() };
        Self { quota, now: BEGIN, companion, nodes: Default::default(), flights: Vec::new(), passed: Vec::new() }
    }

    /// Lets arrive what arrives until `now`, in order.
    fn advance(&mut self, now: Micros) {
        while let Some(nth) = (0..self.flights.len()).min_by_key(|nth| self.flights[*nth].arrives) {
            if self.flights[nth].arrives > now {
                break;
            }
            let mut flight = self.flights.swap_remove(nth);
            match flight.answer {
                Some(answer) if flight.ask.need == 0 => drop((answer, self.nodes[flight.node].answered(flight.ask.at))),
                Some(answer) => self.nodes[flight.node].settle(flight.ask.at, answer),
                None => {
                    flight.answer = Some(self.companion.grant(flight.arrives, &flight.ask));
                    if let Some(back) = flight.back {
                        flight.arrives = flight.arrives.after(back);
                        self.flights.push(flight);
                    }
                }
            }
        }
        self.now = now;
    }

    fn send(&mut self, step: &Step, ask: Ask) {
        let arrives = self.now.after(Duration::from_micros(step.out));
        let back = step.back.map(Duration::from_micros);
        self.flights.push(Flight { arrives, node: step.node, ask, answer: None, back });
    }

    fn step(&mut self, step: &Step) {
        self.advance(self.now.after(Duration::from_micros(step.gap)));
        let (now, quota) = (self.now, self.quota);
        let lease = &mut self.nodes[step.node];
        match step.what {
            What::Death => *lease = Lease::default(),
            What::NoAnswer => lease.fail(lease.asked_at, now),
            What::Tick => {
                if let Refill::Ask(ask) = lease.refill(now, PATIENCE, quota) {
                    self.send(step, ask);
                }
            }
            What::Request | What::InVain => match lease.take(now, PATIENCE) {
                Take::Granted(ticket) => {
                    let until = lease.grants.iter().filter(|it| it.slice == ticket.slice).map(|it| it.until).max();
                    assert!(until.is_some_and(|until| now < until));
                    match step.what {
                        What::InVain => lease.give_back(ticket),
                        _ => self.passed.push(now.0),
                    }
                }
                Take::Ask => {
                    let ask = lease.ask(now, quota);
                    self.send(step, ask);
                }
                Take::Denied(_) | Take::Failing | Take::Wait => {}
            },
        }
    }
}

proptest! {
    #[test]
    fn many_nodes_together_never_pass_the_limit_in_any_window(
        steps in steps(), requests in 1..60_u32, seconds in 1..4_u32,
    ) {
        let mut world = World::new(quota(requests, seconds));
        for step in &steps {
            world.step(step);
        }
        let window = u64::from(seconds) * 1_000_000;
        for (nth, from) in world.passed.iter().enumerate() {
            let within = world.passed[nth..].iter().take_while(|it| **it <= from + window).count();
            prop_assert!(within <= requests as usize, "{within} of {requests}");
        }
    }

    #[test]
    fn any_bytes_are_a_lease_and_any_answer_is_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<u64>(), count in any::<u32>(),
        (valid, wait) in any::<(u64, u64)>(), (slice, remaining) in any::<(u64, u32)>(),
    ) {
        let (mut lease, now, quota) = (Lease::read(&bytes), Micros(now), quota(u32::MAX, u32::MAX));
        let (valid, wait) = (Duration::from_millis(valid), Duration::from_millis(wait));
        lease.settle(now, Granted { count, valid, slice, wait, remaining });
        lease.refill(now, PATIENCE, quota);
        let _ = lease.left(now, quota);
        lease.take(now, PATIENCE);
        lease.ask(now, quota);
        lease.fail(now, now);
        let _ = lease.needed_until();
    }
}

/// Under steady load the fleet gets what the companion has to give.
#[test]
fn three_nodes_under_steady_load_use_nearly_all_of_the_limit() {
    let (limit, seconds) = (1000, 10);
    let mut world = World::new(quota(limit, seconds));
    for nth in 0..120_000_u64 {
        let what = if nth % 25 < 3 { What::Tick } else { What::Request };
        world.step(&Step { node: (nth % 3) as usize, gap: 500, out: 1_000, back: Some(1_000), what });
    }
    // The model frees a slice and a validity later than a window; what is above that is lost by leasing.
    let windows = 60.0 / (f64::from(seconds) * (1.0 + 3.0 / 60.0));
    let most = windows.ceil() * f64::from(limit);
    let used = world.passed.len() as f64;
    assert!(used >= 0.95 * windows * f64::from(limit) && used <= most + f64::from(limit), "{used} of {most}");
}
