//! From where a request came, as far as the way that it took can be believed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What is counted as one caller whom nobody knows: an IPv4 address, or an IPv6 network of 64 bits,
/// because whoever has one IPv6 address has 2⁶⁴ of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network(IpAddr);

/// The client's address: the peer's, or with `trusted_hops` proxies before the companion the one that
/// the outermost of them saw. Each proxy appends its own peer to `X-Forwarded-For`, so that one stands
/// at that place **from the right**; what is left of it is the client's own word and is not read.
///
/// The peer is taken when the header is shorter than that or has something else at the place: then the
/// request did not come the way that the operator described.
#[must_use]
pub(crate) fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted_hops: u8,
) -> IpAddr {
    let Some(place) = usize::from(trusted_hops).checked_sub(1) else {
        return peer.to_canonical();
    };
    // Several lines of the header are one list (RFC 9110, section 5.3).
    let mut hops = forwarded.rev().flat_map(|line| line.rsplit(|it| *it == b','));
    hops.nth(place).and_then(address).unwrap_or(peer).to_canonical()
}

/// An address, or one with a port, as some proxies write it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
}

impl Network {
    /// The network that `address` belongs to.
    #[must_use]
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(it) => Self(it.into()),
            IpAddr::V6(it) => Self(Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << 64)).into()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(it) => it.fmt(out),
            IpAddr::V6(it) => write!(out, "{it}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], trusted_hops: u8) -> String {
        let lines = lines.iter().map(|it| it.as_bytes());
        client("::ffff:192.0.2.1".parse().unwrap(), lines, trusted_hops).to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_saw_is_believed() {
        let spoofed = &["1.1.1.1, 2.2.2.2,3.3.3.3"];
        let got = [check(spoofed, 0), check(spoofed, 1), check(spoofed, 2), check(spoofed, 3)];
        assert_eq!(got, ["192.0.2.1", "3.3.3.3", "2.2.2.2", "1.1.1.1"]);
        assert_eq!(check(&["1.1.1.1", "2.2.2.2, 3.3.3.3"], 3), "1.1.1.1");
    }

    #[test]
    fn a_header_that_cannot_be_right_leaves_the_peer() {
        let short: &[&[&str]] = &[&[], &["1.1.1.1"]];
        for lines in short {
            assert_eq!(check(lines, 2), "192.0.2.1", "{lines:?}");
        }
        for wrong in [
            "",
            " ",
            ",",
            "unknown",
            "1.1.1",
            "1.1.1.1.1",
            "1.1.1.1:",
            "01.1.1.1",
            "_x",
            "[::1",
            "::1%1",
            "1.1.1.1\u{a0}",
        ] {
            assert_eq!(check(&["2.2.2.2", wrong], 1), "192.0.2.1", "{wrong}");
        }
        // What is wrong to the left of the place is not looked at.
        assert_eq!(check(&["nonsense, ,\u{ff}", "3.3.3.3"], 1), "3.3.3.3");
    }

    #[test]
    fn an_address_may_be_written_with_a_port() {
        let got =
            ["1.2.3.4:80", "[2001:db8::1]:80", "2001:db8::1", "::ffff:1.2.3.4", "\t1.2.3.4 "].map(|it| check(&[it], 1));
        assert_eq!(got, ["1.2.3.4", "2001:db8::1", "2001:db8::1", "1.2.3.4", "1.2.3.4"]);
    }

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let network = |it: &str| Network::of(it.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_eq!((network("::ffff:1.2.3.4"), network("1.2.3.5")), ("1.2.3.4".into(), "1.2.3.5".into()));
    }
}
