//! Whether a token is good: a fact of the provider, its keys, the token and the time.

use crate::{
    algorithm::Algorithm,
    claims::{self, Fault, Window},
    config::Provider,
    jwks::{Binding, Key, KeySet, Signed},
    signature::Engine,
    token::Token,
};
use domain::{caller::Caller, time::Micros};

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who calls.
    pub caller: Caller,
    /// When that holds; it does now.
    pub window: Window,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its algorithm is not one of the provider's.
    Algorithm,
    /// No key of the provider fits its algorithm and `kid`.
    UnknownKey,
    /// No key made its signature.
    Signature,
    /// Its claims.
    Claims(Fault),
}

/// The token's algorithm, if the provider uses it. The name in the token only chooses among those that
/// the operator allows; the key decides what is done with it.
///
/// # Errors
/// [`Refused::Algorithm`].
pub fn algorithm(provider: &Provider, token: &Token) -> Result<Algorithm, Refused> {
    provider.algorithms.iter().copied().find(|it| it.name() == token.algorithm).ok_or(Refused::Algorithm)
}

/// Verifies `token`, whose text is `text` and whose `iss` is the provider's.
///
/// Time is looked at last: [`Fault::Expired`] is said only of a token that would be good had it come earlier.
///
/// # Errors
/// Why it is refused.
pub fn verify(
    provider: &Provider,
    keys: &KeySet,
    engine: &Engine,
    text: &str,
    token: &Token,
    now: Micros,
) -> Result<Verified, Refused> {
    let algorithm = algorithm(provider, token)?;
    let id = token.key.as_deref();
    if !keys.knows(algorithm, id) {
        return Err(Refused::UnknownKey);
    }
    let signed = text.as_bytes().get(..token.signed).ok_or(Refused::Signature)?;
    let read = claims::read(provider, &token.claims);
    let may = |key: &Key| match (&key.binding, &read) {
        (Some(binding), Ok((caller, _))) => speaks_for(binding, caller),
        _ => true,
    };
    let signed = Signed { algorithm, key: id, text: signed, signature: &token.signature };
    let by = keys.verify_by(engine, &signed, may).ok_or(Refused::Signature)?;
    let (mut caller, window) = read.map_err(Refused::Claims)?;
    window.check(now).map_err(Refused::Claims)?;
    if by.binding.is_some() {
        // A customer's own key minted it, not an API key: it could name another's, and spend that one's budget.
        caller.key = None;
    }
    Ok(Verified { caller, window })
}

/// Whether a key that is bound to one project may say that this is the caller.
fn speaks_for(binding: &Binding, caller: &Caller) -> bool {
    caller.tenant.as_deref() == Some(binding.tenant.as_str()) && caller.project == binding.project
}
