//! Each of the 256 bytes in each place of the header that brings a token, sent as it is.

use crate::clock;
use crate::gateway::Listeners;
use crate::rows::{config, form};
use tests::{Answer, FakeProvider};

/// Envoy itself refuses some of them, with 400; the filter refuses the others; none is an error of ours, and none harms the
/// request behind it.
#[test]
fn any_byte_around_or_within_a_good_token_is_refused_or_white_space() {
    clock::set();
    let (fake, config, token) = (FakeProvider::start(), config(|_| ()), form::good());
    let listeners = Listeners::start(&fake, std::slice::from_ref(&config));
    let client = listeners.client(&config);
    let ask = |value: &[u8]| client.get("/v1/models").header("authorization", value).try_send();
    let (first, second) = token.split_at(token.len() / 2);
    let refused =
        |it: &Answer| it.status == 400 || ["401 invalid_token", "401 invalid_api_key"].contains(&&*it.error());
    let mut wrong = Vec::new();
    for byte in 0..=u8::MAX {
        let byte = &[byte][..];
        let bearer = &b"Bearer "[..];
        // What HTTP takes away (RFC 9112, 5.1), or ends a line with (2.2), changes nothing there. Envoy takes a CR that stands
        // alone out of every value, so that nobody behind it sees one.
        for (place, value, harmless) in [
            ("before the scheme", [byte, bearer, token.as_bytes()].concat(), &b" \t\r"[..]),
            ("within the scheme", [b"Bea", byte, b"rer ", token.as_bytes()].concat(), b"\r"),
            ("before the token", [bearer, byte, token.as_bytes()].concat(), b" \r"),
            ("within the token", [bearer, first.as_bytes(), byte, second.as_bytes()].concat(), b"\r"),
            ("behind the token", [bearer, token.as_bytes(), byte].concat(), b" \t\r\n"),
        ] {
            fake.clear();
            match ask(&value) {
                Ok(it) if it.status == 200 && harmless.contains(&byte[0]) => {
                    let arrived = fake.only_request().header("authorization").unwrap_or_default();
                    assert_eq!(arrived.replace("  ", " "), format!("Bearer {token}"), "{byte:?} {place}");
                }
                Ok(it) if it.status != 200 && refused(&it) => {}
                other => wrong.push(format!("{byte:?} {place}: {other:?}")),
            }
        }
        assert_eq!(ask(format!("Bearer {token}").as_bytes()).unwrap().status, 200, "after {byte:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
