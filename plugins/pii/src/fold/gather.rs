//! Digits that stand alone, one after another: a number that somebody spread out, or an address.

use crate::scan::{byte, steps};

/// Fewer characters are a list.
const SHORTEST: usize = 9;

/// Says of each gap in a spread number or address where it begins, how long it is, and what stays of it.
pub(super) fn gaps(text: &[u8], mut say: impl FnMut(usize, usize, Option<char>)) {
    let (mut at, mut no_address) = (0, 0);
    while let Some(start) = begin(text, at) {
        at = start.saturating_add(1);
        if start >= no_address {
            let spread = follow(text, start, any, |_, _, _| ());
            no_address = spread.end;
            if spread.count >= SHORTEST && spread.signs == 1 {
                at = follow(text, start, any, &mut say).end;
                continue;
            }
        }
        if byte(text, start).is_some_and(number) {
            let spread = follow(text, start, number, |_, _, _| ());
            at = spread.end.max(at);
            if spread.count >= SHORTEST && spread.digits >= SHORTEST.saturating_sub(1) {
                follow(text, start, number, &mut say);
            }
        }
    }
}

/// What stands alone, one after another.
struct Spread {
    count: usize,
    digits: usize,
    /// How often the sign of an address is among it.
    signs: usize,
    end: usize,
}

/// Where the next one may begin: a letter or digit, a gap, and one more, with no word before.
fn begin(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let place = rest.windows(3).position(|it| matches!(it, [a, gap, b] if any(*a) && is_gap(*gap) && any(*b)));
        steps::take(place.unwrap_or(rest.len()).saturating_add(1));
        let start = at.saturating_add(place?);
        if !start.checked_sub(1).and_then(|it| byte(text, it)).is_some_and(|it| it.is_ascii_alphanumeric()) {
            return Some(start);
        }
        at = start.saturating_add(1);
    }
}

/// Follows the `alone` characters that stand alone from `start`.
fn follow(text: &[u8], start: usize, alone: fn(u8) -> bool, mut say: impl FnMut(usize, usize, Option<char>)) -> Spread {
    let mut spread = Spread { count: 0, digits: 0, signs: 0, end: start };
    while let Some(it) = byte(text, spread.end).filter(|it| alone(*it)) {
        let end = spread.end.saturating_add(1);
        spread.count = spread.count.saturating_add(1);
        spread.digits = spread.digits.saturating_add(usize::from(it.is_ascii_digit()));
        spread.signs = spread.signs.saturating_add(usize::from(it == b'@'));
        steps::take(2);
        let next = |length: usize| {
            let place = end.saturating_add(length);
            let after = byte(text, place.saturating_add(1));
            byte(text, place).is_some_and(alone) && !after.is_some_and(|it| it.is_ascii_alphanumeric())
        };
        let gap = text.get(end..).unwrap_or_default();
        let length = if byte(text, end).is_some_and(is_gap) && next(1) {
            say(end, 1, None);
            1
        } else if gap.starts_with(b" - ") && next(3) {
            say(end, 3, Some('-'));
            3
        } else if gap.starts_with(b" . ") && next(3) {
            say(end, 3, Some('.'));
            3
        } else {
            spread.end = end;
            return spread;
        };
        spread.end = end.saturating_add(length);
    }
    spread
}

fn any(it: u8) -> bool {
    it.is_ascii_alphanumeric() || it == b'@'
}

fn number(it: u8) -> bool {
    it.is_ascii_digit() || it.is_ascii_uppercase()
}

fn is_gap(it: u8) -> bool {
    matches!(it, b' ' | b'-' | b'.' | b'_')
}
