//! Where a body says who asks: the client's own word, that a provider is to tell its users apart by.

use super::{
    Body, Edit, Endpoint, Malformed, edit,
    read::{self, Span},
};
use std::borrow::Cow;

/// The members of OpenAI's API; the second is the first one's successor, and clients send both.
const MEMBERS: [&str; 2] = ["user", "safety_identifier"];

/// One place of a body that names an end user.
#[derive(Debug, Clone)]
pub struct EndUser<'a> {
    raw: &'a str,
    value: Span,
    removal: Edit,
}

impl<'a> Body<'a> {
    /// The places that name an end user: `user` and `safety_identifier`, and `metadata.user_id`, which is Anthropic's name
    /// for it, in messages of its own API. In OpenAI's the members of `metadata` are the application's own affair. A
    /// `null` names nobody.
    ///
    /// # Errors
    /// When `metadata` names its `user_id` twice or in another spelling.
    pub fn end_users(&self, endpoint: Endpoint) -> Result<Vec<EndUser<'a>>, Malformed> {
        let member = |name: &&str| {
            let (value, whole) = (self.found.span(name)?, self.found.whole(name)?);
            Some(EndUser { raw: self.found.slice(&value), value, removal: Edit::remove(whole) })
        };
        let mut found: Vec<_> = MEMBERS.iter().filter_map(member).collect();
        if endpoint == Endpoint::Messages
            && let Some(metadata) = self.member("metadata").filter(|it| it.starts_with('{'))
        {
            read::object(metadata, &["user_id"], |_, raw| {
                let value = read::span_of(self.found.text, raw);
                found.push(EndUser { raw, removal: Edit::new(value.clone(), "null".to_owned()), value });
                Ok(())
            })
            .map_err(|wrong| wrong.inside("metadata"))?;
        }
        found.retain(|it| it.raw != "null");
        Ok(found)
    }
}

impl<'a> EndUser<'a> {
    /// Whom it names; of what is no string, the JSON itself.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        read::string(self.raw).unwrap_or(Cow::Borrowed(self.raw))
    }

    /// The edit by which it names `other`.
    #[must_use]
    pub fn rename(self, other: &str) -> Edit {
        Edit::new(self.value, edit::quoted(other))
    }

    /// The edit by which it names nobody.
    #[must_use]
    pub fn remove(self) -> Edit {
        self.removal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names, the body with `x` in their place, and the body without them.
    fn check(endpoint: Endpoint, body: &str) -> [String; 3] {
        let body = Body::parse(body.as_bytes()).unwrap();
        let found = body.end_users(endpoint).unwrap();
        let names: Vec<_> = found.iter().map(EndUser::name).collect();
        let text = |edits: Vec<Edit>| String::from_utf8(body.apply(edits)).unwrap();
        let renamed = found.iter().cloned().map(|it| it.rename("x")).collect();
        [names.join(" "), text(renamed), text(found.iter().cloned().map(EndUser::remove).collect())]
    }

    #[test]
    fn each_place_is_found_and_nothing_else_changes() {
        for (endpoint, body, expected) in [
            (
                Endpoint::ChatCompletions,
                r#"{ "user" : "ada", "n":1.0, "safety_identifier":"\u0061"}"#,
                ["ada a", r#"{ "user" : "x", "n":1.0, "safety_identifier":"x"}"#, r#"{ "n":1.0}"#],
            ),
            (
                Endpoint::Responses,
                r#"{"user":7,"safety_identifier":null}"#,
                ["7", r#"{"user":"x","safety_identifier":null}"#, r#"{"safety_identifier":null}"#],
            ),
            (Endpoint::Embeddings, r#"{"user":"\ud800"}"#, [r#""\ud800""#, r#"{"user":"x"}"#, "{}"]),
            (
                Endpoint::Messages,
                r#"{"metadata": {"a":[1], "user_id" : "ada" },"n":1}"#,
                [
                    "ada",
                    r#"{"metadata": {"a":[1], "user_id" : "x" },"n":1}"#,
                    r#"{"metadata": {"a":[1], "user_id" : null },"n":1}"#,
                ],
            ),
        ] {
            assert_eq!(check(endpoint, body), expected, "{body}");
        }
        for (endpoint, body) in [
            (Endpoint::ChatCompletions, r#"{"metadata":{"user_id":"ada"},"messages":[{"user":"ada"}]}"#),
            (Endpoint::Messages, r#"{"metadata":"ada"}"#),
            (Endpoint::Messages, r#"{"metadata":{"user_id":null}}"#),
            (Endpoint::Messages, "{}"),
        ] {
            assert_eq!(check(endpoint, body), ["", body, body]);
        }
    }

    #[test]
    fn a_user_who_could_be_read_in_two_ways_is_refused() {
        for member in [r#""user_id":"a","user_id":"b""#, r#""User_Id":"a""#, r#""user\u005fid":"a""#] {
            let body = format!(r#"{{"metadata":{{{member}}}}}"#);
            let wrong = Body::parse(body.as_bytes()).unwrap().end_users(Endpoint::Messages).unwrap_err();
            assert_eq!(wrong.member.as_deref(), Some("metadata.user_id"), "{body}");
        }
    }
}
