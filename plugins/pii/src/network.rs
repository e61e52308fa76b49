//! Addresses of machines and of money: IPv4, IPv6, MAC, wallets of crypto currencies.

mod around;
mod base58;
mod bech32;
mod ipv4;
mod ipv6;
mod mac;
mod sha256;
mod wallet;

use crate::{Entities, Entity, Finding, scan};

type Scanner = fn(&str, &mut Vec<Finding>);

pub(crate) fn find(text: &str, wanted: Entities, found: &mut Vec<Finding>) {
    let scanners: [(Entity, Scanner); 4] = [
        (Entity::Ipv4, ipv4::find),
        (Entity::Ipv6, ipv6::find),
        (Entity::MacAddress, mac::find),
        (Entity::CryptoWallet, wallet::find),
    ];
    for (entity, scanner) in scanners {
        if wanted.has(entity) {
            scanner(text, found);
        }
    }
}

/// Up to where all is said about addresses in `text`, whatever follows.
pub(crate) fn open(text: &str) -> usize {
    const BACK: usize = 120;
    let from = text.floor_char_boundary(text.len().saturating_sub(BACK));
    let tail = text.as_bytes().get(from..).unwrap_or_default();
    let part = |it: &u8| it.is_ascii_alphanumeric() || b":.-/%_".contains(it);
    let length = tail.iter().rev().take_while(|it| part(it)).count();
    scan::steps::take(length);
    let start = tail.len().saturating_sub(length);
    let word = tail.get(start..).unwrap_or_default();
    // An address has shown a digit after four letters, the longest group of one.
    let hex = word.len() <= 4 && word.iter().all(u8::is_ascii_hexdigit);
    let begun = hex || word.iter().any(u8::is_ascii_digit) || word.starts_with(b":") || wallet::may_begin(word);
    let start = start.saturating_add(scan::escape(tail, start));
    if begun && !word.is_empty() { text.floor_char_boundary(from.saturating_add(start)) } else { text.len() }
}
