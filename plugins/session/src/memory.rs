//! Which memory a request asks for, by its headers and, if the operator wants that, a member of its body.

use crate::config::Limits;
use domain::{
    caller::Caller,
    chat::Body,
    headers::{self, Headers, is_id, is_thread},
    reply::Reply,
};
use serde::Serialize;

/// The member of a body that names the thread.
pub const MEMBER: &str = "conversation_id";

/// What an id is; a thread's is besides none of the companion's own paths.
const AN_ID: &str =
    "1 to 255 letters, digits, `.`, `_`, `:` or `-`, and for a thread none of `search`, `export`, `.` and `..`";

/// Which memory a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Lasts as long as the session.
    pub session: Option<String>,
    /// Lasts until it is deleted.
    pub thread: Option<String>,
    /// A session is wanted, and no id is known yet.
    pub new_session: bool,
}

/// What a question and a report say of it.
#[derive(Serialize)]
pub(crate) struct Whose<'a> {
    project: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new_session: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_ttl_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<&'a str>,
}

#[derive(Serialize)]
struct Question<'a> {
    turn: &'a str,
    #[serde(flatten)]
    whose: Whose<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// What the client's headers ask for; `None` when it wants no memory.
///
/// # Errors
/// A 400 that names the header, when one stands twice, is no id, or says something else than its alias.
pub fn asked(headers: &Headers) -> Result<Option<Memory>, Reply> {
    let new_session = match single(headers, headers::MEMORY)? {
        None => false,
        Some(b"session") => true,
        Some(b"off") => return Ok(None),
        Some(_) => return Err(wrong(headers::MEMORY, "is neither `off` nor `session`, the values that it may have")),
    };
    let session = id(headers, headers::SESSION, is_id)?;
    let [thread, alias] = [headers::THREAD, headers::CONVERSATION].map(|it| id(headers, it, is_thread));
    let (thread, alias) = (thread?, alias?);
    if alias.is_some() && thread.is_some() && alias != thread {
        return Err(wrong(headers::CONVERSATION, "names another thread than `x-thread-id`, whose other name it is"));
    }
    let new_session = new_session && session.is_none();
    Ok(Some(Memory { session, thread: thread.or(alias), new_session }))
}

/// Whether a body may have the member, in whatever spelling; without a look at what it means, since most have not.
#[must_use]
pub fn may_name(body: &[u8]) -> bool {
    let mut begin = 0;
    // Where nothing is to be remembered, most of the work is this look.
    memchr::memchr_iter(b'"', body).chain([body.len()]).any(|end| {
        let text = body.get(begin..end).unwrap_or_default();
        begin = end.saturating_add(1);
        is_member(text)
    })
}

/// Whether what stands between two quotes is the member's name to some parser: Go's ignores letter case, and any reads
/// escapes. Such a name is refused by whoever reads the body, so it must not be overlooked here.
fn is_member(text: &[u8]) -> bool {
    /// With each letter escaped.
    const LONGEST: usize = MEMBER.len().saturating_mul(6);
    if text.eq_ignore_ascii_case(MEMBER.as_bytes()) {
        return true;
    }
    let begins = matches!(text.first(), Some(b'c' | b'C' | b'\\'));
    if !begins || !(MEMBER.len()..=LONGEST).contains(&text.len()) || text.iter().all(|it| it.is_ascii() && *it != b'\\')
    {
        return false;
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|it| it.to_uppercase() == MEMBER.to_uppercase())
}

/// The thread that the body names.
///
/// # Errors
/// A 400 that names the member, when it is no id.
pub fn named(body: &Body<'_>) -> Result<Option<String>, Reply> {
    let Some(raw) = body.member(MEMBER) else { return Ok(None) };
    let text: Option<String> = serde_json::from_str(raw).ok();
    match text.filter(|it| is_thread(it)) {
        Some(text) => Ok(Some(text)),
        None => Err(wrong_member(&format!("is no id: expected a string of {AN_ID}"))),
    }
}

fn single<'a>(headers: &'a Headers, name: &'static str) -> Result<Option<&'a [u8]>, Reply> {
    let mut values = headers.all(name);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(wrong(name, "stands there twice")),
    }
}

fn id(headers: &Headers, name: &'static str, fits: fn(&str) -> bool) -> Result<Option<String>, Reply> {
    let Some(value) = single(headers, name)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value).ok().filter(|it| fits(it));
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(wrong(name, &format!("is no id: {AN_ID}"))),
    }
}

fn wrong(header: &'static str, what: &str) -> Reply {
    Reply::invalid(format!("the header `{header}` {what}")).about(header)
}

fn wrong_member(what: &str) -> Reply {
    Reply::invalid(format!("`{MEMBER}` {what}")).about(MEMBER)
}

