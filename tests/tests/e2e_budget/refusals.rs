//! What does not fit is refused before anything is spent.

use super::*;
use std::thread;

#[test]
fn what_does_not_fit_is_402_with_the_tier_the_limit_and_the_usage() {
    let budgets = json!([{"name": "daily", "key": "user", "tokens": 1000, "per": "day", "tiers": {"free": 30}}]);
    let world = World::new(&budgets, &json!({}));
    let free = |most| world.ask(&limited(most), "words-20").header("x-tier", "free").send();
    assert_eq!(free(100).status, 200, "what is left is reserved, and the answer takes 21 of 30");
    world.stub.records(1);
    assert_eq!(free(100).status, 200, "9 are left, which are more than the input and one");
    world.stub.records(2);
    let (code, details) = refusal(&free(100));
    assert_eq!(code, "402 quota_exceeded");
    let want =
        json!({"tier": "free", "budget": "daily", "limit": {"tokens_per_day": 30}, "usage": {"tokens_today": 42}});
    assert_eq!(details, want);
    assert_eq!(free(100).header("x-should-retry"), None, "waiting does not help");
    assert_eq!(world.fake.requests().len(), 2);
    assert_eq!(world.stat("refused.budget.daily"), 2);
    assert_eq!(world.plain(100, "").status, 200, "the account is the same in every tier, the limit is not");
}

#[test]
fn what_is_held_by_requests_under_way_may_be_tried_again() {
    let world = World::daily(100);
    let slow = world.ask(&streamed(1000), "slow-300ms+words-5").stream();
    let answer = world.plain(10, "");
    assert_eq!(
        (refusal(&answer).0.as_str(), answer.header("x-should-retry").as_deref()),
        ("402 quota_exceeded", Some("true"))
    );
    drop(slow.rest());
    world.stub.records(1);
    assert_eq!(world.plain(10, "").status, 200);
}

#[test]
fn all_budgets_hold_or_none_is_spent() {
    let budgets = json!([
        {"name": "daily", "key": "user", "tokens": 1000, "per": "day"},
        {"name": "money", "key": "project", "usd": "0.000045", "per": "month"},
    ]);
    let world = World::new(&budgets, &json!({}));
    assert_eq!(world.plain(100, "words-20").status, 200);
    world.stub.records(1);
    for _ in 0..60 {
        let (code, details) = refusal(&world.plain(100, "words-20"));
        assert_eq!((code.as_str(), &details["usage"]["usd_this_month"]), ("402 budget_exceeded", &json!("0.000041")));
    }
    let other = world.ask(&limited(100), "").header("x-tier", "none").send();
    assert_eq!(refusal(&other).0, "402 budget_exceeded", "and the user's tokens are not what lacks");
}

#[test]
fn a_client_bounds_its_own_cost() {
    let world = World::daily(1000);
    let ask = |most: &str| world.ask(&limited(100), "words-20").header("x-tollgate-max-cost", most).send();
    assert_eq!(ask("0.000205").status, 200);
    let (code, details) = refusal(&ask("0.000204"));
    assert_eq!(
        (code.as_str(), details),
        ("402 cost_exceeded", json!({"estimated_cost": "0.000205", "max_cost": "0.000204"}))
    );
    assert_eq!([ask("cheap").status, ask("-1").status], [400, 400]);
    let mut unpriced = limited(10);
    unpriced["model"] = json!("unheard-of");
    let answer = world.ask(&unpriced, "").header("x-tollgate-max-cost", "100").send();
    assert_eq!(refusal(&answer).0, "402 cost_exceeded");

    let budgets = json!([{"name": "daily", "key": "user", "tokens": 1000, "per": "day"}]);
    let passive = World::new(&budgets, &json!({"max_cost": "passive"}));
    let answer = passive.ask(&limited(100), "words-20").header("x-tollgate-max-cost", "0.000204").send();
    assert_eq!(answer.header("x-tollgate-budget-warning").as_deref(), Some("max-cost 0.000204"));
}

#[test]
fn a_model_without_a_price_is_not_free() {
    let money = json!([{"name": "money", "key": "user", "usd": 1, "per": "day"}]);
    let mut body = limited(10);
    body["model"] = json!("unheard-of");
    let check = |more: Value| World::new(&money, &more).ask(&body, "words-5").send();
    assert_eq!(refusal(&check(json!({}))).0, "402 budget_exceeded");
    assert_eq!(check(json!({"unknown_price": "tokens_only"})).header("x-tollgate-actual-cost"), None);
    assert_eq!(check(json!({"unknown_price": 1})).header("x-tollgate-actual-cost").as_deref(), Some("0.000006"));
}

#[test]
fn soft_budgets_warn_and_shadows_only_count() {
    let budgets = json!([
        {"name": "soft", "key": "user", "tokens": 20, "per": "day", "kind": "soft", "alerts": [50]},
        {"name": "shadow", "key": "user", "tokens": 20, "per": "day", "mode": "shadow"},
        {"name": "off", "key": "user", "tokens": 1, "per": "day", "mode": "off"},
    ]);
    let world = World::new(&budgets, &json!({}));
    assert_eq!(world.plain(100, "words-20").header("x-tollgate-budget-warning"), None);
    let record = world.stub.record();
    let charged: Vec<_> =
        record["charges"].as_array().unwrap().iter().map(|it| it["budget"].as_str().unwrap()).collect();
    assert_eq!(charged, ["soft", "shadow"]);
    let answer = world.plain(100, "words-20");
    assert_eq!((answer.status, answer.header("x-tollgate-budget-warning").as_deref()), (200, Some("soft 105%")));
    assert_eq!((world.stat("warned.budget.soft"), world.stat("shadowed.budget.shadow")), (1, 1));
}

#[test]
fn nobody_spends_nothing() {
    let world = World::daily(1000);
    let call = world.gateway.client().post("/v1/chat/completions", &limited(5));
    assert_eq!(call.send().error(), "401 invalid_api_key");
    assert!(world.fake.requests().is_empty());
}

#[test]
fn two_workers_that_race_never_pass_the_limit() {
    let world = World::daily(1000);
    let each = |_| {
        let call = world.ask(&limited(20), "words-20");
        (0..20).filter(|_| call.send().status == 200).count()
    };
    let passed: usize = thread::scope(|scope| {
        let lanes: Vec<_> = (0..8).map(|lane| scope.spawn(move || each(lane))).collect();
        lanes.into_iter().map(|it| it.join().unwrap()).sum()
    });
    world.stub.records(passed);
    // What the race refused may be had afterwards, to the last request that fits.
    let later = (0..60).filter(|nth| {
        let passes = world.plain(20, "words-20").status == 200;
        if passes {
            world.stub.records(passed + nth + 1);
        }
        passes
    });
    let used = (passed + later.count()) * 21;
    // Those that were under way at the very end may each be longer than what was left for it.
    let limit = 1000 + 8 * 20;
    assert!((1000 - 6..=limit).contains(&used), "{used}");
}
