//! What becomes of a request that cannot have its memory, and which answers are read.

use domain::{headers::Headers, mode::OnFailure, reply::Reply, turn::Assembly};

/// What becomes of a request whose turn could not be opened: `None` lets it go on without memory.
#[must_use]
pub fn unopened(on_failure: OnFailure) -> Option<Reply> {
    unavailable(on_failure, "the conversation's history cannot be read now")
}

/// What becomes of a request while the open turns of this worker take all the memory that they may have.
#[must_use]
pub fn full(on_failure: OnFailure) -> Option<Reply> {
    unavailable(on_failure, "the gateway holds as many open conversations as its memory takes")
}

fn unavailable(on_failure: OnFailure, why: &str) -> Option<Reply> {
    match on_failure {
        OnFailure::Allow => None,
        OnFailure::Deny => Some(Reply::new(
            503,
            "companion_unavailable",
            format!("{why}; try again, or send `x-tollgate-memory: off` to go on without it"),
        )),
    }
}

/// Why a request asks for memory in vain: memory belongs to a caller, and nobody vouches for one.
#[must_use]
pub fn nobody() -> Reply {
    Reply::new(401, "invalid_token", "memory belongs to a user, and this request has no verified user")
}

/// How the response is read, by its head; `None` when there is nothing in it to remember.
#[must_use]
pub fn assembly(status: u16, headers: &Headers, limit: usize) -> Option<Assembly> {
    let encoding = headers.get("content-encoding").unwrap_or(b"identity");
    if !(200..300).contains(&status) || !encoding.eq_ignore_ascii_case(b"identity") {
        return None;
    }
    let media = headers.get("content-type")?.split(|it| *it == b';').next()?.trim_ascii();
    if media.eq_ignore_ascii_case(b"text/event-stream") {
        Some(Assembly::streamed(limit))
    } else if media.eq_ignore_ascii_case(b"application/json") {
        let length = headers.text("content-length").and_then(|it| it.parse().ok());
        Some(Assembly::plain(limit).of_length(length))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_memory_the_operator_decides() {
        for decide in [unopened, full] {
            assert_eq!(decide(OnFailure::Allow), None);
            let reply = decide(OnFailure::Deny).unwrap();
            assert_eq!((reply.status, reply.code), (503, "companion_unavailable"));
        }
    }

    #[test]
    fn only_a_good_answer_is_read() {
        let check = |status, pairs: &[(&str, &str)]| {
            let headers = Headers::from_iter(pairs.iter().copied());
            assembly(status, &headers, 9).map(|it| matches!(it, Assembly::Plain { .. }))
        };
        assert_eq!(check(200, &[("content-type", "application/json")]), Some(true));
        assert_eq!(check(200, &[("content-type", "Text/Event-Stream; charset=utf-8")]), Some(false));
        assert_eq!(check(500, &[("content-type", "application/json")]), None);
        assert_eq!(check(200, &[("content-type", "text/html")]), None);
        assert_eq!(check(200, &[]), None);
        assert_eq!(check(200, &[("content-type", "application/json"), ("content-encoding", "gzip")]), None);
    }
}
