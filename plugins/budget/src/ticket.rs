//! What is known of a request that went on, and what it comes to.

use crate::{
    accounts::Held,
    headers,
    record::Outcome,
    stream::Told,
    tariff::{Need, Tariff, cost, nanos, output_for},
};
use domain::{
    caller::Caller, chat::Endpoint, estimate::Estimate, model::ModelName, money::Usd, price::Price, time::Micros,
    usage::Usage,
};

/// What the request's head says.
pub(crate) struct Facts {
    pub(crate) caller: Caller,
    pub(crate) endpoint: Endpoint,
    pub(crate) request_id: Option<String>,
    pub(crate) max_cost: Option<Usd>,
    pub(crate) started: Micros,
    /// How often it waited for others.
    pub(crate) waits: u8,
    /// How often it asked the companion.
    pub(crate) asks: u8,
}

/// A request that went on.
pub(crate) struct Ticket {
    pub(crate) facts: Facts,
    pub(crate) estimate: Estimate,
    pub(crate) need: Need,
    pub(crate) held: Vec<Held>,
    pub(crate) warnings: Vec<String>,
    pub(crate) from: Answerer,
}

/// Who answers, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Answerer {
    /// The response's status; 0 before there is one.
    pub(crate) status: u16,
    pub(crate) provider: Option<String>,
    /// The model's id there, where another candidate answered than the first.
    pub(crate) provider_model: Option<String>,
    pub(crate) price: Option<Price>,
}

/// What a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bill {
    pub(crate) told: Told,
    pub(crate) outcome: Outcome,
}

/// A model without a name.
const UNKNOWN: &str = "unknown";

impl Answerer {
    /// The price of who answers a request for `models`.
    pub(crate) fn price(tariff: &Tariff, models: &[String], provider: Option<&str>, id: Option<&str>) -> Option<Price> {
        let served = id.zip(provider).map(|(id, provider)| {
            let name = ModelName::parse(&format!("{provider}/{id}"));
            name.map_or_else(|_| format!("{provider}/{id}"), |it| it.canonical().to_string())
        });
        tariff.price(served.as_deref().or(models.first().map(String::as_str)).unwrap_or_default())
    }
}

impl Ticket {
    /// The model that was asked for.
    pub(crate) fn model(&self) -> &str {
        self.estimate.models.first().map_or(UNKNOWN, String::as_str)
    }

    /// The most that it may cost.
    pub(crate) fn estimated_cost(&self) -> Option<Usd> {
        self.need.cost.map(|(_, most)| most)
    }

    /// How many tokens of output all that is held back allows; `None`: nothing bounds it.
    pub(crate) fn cap(&self) -> Option<u64> {
        self.held.iter().filter_map(|it| self.allows(it)).min()
    }

    /// How many tokens of output one budget's reservation allows.
    pub(crate) fn allows(&self, held: &Held) -> Option<u64> {
        let (bound, input) = (held.bound()?, self.need.input);
        if !held.rule.money {
            return Some(bound.saturating_sub(input));
        }
        let price = self.from.price.as_ref()?;
        Some(output_for(price, input, bound.saturating_sub(nanos(cost(price, input, 0)))))
    }

    /// What a budget is charged for this usage.
    pub(crate) fn amount(&self, held: &Held, usage: &Usage) -> u64 {
        match (held.rule.money, &self.from.price) {
            (false, _) => usage.total(),
            (true, Some(price)) => nanos(price.cost(usage)),
            (true, None) => 0,
        }
    }

    /// What an answer comes to of which nothing is known but how long it took: its input, and of a plain one so many tokens
    /// a second, at most what was held back.
    pub(crate) fn abandoned(&self, tokens_per_second: u32, outcome: Outcome, now: Micros) -> Bill {
        let waited = u64::try_from(now.since(self.facts.started).as_millis()).unwrap_or(u64::MAX);
        let made = waited.saturating_mul(tokens_per_second.into()) / 1_000;
        let most = self.cap().unwrap_or(u64::MAX).min(self.need.output);
        let output = if self.estimate.stream { 0 } else { made.min(most) };
        Bill {
            told: Told { usage: Usage { input: self.need.input, output, ..Usage::default() }, estimated: true },
            outcome,
        }
    }

