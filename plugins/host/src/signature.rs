//! Signatures, verified by Envoy itself: its BoringSSL is many times faster than any code in a module.

use crate::{
    abi,
    kind::{Kind, kind},
};

/// The name that Envoy gives to its function.
const FUNCTION: &str = "verify_signature";

/// Whether `signature` was made over `text` by the key in `public_key` (SubjectPublicKeyInfo, DER).
/// `hash` is `sha256`, `sha384` or `sha512`; RSA is PKCS#1 v1.5, ECDSA signatures are ASN.1 (DER).
///
/// `None` when nobody answers: Kong has no such function, and Envoy may have been built without it.
/// Whether Envoy's answers are right is for the caller to test, with signatures it knows.
#[must_use]
pub fn verify_signature(hash: &str, public_key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
    if kind() == Kind::Kong {
        return None;
    }
    let arguments = arguments(hash.as_bytes(), public_key, signature, text);
    answer(&abi::foreign(FUNCTION, &arguments).ok()??)
}

/// Envoy's `VerifySignatureArguments`, as protobuf writes it.
fn arguments(hash: &[u8], public_key: &[u8], signature: &[u8], text: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for (tag, value) in [(0x0a, hash), (0x12, public_key), (0x1a, signature), (0x22, text)] {
        message.push(tag);
        varint(&mut message, value.len());
        message.extend_from_slice(value);
    }
    message
}

/// A number as protobuf writes it: seven bits to a byte, the lowest first, the top bit says that more follow.
fn varint(message: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        message.push(if rest == 0 { low } else { low | 0x80 });
        if rest == 0 {
            return;
        }
    }
}

/// Reads Envoy's `VerifySignatureResult`: `bool result = 1; string error = 2`, where false and empty are left out.
fn answer(message: &[u8]) -> Option<bool> {
    match message {
        [0x08, 0x01, ..] => Some(true),
        [] | [0x08, 0x00, ..] | [0x12, ..] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_protobuf_writes_it() {
        assert_eq!(arguments(b"s", b"k", b"", b"tt"), b"\x0a\x01s\x12\x01k\x1a\x00\x22\x02tt");
        for (number, bytes) in [(0, &[0_u8][..]), (127, &[0x7f]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut message = Vec::new();
            varint(&mut message, number);
            assert_eq!(message, bytes, "{number}");
        }
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert_eq!(answer(b"\x08\x01"), Some(true));
        for no in [&b""[..], b"\x08\x00", b"\x12\x03bad"] {
            assert_eq!(answer(no), Some(false), "{no:?}");
        }
        for garbage in [&b"\x01"[..], b"true", b"\x08"] {
            assert_eq!(answer(garbage), None, "{garbage:?}");
        }
    }
}
