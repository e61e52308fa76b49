//! What the operator writes.

use crate::{
    identity::{self, Identity},
    native::Api,
    policy::{Credential, SERVED, Target, allowed_by_default, served},
};
use domain::{
    headers::{self, same_name, starts_with_name},
    model::ProviderName,
    provider::Kind,
    secret::{Secret, SecretRef},
    usage::takes_include_usage,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The providers, and what each is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// The providers by name. In Envoy the chosen endpoint's metadata `tollgate.provider` says which one it is.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// The one provider behind this filter, whatever the endpoint's metadata say. Needed in Kong.
    #[serde(default)]
    pub(crate) provider: Option<ProviderName>,
    /// Which application providers are told they serve. Default: what the client says; `http-referer` and `x-title` go to
    /// OpenRouter alone.
    #[serde(default)]
    pub(crate) identity: Option<Identity>,
    /// Further headers of the client's that providers may see. Credentials and identity are refused here.
    #[serde(default)]
    pub(crate) forward_headers: Vec<String>,
    /// Further headers of a provider's that clients may see.
    #[serde(default)]
    pub(crate) return_headers: Vec<String>,
}

/// One provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provider {
    /// The API that it speaks: `openai`, OpenAI's or one like it, or `anthropic`, Anthropic's native Messages API. There a
    /// chat completion is translated both ways, and `/v1/messages` passes.
    #[serde(default)]
    pub(crate) api: Api,
    /// Which provider this is: where its API is and how it wants its credential, as far as the other keys do not say, and
    /// which rules for parameters apply to chat completions. Default: nothing but the rules of the known provider of this
    /// name (`groq`, `groq.1`, `groq-eu`); none for any other name. `custom`: one that knows `max_tokens` alone.
    #[serde(default)]
    pub(crate) kind: Option<Kind>,
    /// What stands before `/chat/completions` in its URLs: `/v1`, `/openai/v1`; `/` for nothing. Default: its `kind`'s;
    /// without one the path stays as it is, as it must in Kong, where the service's URL decides.
    #[serde(default)]
    pub(crate) base_path: Option<String>,
    /// Its host name, with the port if that is unusual: `api.openai.com`. Default: its `kind`'s, or the host stays as it is.
    #[serde(default)]
    pub(crate) host: Option<String>,
    /// The header that carries the credential. Default: its `kind`'s (`api-key` for `azure`), else `authorization` with the scheme `Bearer`; `x-api-key` where
    /// `api` is `anthropic`.
    #[serde(default)]
    pub(crate) auth: Option<Auth>,
    /// The credential: `{"env": "NAME"}` or `{"value": "…"}`. Default: none is sent, as for a model of one's own. A
    /// variable that is not set makes every request to this provider a 400 `provider_not_configured`.
    #[serde(default)]
    pub(crate) credential: Option<SecretRef>,
    /// Whether it takes `stream_options.include_usage`, which `budget` asks for. Default: what is known of the provider
    /// of this name; `false` for an unknown one, and for those that refuse it or tell their usage without being asked.
    #[serde(default)]
    pub(crate) stream_usage: Option<bool>,
}

