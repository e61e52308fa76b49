use super::*;
use crate::usage::csv;
use crate::usage::question::Words;
use serde_json::{Value, json};

const NOON: Micros = Micros(1_769_860_800_000_000);

fn question(granularity: Option<&str>, group_by: Option<&str>) -> Question {
    let text = |it: &str| Some(it.to_owned());
    let words = Words {
        from: text("2026-01-31"),
        to: text("2026-02-01"),
        user_id: None,
        granularity: granularity.map(str::to_owned),
        group_by: group_by.map(str::to_owned),
    };
    Question::read(&words, NOON).unwrap()
}

fn scope(user: &str) -> Scope {
    Scope { project: Some("p1".to_owned()), user: Some(user.to_owned()) }
}

/// Rows by model and source.
fn rows(rows: &[(Option<Micros>, &str, &str, u64, i64)]) -> Rows {
    let row = |(at, model, source, requests, nanos): &(Option<Micros>, &str, &str, u64, i64)| Row {
        at: *at,
        names: vec![(*model).to_owned(), (*source).to_owned()],
        sum: Sum {
            requests: *requests,
            input_tokens: requests.saturating_mul(10),
            output_tokens: *requests,
            cost_nanos: *nanos,
            unpriced: u64::from(*nanos == 0),
            ..Sum::default()
        },
    };
    Rows::new(vec![Group::Model, Group::Source], rows.iter().map(row).collect())
}

fn json(value: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn usage_adds_up_and_keeps_the_two_sources_apart() {
    let question = question(Some("hour"), Some("model"));
    let rows = rows(&[
        (Some(NOON), "openai/gpt-4o", "platform", 2, 1_500_000),
        (Some(NOON), "openai/gpt-4o", "byok", 1, 500_000),
        (Some(NOON), "x/y", "byok", 1, 0),
    ]);
    let usage = json(&Usage::of(About::of(&scope("ada"), &question), &question, &rows));
    assert_eq!(usage["window"], json!({"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z"}));
    assert_eq!([&usage["project_id"], &usage["user_id"], &usage["granularity"]], ["p1", "ada", "hour"]);
    assert_eq!(usage["totals"]["tokens"], 44);
    assert_eq!([&usage["platform"]["requests"], &usage["byok"]["requests"]], [2, 2]);
    let first = &usage["breakdown"][0];
    assert_eq!([&first["timestamp"], &first["model"]], ["2026-01-31T12:00:00Z", "openai/gpt-4o"]);
    assert_eq!([&first["requests"], &first["tokens"]], [3, 33]);
    assert_eq!((usage["breakdown"].as_array().unwrap().len(), &usage["breakdown"][1]["unpriced"]), (2, &json!(1)));
}

#[test]
fn money_is_printed_digit_by_digit() {
    let question = question(None, None);
    let check = |nanos: &[i64]| {
        let rows: Vec<_> = nanos.iter().map(|it| (None, "m", "platform", 1, *it)).collect();
        let usage = Usage::of(About::of(&Scope::default(), &question), &question, &self::rows(&rows));
        let text = serde_json::to_string(&usage.totals).unwrap();
        text.split("\"cost_usd\":").nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    // As binary fractions these add up to 0.30000000000000004.
    assert_eq!(check(&[100_000_000, 200_000_000]), "0.30");
    assert_eq!(check(&[1]), "0.000000001");
    assert_eq!(check(&[9_007_199_254_740_993_000]), "9007199254.740993");
    assert_eq!(check(&[i64::MAX, i64::MAX]), "9223372036.854775807");
    assert_eq!(check(&[]), "0.00");
}

#[test]
fn a_bill_has_two_sides_with_their_models_the_dearest_first() {
    let question = question(None, None);
    let rows = rows(&[
        (Some(NOON), "a", "platform", 1, 1_000_000),
        (Some(NOON), "b", "platform", 1, 5_000_000),
        (None, "a", "platform", 2, 1_000_000),
        (None, "", "byok", 1, 7),
    ]);
    let bill = json(&Billing::of(About::of(&Scope::default(), &question), &question, &rows, false));
    let platform = &bill["platform"];
    assert_eq!([&platform["requests"], &platform["input_tokens"], &platform["output_tokens"]], [4, 40, 4]);
    assert_eq!([&platform["by_model"][0]["model"], &platform["by_model"][1]["model"]], ["b", "a"]);
    assert_eq!([&platform["by_model"][1]["requests"], &bill["byok"]["requests"]], [3, 1]);
    assert_eq!((&bill["byok"]["by_model"][0]["model"], platform.get("breakdown")), (&Value::Null, None));
    let broken = json(&Billing::of(About::of(&Scope::default(), &question), &question, &rows, true));
    assert_eq!(broken["platform"]["breakdown"].as_array().unwrap().len(), 2);
    let text =
        serde_json::to_string(&Billing::of(About::of(&Scope::default(), &question), &question, &rows, false)).unwrap();
    assert!(text.contains("\"cost_usd\":0.000000007,"), "{text}");
}

#[test]
fn a_table_has_the_numbers_of_the_other_answers() {
    let written = json(&Numbers::from(Sum::default()));
    let mut names = Sum::default().numbers().map(|it| it.0).to_vec();
    names.sort_unstable();
    let mut members: Vec<_> = written.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, names);
}

#[test]
fn a_table_has_a_head_and_a_line_for_each_source() {
    let rows = rows(&[(Some(NOON), "=m", "platform", 2, 1_500_000), (Some(NOON), "=m", "byok", 1, 0)]);
    assert_eq!(
        csv::text(&table(&question(None, Some("day,model")), &rows)),
        "timestamp,model,source,requests,tokens,input_tokens,cached_tokens,cache_write_tokens,output_tokens,\
         reasoning_tokens,cost_usd,unpriced,estimated\r\n\
         2026-01-31T12:00:00Z,'=m,platform,2,22,20,0,0,2,0,0.0015,0,0\r\n\
         2026-01-31T12:00:00Z,'=m,byok,1,11,10,0,0,1,0,0.00,1,0\r\n"
    );
}