impl Memory {
    /// Nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.session.is_none() && self.thread.is_none() && !self.new_session
    }

    /// With the token's session, if it is a usable id, where the client wants one and names none, or asks for nothing and
    /// `by_default` is set.
    #[must_use]
    pub fn or_session(mut self, of_token: Option<&str>, by_default: bool) -> Self {
        if self.new_session || (by_default && self.is_empty()) {
            self.session = of_token.filter(|it| is_id(it)).map(str::to_owned);
            self.new_session &= self.session.is_none();
        }
        self
    }

    /// With the thread that the body names.
    ///
    /// # Errors
    /// A 400 when the headers name another one.
    pub fn and_thread(mut self, named: Option<String>) -> Result<Self, Reply> {
        if named.is_some() && self.thread.is_some() && named != self.thread {
            return Err(wrong_member("names another thread than the request's headers"));
        }
        self.thread = self.thread.or(named);
        Ok(self)
    }

    /// The caller and the memory, as the companion reads them.
    pub(crate) fn of<'a>(&'a self, caller: &'a Caller, limits: Limits) -> Whose<'a> {
        let session = self.session.is_some() || self.new_session;
        Whose {
            project: &caller.project,
            user: &caller.user,
            session: self.session.as_deref(),
            new_session: self.new_session,
            session_ttl_seconds: session.then_some(limits.session_ttl_seconds),
            thread: self.thread.as_deref(),
        }
    }

    /// The question that opens a turn of this name, as JSON.
    #[must_use]
    pub fn question(&self, turn: &str, caller: &Caller, limits: Limits, request_id: Option<&str>) -> Vec<u8> {
        let question = Question {
            turn,
            whose: self.of(caller, limits),
            max_turns: limits.max_turns.map(Into::into),
            max_tokens: limits.max_tokens.map(Into::into),
            request_id: request_id.filter(|it| is_id(it)),
        };
        // Strings and numbers always serialise; an empty body, which can not be, would be refused.
        serde_json::to_vec(&question).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request with these headers asks for: session and thread, or the header at fault.
    fn check(pairs: &[(&str, &[u8])]) -> Result<Option<Memory>, String> {
        let mut headers = Headers::default();
        pairs.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value));
        asked(&headers).map_err(|reply| {
            assert_eq!((reply.status, reply.code), (400, "invalid_request"));
            reply.param.unwrap()
        })
    }

    fn memory(session: &str, thread: &str, new_session: bool) -> Memory {
        let some = |it: &str| (!it.is_empty()).then(|| it.to_owned());
        Memory { session: some(session), thread: some(thread), new_session }
    }

    #[test]
    fn memory_is_asked_for_by_header() {
        for (headers, expected) in [
            (&[][..], Some(memory("", "", false))),
            (&[("x-session-id", &b""[..])], Some(memory("", "", false))),
            (&[("x-session-id", b"s:1"), ("X-Thread-Id", b"A-z_0.9")], Some(memory("s:1", "A-z_0.9", false))),
            (&[("x-conversation-id", b"t")], Some(memory("", "t", false))),
            (&[("x-conversation-id", b"t"), ("x-thread-id", b"t")], Some(memory("", "t", false))),
            (&[("x-thread-id", b"\xff"), ("x-tollgate-memory", b"off")], None),
            (&[("x-tollgate-memory", b"session")], Some(memory("", "", true))),
            (&[("x-tollgate-memory", b"session"), ("x-session-id", b"s")], Some(memory("s", "", false))),
            (&[("x-tollgate-memory", b"session"), ("x-thread-id", b"t")], Some(memory("", "t", true))),
        ] {
            assert_eq!(check(headers), Ok(expected), "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused_by_the_name_of_its_header() {
        for name in ["x-thread-id", "x-session-id", "x-conversation-id"] {
            for id in [&b"a b"[..], b"\xff", b"\xc3\xa9", b"a/b", b"a\nb", &[b'a'; 256]] {
                assert_eq!(check(&[(name, id)]), Err(name.into()), "{id:?}");
            }
            assert_eq!(check(&[(name, b"a"), (name, b"a")]), Err(name.into()));
            assert!(check(&[(name, &[b'a'; 255])]).is_ok());
        }
        // Nobody could ask for such a thread.
        for id in [&b"search"[..], b"export", b".", b".."] {
            assert_eq!(check(&[("x-thread-id", id)]), Err("x-thread-id".into()));
            assert_eq!(check(&[("x-conversation-id", id)]), Err("x-conversation-id".into()));
            assert!(check(&[("x-session-id", id)]).is_ok());
        }
        let two: [(&str, &[u8]); 2] = [("x-thread-id", b"a"), ("x-conversation-id", b"b")];
        assert_eq!(check(&two), Err("x-conversation-id".into()));
        assert_eq!(check(&[("x-tollgate-memory", b"of")]), Err("x-tollgate-memory".into()));
    }

    #[test]
    fn a_member_of_the_body_names_the_thread() {
        let check = |body: &str| {
            let read = Body::parse(body.as_bytes()).unwrap();
            let named = named(&read).and_then(|it| memory("", "t", false).and_thread(it));
            named.map(|it| it.thread).map_err(|it| (it.status, it.param))
        };
        assert_eq!(check("{}"), Ok(Some("t".into())));
        assert_eq!(check(r#"{"conversation_id":"t"}"#), Ok(Some("t".into())));
        for wrong in [r#""u""#, "null", "1", r#""""#, r#""a b""#, r#""..""#, r#"["t"]"#, r#""\ud800""#] {
            let body = format!(r#"{{"conversation_id":{wrong}}}"#);
            assert_eq!(check(&body), Err((400, Some("conversation_id".into()))), "{wrong}");
        }
        assert_eq!(memory("s", "", false).and_thread(Some("u".into())), Ok(memory("s", "u", false)));
        for (body, may) in [
            (r#"{"conversation_id" : 1}"#, true),
            (r#"{"messages":[{"content":"conversation_id"}]}"#, true),
            (r#"{"messages":[{"content":"the \"conversation_id\""}]}"#, false),
            (r#"{"conversation\u005fid":1}"#, true),
            (
                r#"{"\u0063\u006F\u006e\u0076\u0065\u0072\u0073\u0061\u0074\u0069\u006f\u006e\u005f\u0069\u0064":1}"#,
                true,
            ),
            (r#"{"Conversation_ID":1}"#, true),
            ("{\"conver\u{17f}ation_id\":1}", true),
            (r#"{"conversation\u005fids":1,"conversation\u002did":2,"caf\u00e9 conversations":3}"#, false),
            (r#"{"conversation\ud800_id":1,"conversation\q_id":2}"#, false),
            ("", false),
            ("{}", false),
        ] {
            assert_eq!(may_name(body.as_bytes()), may, "{body}");
        }
        // Wherever it lies in the words that are looked at.
        for before in 0..20 {
            let body = |name: &str| {
                format!("{}\"{name}\":\"t\"}}", "!#\u{a2}\u{ff}".chars().cycle().take(before).collect::<String>())
            };
            for name in [MEMBER, r"conversation\u005fid"] {
                assert!(may_name(body(name).as_bytes()), "{before} {name}");
            }
            assert!(!may_name(body("conversation_ie").as_bytes()), "{before}");
        }
    }

    #[test]
    fn the_tokens_session_stands_in_where_the_client_names_none() {
        for (asked, by_default, expected) in [
            (memory("own", "", false), true, memory("own", "", false)),
            (memory("", "t", false), true, memory("", "t", false)),
            (memory("", "", false), true, memory("sid", "", false)),
            (memory("", "", false), false, memory("", "", false)),
            (memory("", "", true), false, memory("sid", "", false)),
            (memory("", "t", true), false, memory("sid", "t", false)),
        ] {
            assert_eq!(asked.clone().or_session(Some("sid"), by_default), expected, "{asked:?}");
        }
        assert!(Memory::default().or_session(Some("not an id"), true).is_empty());
        assert_eq!(memory("", "", true).or_session(None, false), memory("", "", true));
        assert!(!memory("", "", true).is_empty());
    }

    #[test]
    fn the_question_names_the_caller_the_memory_and_how_much_of_it() {
        let caller = Caller { project: "p".into(), user: "ada\"".into(), ..Caller::default() };
        let limits = Limits { session_ttl_seconds: 60, ..Limits::default() };
        let check = |memory: Memory, limits: Limits, id| {
            String::from_utf8(memory.question("turn_1", &caller, limits, id)).unwrap()
        };
        let thread = memory("", "t", false);
        assert_eq!(
            check(thread.clone(), limits, Some("r1")),
            r#"{"turn":"turn_1","project":"p","user":"ada\"","thread":"t","request_id":"r1"}"#
        );
        assert_eq!(
            check(thread, limits, Some("r 1")),
            r#"{"turn":"turn_1","project":"p","user":"ada\"","thread":"t"}"#
        );
        let few = Limits { max_turns: 2.try_into().ok(), max_tokens: 9.try_into().ok(), ..limits };
        assert_eq!(
            check(memory("", "", true), few, None),
            r#"{"turn":"turn_1","project":"p","user":"ada\"","new_session":true,"session_ttl_seconds":60,"max_turns":2,"max_tokens":9}"#
        );
    }
}
