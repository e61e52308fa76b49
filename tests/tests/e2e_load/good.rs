//! Requests that must get in, by kind, each as somebody else.

use crate::hostile::turn;
use crate::world::{PATH, World};
use serde_json::{Value, json};
use tests::client::chat;
use tests::{Call, Signer};

/// As many users take turns, so that some tokens are remembered by the filter and some are not.
const USERS: usize = 240;

/// Who the n-th request comes from.
pub(crate) fn user(n: usize) -> String {
    format!("user-{}", n % USERS)
}

/// The `authorization` header of each user.
pub(crate) fn credentials(world: &World) -> Vec<String> {
    (0..USERS).map(|n| credential(world, n)).collect()
}

/// The n-th request; it also claims to be somebody else, and says for the reader of a failure who it is.
pub(crate) fn call(world: &World, credentials: &[String], n: usize) -> Call {
    let call = world.client.post(PATH, &chat("gpt-4o", "hi")).header("authorization", &credentials[n % USERS]);
    call.header("x-end-user-id", "mallory").header("X_Tier", "max").header("x-truth", user(n))
}

fn credential(world: &World, n: usize) -> String {
    let own = |more: Value| {
        let mut claims = json!({"uid": user(n), "tier": n});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let plain = |signer: &Signer| signer.sign(&own(json!({})));
    let token = match n % 8 {
        // Few, because they take long to sign without optimisation.
        0 if n < USERS / 4 => plain(&world.rs256),
        0 | 1 => plain(&world.es256),
        2 => world.eddsa.sign(&own(json!({"aud": ["somebody", Signer::ISSUER]}))),
        3 => world.eddsa.sign(&own(json!({"exp": world.now as f64 + 3600.5, "nbf": 0}))),
        4 => world.eddsa.sign(&own(json!({"iat": null, "nbf": null, "jti": null, "tid": null, "role": null}))),
        5 => world.eddsa.sign(&own(json!({"name": "A\u{e9}\u{1f600}", "nested": {"uid": "mallory", "exp": 1}}))),
        6 => world.eddsa.sign_text(r#"{"alg":"EdDSA"}"#, Signer::claims(&own(json!({}))).to_string()),
        _ => plain(&world.eddsa),
    };
    format!("{} {token}", turn(n, ["Bearer", "bearer", "BEARER", "Bearer  "]))
}
