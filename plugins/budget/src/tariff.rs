//! What a request may cost, and what it did.

use crate::config::{Config, UnknownPrice};
use domain::{
    estimate::Estimate,
    money::Usd,
    price::{Model, Price, Prices},
    usage::Usage,
};
use std::{cell::RefCell, collections::BTreeMap};

/// What an answer is taken for whose length neither the client nor the price table bounds, in tokens.
pub(crate) const UNKNOWN_OUTPUT: u64 = 4_096;

/// Whose names a model belongs to that comes without a provider's.
const LIKELIEST: &str = "openai/";

/// The prices that hold here.
pub(crate) struct Tariff {
    prices: Prices,
    unknown: UnknownPrice,
    /// What was looked up lately: the table is text, and finding a row in it costs more than all else in a request.
    known: RefCell<BTreeMap<String, Option<Model>>>,
}

/// How many models are remembered. A client may make up names.
const MOST_KNOWN: usize = 256;

/// How much a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Tokens of the request.
    pub(crate) input: u64,
    /// The most tokens of its answer.
    pub(crate) output: u64,
    /// Its cost with the shortest and the longest answer, by the dearest of the models that may serve it; `None` when
    /// the price of one of them is not known.
    pub(crate) cost: Option<(Usd, Usd)>,
}

impl Tariff {
    pub(crate) fn of(config: &Config) -> Result<Self, String> {
        Ok(Self { prices: Prices::built_in(&config.prices)?, unknown: config.unknown_price, known: RefCell::default() })
    }

    /// A model without a price may be used, and costs nothing that is counted.
    pub(crate) fn lets_unknown_pass(&self) -> bool {
        self.unknown == UnknownPrice::TokensOnly
    }

    fn model(&self, name: &str) -> Option<Model> {
        if let Some(known) = self.known.borrow().get(name) {
            return *known;
        }
        let model = self.look_up(name);
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(name.to_owned(), model);
        model
    }

    fn look_up(&self, name: &str) -> Option<Model> {
        self.prices.of(name).or_else(|| match name.contains('/') {
            true => None,
            false => self.prices.of(&format!("{LIKELIEST}{name}")),
        })
    }

    /// The price of a model by its canonical name.
    pub(crate) fn price(&self, name: &str) -> Option<Price> {
        self.model(name).and_then(|it| it.price).or_else(|| self.stand_in())
    }

    fn stand_in(&self) -> Option<Price> {
        let UnknownPrice::Of(million) = self.unknown else { return None };
        // A nano-dollar for a million tokens is a thousandth of a pico-dollar for one.
        let each = u64::try_from(million.nanos()).ok()?.div_ceil(1_000);
        Some(Price { input: each, output: each, cached: None, cache_write: None, long: None, priority: None })
    }

    /// What a request of this size may need.
    pub(crate) fn need(&self, estimate: &Estimate) -> Need {
        let input = estimate.input;
        let mut need = Need { input, output: 0, cost: Some((Usd::ZERO, Usd::ZERO)) };
        for name in estimate.models.iter().map(String::as_str).chain(estimate.models.is_empty().then_some("")) {
            let model = self.model(name);
            // Each of several answers may be as long as the model's longest.
            let each = |it: u64| it.saturating_mul(estimate.choices.max(1));
            let bound = model.and_then(|it| it.max_output).map(each);
            let output =
                estimate.output.or(bound).unwrap_or_else(|| each(UNKNOWN_OUTPUT)).min(bound.unwrap_or(u64::MAX));
            need.output = need.output.max(output);
            let price = model.and_then(|it| it.price).or_else(|| self.stand_in());
            let cost = price.map(|it| (cost(&it, input, output.min(1)), cost(&it, input, output)));
            need.cost = need.cost.zip(cost).map(|(one, other)| (one.0.max(other.0), one.1.max(other.1)));
        }
        need
    }
}

/// What so many tokens cost.
pub(crate) fn cost(price: &Price, input: u64, output: u64) -> Usd {
    price.cost(&Usage { input, output, ..Usage::default() })
}

/// An amount that is never negative, in nano-dollars.
pub(crate) fn nanos(amount: Usd) -> u64 {
    u64::try_from(amount.nanos()).unwrap_or_default()
}

/// How many tokens of output `nanos` buy.
pub(crate) fn output_for(price: &Price, input: u64, nanos: u64) -> u64 {
    let each = u128::from(price.at(input).output);
    let picos = u128::from(nanos).saturating_mul(1_000);
    picos.checked_div(each).map_or(u64::MAX, |it| u64::try_from(it).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(rest: &str) -> Tariff {
        let prices = r#""prices":{"openai/a":{"input":1,"output":10,"max_output":50},"x/b":{"input":2,"output":4}}"#;
        Tariff::of(&Config::parse(format!("{{{prices}{rest}}}").as_bytes()).unwrap()).unwrap()
    }

    fn check(rest: &str, output: Option<u64>, models: &[&str]) -> (u64, Option<String>) {
        let models = models.iter().map(|it| (*it).to_owned()).collect();
        let need = tariff(rest).need(&Estimate { input: 1_000, output, models, ..Estimate::default() });
        (need.output, need.cost.map(|(least, most)| format!("{least} {most}")))
    }

    #[test]
    fn the_dearest_candidate_and_the_longest_answer_count() {
        assert_eq!(check("", Some(20), &["openai/a"]), (20, Some("0.00101 0.0012".into())));
        assert_eq!(check("", None, &["openai/a"]), (50, Some("0.00101 0.0015".into())));
        assert_eq!(check("", Some(999), &["openai/a"]), (50, Some("0.00101 0.0015".into())));
        assert_eq!(check("", Some(20), &["a", "x/b"]), (20, Some("0.002004 0.00208".into())));
        assert_eq!(check("", None, &["x/b"]).0, UNKNOWN_OUTPUT);
        assert_eq!(check("", Some(0), &["x/b"]), (0, Some("0.002 0.002".into())), "an embedding has no output");
    }

    #[test]
    fn each_of_several_answers_may_be_the_longest() {
        let check = |output, choices, model: &str| {
            let models = vec![model.to_owned()];
            tariff("").need(&Estimate { output, choices, models, ..Estimate::default() }).output
        };
        assert_eq!([check(None, 3, "openai/a"), check(Some(60), 3, "openai/a")], [150, 60]);
        assert_eq!([check(Some(999), 3, "openai/a"), check(None, 3, "x/b")], [150, 3 * UNKNOWN_OUTPUT]);
    }

    #[test]
    fn an_unknown_price_is_not_zero() {
        assert_eq!(check("", Some(20), &["x/unheard-of"]), (20, None));
        assert_eq!(check("", Some(20), &["openai/a", "x/unheard-of"]).1, None);
        assert_eq!(check("", Some(20), &[]), (20, None));
        assert_eq!(check(r#","unknown_price":3"#, Some(20), &["x/unheard-of"]).1.unwrap(), "0.003003 0.00306");
    }

    #[test]
    fn money_buys_output() {
        let price = tariff("").price("openai/a").unwrap();
        assert_eq!(output_for(&price, 0, 10_000), 1);
        assert_eq!(output_for(&Price { output: 0, ..price }, 0, 1), u64::MAX);
    }
}
