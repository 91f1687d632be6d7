//! `mtu_mismatch`: the link sends frames that what carries it does not take, or receives frames that are too long.

use super::contract::{Flag, Flagged};
use super::state::LinkState;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "mtu_mismatch",
    phases: BOTH,
    factor: "100 where full frames are lost (connections stall unless the other end's MTU is small too); 2 where a tunnel cuts every frame \
             into two.",
    judge: flag,
};

/// Stands for a connection whose full frames are all lost: it goes on by black hole detection at best.
const STALLS: f64 = 100.0;
/// Every full frame becomes two.
const TWO: f64 = 2.0;
/// Kinds whose packets are cut into fragments when the link below is too small for them, and bytes of their headers over
/// IPv4 with the inner Ethernet header where there is one (drivers/net/vxlan, net/ipv4/ip_gre.c and the like).
const TUNNELS: [(&str, u32); 6] =
    [("vxlan", 50), ("geneve", 50), ("gretap", 38), ("gre", 24), ("ipip", 20), ("sit", 20)];
/// Kinds that hand frames on as they are.
const PLAIN: [&str; 7] = ["vlan", "macvlan", "macvtap", "ipvlan", "bridge", "bond", "team"];

/// A smaller MTU than the link below has is fine: it costs 5 % at most (1500 of 9000).
pub fn flag(link: &LinkState) -> Flagged {
    if let Some(too_long) = link.recent.too_long.filter(|frames| *frames > 0) {
        let evidence = format!(
            "{too_long} frames came that are longer than its MTU of {} allows, in {} s",
            link.mtu,
            link.recent.time.as_secs()
        );
        return Flagged::Slows { ratio: STALLS, evidence, mend: Vec::new() };
    }
    let Some(below) = link.below.iter().min_by_key(|below| below.mtu) else {
        return Flagged::Fine(format!("MTU {}, and no link of this host carries it", link.mtu));
    };
    let headers = TUNNELS.iter().find(|(kind, _)| *kind == link.kind).map(|(_, headers)| *headers);
    if headers.is_none() && !PLAIN.contains(&link.kind.as_str()) {
        return Flagged::Unknown("how long the headers are that this kind of link adds");
    }
    let needed = link.mtu + headers.unwrap_or(0);
    let evidence = match headers {
        Some(headers) => format!(
            "MTU {} and {headers} bytes of headers, {} below it takes {}",
            link.mtu, below.name, below.mtu
        ),
        None => format!("MTU {}, {} below it takes {}", link.mtu, below.name, below.mtu),
    };
    if needed <= below.mtu {
        return Flagged::Fine(evidence);
    }
    let smaller = below.mtu - headers.unwrap_or(0).min(below.mtu);
    let mend = vec![
        format!("ip link set dev {} mtu {needed}", below.name),
        format!("ip link set dev {} mtu {smaller}", link.name),
    ];
    Flagged::Slows { ratio: if headers.is_some() { TWO } else { STALLS }, evidence, mend }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Below, LinkState, Recent};

    fn over(kind: &str, mtu: u32, below: u32) -> Flagged {
        let below =
            vec![Below { name: "eth0".into(), mtu: below }, Below { name: "eth1".into(), mtu: 65_535 }];
        flag(&LinkState { name: "up0".into(), kind: kind.into(), mtu, below, ..LinkState::example() })
    }

    #[test]
    fn the_smallest_link_below_decides() {
        assert!(matches!(flag(&LinkState::example()), Flagged::Fine(_)));
        assert!(matches!(over("vlan", 1500, 9000), Flagged::Fine(_)));
        let Flagged::Slows { ratio, mend, .. } = over("bridge", 9000, 1500) else { panic!("a bridge") };
        assert!(ratio > 10.0);
        assert_eq!(mend, ["ip link set dev eth0 mtu 9000", "ip link set dev up0 mtu 1500"]);
        assert!(matches!(over("vxlan", 1450, 1500), Flagged::Fine(_)));
        let Flagged::Slows { ratio, mend, .. } = over("vxlan", 1450, 1400) else { panic!("a tunnel") };
        assert!(ratio > 1.9 && mend[1].ends_with("up0 mtu 1350"), "{mend:?}");
        assert!(matches!(over("wireguard", 1500, 1400), Flagged::Unknown(_)));
        let link = LinkState::example();
        let recent = Recent { too_long: Some(3), ..link.recent };
        assert!(matches!(flag(&LinkState { recent, ..link }), Flagged::Slows { .. }));
    }
}
