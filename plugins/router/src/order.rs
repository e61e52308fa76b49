//! In which order candidates are tried: by their chain's strategy, without those whose circuit breaker is open.

use crate::{
    candidates::{Choice, Found},
    policy::Moment,
};
use domain::{
    choice::{Admit, Known, Measures, Strategy, order},
    model::MOST_TRIES,
    price::Prices,
    reply::Reply,
    time::Micros,
};
use std::num::NonZeroU32;

/// By what the candidates of a request are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// Each name's by its chain's strategy, in the order of the names.
    #[default]
    Chains,
    /// As they stand: the client has put them in order.
    Client,
    /// Each name's by this.
    Each(Strategy),
    /// All of them by this, whatever name they are of.
    All(Strategy),
}

/// Puts the candidates in order and leaves those that may be tried, no more than can be. `true` for each that finds out
/// whether a candidate is well again.
///
/// # Errors
/// 503 when every candidate is left alone because it failed, with the time until one is asked again.
pub(crate) fn arrange(found: &mut Found<'_>, prices: &Prices, moment: &mut Moment<'_>) -> Result<Vec<bool>, Reply> {
    if let By::All(strategy) = found.by {
        found.choices = sorted(std::mem::take(&mut found.choices), strategy, prices, moment);
    } else if found.by != By::Client {
        let mut all = std::mem::take(&mut found.choices);
        for named in 0..found.named.len() {
            let own: Vec<Choice> = all.extract_if(.., |it| it.named == named).collect();
            found.choices.extend(sorted(own, found.strategy(named), prices, moment));
        }
    }
    let Moment { health, now, .. } = *moment;
    let (mut probes, mut later) = (Vec::with_capacity(MOST_TRIES), Vec::new());
    let mut again: Option<Micros> = None;
    let all = std::mem::take(&mut found.choices);
    for it in all {
        if probes.len() >= MOST_TRIES {
            break;
        }
        let admitted = match health.peek(&it.key) {
            Admit::Probe => health.admit(&it.key),
            other => other,
        };
        match admitted {
            Admit::No { until } => again = Some(again.map_or(until, |it| it.min(until))),
            Admit::Later { .. } => later.push(it),
            Admit::Yes | Admit::Probe => {
                probes.push(admitted == Admit::Probe);
                found.choices.push(it);
            }
        }
    }
    // Where nobody else is left, what a provider itself says to one request too many is the best answer.
    if found.choices.is_empty() {
        later.truncate(MOST_TRIES);
        (probes, found.choices) = (vec![false; later.len()], later);
    }
    if found.choices.is_empty() {
        return Err(all_ill(again.map_or(1, |it| it.seconds().saturating_sub(now.seconds()).max(1))));
    }
    Ok(probes)
}

fn sorted(choices: Vec<Choice>, strategy: Strategy, prices: &Prices, moment: &mut Moment<'_>) -> Vec<Choice> {
    if strategy == Strategy::Priority || choices.len() < 2 {
        return choices;
    }
    let measures: Vec<_> = match strategy.measures() {
        true => choices.iter().map(|it| moment.health.measures(&it.key)).collect(),
        false => choices.iter().map(|_| Measures::default()).collect(),
    };
    let known = choices.iter().zip(&measures).map(|(it, measures)| Known {
        price: price(prices, it),
        weight: it.candidate.weight.unwrap_or(NonZeroU32::MIN),
        measures,
    });
    let order = order(strategy, &known.collect::<Vec<_>>(), moment.now, moment.rng);
    let mut choices: Vec<Option<Choice>> = choices.into_iter().map(Some).collect();
    order.into_iter().filter_map(|place| choices.get_mut(place)?.take()).collect()
}

/// Of an input and an output token together, in pico-dollars.
pub(crate) fn price(prices: &Prices, choice: &Choice) -> Option<u64> {
    let price = prices.of(choice.serves.as_ref()?.as_str())?.price?;
    Some(price.input.saturating_add(price.output))
}

