//! What a refused request is told, and what a client may ask for itself.

use crate::{rules::Rule, tariff::Need};
use domain::{
    budget::{Lack, Terms},
    headers::{self, Headers},
    money::Usd,
    reply::Reply,
};
use serde_json::json;

/// How long a client may wait before it tries again what others' requests stand in the way of.
const SOON_MS: &str = "1000";

/// The most that the client wants to pay.
///
/// # Errors
/// A 400 when the header stands there twice or is no amount.
pub(crate) fn max_cost(headers: &Headers) -> Result<Option<Usd>, Reply> {
    let mut values = headers.all(headers::MAX_COST);
    let Some(value) = values.next() else { return Ok(None) };
    let wrong =
        |why: &str| Reply::invalid(format!("the header `{}` {why}", headers::MAX_COST)).about(headers::MAX_COST);
    if values.next().is_some() {
        return Err(wrong("stands there twice"));
    }
    let text = std::str::from_utf8(value).map_err(|_| wrong("is not UTF-8"))?;
    Usd::parse(text.trim()).map(Some).map_err(|_| wrong("is no amount of US dollars, as in `0.05`"))
}

/// The answer to a request that nobody vouches for.
pub(crate) fn nobody() -> Reply {
    Reply::new(
        401,
        "invalid_api_key",
        "This request has no verified caller, so nobody's budget can pay for it. Operators: is the auth filter in front of \
         budget, or should budget's `trust` be \"headers\"?",
    )
}

/// The answer to a request that does not fit into a budget.
pub(crate) fn used_up(rule: &Rule, terms: &Terms, tier: Option<&str>, lack: &Lack) -> Reply {
    let (limit, so_far) = rule.words();
    let (what, code) = if rule.money { ("money", "budget_exceeded") } else { ("tokens", "quota_exceeded") };
    let message = match lack.in_flight {
        true => {
            format!("The {what} left in the budget `{}` are held by requests under way. Try again soon.", rule.name)
        }
        false => format!("The budget `{}` has too few {what} left for this request.", rule.name),
    };
    let (limit, so_far) = (json!({limit: rule.amount(terms.limit)}), json!({so_far: rule.amount(lack.used)}));
    let details = json!({"tier": tier, "budget": rule.name, "limit": limit, "usage": so_far});
    let reply = Reply::new(402, code, message).details(details);
    match lack.in_flight {
        true => reply.header("x-should-retry", "true").header("retry-after-ms", SOON_MS).header("retry-after", "1"),
        false => reply,
    }
}

/// The answer to a request whose estimate is above what the client wants to pay.
pub(crate) fn too_dear(estimate: Usd, most: Usd) -> Reply {
    let message = format!("This request may cost {estimate} US dollars; `{}` allows {most}.", headers::MAX_COST);
    let details = json!({"estimated_cost": estimate.to_string(), "max_cost": most.to_string()});
    Reply::new(402, "cost_exceeded", message).about(headers::MAX_COST).details(details)
}

/// The answer to a request for a model without a price, where money is counted.
pub(crate) fn no_price(code: &'static str) -> Reply {
    let message = "The price of this model is not known, so it cannot be used where money is counted. Operators: `prices` or \
                   `unknown_price` of budget can give it one.";
    Reply::new(402, code, message).about("model")
}

/// The answer when the proxy's shared memory fails.
pub(crate) fn unavailable() -> Reply {
    Reply::new(503, "budget_unavailable", "The gateway cannot look at your budget right now. Try again.")
        .header("retry-after", "1")
}

/// The answer when the companion does not lend what this gateway lacks.
pub(crate) fn no_lease() -> Reply {
    Reply::new(503, "companion_unavailable", "The gateway cannot look at your budget right now. Try again.")
        .header("retry-after", "1")
}

/// What a client's own bound says of a request.
pub(crate) enum Bound {
    /// It fits, or there is none.
    Fits,
    /// It is above it by this estimate.
    Above(Usd),
    /// Nobody knows what it costs.
    Unknown,
}

/// Compares the estimate with what the client wants to pay.
pub(crate) fn bound(need: &Need, most: Option<Usd>) -> Bound {
    match (need.cost, most) {
        (_, None) => Bound::Fits,
        (None, Some(_)) => Bound::Unknown,
        (Some((_, estimate)), Some(most)) if estimate > most => Bound::Above(estimate),
        (Some(_), Some(_)) => Bound::Fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, rules::Rules};
    use domain::time::Micros;

    fn refused(budget: &str, lack: Lack) -> Reply {
        let json = format!(r#"{{"budgets":[{{"name":"b","key":"user",{budget}}}]}}"#);
        let rules = Rules::of(&Config::parse(json.as_bytes()).unwrap()).unwrap();
        let rule = &rules.of_project("p")[0];
        used_up(rule, &rule.terms(Some("free"), Micros(5)), Some("free"), &lack)
    }

    #[test]
    fn a_refusal_names_the_tier_the_limit_and_the_usage() {
        let reply = refused(r#""tokens":100,"per":"day""#, Lack { used: 99, in_flight: false });
        assert_eq!((reply.status, reply.code), (402, "quota_exceeded"));
        let want =
            json!({"tier": "free", "budget": "b", "limit": {"tokens_per_day": 100}, "usage": {"tokens_today": 99}});
        assert_eq!((reply.details, reply.headers), (Some(Box::new(want)), vec![]));

        let reply = refused(r#""usd":"1.5","per":"month""#, Lack { used: 1_250_000_000, in_flight: true });
        assert_eq!(reply.code, "budget_exceeded");
        assert!(reply.headers.contains(&("x-should-retry", "true".to_owned())));
        let details = reply.details.unwrap();
        assert_eq!(
            (&details["limit"], &details["usage"]),
            (&json!({"usd_per_month": "1.50"}), &json!({"usd_this_month": "1.25"}))
        );
    }

    #[test]
    fn a_clients_bound_is_an_amount_that_stands_there_once() {
        let check = |values: &[&[u8]]| {
            let mut headers = Headers::default();
            values.iter().for_each(|it| headers.append(headers::MAX_COST.as_bytes(), it));
            max_cost(&headers).map_err(|it| it.status)
        };
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[b"0.05"]), Ok(Some(Usd::from_nanos(50_000_000))));
        for wrong in [&[&b"-1"[..]][..], &[b"$1"], &[b"1e3"], &[b"\xff"], &[b"1", b"2"]] {
            assert_eq!(check(wrong), Err(400), "{wrong:?}");
        }
    }

    #[test]
    fn an_estimate_is_held_against_the_bound() {
        let usd = Usd::from_nanos;
        let need = |cost| Need { input: 1, output: 1, cost };
        assert!(matches!(bound(&need(Some((usd(1), usd(9)))), Some(usd(9))), Bound::Fits));
        assert!(matches!(bound(&need(Some((usd(1), usd(9)))), Some(usd(8))), Bound::Above(it) if it == usd(9)));
        assert!(matches!(bound(&need(None), Some(usd(8))), Bound::Unknown));
        assert!(matches!(bound(&need(None), None), Bound::Fits));
    }
}
