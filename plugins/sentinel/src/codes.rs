//! Letters written as numbers or signs: `01101001 01100111`, `105 103`, `151 147`, `69 67`, `.. --.`, and base32.

use crate::views::{digits, run};

/// Fewer numbers are numbers.
const GROUPS: usize = 8;

/// Numbers of a kind one after the other: what they may be, in the order to try, and how many bytes they take. None if they are too few.
pub(crate) fn numbers(text: &[u8], at: usize) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut groups: Vec<&[u8]> = Vec::new();
    let mut length = 0_usize;
    loop {
        let from = at.saturating_add(length);
        let group = text.get(from..from.saturating_add(run(text, from, |it| it.is_ascii_hexdigit())))?;
        if !(2..=8).contains(&group.len()) {
            break;
        }
        groups.push(group);
        length = length.saturating_add(group.len());
        let gap = run(text, from.saturating_add(group.len()), |it| matches!(it, b' ' | b',' | b':' | b'\n'));
        let more = from.saturating_add(group.len()).saturating_add(gap);
        if !(1..=2).contains(&gap) || !text.get(more).is_some_and(u8::is_ascii_hexdigit) {
            break;
        }
        length = length.saturating_add(gap);
    }
    if groups.len() < GROUPS {
        return None;
    }
    let read = |radix: u32, widths: std::ops::RangeInclusive<usize>| -> Option<Vec<u8>> {
        groups.iter().map(|it| if widths.contains(&it.len()) { digits(it, radix) } else { None }).collect()
    };
    let readings = [read(2, 7..=8), read(10, 2..=3), read(16, 2..=2), read(8, 2..=3)];
    Some((readings.into_iter().flatten().collect(), length))
}

/// Dots and dashes, letters parted by a space and words by `/`: what they say, if anything, and how many bytes they take.
pub(crate) fn morse(text: &[u8], at: usize) -> Option<(Option<String>, usize)> {
    let length = run(text, at, |it| matches!(it, b'.' | b'-' | b' ' | b'/' | b'|'));
    let signs = std::str::from_utf8(text.get(at..at.saturating_add(length))?).ok()?;
    if signs.split([' ', '/', '|']).filter(|it| !it.is_empty()).count() < GROUPS {
        return Some((None, length));
    }
    let mut out = String::new();
    for group in signs.trim_end().split(' ') {
        match MORSE.iter().find(|(it, _)| *it == group) {
            Some((_, letter)) => out.push(*letter),
            None if group.chars().all(|it| matches!(it, '/' | '|')) => out.push(' '),
            None => return Some((None, length)),
        }
    }
    Some((Some(out), length))
}

const MORSE: &[(&str, char)] = &[
    (".-", 'a'),
    ("-...", 'b'),
    ("-.-.", 'c'),
    ("-..", 'd'),
    (".", 'e'),
    ("..-.", 'f'),
    ("--.", 'g'),
    ("....", 'h'),
    ("..", 'i'),
    (".---", 'j'),
    ("-.-", 'k'),
    (".-..", 'l'),
    ("--", 'm'),
    ("-.", 'n'),
    ("---", 'o'),
    (".--.", 'p'),
    ("--.-", 'q'),
    (".-.", 'r'),
    ("...", 's'),
    ("-", 't'),
    ("..-", 'u'),
    ("...-", 'v'),
    (".--", 'w'),
    ("-..-", 'x'),
    ("-.--", 'y'),
    ("--..", 'z'),
    (".-.-.-", '.'),
    ("--..--", ','),
    ("..--..", '?'),
    (".----.", '\''),
    ("-.-.--", '!'),
    ("-----", '0'),
    (".----", '1'),
    ("..---", '2'),
    ("...--", '3'),
    ("....-", '4'),
    (".....", '5'),
];

/// A run in the alphabet of base32 (RFC 4648, section 6).
pub(crate) fn base32(run: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut bytes = Vec::new();
    for byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte.checked_sub(b'A')?,
            b'2'..=b'7' => byte.checked_sub(b'2')?.checked_add(26)?,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        count = count.saturating_add(5);
        if let Some(rest) = count.checked_sub(8) {
            count = rest;
            bytes.extend(u8::try_from((bits >> rest) & 0xff));
        }
    }
    Some(bytes)
}
