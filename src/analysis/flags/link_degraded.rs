//! `link_degraded`: the wire, or the bond, is not what it could be.

use super::contract::{Flag, Flagged, WORTH};
use super::state::LinkState;
use super::words::{bits, lost_share, of_loss, HARMLESS_LOSS};
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "link_degraded",
    phases: BOTH,
    factor: "The worst of: best speed over speed; 2 for half duplex; members over members that are up; Mathis' bound for frames with errors; time \
             over time without flaps, 3 s each.",
    judge: flag,
};

/// What a flap costs a connection: one to three seconds of negotiation, and the sender's timer (our estimate).
const FLAP: f64 = 3.0;
/// One going and coming may be somebody's hand; from two on it flaps.
const FLAPPING: u64 = 4;

/// One thing that is wrong: by what factor, the numbers, the command.
type Fault = (f64, String, Option<String>);

/// Only what hardware or a bond tells is judged: a virtual link's speed is a name.
pub fn flag(link: &LinkState) -> Flagged {
    if !link.hardware && link.bond.is_none() {
        return Flagged::Fine("no hardware of this host under it".into());
    }
    let Some(speed) = link.speed else { return Flagged::Unknown("the link's speed") };
    let found = [slower(link), half(link), member(link), errors(link), flaps(link)];
    let mut faults: Vec<Fault> = found.into_iter().flatten().filter(|fault| fault.0 >= WORTH).collect();
    faults.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some((ratio, ..)) = faults.first() else {
        return Flagged::Fine(format!("{}, no errors on the wire", bits(speed as f64)));
    };
    let ratio = *ratio;
    let evidence = faults.iter().map(|fault| fault.1.as_str()).collect::<Vec<_>>().join("; ");
    Flagged::Slows { ratio, evidence, mend: faults.into_iter().filter_map(|fault| fault.2).collect() }
}

fn slower(link: &LinkState) -> Option<Fault> {
    let (speed, best) = (link.speed?, link.best_speed?);
    let evidence = format!("runs at {}, its port supports {}", bits(speed as f64), bits(best as f64));
    Some((best as f64 / speed as f64, evidence, Some(format!("ethtool -s {} autoneg on", link.name))))
}

fn half(link: &LinkState) -> Option<Fault> {
    link.half_duplex.filter(|half| *half)?;
    Some((2.0, "half duplex".into(), Some(format!("ethtool -s {} autoneg on", link.name))))
}

/// A bond that only keeps a spare loses no speed with it.
fn member(link: &LinkState) -> Option<Fault> {
    let bond = link.bond.as_ref().filter(|bond| bond.mode != "active-backup" && bond.mode != "broadcast")?;
    let missing: Vec<&str> = bond
        .members
        .iter()
        .filter(|member| member.up == Some(false))
        .map(|member| member.name.as_str())
        .collect();
    let up = bond.members.len() - missing.len();
    if missing.is_empty() || up == 0 {
        return None;
    }
    let evidence =
        format!("{up} of {} members are up, {} is missing", bond.members.len(), missing.join(", "));
    let mend = missing.iter().map(|name| format!("ip link set dev {name} up")).collect::<Vec<_>>().join("; ");
    Some((bond.members.len() as f64 / up as f64, evidence, Some(mend)))
}

fn errors(link: &LinkState) -> Option<Fault> {
    let recent = &link.recent;
    let wrong = recent.wire_errors.unwrap_or(0) + recent.uncorrectable.unwrap_or(0);
    let packets = recent.packets?;
    if lost_share(wrong, packets) < HARMLESS_LOSS {
        return None;
    }
    let evidence = format!("{wrong} frames with errors of {packets} in {} s", recent.time.as_secs());
    Some((of_loss(link, wrong, packets)?.max(WORTH), evidence, None))
}

fn flaps(link: &LinkState) -> Option<Fault> {
    let changes = link.recent.carrier_changes.filter(|changes| *changes >= FLAPPING && link.hardware)?;
    let seconds = link.recent.time.as_secs_f64().max(1.0);
    let gone = (changes as f64 / 2.0 * FLAP / seconds).min(0.9);
    Some((1.0 / (1.0 - gone), format!("the carrier changed {changes} times in {seconds:.0} s"), None))
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Bond, LinkState, Member, Recent};

    fn ratio(link: &LinkState) -> Option<f64> {
        match flag(link) {
            Flagged::Slows { ratio, .. } => Some(ratio),
            Flagged::Fine(_) | Flagged::Unknown(_) => None,
        }
    }

    #[test]
    fn speed_and_duplex() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        assert_eq!(ratio(&LinkState { best_speed: Some(3_125_000_000), ..link.clone() }), Some(2.5));
        assert_eq!(ratio(&LinkState { half_duplex: Some(true), ..link.clone() }), Some(2.0));
        assert!(matches!(flag(&LinkState { speed: None, ..link.clone() }), Flagged::Unknown(_)));
        let veth = LinkState { hardware: false, best_speed: Some(u64::MAX), ..link };
        assert!(matches!(flag(&veth), Flagged::Fine(_)));
    }

    #[test]
    fn errors_and_flaps() {
        let link = LinkState::example();
        let with = |recent| ratio(&LinkState { recent, ..link.clone() });
        assert!(with(Recent { wire_errors: Some(10_000), ..link.recent }).is_some_and(|r| r > 6.0));
        assert_eq!(with(Recent { wire_errors: Some(10), ..link.recent }), None);
        assert!(with(Recent { uncorrectable: Some(10_000), ..link.recent }).is_some());
        assert!(with(Recent { carrier_changes: Some(40), ..link.recent }).is_some_and(|r| r > 1.2));
        assert_eq!(with(Recent { carrier_changes: Some(2), ..link.recent }), None, "somebody's hand");
    }

    #[test]
    fn a_member_is_missing() {
        let bond = |mode: &str| {
            let member = |name: &str, up| Member { name: name.into(), up: Some(up), ..Member::default() };
            let members = vec![member("ens1", true), member("ens2", false)];
            let bond = Bond { mode: mode.into(), members, ..Bond::default() };
            LinkState { hardware: false, bond: Some(bond), ..LinkState::example() }
        };
        let Flagged::Slows { ratio: factor, mend, .. } = flag(&bond("802.3ad")) else { panic!("one of two") };
        assert!(factor > 1.9 && mend == ["ip link set dev ens2 up"], "{mend:?}");
        assert_eq!(ratio(&bond("active-backup")), None, "a spare");
    }
}
