//! IPv6 addresses (RFC 4291), whole or with `::`; not times, not names of C++ and Rust, not MACs.

use crate::{Entity, Finding, scan};
use std::net::Ipv6Addr;

fn member(it: u8) -> bool {
    it.is_ascii_hexdigit() || matches!(it, b':' | b'.')
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, |it| !member(it));
        let end = scan::run(bytes, start, member);
        at = end;
        let run = bytes.get(start..end).unwrap_or_default();
        let stop = end.saturating_sub(ending(run));
        let sized = (6..=45).contains(&stop.saturating_sub(start)) && run.contains(&b':');
        if sized && alone(bytes, start, stop) && text.get(start..stop).is_some_and(is_machine) {
            found.push(Finding { span: start..stop, entity: Entity::Ipv6, rule: "ipv6" });
        }
    }
}

/// How much of the end of a run is the sentence's: a full stop, a colon.
fn ending(run: &[u8]) -> usize {
    let length = run.iter().rev().take_while(|it| matches!(it, b'.' | b':')).count();
    // An address may end with two colons, as a network does.
    if run.ends_with(b"::") && length == 2 { 0 } else { length }
}

fn alone(text: &[u8], start: usize, end: usize) -> bool {
    let back = |by: usize| start.checked_sub(by).and_then(|it| scan::byte(text, it));
    let escaped = matches!(back(1), Some(b'n' | b't' | b'r')) && back(2) == Some(b'\\');
    let joins = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
    let before = escaped || !back(1).is_some_and(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-'));
    before && !scan::byte(text, end).is_some_and(joins)
}

/// Whether it is an address that a machine elsewhere can have.
fn is_machine(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv6Addr>() else {
        return false;
    };
    let own = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    let groups = || text.split(':').filter(|it| !it.is_empty());
    let bytes = groups().count() == 8 && groups().all(|it| it.len() == 2);
    // `face::add` is a name; an address that is shortened begins as those in use do, and has a digit.
    let first = address.segments().first().copied().unwrap_or_default();
    let in_use = matches!(first, 0x2000..=0x3fff | 0xfc00..=0xfebf | 0x64) || text.starts_with("::ffff:");
    let told = groups().count() == 8 || (in_use && text.bytes().any(|it| it.is_ascii_digit()) && groups().count() >= 2);
    !own && !bytes && told && !text.ends_with("::")
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn addresses_are_found_in_every_notation() {
        for (text, want) in [
            ("AAAA record points to 2a03:41e4:eb66::f645", "2a03:41e4:eb66::f645"),
            ("2001:d126:b7f6:d01::1cf8:4e5e, again", "2001:d126:b7f6:d01::1cf8:4e5e"),
            ("2628:077b:8598:f5da:8a47:c521:f644:d50a.", "2628:077b:8598:f5da:8a47:c521:f644:d50a"),
            ("http://[2001:DB8::7]:8080/", "2001:DB8::7"),
            ("fe80::1ff:fe23:4567:890a%eth2", "fe80::1ff:fe23:4567:890a"),
            ("fd12:3456:789a:1::1/64", "fd12:3456:789a:1::1"),
            ("::ffff:81.57.181.40", "::ffff:81.57.181.40"),
            ("from <2a03:41e4:eb66::f645>", "2a03:41e4:eb66::f645"),
            ("host:\\n2a03:41e4:eb66::f645\\n", "2a03:41e4:eb66::f645"),
        ] {
            check(Entity::Ipv6, text, &[want]);
        }
    }

    #[test]
    fn times_names_and_hardware_addresses_stay() {
        for text in [
            "12:34:56 and 2024-01-01T12:34:56",
            "std::vec::Vec, face::add, a::b, ::, Foo::Bar2::baz",
            "::1 and [::]:8080",
            "00:1A:2B:3C:4D:5E",
            "00:1a:2b:ff:fe:3c:4d:5e",
            "2001:db8::/32 is for documentation",
            "1:2:3:4:5:6:7",
            "key:value:2024:a",
            "ratio 16:9:4",
        ] {
            check(Entity::Ipv6, text, &[]);
        }
    }
}
