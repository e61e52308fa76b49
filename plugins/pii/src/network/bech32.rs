//! Bech32 and Bech32m (BIP 173, BIP 350), with the checksum of six letters at the end.

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// Whether `word` is sound, all of it in letters of one size.
pub(crate) fn is_sound(word: &[u8]) -> bool {
    let mixed = word.iter().any(u8::is_ascii_lowercase) && word.iter().any(u8::is_ascii_uppercase);
    let lower = word.to_ascii_lowercase();
    let Some(at) = lower.iter().rposition(|it| *it == b'1').filter(|_| !mixed) else {
        return false;
    };
    let (prefix, data) = lower.split_at(at);
    let values: Option<Vec<u8>> = data.iter().skip(1).map(|it| value(*it)).collect();
    let Some(values) = values.filter(|it| it.len() >= 6 && !prefix.is_empty()) else {
        return false;
    };
    let high = prefix.iter().map(|it| it >> 5);
    let low = prefix.iter().map(|it| it & 31);
    matches!(checksum(high.chain([0]).chain(low).chain(values)), 1 | 0x2bc8_30a3)
}

fn value(letter: u8) -> Option<u8> {
    u8::try_from(LETTERS.iter().position(|it| *it == letter)?).ok()
}

fn checksum(values: impl Iterator<Item = u8>) -> u32 {
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let sum = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        (0_u32..).zip(GENERATOR).filter(|(bit, _)| top >> bit & 1 == 1).fold(sum, |sum, (_, it)| sum ^ it)
    })
}
