//! Budgets that gateways lease from the companion.

use super::*;
use std::thread;
use std::time::{Duration, Instant};

fn fleet(tokens: u64, on_failure: &str) -> Value {
    json!([{"name": "daily", "key": "user", "tokens": tokens, "per": "day", "scope": "fleet", "on_failure": on_failure}])
}

fn world(mood: Mood, tokens: u64, on_failure: &str) -> World {
    let (fake, stub) = (FakeProvider::start(), Stub::start(mood));
    let gateway = builder(&fake, &stub, &fleet(tokens, on_failure), &json!({})).start();
    World { fake, stub, gateway }
}

#[test]
fn two_gateways_share_one_budget_and_spend_nearly_all_of_it() {
    let (fake, stub) = (FakeProvider::start(), Stub::start(Mood::Good));
    let start = || builder(&fake, &stub, &fleet(2000, "deny"), &json!({})).start();
    let gateways = [start(), start()];
    let ask = |gateway: &Gateway| {
        let call = gateway.client().post("/v1/chat/completions", &limited(20)).header("x-fake", "words-20");
        call.header("x-project-id", "p1").header("x-end-user-id", "ada").send().status
    };
    let passed: usize = thread::scope(|scope| {
        let lanes: Vec<_> = (0..6)
            .map(|lane| {
                let (gateway, ask) = (&gateways[lane % 2], &ask);
                scope.spawn(move || (0..20).filter(|_| ask(gateway) == 200).count())
            })
            .collect();
        lanes.into_iter().map(|it| it.join().unwrap()).sum()
    });
    stub.records(passed);
    // Those that were under way at the very end may each be longer than what was left for it.
    assert!(passed * 21 <= 2000 + 6 * 20, "{passed} passed");
    // What one of them leased and did not use comes back when it is idle; then the other can have it.
    let deadline = Instant::now() + Duration::from_secs(40);
    let mut all = passed;
    while all * 21 < 1900 && Instant::now() < deadline {
        if ask(&gateways[0]) == 200 {
            all += 1;
            stub.records(all);
        }
    }
    assert!(all * 21 >= 1900, "{} of 2000 could be spent", all * 21);
}

#[test]
fn the_background_lends_ahead_so_that_few_requests_wait() {
    let world = world(Mood::Good, 100_000, "deny");
    for _ in 0..60 {
        assert_eq!(world.plain(20, "words-20").status, 200);
    }
    let questions = world.stub.questions();
    assert!(questions <= 20, "{questions} questions for 60 requests");
}

#[test]
fn a_budget_that_is_used_up_is_not_asked_for_with_every_request() {
    let world = world(Mood::Good, 30, "deny");
    assert_eq!(world.plain(1000, "words-25").status, 200);
    world.stub.records(1);
    let refused = (0..200).filter(|_| refusal(&world.plain(1000, "")).0 == "402 quota_exceeded").count();
    assert_eq!(refused, 200);
    assert!(world.stub.questions() < 40, "{} questions", world.stub.questions());
}

#[test]
fn without_the_companion_the_operators_choice_holds_and_it_heals() {
    for mood in [Mood::Down, Mood::Slow, Mood::Garbage] {
        let denying = world(mood, 1000, "deny");
        assert_eq!(denying.plain(20, "").error(), "503 companion_unavailable", "{mood:?}");
        assert!(denying.stat("no_lease") >= 1);
        assert_eq!(denying.fake.requests().len(), 0);
        denying.stub.set(Mood::Good);
        let healed =
            tests::process::poll(Duration::from_secs(10), || (denying.plain(20, "").status == 200).then_some(()));
        assert!(healed.is_some(), "{mood:?}");

        let allowing = world(mood, 1000, "allow");
        assert_eq!(allowing.plain(20, "words-20").status, 200, "{mood:?}");
        assert_eq!(allowing.stub.record()["charges"][0]["amount"], 21);
    }
}
