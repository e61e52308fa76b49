//! Compares what users were told, what is stored, and what the provider was shown.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{Try, answer, question};
use crate::fake::Received;

/// What was compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Users.
    pub users: usize,
    /// Turns that they were told of.
    pub acknowledged: usize,
    /// Tries that came to nothing.
    pub failed: usize,
    /// Of these, stored all the same.
    pub failed_and_stored: usize,
    /// Answers that said so.
    pub stale: usize,
    /// Of these, before anything had died.
    pub stale_in_quiet: usize,
    /// Histories that lacked the turn in flight, each with an answer that said so or never came.
    pub lacking: usize,
    /// Histories that the provider received.
    pub histories: usize,
    /// All of it.
    pub took: Duration,
}

type Stored = Vec<(String, String, bool)>;

/// The messages before the question, by the answer that was asked for.
pub(super) fn heard(requests: &[Received]) -> HashMap<String, Vec<Vec<String>>> {
    let mut heard: HashMap<String, Vec<Vec<String>>> = HashMap::new();
    for request in requests {
        let body = request.json();
        let digits = body["model"].as_str().and_then(|it| it.strip_prefix("fake-says-")).expect("a model of ours");
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits of ours");
        let asked: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let said = |it: &Value| format!("{} {}", it["role"].as_str().unwrap(), it["content"].as_str().unwrap());
        let messages = body["messages"].as_array().expect("messages").iter().map(said).collect();
        heard.entry(String::from_utf8(asked).expect("a text of ours")).or_default().push(messages);
    }
    heard
}

/// Everything of everybody.
pub(super) fn compare(
    tries: &[Vec<Try>],
    heard: &HashMap<String, Vec<Vec<String>>>,
    stored: impl Fn(usize) -> Stored,
) -> Summary {
    let (mut summary, mut wrong) = (Summary { users: tries.len(), ..Summary::default() }, Vec::new());
    for (user, tries) in tries.iter().enumerate() {
        let stored = stored(user);
        let checked = kept(user, tries, &stored).and_then(|kept| {
            summary.failed_and_stored += kept.iter().filter(|it| !it.acknowledged).count();
            tries.iter().try_for_each(|it| shown(user, it, &kept, heard, &mut summary))
        });
        if let Err(why) = checked {
            let answered = tries.iter().filter(|it| it.stale.is_some());
            let tries: Vec<String> = answered.map(|it| format!("    {it:?}\n")).collect();
            wrong.push(format!("user {user}: {why}\n  stored: {stored:?}\n  answered tries:\n{}", tries.concat()));
        }
        summary.acknowledged += tries.iter().filter(|it| it.acknowledged).count();
        summary.failed += tries.iter().filter(|it| !it.acknowledged).count();
        summary.stale += tries.iter().filter(|it| it.stale == Some(true)).count();
        summary.stale_in_quiet += tries.iter().filter(|it| it.stale == Some(true) && it.quiet).count();
    }
    let first = wrong.iter().take(3).cloned().collect::<String>();
    assert!(wrong.is_empty(), "{summary}{} users are wrong, such as\n{first}", wrong.len());
    summary
}

/// The tries whose turns are stored, in the order of the list.
fn kept<'t>(user: usize, tries: &'t [Try], stored: &Stored) -> Result<Vec<&'t Try>, String> {
    let mut kept: Vec<&Try> = Vec::new();
    for turn in stored.chunks(2) {
        let [(role, asked, complete), (answering, told, _)] = turn else { return Err("half a turn".to_owned()) };
        let found = tries.iter().find(|it| answer(user, it) == *told);
        let it = found.ok_or_else(|| format!("an answer that this user was never given: {told:?}"))?;
        if (role.as_str(), answering.as_str()) != ("user", "assistant") || *asked != question(user, it.turn) {
            return Err(format!("{told:?} stands behind {asked:?}"));
        }
        if it.acknowledged && !complete {
            return Err(format!("{told:?} was acknowledged, and is incomplete"));
        }
        match kept.last() {
            Some(last) if last.number == it.number => return Err(format!("{told:?} is there twice")),
            Some(last) if last.number > it.number => return Err(format!("{told:?} stands behind a later one")),
            _ => kept.push(it),
        }
    }
    match tries.iter().find(|it| it.acknowledged && !kept.iter().any(|other| other.number == it.number)) {
        Some(lost) => Err(format!("{:?} was acknowledged, and is lost", answer(user, lost))),
        None => Ok(kept),
    }
}

