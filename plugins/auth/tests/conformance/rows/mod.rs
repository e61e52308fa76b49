//! The conformance table: configurations, what is presented to each, and what must become of it.
//!
//! Nothing here decides. The same rows are put to `policy::Gate` (`plugins/auth/tests/conformance`) and, with the file
//! included there, to `auth.wasm` in a real Envoy (`tests/tests/e2e_conformance`); whoever includes it says what time it
//! is, in `crate::clock`. A function that is left out of [`table`] is dead code, which the lints deny.

mod algorithms;
mod bound_keys;
mod callers;
mod curves;
pub(crate) mod form;
mod headers;
mod identity;
mod json_text;
mod key_sets;
mod key_uses;
mod requests;
mod rsa;
mod signatures;
pub(crate) mod signing;
mod times;

use crate::clock::now;
use domain::caller::Caller;
use serde_json::{Value, json};
use signing::keys;

/// Hands the names of all functions that make rows to a macro, by module.
macro_rules! table {
    ($callback:ident) => {
        $callback! {
            algorithms {
                every_algorithm_verifies_with_its_own_key
                no_algorithm_verifies_under_the_name_of_another
                a_provider_uses_only_the_algorithms_that_it_names
                a_provider_that_names_none_has_no_shared_secrets
                a_key_with_an_alg_is_for_that_one_alone
                none_is_no_algorithm
                names_have_one_spelling
                public_bytes_are_no_secret
            }
            bound_keys {
                a_bound_key_speaks_for_its_own_project
                a_bound_key_does_not_name_an_api_key
                a_token_whose_key_has_no_name_finds_its_projects_key_among_many
                a_stranger_is_no_customer
            }
            callers {
                the_caller_is_what_the_token_names
                the_key_that_minted_a_token_is_named_where_the_operator_says
                what_is_fixed_holds_whatever_the_token_says
                tiers_have_names_of_their_own_at_an_issuer
                claims_are_found_by_their_path
            }
            curves {
                a_coordinate_keeps_its_zeros
                a_signature_keeps_its_zeros
            }
            form {
                parts
                base64url
                json
                headers
                algorithms
                an_algorithm_that_is_not_allowed_is_refused_although_there_is_a_key
                signatures
                rsa_signatures
            }
            headers {
                a_token_does_not_bring_its_key
                nothing_is_critical_compressed_encrypted_or_nested
                an_encrypted_token_is_told_so
                a_name_is_a_text_byte_for_byte
                four_keys_are_tried
            }
            identity {
                issuers
                audiences
                required_claims
                texts_of_the_caller
                nested_claims
                a_token_for_a_client
            }
            json_text {
                values_are_strict_json
                texts_are_utf8
                a_part_is_one_object
                each_part_has_one_spelling
            }
            key_sets {
                a_key_is_used_for_what_it_says
                a_kid_selects_and_without_one_a_few_keys_are_tried
                every_token_has_its_own_issuers_keys
                a_shared_secret_is_as_long_as_the_hash
            }
            key_uses {
                a_key_is_for_verifying_and_says_nothing_else
            }
            requests {
                authorization_has_one_form
                there_is_one_authorization
                a_token_in_the_query_is_not_looked_at
                a_bypass_covers_whole_segments_of_plain_paths
                only_a_preflight_needs_no_token
                a_client_says_nothing_about_itself
            }
            rsa {
                a_key_has_2048_bits_or_more
                what_was_signed_has_one_encoding
                a_signature_may_begin_with_zeros_and_keeps_them
            }
            signatures {
                a_signature_is_whole_and_of_this_text
                an_ecdsa_signature_is_two_numbers_of_the_curves_length
                an_rsa_signature_is_a_number_below_the_modulus
                a_pss_salt_has_the_length_of_the_hash
                an_eddsa_signature_has_one_spelling
            }
            times {
                expiry
                beginning
                without_skew_and_without_expiry_when_configured
                the_skew_is_what_is_configured
                expired_is_said_only_of_a_token_that_was_good
            }
        }
    };
}
#[allow(unused_imports, reason = "only natively each function becomes a test of its own")]
pub(crate) use table;

macro_rules! list {
    ($($module:ident { $($name:ident)* })*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name),)*)*]
    };
}

/// Makes groups. Each call signs anew, for the time that it is then.
pub(crate) type Groups = fn() -> Vec<Group>;

/// What makes the groups, with its name.
pub(crate) const TABLE: &[(&str, Groups)] = table!(list);

/// A configuration and what is presented to it.
pub(crate) struct Group {
    pub(crate) config: Value,
    pub(crate) rows: Vec<Row>,
}

/// A request and what must become of it.
pub(crate) struct Row {
    /// What is special about it.
    pub(crate) what: String,
    pub(crate) request: Request,
    /// `ok`, `bypass`, or the name of a `Denial`.
    pub(crate) expected: &'static str,
    /// Who then calls, where a row is about that.
    pub(crate) caller: Option<Caller>,
}

/// What is asked for: the service behind answers it, without a body.
const PATH: &str = "/v1/models";

/// A request, byte for byte.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With a token, as it should be sent.
    pub(crate) fn bearer(token: &str) -> Self {
        Self::new("GET", PATH).header("authorization", format!("Bearer {token}"))
    }
}

/// What is special about a token, the token, and the word for what must become of it.
impl<W: Into<String>> From<(W, String, &'static str)> for Row {
    fn from((what, token, expected): (W, String, &'static str)) -> Self {
        Self { what: what.into(), request: Request::bearer(&token), expected, caller: None }
    }
}

/// The same of a good token, and whom it names.
impl<W: Into<String>> From<(W, String, Caller)> for Row {
    fn from((what, token, caller): (W, String, Caller)) -> Self {
        Self { caller: Some(caller), ..Self::from((what, token, "ok")) }
    }
}

impl<W: Into<String>> From<(W, Request, &'static str)> for Row {
    fn from((what, request, expected): (W, Request, &'static str)) -> Self {
        Self { what: what.into(), request, expected, caller: None }
    }
}

/// What is presented to one configuration.
pub(crate) fn group(config: &Value, rows: impl IntoIterator<Item = impl Into<Row>>) -> Group {
    Group { config: config.clone(), rows: rows.into_iter().map(Into::into).collect() }
}

/// The set that the gate knows.
pub(crate) fn jwks() -> Value {
    json!({"keys": [keys().ed_jwk("ed"), keys().ec_jwk("ec"), keys().rsa_jwk("rsa")]})
}

/// A configuration with one provider, after `change`.
pub(crate) fn config(change: impl FnOnce(&mut Value)) -> Value {
    let mut provider = json!({
        "issuer": "https://issuer.example", "audiences": ["aud-1", "aud-2"],
        "local_jwks": {"inline_string": jwks().to_string()},
    });
    change(&mut provider);
    json!({"providers": {"p": provider}, "api_keys": {"prefixes": ["behest_sk_live_"], "mint_path": "/v1/auth/mint"}})
}

/// The same with these keys.
pub(crate) fn with_keys(keys: &Value) -> Value {
    config(|it| it["local_jwks"] = json!({"inline_string": json!({"keys": keys}).to_string()}))
}

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    let now = now();
    json!({"iss": "https://issuer.example", "aud": "aud-1", "iat": now, "nbf": now, "exp": now + 900,
           "tid": "t1", "pid": "p1", "uid": "u1", "role": "user", "tier": "pro", "sid": "s1", "scp": [], "jti": "j1"})
}
