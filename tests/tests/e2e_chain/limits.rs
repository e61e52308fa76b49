//! How often, over all workers.

use std::thread;

use crate::Stage;

#[test]
fn sixty_requests_eight_at_a_time_over_two_workers_pass_exactly_ten() {
    let stage =
        Stage::with(|gateway| gateway.edit_filter("ratelimit", |config| config["limits"][0]["requests"] = 10.into()));
    let (ada, eve) = (stage.token("ada"), stage.token("eve"));
    let ask = |token: &str| stage.client().chat(token, "openai/gpt-4o", "hi").send();
    let answers: Vec<_> = thread::scope(|scope| {
        let lane = |share: usize| (0..share).map(|_| ask(&ada)).collect::<Vec<_>>();
        let lanes: Vec<_> = (0..8).map(|lane_number| scope.spawn(move || lane((60 + lane_number) / 8))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), 60);
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(passed, 10);
    for answer in refused {
        assert_eq!(answer.error(), "429 rate_limit_exceeded");
        assert!(answer.header("retry-after").is_some() && answer.header("x-request-id").is_some());
    }
    assert_eq!(ask(&eve).status, 200, "another user is untouched");
}
