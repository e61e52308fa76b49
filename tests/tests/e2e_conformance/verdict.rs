//! What a client gets for a row, and what of it is wrong.

use crate::rows::{Request, Row};
use domain::caller::Caller;
use std::io;
use tests::{Answer, Client, Received};

/// What no client may say; a row says it with this value.
const EVIL: &[u8] = b"evil";
const IDENTITY: [&str; 5] = ["x-tenant-id", "x-project-id", "x-end-user-id", "x-role", "x-tier"];

/// The bytes that were sent, and the answer.
pub(crate) fn send(client: Client, request: &Request) -> (Vec<u8>, io::Result<Answer>) {
    let call = client.call(request.method, &request.path);
    let call = request.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
    (call.bytes(), call.try_send())
}

/// What is wrong with it, if anything is.
pub(crate) fn complaint(
    row: &Row,
    caller: Option<Caller>,
    answer: &io::Result<Answer>,
    arrived: &[Received],
) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    let passes = ["ok", "bypass"].contains(&row.expected);
    match (passes, arrived) {
        // The service has no answer to some of the paths that need no token.
        (true, [_]) if answer.status != 200 && (row.expected, answer.status) != ("bypass", 404) => {
            Some(format!("{} {}", answer.status, answer.text()))
        }
        (true, [request]) => of_arrived(request, caller.as_ref()),
        (true, _) => Some(format!("{} arrived, the answer is {} {}", arrived.len(), answer.status, answer.text())),
        (false, []) => of_refused(row.expected, answer),
        (false, _) => Some("it arrived".to_owned()),
    }
}

/// Whoever is let in is who the gate says he is, and has nothing else of ours about him.
fn of_arrived(request: &Received, caller: Option<&Caller>) -> Option<String> {
    let known = |it: fn(&Caller) -> Option<&str>| caller.and_then(it);
    let expected = [
        known(|it| it.tenant.as_deref()),
        known(|it| Some(&it.project)),
        known(|it| Some(&it.user)),
        known(|it| it.role.as_deref()),
        known(|it| it.tier.as_deref()),
    ];
    for (name, expected) in IDENTITY.into_iter().zip(expected) {
        let same_name = |it: &str| it.to_ascii_lowercase().replace('_', "-") == name;
        let values = request.headers.iter().filter(|(it, _)| same_name(it)).map(|(_, value)| value.as_slice());
        let values: Vec<&[u8]> = values.collect();
        if values != expected.map(str::as_bytes).into_iter().collect::<Vec<_>>() {
            return Some(format!("{name} is {values:?}, the caller is {caller:?}"));
        }
    }
    let evil = request.headers.iter().find(|(_, value)| value == EVIL);
    evil.map(|(name, _)| format!("the client's own {name} arrived"))
}

/// A refusal has the one shape, and says no more than it must.
fn of_refused(expected: &str, answer: &Answer) -> Option<String> {
    let code = match expected {
        "missing" => "invalid_api_key",
        "api_key" => "api_key_not_allowed",
        "expired" => "token_expired",
        _ => "invalid_token",
    };
    let challenge = match expected {
        "missing" => r#"Bearer realm="tollgate""#,
        _ => r#"Bearer realm="tollgate", error="invalid_token""#,
    };
    let retried = expected == "expired";
    let got = (answer.status, answer.broken, answer.header("www-authenticate"), answer.header("x-should-retry"));
    let wanted = (401, false, Some(challenge.to_owned()), retried.then(|| "true".to_owned()));
    // Four keys and the content type are looked at by `Answer::error`.
    if got != wanted || answer.error() != format!("401 {code}") {
        return Some(format!("{got:?} {}, expected {wanted:?} {code}", answer.text()));
    }
    let same_text = answer.json()["error"]["message"] == "The token is not valid here.";
    (code == "invalid_token" && expected != "encrypted" && !same_text).then(|| format!("an oracle: {}", answer.text()))
}