/// What the provider was shown before it answered this try: all that is stored of the tries before.
fn shown(
    user: usize,
    it: &Try,
    kept: &[&Try],
    heard: &HashMap<String, Vec<Vec<String>>>,
    summary: &mut Summary,
) -> Result<(), String> {
    let of_try = answer(user, it);
    let messages = match heard.get(&of_try).map(Vec::as_slice) {
        None if it.acknowledged => return Err(format!("the provider never heard of {of_try:?}")),
        None => return Ok(()),
        Some([messages]) => messages,
        Some(_) => return Err(format!("the provider was asked twice for {of_try:?}")),
    };
    summary.histories += 1;
    let said = |it: &&&Try| [format!("user {}", question(user, it.turn)), format!("assistant {}", answer(user, it))];
    let now = [format!("user {}", question(user, it.turn))];
    let history =
        |before: &[&Try]| -> Vec<String> { before.iter().flat_map(|it| said(&it)).chain(now.clone()).collect() };
    let before: Vec<&Try> = kept.iter().copied().filter(|other| other.number < it.number).collect();
    if *messages == history(&before) {
        return Ok(());
    }
    // Of an answer that never came nobody knows what it would have said.
    let may_lack = it.stale != Some(false);
    let in_flight = before.len().checked_sub(1).and_then(|at| before.get(..at));
    if may_lack && in_flight.is_some_and(|before| *messages == history(before)) {
        summary.lacking += 1;
        return Ok(());
    }
    Err(format!("for {of_try:?} the provider was shown {messages:?}"))
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Self { users, acknowledged, failed, failed_and_stored, stale, stale_in_quiet, lacking, histories, took } =
            self;
        let each_second = *acknowledged as f64 / took.as_secs_f64().max(0.001);
        writeln!(out, "{users} users, {acknowledged} turns acknowledged in {took:.1?}, {each_second:.0} a second")?;
        writeln!(out, "tries that came to nothing: {failed}, of which {failed_and_stored} were stored")?;
        writeln!(out, "answers that said `stale`: {stale}, {stale_in_quiet} of them before anything had died")?;
        writeln!(out, "histories compared: {histories}, of which {lacking} lacked the turn in flight and said so")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(number: usize, acknowledged: bool) -> Try {
        Try { turn: number, number, acknowledged, stale: Some(false), quiet: true }
    }

    /// What becomes of three tries, the second of which came to nothing, when these are stored and the third was shown those.
    fn check(stored: &[usize], shown: &[usize], stale: bool) -> Result<usize, String> {
        let mut tries = [tried(0, true), tried(1, false), tried(2, true)];
        tries[2].stale = Some(stale);
        let pair = |it: &usize| [question(7, *it), answer(7, &tries[*it])];
        let rows = stored.iter().flat_map(|it| {
            let [asked, told] = pair(it);
            [("user".to_owned(), asked, true), ("assistant".to_owned(), told, true)]
        });
        let kept = kept(7, &tries, &rows.collect())?;
        let before = shown.iter().flat_map(|it| {
            pair(it).map(|text| format!("{} {text}", if text.contains('a') { "assistant" } else { "user" }))
        });
        let heard =
            HashMap::from([(answer(7, &tries[2]), vec![before.chain([format!("user {}", question(7, 2))]).collect()])]);
        let mut summary = Summary::default();
        super::shown(7, &tries[2], &kept, &heard, &mut summary).map(|()| summary.lacking)
    }

    #[test]
    fn a_turn_that_was_not_acknowledged_may_be_stored_once_and_all_others_must() {
        assert_eq!(check(&[0, 2], &[0], false), Ok(0));
        assert_eq!(check(&[0, 1, 2], &[0, 1], false), Ok(0));
        for wrong in [&[0][..], &[0, 0, 2], &[0, 1, 1, 2], &[2, 0], &[1, 2]] {
            assert!(check(wrong, &[0], false).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_history_may_lack_the_turn_in_flight_alone_and_only_if_it_says_so() {
        assert_eq!(check(&[0, 1, 2], &[0], true), Ok(1));
        assert!(check(&[0, 1, 2], &[0], false).is_err());
        assert!(check(&[0, 1, 2], &[], true).is_err());
        assert!(check(&[0, 2], &[0, 1], true).is_err(), "what is not stored");
    }
}
