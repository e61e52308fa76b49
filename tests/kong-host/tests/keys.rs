//! The keys that `auth` fetches, in Kong's order of callbacks: where a request can wait only for a call-out of its own.

mod common;

use common::{Companion, World, plain, says};
use kong_host::Answer;
use tests::{Signer, token::Algorithm};

const JWKS: &str = "/.well-known/jwks.json";

fn chat(world: &mut World) -> Answer {
    let request = world.chat("u1", &says("fast", "hi"));
    world.get(request)
}

#[test]
fn a_new_key_is_fetched_by_the_request_that_brings_it_and_an_unknown_one_once_in_30_seconds() {
    let mut world = World::new();
    assert_eq!(chat(&mut world).status, 200);
    assert_eq!(world.asked(JWKS).len(), 1);

    world.signer = Signer::with(Algorithm::Es256);
    assert_eq!(chat(&mut world).status, 200);
    assert_eq!(world.asked(JWKS).len(), 2);

    let published = std::mem::replace(&mut world.signer, Signer::with(Algorithm::Rs256));
    let stranger = world.chat("eve", &says("fast", "hi"));
    world.signer = published;
    let status = |world: &mut World| world.send(stranger.clone(), &plain("hello")).unwrap().status;
    assert_eq!((status(&mut world), world.asked(JWKS).len()), (401, 2));
    world.gateway.advance(30_000);
    assert_eq!((status(&mut world), world.asked(JWKS).len()), (401, 3));
    assert_eq!((status(&mut world), world.asked(JWKS).len()), (401, 3));
    assert_eq!(chat(&mut world).status, 200);
}

#[test]
fn known_keys_serve_while_their_owner_is_away() {
    let mut world = World::new();
    assert_eq!(chat(&mut world).status, 200);
    world.companion = Companion::WithoutKeys;
    for _ in 0..12 {
        // Past `cache_duration`, with a failed fetch every now and then.
        world.gateway.advance(30_000);
        world.tick("auth");
        assert_eq!(chat(&mut world).status, 200);
    }
    assert!(world.asked(JWKS).len() > 1);
}
