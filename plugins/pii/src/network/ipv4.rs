//! IPv4 addresses: four numbers up to 255, unless what stands around them says version, section or network mask.

use super::around::Around;
use crate::{Entity, Finding, scan};

/// What is numbered in four parts and is no machine.
const NUMBERED: &[&str] = &[
    "version",
    "versions",
    "ver",
    "v",
    "release",
    "releases",
    "released",
    "build",
    "builds",
    "firmware",
    "upgrade",
    "upgraded",
    "upgrading",
    "driver",
    "changelog",
    "section",
    "sections",
    "chapter",
    "paragraph",
    "clause",
    "figure",
    "table",
    "article",
    "rev",
    "revision",
    "patch",
    "update",
    "updated",
    "oid",
    "kernel",
    "bios",
    "assembly",
    "assemblyversion",
    "fileversion",
    "downgrade",
    "sdk",
    "chrome",
    "mask",
    "netmask",
];

/// What says for certain that it is one.
const ADDRESSES: &[&str] = &["ip", "ips", "ipv4", "address", "addr", "addresses", "host", "hosts", "server", "ping"];

/// What says that it may be one.
const MACHINES: &[&str] = &[
    "ip",
    "ips",
    "ipv4",
    "address",
    "addr",
    "addresses",
    "host",
    "hosts",
    "server",
    "servers",
    "client",
    "ping",
    "dns",
    "gateway",
    "nameserver",
    "resolver",
    "remote",
    "peer",
    "subnet",
    "router",
    "proxy",
    "from",
    "ssh",
    "firewall",
    "blocked",
    "connect",
    "connection",
    "interface",
    "node",
    "endpoint",
    "traceroute",
    "whois",
    "dig",
    "login",
    "inet",
    "src",
    "dst",
    "source",
    "destination",
];

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, |it| !it.is_ascii_digit());
        let end = scan::run(bytes, start, |it| it.is_ascii_digit() || it == b'.');
        at = end;
        let run = bytes.get(start..end).unwrap_or_default();
        let stop = end.saturating_sub(run.iter().rev().take_while(|it| **it == b'.').count());
        let Some(octets) = bytes.get(start..stop).and_then(octets) else {
            continue;
        };
        if alone(bytes, start, stop)
            && is_machine(octets)
            && !is_network(bytes, stop, octets)
            && meant(bytes, start, octets)
        {
            found.push(Finding { span: start..stop, entity: Entity::Ipv4, rule: "ipv4" });
        }
    }
}

fn octets(run: &[u8]) -> Option<[u8; 4]> {
    if !(7..=15).contains(&run.len()) {
        return None;
    }
    let mut octets = [0; 4];
    let mut parts = run.split(|it| *it == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        let plain = part.len() == 1 || !part.starts_with(b"0");
        *octet = std::str::from_utf8(part).ok().filter(|_| plain)?.parse().ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// Whether it is no part of a word, a path (`Chrome/120.0.0.0`) or a longer number.
fn alone(text: &[u8], start: usize, end: usize) -> bool {
    let back = |by: usize| start.checked_sub(by).and_then(|it| scan::byte(text, it));
    let before = match back(1) {
        Some(b'/') => !back(2).is_some_and(|it| it.is_ascii_alphanumeric()),
        Some(b'n' | b't' | b'r') => back(2) == Some(b'\\'),
        // Not the end of a range of versions, `^1.2.3.4`, nor `pkg==1.2.3.4`, nor a decimal.
        Some(b'=') => !matches!(back(2), Some(b'=' | b'>' | b'<' | b'~' | b'!' | b'^')),
        Some(b'>') => !matches!(back(2), Some(b'~')),
        Some(it) => !it.is_ascii_alphanumeric() && !b"._+^~-#".contains(&it),
        None => true,
    };
    let next = scan::byte(text, end.saturating_add(1));
    let after = match scan::byte(text, end) {
        Some(b'-' | b'+' | b'_') => next.is_some_and(|it| it.is_ascii_digit()) && scan::byte(text, end) == Some(b'-'),
        Some(it) => !it.is_ascii_alphanumeric(),
        None => true,
    };
    before && after
}

/// Whether a machine elsewhere can have it: not the own one, not all, not a mask, not a group.
fn is_machine(octets: [u8; 4]) -> bool {
    !matches!(
        octets,
        [0 | 127 | 224..=255, ..]
            | [8, 8, 8 | 4, 8 | 4]
            | [1, 1, 1, 1]
            | [1, 0, 0, 1]
            | [9, 9, 9, 9]
            | [169, 254, 169, 254]
    )
}

/// `10.0.0.0/8`: a network, which is nobody's.
fn is_network(text: &[u8], end: usize, octets: [u8; 4]) -> bool {
    let prefix = scan::byte(text, end) == Some(b'/')
        && scan::byte(text, end.saturating_add(1)).is_some_and(|it| it.is_ascii_digit());
    prefix && matches!(octets, [.., 0])
}

/// Whether it is not the number of a version or a section: small numbers need a word that says what they are.
fn meant(text: &[u8], start: usize, octets: [u8; 4]) -> bool {
    let around = Around::before(text, start);
    let machine = around.has(MACHINES);
    let small = matches!(octets, [0..=9, 0..=99, 0..=99, 0..=99] | [0..=2, 0..=9, ..] | [_, _, 0, 0]);
    let numbered = around.has(NUMBERED) || around.has_version();
    !(around.ends(NUMBERED) || numbered && (small || !around.has(ADDRESSES)) || small && !machine)
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        for (text, want) in [
            ("Blocked 81.57.181.40 on the firewall", "81.57.181.40"),
            ("ssh root@192.168.17.4", "192.168.17.4"),
            ("http://10.2.123.220:3306/shop", "10.2.123.220"),
            ("{\"ip\":\"93.42.19.27\"}", "93.42.19.27"),
            ("It is 141.184.38.45.", "141.184.38.45"),
            ("81.57.181.40 - - [10/Oct/2024:13:55:36] \"GET /\"", "81.57.181.40"),
            ("ip=172.16.5.9&x", "172.16.5.9"),
            ("the server at 5.3.1.2 is down", "5.3.1.2"),
            ("10.1.2.3/24", "10.1.2.3"),
            ("x\\n81.57.181.40\\n", "81.57.181.40"),
            ("서버는 81.57.181.40입니다", "81.57.181.40"),
        ] {
            check(Entity::Ipv4, text, &[want]);
        }
    }

    #[test]
    fn versions_sections_and_masks_stay() {
        for text in [
            "from v3.0.5 to 8.4.888.1437, or from v3.0.5-rc.4 to 10.4.171.25",
            "upgrade to release 10.4.171.25",
            "Chrome/120.0.0.0 and Chrome/120.17.31.2",
            "see section 4.2.1.3 and 1.3.6.1.4.1",
            "localhost is 127.0.0.1, bind 0.0.0.0, mask 255.255.255.0",
            "10.0.0.0/8 and 192.168.0.0/16",
            "pkg==1.22.33.144, ~>1.22.33.144, pkg-1.22.33.144.tgz",
            "1.2.3.4.5, 1.2.3, 256.1.1.1, 01.02.03.04",
            "it costs 1.2.3.4",
            "8.8.8.8",
        ] {
            check(Entity::Ipv4, text, &[]);
        }
    }
}
