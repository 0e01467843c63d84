//! Which addresses belong to everybody: nothing else is asked unless somebody allows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Answers about the machine to whoever runs on it in one large cloud, at an address that looks like any other.
const CLOUD: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Whether the address is of the public internet: not this machine, its network, its provider's, or a special one.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

// The registries of special addresses of RFC 6890 and its successors.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast();
    let [first, second, third, _] = address.octets();
    let more = matches!(
        (first, second, third),
        (0 | 240..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _)
    );
    !special && !more && address != CLOUD
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An address of the older kind in the clothes of the newer, from that segment on.
    let within = |at: usize| {
        let bits = u32::from(segments[at]) << 16 | u32::from(segments[at + 1]);
        is_public_v4(Ipv4Addr::from_bits(bits))
    };
    match segments {
        // Mapped, translated, tunnelled.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => within(6),
        [0x2002, ..] => within(1),
        // Other tunnels, and addresses for examples.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // The public internet is 2000::/3.
        [first, ..] => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let check = |addresses: &[&str], expected: bool| {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        };
        check(
            &["1.1.1.1", "93.184.216.34", "100.63.0.1", "100.128.0.1", "172.32.0.1"],
            true,
        );
        check(
            &["2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"],
            true,
        );
        check(
            &[
                "0.0.0.0",
                "10.1.2.3",
                "127.0.0.1",
                "127.9.9.9",
                "172.16.0.1",
                "192.168.1.1",
            ],
            false,
        );
        check(
            &["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"],
            false,
        );
        check(
            &["198.18.0.1", "203.0.113.5", "224.0.0.1", "255.255.255.255", "240.0.0.1"],
            false,
        );
        check(
            &["::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
            false,
        );
        check(
            &["fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1"],
            false,
        );
        check(
            &[
                "64:ff9b::7f00:1",
                "64:ff9b:1::1",
                "2002:7f00:1::",
                "2001::1",
                "2001:db8::1",
            ],
            false,
        );
    }
}
