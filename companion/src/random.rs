//! Unguessable ids, from the operating system's generator.

use std::fmt::Write;

/// The operating system gave no random bytes; nothing that needs them may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRandomness;

/// `N` random bytes.
///
/// # Errors
/// When the operating system has none to give.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// `prefix` and 32 hexadecimal digits, which are 128 random bits.
///
/// # Errors
/// When the operating system has no random bytes to give.
pub(crate) fn id(prefix: &str) -> Result<String, NoRandomness> {
    Ok(format!("{prefix}{}", hex(&bytes::<16>()?)))
}

/// A UUID of version 4 (RFC 9562, section 5.4).
///
/// # Errors
/// When the operating system has no random bytes to give.
pub(crate) fn uuid_v4() -> Result<String, NoRandomness> {
    let number = u128::from_be_bytes(bytes()?);
    let number = number & !(0xf << 76) | (0x4 << 76);
    let number = number & !(0x3 << 62) | (0x2 << 62);
    let hex = hex(&number.to_be_bytes());
    let part = |range| hex.get(range).unwrap_or_default();
    Ok([part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-"))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        for _ in 0..50 {
            let id = uuid_v4().unwrap();
            let bytes = id.as_bytes();
            assert_eq!((id.len(), bytes[8], bytes[14], bytes[23]), (36, b'-', b'4', b'-'), "{id}");
            assert!(b"89ab".contains(&bytes[19]), "{id}");
        }
        assert_ne!(uuid_v4(), uuid_v4());
    }

    #[test]
    fn an_id_is_its_prefix_and_32_digits() {
        let id = id("turn_").unwrap();
        assert!(id.strip_prefix("turn_").unwrap().bytes().all(|it| it.is_ascii_hexdigit()));
        assert_eq!(id.len(), 37);
    }
}
