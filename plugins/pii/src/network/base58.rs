//! Base58Check: what Bitcoin and those after it write addresses in, with four bytes of a double SHA-256 at the end.

use super::sha256;

const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";

/// Whether `it` may stand in such an address.
pub(crate) fn letter(it: u8) -> bool {
    it.is_ascii_alphanumeric() && !b"0OIl".contains(&it)
}

/// Whether `word` is sound: it decodes, and its end is the checksum of its beginning.
pub(crate) fn is_sound(word: &[u8]) -> bool {
    checks(word, BITCOIN) || (word.starts_with(b"r") && checks(word, RIPPLE))
}

fn checks(word: &[u8], alphabet: &[u8; 58]) -> bool {
    decode(word, alphabet).is_some_and(|bytes| {
        bytes
            .len()
            .checked_sub(4)
            .and_then(|it| bytes.split_at_checked(it))
            .is_some_and(|(body, sum)| matches!(body.len(), 21..=23) && sha256::of(&sha256::of(body)).starts_with(sum))
    })
}

/// The bytes, of a word so short that the square of its length is nothing to fear.
fn decode(word: &[u8], alphabet: &[u8; 58]) -> Option<Vec<u8>> {
    const LONGEST: usize = 36;
    let zero = alphabet.first()?;
    // The least significant byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for letter in word.get(..word.len().min(LONGEST))? {
        let mut carry = u32::try_from(alphabet.iter().position(|it| it == letter)?).ok()?;
        for byte in &mut bytes {
            carry = carry.saturating_add(u32::from(*byte).saturating_mul(58));
            *byte = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(u8::try_from(carry).ok()?);
        }
    }
    bytes.extend(word.iter().take_while(|it| *it == zero).map(|_| 0));
    bytes.reverse();
    (word.len() <= LONGEST).then_some(bytes)
}
