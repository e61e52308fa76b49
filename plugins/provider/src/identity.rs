//! Which application a provider is told it serves: the client's own word, or the operator's.
//!
//! Only OpenRouter asks for more than a user agent; it lists applications by `HTTP-Referer` and `X-Title`. Nobody else is told
//! these, for they may name a page that the client's users are on.

use crate::policy::{Change, Target};
use domain::{
    headers::{Headers, same_name},
    provider::Kind,
};
use serde::Deserialize;

/// What OpenRouter alone is told.
pub const FOR_OPENROUTER: [&str; 2] = ["http-referer", "x-title"];

/// Which application providers are told they serve.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// `user-agent`, to every provider. Default: the client's.
    #[serde(default)]
    pub(crate) user_agent: Option<Introduction>,
    /// `http-referer`, to OpenRouter alone. Default: the client's.
    #[serde(default)]
    pub(crate) referer: Option<Introduction>,
    /// `x-title`, to OpenRouter alone. Default: the client's.
    #[serde(default)]
    pub(crate) x_title: Option<Introduction>,
}

/// What becomes of one header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Introduction {
    /// Whose word counts: `passthrough`, the client's; `override`, the operator's; `default`, the operator's where the client
    /// sends none.
    pub(crate) mode: Mode,
    /// The operator's word. Needed, but where `mode` is `passthrough`.
    #[serde(default)]
    pub(crate) override_value: Option<String>,
}

/// Whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// The client's.
    Passthrough,
    /// The operator's.
    Override,
    /// The operator's, where the client sends none.
    Default,
}

impl Target {
    /// Whether it is OpenRouter, whatever the operator calls it.
    #[must_use]
    pub fn is_openrouter(&self) -> bool {
        self.kind == Some(Kind::OpenRouter)
    }
}

/// Whether OpenRouter alone is told this header.
#[must_use]
pub fn is_for_openrouter(name: &[u8]) -> bool {
    FOR_OPENROUTER.iter().any(|it| same_name(name, it))
}

impl Identity {
    fn headers(&self) -> [(&'static str, &'static str, Option<&Introduction>); 3] {
        let [referer, title] = FOR_OPENROUTER;
        [
            ("user_agent", "user-agent", self.user_agent.as_ref()),
            ("referer", referer, self.referer.as_ref()),
            ("x_title", title, self.x_title.as_ref()),
        ]
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, _, introduction) in self.headers() {
            introduction.map_or(Ok(()), |it| it.check().map_err(|wrong| format!("identity.{key}.{wrong}")))?;
        }
        if self.headers().iter().all(|(.., it)| it.is_none()) {
            return Err("identity is empty: expected `user_agent`, `referer` or `x_title`".into());
        }
        Ok(())
    }

    /// What must change in a head that goes to `target`; removals are not its affair. `sent` tells what the client said in a
    /// header that a former attempt took off.
    #[must_use]
    pub fn changes(
        &self,
        headers: &Headers,
        target: &Target,
        sent: impl Fn(&str) -> Option<String>,
    ) -> Vec<Change<'static>> {
        let mut changes = Vec::new();
        for (_, name, introduction) in self.headers() {
            let optional = is_for_openrouter(name.as_bytes());
            if optional && !target.is_openrouter() {
                continue;
            }
            let own = introduction.and_then(|it| it.override_value.clone());
            let always = introduction.is_some_and(|it| it.mode == Mode::Override);
            let there = headers.get(name).is_some_and(|it| !it.is_empty());
            let value = match own {
                Some(own) if always => Some(own),
                _ if there => None,
                own => Some(name).filter(|_| optional).and_then(&sent).or(own),
            };
            changes.extend(value.map(|it| Change::Set(name, it)));
        }
        changes
    }
}

/// What the client says in headers that `target` is not told, and that a later attempt at OpenRouter must find.
pub fn unsaid<'a>(headers: &'a Headers, target: &Target) -> impl Iterator<Item = (&'static str, &'a str)> {
    let names = FOR_OPENROUTER.into_iter().filter(|_| !target.is_openrouter());
    names.filter_map(|name| headers.text(name).filter(|it| !it.is_empty()).map(|it| (name, it)))
}

