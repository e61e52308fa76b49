//! What an exchange tells of the candidates that were asked.

use crate::health::Outcome;

/// What a provider answered at one attempt, as `provider` noted it: only errors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    attempt: u64,
    status: u16,
    retry_after: Option<u64>,
}

/// Reads the note of `provider`: `attempt status seconds` for each, with a `;` behind it; the seconds may be missing.
#[must_use]
pub fn noted(note: &str) -> Vec<Noted> {
    let one = |text: &str| {
        let mut words = text.split(' ');
        let (attempt, status) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Noted { attempt, status, retry_after: words.next().and_then(|it| it.parse().ok()) })
    };
    note.split(';').filter_map(one).collect()
}

/// The answer that the client gets.
#[derive(Debug, Clone, Copy)]
pub struct Last {
    /// Its status.
    pub status: u16,
    /// For how many seconds it asks to be left alone.
    pub retry_after: Option<u64>,
    /// Whether a provider gave it; else it is the proxy's or a filter's own.
    pub upstreams: bool,
}

/// What came of each of `tries` candidates after so many attempts; an attempt more than candidates is the last one's.
/// `failures` are the statuses besides 429 and 5xx that count as failures.
#[must_use]
pub fn outcomes(tries: usize, attempts: u64, last: Last, notes: &[Noted], failures: &[u16]) -> Vec<(usize, Outcome)> {
    let place = |attempt: u64| {
        let index = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(1);
        index.min(tries.saturating_sub(1))
    };
    let mut outcomes = Vec::with_capacity(tries);
    for attempt in 1..attempts.min(64) {
        let noted = notes.iter().find(|it| it.attempt == attempt);
        let outcome = match noted {
            Some(Noted { status: 429, retry_after, .. }) => Outcome::Cooldown(*retry_after),
            // It answered with another error, or did not get as far as an answer; else nobody would have been asked after it.
            _ => Outcome::Failure,
        };
        outcomes.push((place(attempt), outcome));
    }
    let final_outcome = match last.status {
        // A filter's own refusal tells nothing of the provider; the proxy's own says that it could not be reached.
        status if !last.upstreams => {
            if status >= 500 {
                Outcome::Failure
            } else {
                Outcome::Untried
            }
        }
        429 => Outcome::Cooldown(last.retry_after),
        status if status >= 500 || failures.contains(&status) => Outcome::Failure,
        _ => Outcome::Success,
    };
    if attempts > 0 {
        outcomes.push((place(attempts), final_outcome));
    }
    let asked = usize::try_from(attempts).unwrap_or(usize::MAX);
    outcomes.extend((asked..tries).map(|it| (it, Outcome::Untried)));
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One sign for each candidate's outcome, in the order in which they are told.
    fn check(tries: usize, attempts: u64, status: u16, upstreams: bool, note: &str) -> String {
        let last = Last { status, retry_after: Some(7), upstreams };
        let sign = |(place, it): (usize, Outcome)| match it {
            Outcome::Success => format!("{place}+"),
            Outcome::Failure => format!("{place}-"),
            Outcome::Cooldown(seconds) => format!("{place}~{}", seconds.map_or("?".into(), |it| it.to_string())),
            Outcome::Untried => format!("{place}."),
        };
        outcomes(tries, attempts, last, &noted(note), &[401]).into_iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn who_was_asked_and_did_not_answer_has_failed() {
        for (tries, attempts, status, upstreams, note, expected) in [
            (1, 1, 200, true, "", "0+"),
            (3, 1, 200, true, "", "0+ 1. 2."),
            (3, 3, 200, true, "1 503;", "0- 1- 2+"),
            (2, 2, 200, true, "1 429 9;", "0~9 1+"),
            (2, 2, 200, true, "1 429 ;", "0~? 1+"),
            (2, 2, 429, true, "1 500;2 429 7;", "0- 1~7"),
            (2, 1, 400, true, "", "0+ 1."),
            (2, 1, 401, true, "", "0- 1."),
            (2, 2, 503, false, "", "0- 1-"),
            (2, 1, 402, false, "", "0. 1."),
            // A filter refused before anybody was asked.
            (2, 0, 402, false, "", "0. 1."),
            // The one candidate was asked again after a broken connection.
            (1, 2, 200, true, "", "0- 0+"),
            (2, 2, 200, true, "x;1;1 a;; 5", "0- 1+"),
        ] {
            assert_eq!(check(tries, attempts, status, upstreams, note), expected, "{tries} {attempts} {status} {note}");
        }
        assert!(check(2, u64::MAX, 200, true, "").len() < 1000, "no loop is as long as a number says");
    }
}
