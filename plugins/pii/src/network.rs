//! Addresses of machines and of money: IPv4, IPv6, MAC, wallets of crypto currencies.

mod around;
mod base58;
mod bech32;
mod ipv4;
mod ipv6;
mod mac;
mod sha256;
mod wallet;

use crate::{Entities, Entity, Finding};

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
