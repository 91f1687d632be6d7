//! `single_stream`: one connection cannot use the whole bond.

use super::contract::{slows, Flag, Flagged};
use super::state::{Bond, LinkState};
use super::words::bits;
use crate::analysis::rules::contract::COPY;
use crate::sample::footing::Spread;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "single_stream",
    phases: COPY,
    factor: "The speed of all active members over that of the fastest one.",
    judge: flag,
};

/// Modes in which one connection uses one member only (Documentation/networking/bonding.rst).
const SPREADING: [&str; 4] = ["802.3ad", "balance-xor", "balance-tlb", "balance-alb"];
/// Hash policies that tell two connections between the same hosts apart.
const BY_PORT: [&str; 2] = ["layer3+4", "encap3+4"];

/// Links that are no bonds are fine: one connection may use all of them.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(bond) = &link.bond else {
        return Flagged::Fine("no bond: one connection may use all of it".into());
    };
    if bond.mode.is_empty() {
        return Flagged::Unknown("how the team spreads connections");
    }
    if !SPREADING.contains(&bond.mode.as_str()) {
        return Flagged::Fine(format!("{} does not spread connections over members", bond.mode));
    }
    let Some(speeds) = speeds(bond) else {
        return Flagged::Unknown("the speeds of the bond's active members");
    };
    let (sum, most) = (speeds.iter().sum::<u64>() as f64, speeds.iter().copied().max().unwrap_or(1) as f64);
    let by_port = BY_PORT.contains(&bond.hash_policy.as_str()) || bond.hash_policy.is_empty();
    let channels = link.seen.as_ref().map_or(1, |seen| seen.channels.max(1));
    let evidence = format!(
        "{} active members with {}, one connection gets {} ({}{})",
        speeds.len(),
        bits(sum),
        bits(most),
        bond.mode,
        if bond.hash_policy.is_empty() { String::new() } else { format!(", {}", bond.hash_policy) }
    );
    if by_port && channels >= speeds.len().max(2) {
        return Flagged::Fine(format!("{evidence}; the last migration had {channels} connections"));
    }
    let mut mend = Vec::new();
    if !by_port {
        mend.push(format!("ip link set dev {} type bond xmit_hash_policy layer3+4", link.name));
    }
    let (vm, peer) = link.seen.as_ref().map_or(("DOMAIN", "HOST"), |seen| (&seen.vm, &seen.peer));
    let connections = 2 * speeds.len();
    mend.push(format!(
        "virsh migrate --live --parallel --parallel-connections {connections} '{vm}' qemu+ssh://{peer}/system"
    ));
    slows(sum / most, evidence, mend)
}

/// How connections are spread, if one uses one member only and that is known.
pub fn spread(link: &LinkState) -> Option<Spread> {
    let bond = link.bond.as_ref().filter(|bond| SPREADING.contains(&bond.mode.as_str()))?;
    let speeds = speeds(bond)?;
    let by_port = BY_PORT.contains(&bond.hash_policy.as_str()) || bond.hash_policy.is_empty();
    Some(Spread { member: speeds.iter().copied().max()?, members: speeds.len() as u32, by_port })
}

/// The speeds of the members that carry traffic.
fn speeds(bond: &Bond) -> Option<Vec<u64>> {
    let active = bond.members.iter().filter(|member| member.active != Some(false));
    let speeds: Option<Vec<u64>> = active.map(|member| member.speed).collect();
    speeds.filter(|speeds| !speeds.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Bond, LinkState, Member, Seen};

    fn bond(mode: &str, hash_policy: &str, speed: Option<u64>) -> LinkState {
        let member = |name: &str| Member { name: name.into(), up: Some(true), active: Some(true), speed };
        let members = vec![member("ens1"), member("ens2")];
        let bond = Bond { mode: mode.into(), hash_policy: hash_policy.into(), members };
        LinkState { name: "bond0".into(), bond: Some(bond), ..LinkState::example() }
    }

    #[test]
    fn one_connection_on_a_bond_of_two() {
        assert!(matches!(flag(&LinkState::example()), Flagged::Fine(_)));
        let speed = Some(1_250_000_000);
        let Flagged::Slows { ratio, mend, .. } = flag(&bond("802.3ad", "layer2", speed)) else {
            panic!("LACP")
        };
        assert!(ratio > 1.9 && mend.len() == 2, "{mend:?}");
        assert!(matches!(flag(&bond("active-backup", "", speed)), Flagged::Fine(_)));
        let seen = Some(Seen { channels: 8, ..Seen::default() });
        let parallel = LinkState { seen, ..bond("802.3ad", "layer3+4", speed) };
        assert!(matches!(flag(&parallel), Flagged::Fine(_)));
        assert!(matches!(flag(&bond("802.3ad", "layer2", None)), Flagged::Unknown(_)));
        assert!(matches!(flag(&bond("", "", speed)), Flagged::Unknown(_)));
    }
}
