//! How gateways and the companion tell each other what they measured. Members that a later release adds are passed over.

use super::measure::{Average, DAYS, Day, Measures, Rewards};
use serde::{Deserialize, Serialize};

/// What was measured of some candidates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Each candidate once.
    pub measures: Vec<Measured>,
}

/// What was measured of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Measured {
    /// The canonical name of what it serves, as in `openai/gpt-4o`.
    pub candidate: String,
    /// What was measured.
    #[cfg_attr(feature = "schema", schemars(with = "Written"))]
    pub measures: Measures,
}

/// What was measured of a candidate, as it is written.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Measures"))]
struct Written {
    /// Seconds to the first byte.
    #[serde(default)]
    first_byte: WrittenAverage,
    /// Tokens per second.
    #[serde(default)]
    throughput: WrittenAverage,
    /// Whether requests were answered.
    #[serde(default)]
    success: WrittenAverage,
    /// Whether answers were valid.
    #[serde(default)]
    validity: WrittenAverage,
    /// Which share of an answer's tool calls was right.
    #[serde(default)]
    tools: WrittenAverage,
    /// The rewards of the days on which there were any.
    #[serde(default)]
    days: Vec<WrittenDay>,
}

/// A moving average: each number weighs a tenth, and nine tenths of that for each that came later.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MovingAverage"))]
struct WrittenAverage {
    /// Of the numbers by their weights; the average is this divided by `1 - 0.9^count`.
    sum: f64,
    /// How many numbers there were.
    count: u32,
}

/// The rewards of one day.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "DayOfRewards"))]
struct WrittenDay {
    /// How many days after 1970-01-01.
    day: u32,
    /// How many rewards there were.
    count: u32,
    /// From 0 to 1.
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
}

impl From<&Measures> for Written {
    fn from(it: &Measures) -> Self {
        let average = |Average { sum, count }: Average| WrittenAverage { sum, count };
        let mut days: Vec<WrittenDay> = it.days.iter().filter(|it| it.rewards.count > 0).map(day).collect();
        days.sort_by_key(|it| it.day);
        Self {
            first_byte: average(it.first_byte),
            throughput: average(it.throughput),
            success: average(it.success),
            validity: average(it.validity),
            tools: average(it.tools),
            days,
        }
    }
}

fn day(it: &Day) -> WrittenDay {
    let Day { day, rewards: Rewards { count, mean, squares } } = *it;
    WrittenDay { day, count, mean, squares }
}

impl TryFrom<Written> for Measures {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let average = |key: &str, WrittenAverage { sum, count }: WrittenAverage| {
            let read = Average::of(sum, count);
            let whole = read.count == count && (count > 0 || sum == 0.0);
            whole
                .then_some(read)
                .ok_or_else(|| format!("{key}: {sum} of {count} numbers, expected a sum from 0 to 1e9"))
        };
        let mut measures = Self {
            first_byte: average("first_byte", written.first_byte)?,
            throughput: average("throughput", written.throughput)?,
            success: average("success", written.success)?,
            validity: average("validity", written.validity)?,
            tools: average("tools", written.tools)?,
            ..Self::default()
        };
        if written.days.len() > DAYS {
            return Err(format!("days: {} of them, expected at most {DAYS}", written.days.len()));
        }
        for WrittenDay { day, count, mean, squares } in written.days {
            let rewards = Rewards::of(count, mean, squares);
            if rewards.count == 0 {
                return Err(format!(
                    "days: a mean of {mean} and squares of {squares} with {count} rewards, expected those of numbers from 0 to 1"
                ));
            }
            measures.put(Day { day, rewards });
        }
        Ok(measures)
    }
}

impl Serialize for Measures {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Measures {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Written::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{measure::Sample, validity::Verdict};
    use super::*;
    use crate::time::Micros;

    #[test]
    fn what_is_told_is_understood() {
        let mut measures = Measures::default();
        let verdict = Verdict { valid: Some(true), tools: None };
        measures
            .add(&Sample { ok: true, first_byte: None, throughput: Some(50.0), verdict, reward: Some(0.5) }, Micros(0));
        let told = Snapshot { measures: vec![Measured { candidate: "openai/gpt-4o".into(), measures }] };
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(
            json,
            r#"{"measures":[{"candidate":"openai/gpt-4o","measures":{"first_byte":{"sum":0.0,"count":0},"throughput":{"sum":5.0,"count":1},"success":{"sum":0.1,"count":1},"validity":{"sum":0.1,"count":1},"tools":{"sum":0.0,"count":0},"days":[{"day":0,"count":1,"mean":0.5,"squares":0.0}]}}]}"#
        );
        assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), told);
    }

    #[test]
    fn what_cannot_have_been_measured_is_refused_by_name() {
        let check =
            |json: &str| serde_json::from_str::<Measures>(json).map(|it| it.count()).map_err(|it| it.to_string());
        assert_eq!(check(r#"{"a_later_member":1}"#), Ok(0));
        for (json, expected) in [
            (r#"{"success":{"sum":-1,"count":1}}"#, "success: -1 of 1 numbers"),
            (r#"{"tools":{"sum":0.5,"count":0}}"#, "tools: 0.5 of 0 numbers"),
            (r#"{"first_byte":{"sum":1e300,"count":1}}"#, "first_byte"),
            (r#"{"days":[{"day":1,"count":1,"mean":2,"squares":0}]}"#, "a mean of 2"),
            (r#"{"days":[{"day":1,"count":1,"mean":1,"squares":9}]}"#, "squares of 9"),
            (r#"{"days":[{"day":1,"count":0,"mean":0,"squares":0}]}"#, "with 0 rewards"),
        ] {
            let refused = check(json).unwrap_err();
            assert!(refused.contains(expected), "{json}: {refused}");
        }
    }
}