/// How a provider wants its credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Auth {
    /// The header's name: `authorization`, `api-key`, `x-api-key`.
    pub(crate) header: String,
    /// What stands before the credential: `Bearer`. Default: nothing.
    #[serde(default)]
    pub(crate) scheme: Option<String>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|wrong| format!("provider: {wrong}"))?;
        config.check().map_err(|wrong| format!("provider: {wrong}"))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.providers.is_empty() {
            return Err("providers is empty: expected a provider".into());
        }
        for (name, provider) in &self.providers {
            ProviderName::try_from(name.clone()).map_err(|wrong| format!("providers: {wrong}"))?;
            provider.check().map_err(|wrong| format!("providers.{name}.{wrong}"))?;
            // In Kong, where the service's URL has the path, there is one provider.
            if provider.api == Api::Anthropic && provider.base_path.is_none() && self.provider.is_none() {
                return Err(format!("providers.{name}.base_path is missing: expected one where api is `anthropic`"));
            }
        }
        if let Some(it) = self.provider.as_ref().filter(|it| !self.providers.contains_key(it.as_str())) {
            return Err(format!("provider is `{}`, which is not in `providers`", it.as_str()));
        }
        self.identity.as_ref().map_or(Ok(()), Identity::check)?;
        self.forward_headers.iter().try_for_each(|name| self.check_forwarded(name))?;
        self.return_headers.iter().try_for_each(|name| check_returned(name))
    }

    fn check_forwarded(&self, name: &str) -> Result<(), String> {
        check_header(name).map_err(|wrong| format!("forward_headers: {wrong}"))?;
        let is = |other: &str| same_name(name.as_bytes(), other);
        let credential = CREDENTIALS.into_iter().chain(self.providers.values().map(Provider::header)).any(is);
        let identity =
            headers::IDENTITY.into_iter().chain([headers::SESSION, headers::THREAD, headers::CONVERSATION]).any(is);
        if credential || identity || starts_with_name(name.as_bytes(), headers::OURS) {
            return Err(format!("forward_headers: `{name}` says who calls, and never leaves the gateway"));
        }
        if identity::is_for_openrouter(name.as_bytes()) {
            return Err(format!("forward_headers: `{name}` is OpenRouter's alone, which gets it in any case"));
        }
        if allowed_by_default(name.as_bytes()) {
            return Err(format!("forward_headers: `{name}` is forwarded or replaced in any case"));
        }
        Ok(())
    }

    /// The providers, ready to be sent to.
    pub(crate) fn targets(&self, env: impl Fn(&str) -> Option<String>) -> Result<BTreeMap<String, Target>, String> {
        let target = |(name, provider): (&String, &Provider)| {
            let credential =
                provider.credential(&env).map_err(|wrong| format!("provider: providers.{name}.{wrong}"))?;
            // In Kong the service's URL says where a provider is.
            let home = provider.kind.filter(|_| self.provider.is_none()).map(Kind::home);
            let own = |it: &str| (!it.is_empty()).then(|| it.to_owned());
            let known_as = match provider.kind {
                Some(kind) => kind.name(),
                None => name,
            };
            Ok((
                name.clone(),
                Target {
                    api: provider.api,
                    kind: Kind::named(known_as),
                    name: name.clone(),
                    base_path: match provider.base_path.as_deref() {
                        Some(path) => Some(path.trim_end_matches('/').to_owned()),
                        None => home.and_then(|it| own(it.base_path)),
                    },
                    host: provider.host.clone().or_else(|| home.and_then(|it| own(it.host))),
                    credential,
                    stream_usage: provider.stream_usage.unwrap_or_else(|| takes_include_usage(known_as)),
                },
            ))
        };
        self.providers.iter().map(target).collect()
    }
}

/// Headers that carry credentials, whoever's.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "openai-organization",
    "openai-project",
];

impl Provider {
    /// Whether its kind wants the credential in `api-key`, and the operator says nothing else.
    fn has_api_key(&self) -> bool {
        self.auth.is_none() && self.kind.is_some_and(|it| it.home().api_key)
    }