impl Introduction {
    fn check(&self) -> Result<(), String> {
        let Some(value) = &self.override_value else {
            return match self.mode {
                Mode::Passthrough => Ok(()),
                Mode::Override | Mode::Default => {
                    Err("override_value is missing: expected one where mode is `override` or `default`".into())
                }
            };
        };
        if self.mode == Mode::Passthrough {
            return Err("override_value stands without a use: expected none where mode is `passthrough`".into());
        }
        // A space at either end would be lost on the way.
        if value.is_empty() || value.trim() != value || !value.bytes().all(|it| it == b' ' || it.is_ascii_graphic()) {
            return Err(format!("override_value is {value:?}: expected visible ASCII, as in \"My App/1.0\""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        policy::{request, served},
    };
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    fn config(identity: &str) -> Result<Config, String> {
        let json = format!(
            r#"{{"providers":{{"openai":{{}},"openrouter":{{}},"mine":{{"kind":"openrouter"}},
            "native":{{"api":"anthropic","base_path":"/v1"}}}}{identity}}}"#
        );
        Config::parse(json.as_bytes())
    }

    /// What each of these providers in turn is told, one attempt after the other: `user agent|referer|title`.
    fn check(identity: &str, client: &[(&str, &str)], providers: &[&str]) -> Vec<String> {
        let config = config(identity).unwrap();
        let targets = config.targets(|_| None).unwrap();
        let identity = config.identity.unwrap_or_default();
        let mut headers = Headers::from_iter([(":path", "/v1/chat/completions")].iter().chain(client).copied());
        let notes = RefCell::new(BTreeMap::new());
        let told = |provider: &&str| {
            let (target, before) = (&targets[*provider], headers.clone());
            for (name, value) in unsaid(&before, target) {
                notes.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
            let operation = served("POST", "/v1/chat/completions").unwrap();
            let mut changes = request(&before, target, operation, &[]);
            changes.extend(identity.changes(&before, target, |name| notes.borrow().get(name).cloned()));
            for change in changes {
                match change {
                    Change::Remove(name) => headers.remove(name),
                    Change::Set(name, value) => headers.set(name, value.as_bytes()),
                }
            }
            ["user-agent", "http-referer", "x-title"].map(|name| headers.text(name).unwrap_or("-")).join("|")
        };
        providers.iter().map(told).collect()
    }

    const CLIENT: [(&str, &str); 3] = [("User-Agent", "u"), ("HTTP-Referer", "r"), ("X-Title", "t")];
    const ALWAYS: &str = r#","identity":{"user_agent":{"mode":"override","override_value":"U"},
        "referer":{"mode":"override","override_value":"R"},"x_title":{"mode":"override","override_value":"T"}}"#;
    const ELSE: &str = r#","identity":{"user_agent":{"mode":"default","override_value":"U"},
        "referer":{"mode":"default","override_value":"R"},"x_title":{"mode":"passthrough"}}"#;

    #[test]
    fn openrouter_alone_is_told_of_the_application() {
        for (identity, client, openai, openrouter) in [
            ("", &CLIENT[..], "u|-|-", "u|r|t"),
            ("", &[], "-|-|-", "-|-|-"),
            (ALWAYS, &CLIENT, "U|-|-", "U|R|T"),
            (ALWAYS, &[], "U|-|-", "U|R|T"),
            (ELSE, &CLIENT, "u|-|-", "u|r|t"),
            (ELSE, &[], "U|-|-", "U|R|-"),
            (ELSE, &[("user-agent", ""), ("http-referer", "")], "U|-|-", "U|R|-"),
        ] {
            for (provider, expected) in
                [("openai", openai), ("native", openai), ("openrouter", openrouter), ("mine", openrouter)]
            {
                assert_eq!(check(identity, client, &[provider]), [expected], "{identity} {provider}");
            }
        }
    }

    #[test]
    fn an_attempt_at_openrouter_leaves_nothing_to_the_next_and_misses_nothing_of_the_former() {
        let turns = ["openrouter", "openai", "mine", "native", "openrouter"];
        for (identity, client, openai, openrouter) in
            [("", &CLIENT[..], "u|-|-", "u|r|t"), (ALWAYS, &CLIENT, "U|-|-", "U|R|T"), (ELSE, &[], "U|-|-", "U|R|-")]
        {
            let expected = [openrouter, openai, openrouter, openai, openrouter];
            assert_eq!(check(identity, client, &turns), expected, "{identity}");
            assert_eq!(check(identity, client, &turns[1..]), expected[1..], "{identity}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let named = |it: &str| format!(r#","identity":{{"x_title":{{{it}}}}}"#);
        for (identity, expected) in [
            (r#","identity":{}"#.to_owned(), "provider: identity is empty"),
            (
                r#","identity":{"title":{}}"#.to_owned(),
                "unknown field `title`, expected one of `user_agent`, `referer`, `x_title`",
            ),
            (named(""), "missing field `mode`"),
            (named(r#""mode":"replace""#), "expected one of `passthrough`, `override`, `default`"),
            (named(r#""mode":"override""#), "identity.x_title.override_value is missing"),
            (named(r#""mode":"default""#), "identity.x_title.override_value is missing"),
            (named(r#""mode":"passthrough","override_value":"a""#), "override_value stands without a use"),
            (named(r#""mode":"override","override_value":"""#), "override_value is \"\": expected visible ASCII"),
            (named(r#""mode":"override","override_value":" a""#), "expected visible ASCII"),
            (named(r#""mode":"default","override_value":"é""#), "expected visible ASCII"),
            (named(r#""mode":"default","override_value":"a\nb""#), "expected visible ASCII"),
            (r#","forward_headers":["X-Title"]"#.to_owned(), "`X-Title` is OpenRouter's alone"),
        ] {
            let refused = config(&identity).unwrap_err();
            assert!(refused.contains(expected), "{identity}: {refused}");
        }
        assert!(config(&named(r#""mode":"override","override_value":"My App (beta)""#)).is_ok());
    }
}
