//! The hardware addresses of network cards (EUI-48): six pairs of hexadecimal digits, or Cisco's three groups of four.

use super::around::Around;
use crate::{Entity, Finding, scan};

fn member(it: u8) -> bool {
    it.is_ascii_hexdigit() || matches!(it, b':' | b'-' | b'.')
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, |it| !member(it));
        let end = scan::run(bytes, start, member);
        at = end;
        let run = bytes.get(start..end).unwrap_or_default();
        let leads = |it: &&u8| !it.is_ascii_hexdigit();
        let from = start.saturating_add(run.iter().take_while(leads).count());
        let to = end.saturating_sub(run.iter().rev().take_while(leads).count()).max(from);
        let address = bytes.get(from..to).unwrap_or_default();
        if (pairs(address) || groups(address)) && alone(bytes, from, to) && is_card(bytes, from, address) {
            found.push(Finding { span: from..to, entity: Entity::MacAddress, rule: "mac_address" });
        }
    }
}

/// `00:1A:2B:3C:4D:5E`, `00-1a-2b-3c-4d-5e`.
fn pairs(address: &[u8]) -> bool {
    let mark = address.get(2).copied();
    let sound = |part: &[u8]| {
        matches!(part, [one, two, rest @ ..]
        if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() && rest.iter().all(|it| Some(*it) == mark))
    };
    address.len() == 17 && matches!(mark, Some(b':' | b'-')) && address.chunks(3).all(sound)
}

/// `001a.2b3c.4d5e`.
fn groups(address: &[u8]) -> bool {
    let sound = |part: &[u8]| part.len() == 4 && part.iter().all(u8::is_ascii_hexdigit);
    address.len() == 14 && address.split(|it| *it == b'.').all(sound) && address.iter().any(u8::is_ascii_alphabetic)
}

fn alone(text: &[u8], start: usize, end: usize) -> bool {
    let back = |by: usize| start.checked_sub(by).and_then(|it| scan::byte(text, it));
    let escaped = matches!(back(1), Some(b'n' | b't' | b'r')) && back(2) == Some(b'\\');
    let joins = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    (escaped || !back(1).is_some_and(joins)) && !scan::byte(text, end).is_some_and(joins)
}

/// Whether a card has it: not nobody, not all; and pairs of decimal digits are a time unless a word says otherwise.
fn is_card(text: &[u8], start: usize, address: &[u8]) -> bool {
    let hex = || address.iter().filter(|it| it.is_ascii_hexdigit());
    let first = hex().next();
    let same = hex().all(|it| Some(it) == first);
    let letters = hex().any(u8::is_ascii_alphabetic);
    !same
        && (letters
            || Around::before(text, start).has(&["mac", "hardware", "ether", "hwaddr", "bssid", "ethernet", "wifi"]))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn addresses_of_cards_are_found() {
        for (text, want) in [
            ("ether 00:1A:2B:3C:4D:5E brd", "00:1A:2B:3C:4D:5E"),
            ("(00-1a-2b-3c-4d-5e)", "00-1a-2b-3c-4d-5e"),
            ("Cisco says 001a.2b3c.4d5e.", "001a.2b3c.4d5e"),
            ("MAC: 00:11:22:33:44:55:", "00:11:22:33:44:55"),
        ] {
            check(Entity::MacAddress, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "ff:ff:ff:ff:ff:ff and 00:00:00:00:00:00",
            "10:11:12:13:14:15",
            "00:1A:2B:3C:4D:5E:6F:70",
            "SHA1: 00:1A:2B:3C:4D:5E:6F:70:81:92:a3:b4:c5:d6:e7:f8:09:1a:2b:3c",
            "2024-01-02",
            "1234.5678.9012",
        ] {
            check(Entity::MacAddress, text, &[]);
        }
    }
}
