use super::*;

fn check(json: &str) -> Result<Config, String> {
    Config::parse(json.as_bytes())
}

const DAILY: &str = r#""name":"d","key":"user","per":"day""#;

#[test]
fn nothing_written_is_a_million_tokens_a_day_for_each_user() {
    let config = check("{}").unwrap();
    let [budget] = config.budgets.as_slice() else { panic!() };
    assert_eq!((budget.name.as_str(), budget.key, budget.limit()), ("user-daily", Key::User, Ok((1_000_000, false))));
    let tiers: Vec<u64> = budget.tiers(false).unwrap().into_values().collect();
    assert_eq!(tiers, [50_000, 20_000_000, 2_000_000]);
    assert_eq!(
        (config.slots.get(), config.unknown_price, config.max_cost),
        (8192, UnknownPrice::Deny, MaxCost::Active)
    );
    assert_eq!(config.reservation_ttl.get(), Duration::from_secs(1800));
}

#[test]
fn amounts_are_in_the_budgets_unit() {
    let config =
        check(&format!(r#"{{"budgets":[{{{DAILY},"usd":"1.5","tiers":{{"pro":2,"max":"0.000000001"}}}}]}}"#)).unwrap();
    let budget = &config.budgets[0];
    assert_eq!(budget.limit(), Ok((1_500_000_000, true)));
    assert_eq!(budget.tiers(true).unwrap().into_values().collect::<Vec<_>>(), [1, 2_000_000_000]);
    assert_eq!(check(r#"{"unknown_price": 2.5}"#).unwrap().unknown_price, UnknownPrice::Of(Usd::parse("2.5").unwrap()));
    assert_eq!(check(r#"{"unknown_price": "tokens_only"}"#).unwrap().unknown_price, UnknownPrice::TokensOnly);
}

#[test]
fn a_mistake_is_named_by_its_key() {
    let budget = |rest: &str| format!(r#"{{"budgets":[{{{DAILY}{rest}}}]}}"#);
    for (json, why) in [
        (budget(""), "budgets[0]: has neither or both of `tokens` and `usd`"),
        (budget(r#","tokens":5,"usd":1"#), "budgets[0]: has neither or both"),
        (budget(r#","tokens":0"#), "nonzero"),
        (budget(r#","usd":0"#), "`usd` is 0.00; expected more than nothing"),
        (budget(r#","usd":-1"#), "negative"),
        (budget(r#","tokens":5,"tiers":{"pro":0}"#), "tiers.pro is 0; expected a whole number of tokens from 1"),
        (budget(r#","tokens":5,"tiers":{"":1}"#), "`tiers` has an empty name"),
        (budget(r#","usd":5,"tiers":{"pro":"x"}"#), "tiers.pro is \"x\"; expected US dollars"),
        (budget(r#","tokens":5,"alerts":[0]"#), "`alerts` has 0"),
        (budget(r#","tokens":5,"time_zone":"Mars/Olympus""#), "time_zone: "),
        (budget(r#","tokens":5,"scope":"fleet""#), "no `companion`"),
        (budget(r#","tokens":5,"scoop":"fleet""#), "unknown field `scoop`"),
        (r#"{"budgets":[{"name":"A b","key":"user","per":"day","tokens":1}]}"#.into(), "budgets[0]: `name` is not"),
        (r#"{"budgets":[{"name":"a","key":"user","per":"week","tokens":1}]}"#.into(), "week"),
        (r#"{"budgets":[{"name":"a","key":"users","per":"day","tokens":1}]}"#.into(), "unknown variant `users`"),
        (
            format!(r#"{{"projects":{{"p":[{{{DAILY},"tokens":1}},{{{DAILY},"tokens":2}}]}}}}"#),
            "projects.p[1]: the name `d`",
        ),
        (r#"{"projects":{"":[]}}"#.into(), "`projects` has an empty name"),
        (r#"{"unknown_price":"free"}"#.into(), "`unknown_price` is \"free\"; expected"),
        (r#"{"reservation_ttl":"9s"}"#.into(), "reservation_ttl"),
        (r#"{"report_every":"2s"}"#.into(), "report_every"),
        (r#"{"abandoned_tokens_per_second":100001}"#.into(), "`abandoned_tokens_per_second` is 100001"),
        (r#"{"slots":0}"#.into(), "`slots` is 0"),
        (r#"{"byok":[""]}"#.into(), "`byok` has an empty name"),
        (r#"{"compat":"litellm"}"#.into(), "unknown variant `litellm`"),
        (r#"{"max_cost":"on"}"#.into(), "unknown variant `on`"),
        (r#"{"companion":{"cluster":"","secret":{"value":"s"}}}"#.into(), "companion.cluster"),
    ] {
        let said = check(&json).unwrap_err();
        assert!(said.starts_with("budget: ") && said.contains(why), "{json}: {said}");
    }
}