    /// What the comment in a stream says.
    pub(crate) fn comment(&self, told: &Told) -> String {
        let actual = self.from.price.as_ref().map(|it| it.cost(&told.usage));
        let efficiency = actual.and_then(|it| headers::efficiency(self.estimated_cost(), it));
        let text = |it: Option<String>| it.map_or_else(|| "null".to_owned(), |it| format!("\"{it}\""));
        let (input, output) = (told.usage.input, told.usage.output);
        format!(
            ": tollgate {{\"cost\":{},\"estimated\":{},\"input_tokens\":{input},\"output_tokens\":{output},\"efficiency\":{}}}\n\n",
            text(actual.map(|it| it.to_string())),
            told.estimated,
            text(efficiency),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn ticket(stream: bool, output: u64) -> Ticket {
        let config = br#"{"prices":{"openai/a":{"input":1,"output":10},"x/b":{"input":2,"output":20}}}"#;
        let tariff = Tariff::of(&Config::parse(config).unwrap()).unwrap();
        let models = vec!["openai/a".to_owned()];
        let estimate = Estimate { input: 100, output: Some(output), stream, models, ..Estimate::default() };
        let price = Answerer::price(&tariff, &estimate.models, Some("openai"), None);
        Ticket {
            facts: Facts {
                caller: Caller::default(),
                endpoint: Endpoint::ChatCompletions,
                request_id: None,
                max_cost: None,
                started: Micros(0),
                waits: 0,
                asks: 0,
            },
            need: tariff.need(&estimate),
            estimate,
            held: Vec::new(),
            warnings: Vec::new(),
            from: Answerer { price, ..Answerer::default() },
        }
    }

    #[test]
    fn hanging_up_on_a_plain_answer_costs_what_may_have_been_made() {
        let check = |stream, output, seconds| {
            let bill = ticket(stream, output).abandoned(100, Outcome::ClientGone, Micros::from_seconds(seconds));
            (bill.told.usage.input, bill.told.usage.output)
        };
        assert_eq!(
            [check(false, 500, 0), check(false, 500, 2), check(false, 500, 60)],
            [(100, 0), (100, 200), (100, 500)]
        );
        assert_eq!(check(true, 500, 60), (100, 0), "of a stream nothing came");
    }

    #[test]
    fn the_price_is_that_of_who_answered() {
        let config = br#"{"prices":{"openai/a":{"input":1,"output":10},"x/b":{"input":2,"output":20}}}"#;
        let tariff = Tariff::of(&Config::parse(config).unwrap()).unwrap();
        let models = ["openai/a".to_owned()];
        let input = |provider, id| Answerer::price(&tariff, &models, provider, id).map(|it| it.input);
        assert_eq!(input(None, None), Some(1_000_000));
        assert_eq!(input(Some("x"), Some("b")), Some(2_000_000));
        assert_eq!(input(Some("x"), Some("c")), None, "an unknown price is not the first one's");
    }

    #[test]
    fn a_comment_tells_the_cost() {
        let told = Told { usage: Usage { input: 100, output: 5, ..Usage::default() }, estimated: false };
        let comment = ticket(true, 20).comment(&told);
        assert_eq!(
            comment,
            ": tollgate {\"cost\":\"0.00015\",\"estimated\":false,\"input_tokens\":100,\"output_tokens\":5,\"efficiency\":\"2.00\"}\n\n"
        );
        let unpriced = Ticket { from: Answerer::default(), ..ticket(true, 20) };
        assert!(unpriced.comment(&told).contains(r#""cost":null"#));
    }
}
