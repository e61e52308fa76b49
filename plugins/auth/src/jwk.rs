//! One key of a set (RFC 7517, 4): what it is, what it is called, and what it may be used for.
//!
//! What stands in a key and does not mean what we think it means makes the key useless here, never more useful: a
//! `use`, `key_ops`, `alg` or `kid` of another JSON type, an operation that is listed twice, half of a binding.
//! A key with its private half in it is not used either. In a set that is fetched, everybody who can fetch it can
//! sign; in a configured one, somebody has put a secret where a public key belongs, and should hear of it.

use crate::{algorithm::Algorithm, public_key::PublicKey, signature::Engine};
use serde_json::{Map, Value};

/// A key that verifies signatures.
#[derive(Debug, Clone)]
pub struct Key {
    id: Option<String>,
    /// Its `alg`: with one, it is for nothing else (RFC 7517, 4.4).
    only: Option<Algorithm>,
    public: PublicKey,
    /// For whom alone it may speak, if it is a customer's own.
    pub binding: Option<Binding>,
}

/// For whom alone a key may speak: the members `tollgate_tenant` and `tollgate_project`, both or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The tenant that its tokens must be of.
    pub tenant: String,
    /// The project that its tokens must be of.
    pub project: String,
}

/// Who can read the set that a key stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Anyone: a shared secret in it is no secret.
    Fetched,
    /// The operator.
    Configured,
}

/// The members of private keys (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];
const TENANT: &str = "tollgate_tenant";
const PROJECT: &str = "tollgate_project";

impl Key {
    /// Its `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Reads one key of a set; `Err` says why it is of no use here, and holds nothing of the key.
    pub(crate) fn read(key: &Value, source: Source) -> Result<Self, &'static str> {
        let key = key.as_object().ok_or("it is no object")?;
        let id = text(key, "kid").map_err(|()| "its `kid` is no text")?.map(str::to_owned);
        if PRIVATE.iter().any(|name| key.contains_key(*name)) {
            return Err("it holds a private key; publish the public half alone, and replace the key");
        }
        for_signatures(key)?;
        let public = PublicKey::read(key)?;
        if source == Source::Fetched && matches!(public, PublicKey::Shared(_)) {
            return Err("it is a shared secret (`oct`), which has no place where anyone can fetch it");
        }
        let only = match text(key, "alg").map_err(|()| "its `alg` is no text")? {
            None => None,
            Some(name) => {
                let fitting = Algorithm::named(name).filter(|it| public.fits(*it));
                Some(fitting.ok_or("its `alg` is none that we use, or does not fit the key")?)
            }
        };
        Ok(Self { id, only, public, binding: binding(key)? })
    }

    /// Whether it may verify signatures of `algorithm`.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|it| it == algorithm) && self.public.fits(algorithm)
    }

    /// Whether it made `signature` over `signed`.
    pub(crate) fn verify(&self, engine: &Engine, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.public.verify(engine, algorithm, signed, signature)
    }

    /// The key as a JWK with the members that are read here; `None` for a shared secret.
    pub(crate) fn distilled(&self) -> Option<Value> {
        let named = [("kid", self.id.as_deref()), ("alg", self.only.map(Algorithm::name))];
        let bound = self.binding.iter().flat_map(|it| [(TENANT, Some(&*it.tenant)), (PROJECT, Some(&*it.project))]);
        let optional = named.into_iter().chain(bound).filter_map(|(name, it)| Some((name, it?.to_owned())));
        let members = self.public.members()?.into_iter().chain(optional);
        Some(members.map(|(name, it)| (name.to_owned(), Value::from(it))).collect::<Map<_, _>>().into())
    }
}

/// Whether an entry of a set that is of no use here was meant to be: a broken key, and not one for another purpose.
pub(crate) fn is_broken(entry: &Value) -> bool {
    let Some(key) = entry.as_object() else { return true };
    let said = |name| key.get(name).and_then(Value::as_str);
    let of_ours = match (said("kty"), said("crv")) {
        (Some("EC"), curve) => matches!(curve, None | Some("P-256" | "P-384")),
        (Some("OKP"), curve) => matches!(curve, None | Some("Ed25519")),
        (kind, _) => matches!(kind, None | Some("RSA")),
    };
    let verifies = |all: &Vec<Value>| all.iter().any(|it| it == "verify");
    of_ours
        && said("use").is_none_or(|it| it == "sig")
        && said("alg").is_none_or(|it| Algorithm::named(it).is_some())
        && key.get("key_ops").and_then(Value::as_array).is_none_or(verifies)
}

/// `Err` when the member is there and no text.
fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ()> {
    key.get(name).map(|it| it.as_str().ok_or(())).transpose()
}

/// `use` (RFC 7517, 4.2) and `key_ops` (4.3), where it has them, are for verifying.
fn for_signatures(key: &Map<String, Value>) -> Result<(), &'static str> {
    if key.get("use").is_some_and(|it| it.as_str() != Some("sig")) {
        return Err("its `use` is not `sig`");
    }
    let Some(operations) = key.get("key_ops") else { return Ok(()) };
    let listed: Option<Vec<&str>> = operations.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
    let listed = listed.ok_or("its `key_ops` are no list of texts")?;
    let twice = listed.iter().enumerate().any(|(place, one)| listed.iter().take(place).any(|other| other == one));
    match listed.contains(&"verify") && !twice {
        true => Ok(()),
        false => Err("its `key_ops` have no `verify`, or one operation twice"),
    }
}

fn binding(key: &Map<String, Value>) -> Result<Option<Binding>, &'static str> {
    let wrong = "its `tollgate_tenant` and `tollgate_project` are not two texts";
    let text = |name| text(key, name).map_err(|()| wrong);
    match (text(TENANT)?, text(PROJECT)?) {
        (None, None) => Ok(None),
        (Some(tenant), Some(project)) if !tenant.is_empty() && !project.is_empty() => {
            Ok(Some(Binding { tenant: tenant.to_owned(), project: project.to_owned() }))
        }
        _ => Err(wrong),
    }
}
