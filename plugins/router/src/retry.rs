//! When the proxy asks the next candidate. Envoy reads it from headers of ours that no client can set and no provider sees.

use domain::model::Chain;

/// What Envoy is told of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    candidates: usize,
    statuses: Vec<u16>,
    /// How long until an answer begins. Envoy's other timeout would end a stream in its middle.
    timeout_ms: Option<u128>,
}

impl Retry {
    pub(crate) fn of(chain: &Chain, candidates: usize) -> Self {
        let timeout_ms = chain.try_timeout.map(|it| it.get().as_millis());
        Self { candidates, statuses: chain.also_retry.clone(), timeout_ms }
    }

    /// Statuses besides 429 and 5xx after which the next candidate is tried.
    #[must_use]
    pub fn statuses(&self) -> &[u16] {
        &self.statuses
    }

    /// Envoy's headers. The route itself says that a connection which broke is tried once more: that is all there is for a
    /// candidate that is alone, and what it answers is what the client hears.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(retries @ 1..) = self.candidates.checked_sub(1) {
            let statuses = [429].iter().chain(&self.statuses).map(u16::to_string).collect::<Vec<_>>();
            headers.push(("x-envoy-max-retries", retries.to_string()));
            headers.push(("x-envoy-retry-on", "5xx,retriable-status-codes".to_owned()));
            headers.push(("x-envoy-retriable-status-codes", statuses.join(",")));
        }
        headers.extend(self.timeout_ms.map(|it| ("x-envoy-upstream-rq-per-try-timeout-ms", it.to_string())));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chain: &str, candidates: usize) -> String {
        let chain: Chain = serde_json::from_str(chain).unwrap();
        let headers = Retry::of(&chain, candidates).headers();
        let text: Vec<_> =
            headers.iter().map(|(name, value)| format!("{}={value}", name.replace("x-envoy-", ""))).collect();
        text.join(" ")
    }

    #[test]
    fn there_is_one_retry_less_than_candidates() {
        let plain = r#"[{"provider":"a"}]"#;
        let more = r#"{"candidates":[{"provider":"a"}],"also_retry":[401,402],"try_timeout":"1.5s"}"#;
        for (chain, candidates, expected) in [
            (plain, 1, ""),
            (plain, 3, "max-retries=2 retry-on=5xx,retriable-status-codes retriable-status-codes=429"),
            (
                more,
                2,
                "max-retries=1 retry-on=5xx,retriable-status-codes retriable-status-codes=429,401,402 \
                 upstream-rq-per-try-timeout-ms=1500",
            ),
            (more, 1, "upstream-rq-per-try-timeout-ms=1500"),
        ] {
            assert_eq!(check(chain, candidates), expected);
        }
    }
}
