//! What a response says of its cost.

use crate::config::Compat;
use domain::money::Usd;

/// The most that the request may cost, as it was reserved.
pub(crate) const ESTIMATED_COST: &str = "x-tollgate-estimated-cost";
/// What it cost, where that is known before the head leaves.
pub(crate) const ACTUAL_COST: &str = "x-tollgate-actual-cost";
/// Estimated by actual cost.
pub(crate) const EFFICIENCY: &str = "x-tollgate-efficiency";
/// Which budgets are nearly used up, or more than that, and by how much.
pub(crate) const WARNING: &str = "x-tollgate-budget-warning";

/// How many warnings one response carries.
const MOST_WARNINGS: usize = 4;

/// A header of a response.
pub(crate) type Header = (&'static str, String);

/// What is said before the answer is known.
pub(crate) fn before(estimate: Option<Usd>, warnings: &[String], compat: Option<Compat>) -> Vec<Header> {
    let mut headers = Vec::new();
    if let Some(estimate) = estimate {
        headers.push((ESTIMATED_COST, estimate.to_string()));
        if compat.is_some() {
            headers.push(("x-br-estimated-cost", estimate.to_string()));
        }
    }
    if !warnings.is_empty() {
        headers.push((WARNING, warnings.iter().take(MOST_WARNINGS).cloned().collect::<Vec<_>>().join(", ")));
    }
    headers
}

/// Who answered, in the other product's words.
pub(crate) fn answered_by(model: Option<&str>, provider: Option<&str>, compat: Option<Compat>) -> Vec<Header> {
    let names = [("x-br-selected-model", model), ("x-br-model", model), ("x-br-provider", provider)];
    let known = names.into_iter().filter(|_| compat.is_some());
    known.filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
}

/// What is said once the cost is known.
pub(crate) fn after(estimate: Option<Usd>, actual: Usd, compat: Option<Compat>) -> Vec<Header> {
    let mut headers = vec![(ACTUAL_COST, actual.to_string())];
    let efficiency = efficiency(estimate, actual);
    headers.extend(efficiency.clone().map(|it| (EFFICIENCY, it)));
    if compat.is_some() {
        headers.push(("x-br-actual-cost", actual.to_string()));
        headers.extend(efficiency.map(|it| ("x-br-efficiency", it)));
    }
    headers
}

/// Estimated by actual cost, with two decimals; `None` when there is nothing to divide.
pub(crate) fn efficiency(estimate: Option<Usd>, actual: Usd) -> Option<String> {
    let (estimate, actual) = (u128::try_from(estimate?.nanos()).ok()?, u128::try_from(actual.nanos()).ok()?);
    // Rounded half up.
    let doubled = estimate.checked_mul(200)?.checked_div(actual)?;
    let hundredths = doubled.checked_add(1)? / 2;
    Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efficiency_is_the_estimate_by_the_cost_and_left_out_when_unknown() {
        let usd = Usd::from_nanos;
        let check = |estimate, actual| efficiency(estimate, usd(actual));
        assert_eq!(check(Some(usd(120)), 100).as_deref(), Some("1.20"));
        assert_eq!(check(Some(usd(2)), 3).as_deref(), Some("0.67"));
        assert_eq!(check(Some(usd(i64::MAX)), 1).as_deref(), Some("9223372036854775807.00"));
        assert_eq!((check(None, 1), check(Some(usd(1)), 0)), (None, None));
    }

    #[test]
    fn the_other_products_names_are_sent_only_when_asked_for() {
        let names = |compat| {
            let all = [before(Some(Usd::ZERO), &["b 80%".into()], compat), after(Some(Usd::MAX), Usd::MAX, compat)];
            let who = answered_by(Some("m"), None, compat);
            all.concat().into_iter().chain(who).map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(None), [ESTIMATED_COST, WARNING, ACTUAL_COST, EFFICIENCY]);
        assert_eq!(names(Some(Compat::BrainstormRouter)).iter().filter(|it| it.starts_with("x-br-")).count(), 5);
    }
}