    fn header(&self) -> &str {
        match (&self.auth, self.api) {
            (Some(auth), _) => &auth.header,
            (None, Api::OpenAi) if self.has_api_key() => "api-key",
            (None, Api::OpenAi) => "authorization",
            (None, Api::Anthropic) => "x-api-key",
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(path) = &self.base_path {
            check_base_path(path)?;
        }
        if let Some(host) = &self.host {
            let of_host = |it: u8| it.is_ascii_alphanumeric() || b"-._:[]".contains(&it);
            if host.is_empty() || !host.bytes().all(of_host) {
                return Err(format!("host is {host:?}: expected a host's name, as in \"api.openai.com\""));
            }
        }
        if self.api == Api::Anthropic {
            if self.kind.is_some_and(|it| it != Kind::Anthropic) {
                return Err("kind is about OpenAI's API: expected none where api is `anthropic`".into());
            }
            if self.stream_usage.is_some() {
                return Err(
                    "stream_usage is about OpenAI's API: where api is `anthropic` the usage is always told".into()
                );
            }
        }
        if let Some(SecretRef::Env(name)) = &self.credential
            && name.is_empty()
        {
            return Err("credential.env is empty: expected a variable's name".into());
        }
        match (&self.auth, &self.credential) {
            (Some(_), None) => Err("auth stands without a credential: expected both or neither".into()),
            (Some(auth), Some(_)) => auth.check(),
            (None, _) => Ok(()),
        }
    }

    fn credential(&self, env: impl Fn(&str) -> Option<String>) -> Result<Credential, String> {
        let Some(reference) = &self.credential else {
            return Ok(Credential::None);
        };
        let Some(secret) = reference.resolve(env) else {
            return Ok(Credential::Missing);
        };
        if !secret.reveal().bytes().all(|it| it.is_ascii_graphic()) {
            return Err("credential holds a character that no header's value may have".into());
        }
        let scheme = match (&self.auth, self.api) {
            (Some(auth), _) => auth.scheme.as_deref(),
            (None, Api::OpenAi) => (!self.has_api_key()).then_some("Bearer"),
            (None, Api::Anthropic) => None,
        };
        let value = scheme.map_or_else(|| secret.clone(), |it| Secret::new(format!("{it} {}", secret.reveal())));
        Ok(Credential::Header { name: self.header().to_ascii_lowercase(), value })
    }
}

impl Auth {
    fn check(&self) -> Result<(), String> {
        check_header(&self.header).map_err(|wrong| format!("auth.header: {wrong}"))?;
        let name = self.header.as_bytes();
        let credential = CREDENTIALS.iter().any(|it| same_name(name, it));
        if !credential
            && (allowed_by_default(name) || identity::is_for_openrouter(name) || starts_with_name(name, headers::OURS))
        {
            return Err(format!("auth.header: `{}` carries something else", self.header));
        }
        match self.scheme.as_deref() {
            Some(it) if it.is_empty() || !it.bytes().all(|it| it.is_ascii_graphic()) => {
                Err(format!("auth.scheme is {it:?}: expected a word, as in \"Bearer\""))
            }
            _ => Ok(()),
        }
    }
}

/// Each of our paths, put behind `base`, must still be told from the others when a retry sees it.
fn check_base_path(base: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("base_path is {base:?}: {why}"));
    let of_path = |it: u8| it.is_ascii_alphanumeric() || b"/-._~:@".contains(&it);
    if !base.starts_with('/') || !base.bytes().all(of_path) {
        return wrong("expected a path without a query, as in \"/v1\"");
    }
    if base.len() > 1 && base.ends_with('/') {
        return wrong("expected no `/` at its end");
    }
    let base = base.trim_end_matches('/');
    let ambiguous = SERVED.iter().find(|it| served(it.method, &format!("{base}{}", it.suffix)) != Some(it.suffix));
    match ambiguous {
        Some(it) => wrong(&format!("`{base}{}` reads like another operation's path", it.suffix)),
        None => Ok(()),
    }
}

fn check_header(name: &str) -> Result<(), String> {
    let of_token = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    if name.is_empty() || !name.bytes().all(of_token) {
        return Err(format!("{name:?} is no header's name"));
    }
    Ok(())
}

fn check_returned(name: &str) -> Result<(), String> {
    check_header(name).map_err(|wrong| format!("return_headers: {wrong}"))?;
    let never = ["set-cookie", "www-authenticate", "openai-organization", "openai-project"];
    let ours = starts_with_name(name.as_bytes(), headers::OURS);
    if ours || never.iter().any(|it| same_name(name.as_bytes(), it)) {
        return Err(format!("return_headers: `{name}` is never a provider's to say"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
