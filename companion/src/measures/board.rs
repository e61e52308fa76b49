//! The leaderboard: which candidates are good, by what was measured of them.

use domain::choice::{Measured, Snapshot};
use domain::time::Micros;
use serde::Serialize;

/// The answer of `/v1/models/leaderboard`, in the shape of OpenAI's lists.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Leaderboard {
    /// `list`.
    object: &'static str,
    /// The best in front.
    data: Vec<Standing>,
    /// For so many days a reward counts.
    window_days: u32,
}

/// How good one candidate is. What was not measured is null. Shares are from 0 to 1, and of the latest requests more than of
/// earlier ones.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Standing {
    /// The candidate, as in `openai/gpt-4o`.
    id: String,
    /// `model.standing`.
    object: &'static str,
    /// From 1.
    rank: usize,
    /// What an answer is worth at least, as far as one can tell: the mean reward less its standard error.
    score: Option<f64>,
    /// What an answer was worth on average in the window, from 0 to 1.
    mean_reward: Option<f64>,
    /// How many answers the mean is of.
    samples: u32,
    /// How many requests were sent to it, ever.
    requests: u32,
    /// The share of requests that were answered.
    success: Option<f64>,
    /// The share of requests whose answers came to their end in the form that was asked for.
    validity: Option<f64>,
    /// The share of tool calls that named a declared tool and gave it what it requires.
    tool_accuracy: Option<f64>,
    /// Milliseconds to the first byte.
    latency_ms: Option<f64>,
    /// Tokens per second.
    throughput: Option<f64>,
}

impl Leaderboard {
    /// The standings at `now`.
    #[must_use]
    pub(crate) fn of(known: Snapshot, now: Micros) -> Self {
        let mut data: Vec<Standing> = known.measures.into_iter().map(|it| Standing::of(it, now)).collect();
        let score = |it: &Standing| it.score.unwrap_or(-1.0);
        data.sort_by(|one, other| score(other).total_cmp(&score(one)).then_with(|| one.id.cmp(&other.id)));
        for (rank, it) in (1..).zip(&mut data) {
            it.rank = rank;
        }
        Self { object: "list", data, window_days: 7 }
    }
}

impl Standing {
    fn of(Measured { candidate, measures }: Measured, now: Micros) -> Self {
        let window = measures.window(now);
        let reward = (window.count > 0).then_some(window.mean);
        Self {
            id: candidate,
            object: "model.standing",
            rank: 0,
            score: reward.map(|it| round((it - window.uncertainty()).max(0.0))),
            mean_reward: reward.map(round),
            samples: window.count,
            requests: measures.count(),
            success: measures.success().map(round),
            validity: measures.validity().map(round),
            tool_accuracy: measures.tools().map(round),
            latency_ms: measures.first_byte().map(|it| round(it * 1000.0)),
            throughput: measures.throughput().map(round),
        }
    }
}

/// To four decimals, which is more than the measures tell.
fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