/// The answer when all candidates have failed of late.
fn all_ill(seconds: u64) -> Reply {
    let message = "Every provider of this model has failed of late, and is left alone for a while.";
    Reply::new(503, "upstream_error", message).header("retry-after", seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{candidates, config::Config, health::Health};
    use std::{cell::RefCell, collections::BTreeMap};

    const NOW: Micros = Micros(1_000_000_000);

    /// What the test says of candidates; those of which it says nothing are well.
    #[derive(Default)]
    struct Told {
        ill: Vec<&'static str>,
        busy: Vec<&'static str>,
        half_open: Vec<&'static str>,
        taken: RefCell<Vec<String>>,
    }

    impl Health for Told {
        fn peek(&self, key: &str) -> Admit {
            match key {
                it if self.ill.contains(&it) => Admit::No { until: Micros(NOW.0 + 30_000_000) },
                it if self.busy.contains(&it) => Admit::Later { until: NOW },
                it if self.half_open.contains(&it) => Admit::Probe,
                _ => Admit::Yes,
            }
        }

        fn admit(&self, key: &str) -> Admit {
            let taken = self.taken.borrow().iter().any(|it| it == key);
            self.taken.borrow_mut().push(key.to_owned());
            if taken { Admit::No { until: NOW } } else { Admit::Probe }
        }

        fn measures(&self, _: &str) -> Measures {
            Measures::default()
        }
    }

    const CONFIG: &str = r#"{"auto":["gpt-4o","gpt-4o-mini","claude-opus-4-5"],
        "models":[{"name":"gpt-4o","chain":"plain"},{"name":"openai/*","chain":"openai"},{"name":"own/*","chain":"cheap"},
                  {"name":"anthropic/*","chain":"anthropic"}],
        "chains":{"plain":[{"provider":"openai"},{"provider":"azure","model":"gpt-4o-mini"}],"openai":[{"provider":"openai"}],
                  "cheap":{"strategy":"price","candidates":[{"provider":"nobody"},{"provider":"openai","model":"gpt-4o"},{"provider":"openai","model":"gpt-4o-mini"}]},
                  "anthropic":[{"provider":"anthropic"}]},
        "tiers":{"free":["gpt-4o-mini"]}}"#;

    /// The candidates in order, `?` behind a probe, or status and seconds.
    fn check(told: &Told, tier: Option<&str>, model: &str) -> String {
        let catalog = Config::parse(CONFIG.as_bytes()).unwrap().catalog().unwrap();
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        let caller = domain::caller::Caller { tier: tier.map(Into::into), ..Default::default() };
        let kill = domain::kill::ModelSwitches::default();
        let names = candidates::alternatives(model);
        let mut found = candidates::find(&catalog, &kill, Some(&caller), &names, &mut |_| {}).unwrap();
        let mut moment = Moment { health: told, now: NOW, rng: &mut domain::choice::Rng::seeded(1) };
        match arrange(&mut found, &prices, &mut moment) {
            Ok(probes) => {
                let shown = |(it, probe): (&Choice, bool)| format!("{}{}", it.key, if probe { "?" } else { "" });
                found.choices.iter().zip(probes).map(shown).collect::<Vec<_>>().join(" ")
            }
            Err(it) => format!("{} {}", it.status, it.headers[0].1),
        }
    }

    #[test]
    fn each_chain_has_its_order_and_a_word_behind_the_name_another() {
        let well = Told::default();
        for (model, expected) in [
            ("gpt-4o", "openai/gpt-4o azure/gpt-4o-mini"),
            ("gpt-4o:floor", "azure/gpt-4o-mini openai/gpt-4o"),
            ("openai/gpt-4o:floor?temperature=1", "azure/gpt-4o-mini openai/gpt-4o"),
            ("own/x", "openai/gpt-4o-mini openai/gpt-4o nobody/x"),
            ("own/x:exacto", "openai/gpt-4o-mini openai/gpt-4o nobody/x:exacto"),
            ("claude-opus-4-5|gpt-4o:floor", "anthropic/claude-opus-4-5 azure/gpt-4o-mini openai/gpt-4o"),
            ("auto", "azure/gpt-4o-mini openai/gpt-4o-mini openai/gpt-4o anthropic/claude-opus-4-5"),
        ] {
            assert_eq!(check(&well, None, model), expected, "{model}");
        }
        assert_eq!(check(&well, Some("free"), "auto"), "openai/gpt-4o-mini");
    }

    #[test]
    fn auto_is_what_a_callers_rules_make_of_it_where_none_of_its_models_is_given() {
        let check = |rules: &str| {
            let json = format!(
                r#"{{"auto":["openai/gpt-4o"],{rules},"models":[{{"name":"*","chain":"c"}}],"chains":{{"c":[{{"provider":"openai"}}]}}}}"#
            );
            let catalog = Config::parse(json.as_bytes()).unwrap().catalog().unwrap();
            let caller = domain::caller::Caller { project: "p".into(), tier: Some("t".into()), ..Default::default() };
            let found = candidates::find(&catalog, &Default::default(), Some(&caller), &["auto".into()], &mut |_| {});
            found.map(|it| (it.named[0].canonical.to_string(), it.named[0].replaced.clone())).map_err(|it| it.status)
        };
        assert_eq!(check(r#""tiers":{"t":["auto"]}"#), Ok(("auto".into(), None)));
        assert_eq!(check(r#""tiers":{"t":["claude-3-opus"]}"#), Err(404));
        let fixed = |model: &str| check(&format!(r#""projects":{{"p":{{"model":"{model}","model_policy":"fixed"}}}}"#));
        assert_eq!(fixed("auto"), Ok(("auto".into(), None)));
        assert_eq!(fixed("own/x"), Ok(("own/x".into(), Some("auto".into()))));
        assert_eq!(fixed("gpt-4o"), Ok(("openai/gpt-4o".into(), Some("auto".into()))));
    }

    #[test]
    fn who_failed_is_passed_over_until_one_request_tries_it() {
        let ill = Told { ill: vec!["openai/gpt-4o"], ..Told::default() };
        assert_eq!(check(&ill, None, "gpt-4o"), "azure/gpt-4o-mini");
        assert_eq!(check(&ill, None, "openai:gpt-4o"), "503 30");
        let busy = Told { busy: vec!["openai/gpt-4o"], ill: vec!["azure/gpt-4o-mini"], ..Told::default() };
        assert_eq!(check(&busy, None, "gpt-4o"), "openai/gpt-4o", "what it says itself is the answer");
        let busy = Told { ill: Vec::new(), ..busy };
        assert_eq!(check(&busy, None, "gpt-4o"), "azure/gpt-4o-mini");
        let half = Told { half_open: vec!["openai/gpt-4o"], ..Told::default() };
        assert_eq!(check(&half, None, "gpt-4o"), "openai/gpt-4o? azure/gpt-4o-mini");
        assert_eq!(check(&half, None, "gpt-4o"), "azure/gpt-4o-mini", "another request is the one");
    }
}
