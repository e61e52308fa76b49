//! A request settles once, however it ends.

use super::*;
use std::thread;
use std::time::Duration;

fn outcome(record: &Value) -> (&str, bool, u64) {
    let output = record["output_tokens"].as_u64().unwrap();
    (record["outcome"].as_str().unwrap(), record["estimated"].as_bool().unwrap(), output)
}

#[test]
fn a_client_that_leaves_a_stream_pays_for_what_passed() {
    let world = World::daily(100_000);
    let mut stream = world.ask(&streamed(1000), "slow-20ms+words-400").stream();
    for _ in 0..20 {
        assert!(stream.event().is_some());
    }
    drop(stream);
    let record = world.stub.record();
    let (how, estimated, output) = outcome(&record);
    assert_eq!((how, estimated, &record["input_tokens"]), ("client_gone", true, &json!(5)));
    let served = world.fake.served()[0].count.completion;
    assert!(output >= 14 && output <= served + 5, "{output} of {served}");
}

#[test]
fn a_client_that_does_not_wait_for_a_plain_answer_pays_for_what_may_have_been_made() {
    let world = World::daily(100_000);
    let call = world.ask(&limited(1000), "hang");
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", world.gateway.port())).unwrap();
    std::io::Write::write_all(&mut socket, &call.bytes()).unwrap();
    assert_eq!(world.fake.wait_for(1).len(), 1);
    thread::sleep(Duration::from_millis(300));
    drop(socket);
    let record = world.stub.record();
    let (how, estimated, output) = outcome(&record);
    assert_eq!(
        (how, estimated, &record["input_tokens"], &record["status"]),
        ("client_gone", true, &json!(5), &json!(499))
    );
    let millis = record["duration_ms"].as_u64().unwrap();
    assert!(millis >= 250 && output == millis / 10, "{output} tokens for {millis} ms");
}

#[test]
fn a_provider_that_leaves_is_charged_for_what_passed() {
    let world = World::daily(100_000);
    let answer = world.ask(&streamed(1000), "words-100+cut-40").send();
    assert!(answer.broken);
    let record = world.stub.record();
    let (how, estimated, output) = outcome(&record);
    assert_eq!((how, estimated), ("upstream_gone", true), "{record}");
    assert!((25..=45).contains(&output), "{output}");

    let ended = world.ask(&streamed(1000), "words-100+end-40").send();
    assert!(ended.text().contains(": tollgate "));
    let record = world.stub.records(2).remove(1);
    assert_eq!(outcome(&record).0, "complete");
}

#[test]
fn an_answer_that_is_an_error_costs_nothing_and_gives_all_back() {
    let world = World::daily(100);
    for behaviour in ["500", "400", "429-after-1", "reset", "error-body"] {
        let answer = world.plain(1000, behaviour);
        assert_eq!(answer.header("x-tollgate-actual-cost"), None, "{behaviour}");
    }
    // All of it is free again: this one needs it whole.
    assert_eq!(world.plain(1000, "words-94").status, 200);
    let record = world.stub.record();
    assert_eq!(outcome(&record), ("complete", false, 94));
}

#[test]
fn a_reply_of_a_later_filter_costs_nothing() {
    let (fake, stub) = (FakeProvider::start(), Stub::start(Mood::Good));
    let budgets = json!([{"name": "daily", "key": "user", "tokens": 100, "per": "day"}]);
    let refuse = |root: &mut Value| {
        let chain = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
        let code = "function envoy_on_request(handle) if handle:headers():get('x-refuse') then handle:respond({[':status'] = '403'}, 'no') end end";
        let lua = json!({"name": "lua", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": code}}});
        chain["http_filters"].as_array_mut().unwrap().insert(1, lua);
    };
    let gateway = builder(&fake, &stub, &budgets, &json!({})).edit(refuse).start();
    let world = World { fake, stub, gateway };
    for _ in 0..5 {
        assert_eq!(world.ask(&limited(1000), "").header("x-refuse", "1").send().status, 403);
    }
    assert_eq!(world.plain(1000, "words-94").status, 200);
    assert_eq!(outcome(&world.stub.record()).2, 94);
}

#[test]
fn a_crowd_of_which_a_third_leaves_is_charged_once_each_and_nothing_stays_reserved() {
    let world = World::daily(1_000_000);
    let lane = |lane: usize| {
        for nth in 0..12 {
            let call = world.ask(&streamed(200), ["words-50+slow-2ms", "words-50+usage", "words-30+cut-9"][nth % 3]);
            let mut stream = call.stream();
            if nth % 3 == 0 {
                for _ in 0..=(lane + nth) % 7 {
                    stream.event();
                }
                drop(stream);
            } else {
                stream.events();
            }
        }
    };
    thread::scope(|scope| (0..6).for_each(|nth| drop(scope.spawn(move || lane(nth)))));
    let records = world.stub.records(72);
    let served = world.fake.served();
    let sum = |exact: bool| -> u64 {
        let of = records.iter().filter(|it| it["estimated"] != exact);
        of.map(|it| it["output_tokens"].as_u64().unwrap()).sum()
    };
    let told: u64 = served.iter().filter(|it| it.usage_sent && it.complete).map(|it| it.count.completion).sum();
    assert_eq!((records.iter().filter(|it| it["estimated"] == false).count(), sum(true)), (24, 24 * 50));
    assert!(told >= 24 * 50, "{told}");
    let rest: u64 = served.iter().filter(|it| !it.usage_sent).map(|it| it.count.completion).sum();
    assert!(sum(false) <= rest + 48, "{} counted of {rest}", sum(false));
    // Nothing is held any more: all that is left can be had at once.
    let used: u64 = records.iter().map(|it| it["charges"][0]["amount"].as_u64().unwrap()).sum();
    let answer = world.plain(2_000_000, "500");
    assert_eq!(answer.status, 500, "{used} used");
}

#[test]
fn a_request_that_never_got_to_its_provider_costs_nothing() {
    let (fake, stub) = (FakeProvider::start(), Stub::start(Mood::Good));
    let budgets = json!([{"name": "daily", "key": "user", "tokens": 1000, "per": "day"}]);
    // One connection, which the first request holds: the second waits for it until its client leaves.
    let one = json!({"thresholds": [{"max_connections": 1}]});
    let builder = builder(&fake, &stub, &budgets, &json!({})).workers(1).edit(|root| {
        let clusters = root["static_resources"]["clusters"].as_array_mut().unwrap();
        clusters
            .iter_mut()
            .filter(|it| it["name"] != "companion-internal")
            .for_each(|it| it["circuit_breakers"] = one.clone());
    });
    let world = World { gateway: builder.start(), fake, stub };
    thread::scope(|scope| {
        scope.spawn(|| world.ask(&limited(100), "hang").abandon(Duration::from_millis(1500)).unwrap());
        tests::wait_until(Duration::from_secs(10), "the first to be there", || {
            (world.fake.requests().len() == 1).then_some(())
        });
        world.ask(&limited(100), "").abandon(Duration::from_millis(300)).unwrap();
    });
    assert_eq!(outcome(&world.stub.record()).0, "client_gone");
    assert_eq!(world.plain(100, "words-20").status, 200);
    assert_eq!(outcome(&world.stub.records(2)[1]), ("complete", false, 20));
    assert_eq!(world.fake.requests().len(), 2);
}
