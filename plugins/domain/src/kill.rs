//! Kill switches: what an operator has switched off, and what is said to who asks for it.

use crate::{
    caller::Caller,
    headers,
    model::{Canonical, ModelName, ProviderName},
    reply::Reply,
};
use serde::Deserialize;

/// Who is switched off; nobody, if nobody is named. `ratelimit` looks, before anything is counted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Switches {
    /// Everybody: 503 `killed`.
    pub global: bool,
    /// Tenants, by id: 403 `killed`, as with all that follow.
    pub tenants: Vec<String>,
    /// Projects, by id.
    pub projects: Vec<String>,
    /// End users.
    pub users: Vec<User>,
    /// Tokens, by their `jti`.
    pub tokens: Vec<String>,
}

/// An end user, who is known within a project only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// The project.
    pub project: String,
    /// The user's id in it.
    pub user: String,
}

/// What is switched off behind the gateway; nothing, if nothing is named. `router` looks, before anything is reserved.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelSwitches {
    /// Models, whatever name they are asked for by: 503 `killed`.
    pub models: Vec<ModelName>,
    /// Providers, by their names in the chains: the other candidates serve what is asked for; where there are none, 503
    /// `killed`.
    pub providers: Vec<ProviderName>,
}

impl Switches {
    /// Whether nothing is switched off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { global, tenants, projects, users, tokens } = self;
        !global && tenants.is_empty() && projects.is_empty() && users.is_empty() && tokens.is_empty()
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn check(&self) -> Result<(), String> {
        let empty = |texts: &[String]| texts.iter().any(String::is_empty);
        for (key, wrong) in [
            ("tenants", empty(&self.tenants)),
            ("projects", empty(&self.projects)),
            ("tokens", empty(&self.tokens)),
            ("users", self.users.iter().any(|it| it.project.is_empty() || it.user.is_empty())),
        ] {
            if wrong {
                return Err(format!("kill.{key} has an empty name, which no token can carry; expected an id"));
            }
        }
        Ok(())
    }

    /// The answer to a caller who is switched off.
    #[must_use]
    pub fn subject(&self, caller: &Caller) -> Option<Reply> {
        let is = |list: &[String], name: Option<&String>| name.is_some_and(|name| list.contains(name));
        let user = |it: &User| it.project == caller.project && it.user == caller.user;
        let scope = if self.global {
            "global"
        } else if is(&self.tenants, caller.tenant.as_ref()) {
            "tenant"
        } else if is(&self.projects, Some(&caller.project)) {
            "project"
        } else if self.users.iter().any(user) {
            "user"
        } else if is(&self.tokens, caller.token.as_ref()) {
            "token"
        } else {
            return None;
        };
        Some(killed(scope))
    }
}

impl ModelSwitches {
    /// The answer to who asks for a model that is switched off.
    #[must_use]
    pub fn model(&self, model: &Canonical) -> Option<Reply> {
        self.models.iter().any(|it| it.canonical() == *model).then(|| killed("model"))
    }

    /// Whether nothing is switched off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.providers.is_empty()
    }

    /// Whether a provider is switched off.
    #[must_use]
    pub fn provider(&self, provider: &ProviderName) -> bool {
        self.providers.contains(provider)
    }

    /// The answer to who asks for a model that only switched-off providers could serve.
    #[must_use]
    pub fn no_provider(&self) -> Reply {
        killed("provider")
    }
}

fn killed(scope: &'static str) -> Reply {
    let what = match scope {
        "global" => "all access",
        "model" => "this model",
        "provider" => "every provider of this model",
        "token" => "this token",
        other => &format!("this {other}'s access"),
    };
    let message = format!("The operator of this gateway has switched off {what}.");
    let reply = match scope {
        // Nothing is wrong with who asks, and it will end.
        "global" | "model" | "provider" => Reply::new(503, "killed", message).header("retry-after", "60"),
        _ => Reply::new(403, "killed", message),
    };
    // An SDK would try a 503 again at once, and once more.
    reply.header("x-should-retry", "false").header(headers::KILLED, scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switches(json: &str) -> Switches {
        serde_json::from_str(json).unwrap()
    }

    /// Status and scope of what Ada (tenant t, project p, token j) hears.
    fn check(json: &str) -> Option<(u16, String)> {
        let text = |it: &str| Some(it.to_owned());
        let ada = Caller {
            tenant: text("t"),
            project: "p".into(),
            user: "ada".into(),
            token: text("j"),
            ..Caller::default()
        };
        let reply = switches(json).subject(&ada)?;
        assert_eq!(reply.code, "killed");
        let scope = reply.headers.iter().find(|(name, _)| *name == headers::KILLED).unwrap();
        Some((reply.status, scope.1.clone()))
    }

    #[test]
    fn a_caller_is_stopped_by_whatever_names_it() {
        for (json, status, scope) in [
            (r#"{"global":true,"tenants":["t"]}"#, 503, "global"),
            (r#"{"tenants":["t"]}"#, 403, "tenant"),
            (r#"{"projects":["q","p"]}"#, 403, "project"),
            (r#"{"users":[{"project":"p","user":"ada"}]}"#, 403, "user"),
            (r#"{"tokens":["j"]}"#, 403, "token"),
        ] {
            assert_eq!(check(json), Some((status, scope.to_owned())), "{json}");
        }
        for json in [
            "{}",
            r#"{"tenants":["p"],"projects":["t"],"tokens":["ada"]}"#,
            r#"{"users":[{"project":"q","user":"ada"}]}"#,
        ] {
            assert_eq!(check(json), None, "{json}");
        }
    }

    #[test]
    fn a_model_is_stopped_in_each_of_its_spellings() {
        let switches: ModelSwitches = serde_json::from_str(r#"{"models":["gpt-4o"],"providers":["azure"]}"#).unwrap();
        let model = |name: &str| switches.model(&ModelName::parse(name).unwrap().canonical()).map(|it| it.status);
        assert_eq!((model("openai/gpt-4o"), model("gpt-4o"), model("gpt-4o-mini")), (Some(503), Some(503), None));
        assert!(switches.provider(&ProviderName::try_from("azure".to_owned()).unwrap()));
        assert_eq!(switches.no_provider().status, 503);
    }

    #[test]
    fn a_switch_that_can_stop_nobody_is_refused() {
        for (json, key) in [
            (r#"{"tenants":[""]}"#, "kill.tenants"),
            (r#"{"tokens":["a",""]}"#, "kill.tokens"),
            (r#"{"users":[{"project":"p","user":""}]}"#, "kill.users"),
        ] {
            assert!(switches(json).check().unwrap_err().contains(key), "{json}");
        }
        assert!(Switches::default().is_empty() && !switches(r#"{"tokens":["j"]}"#).is_empty());
        assert!(serde_json::from_str::<Switches>(r#"{"user":[]}"#).is_err());
    }
}
