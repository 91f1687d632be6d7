//! `pcie_limited`: the slot gives less than the port.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::BOTH;
use crate::sample::footing;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "pcie_limited",
    phases: BOTH,
    factor: "The port's speed over nine tenths of what PCIe gives.",
    judge: flag,
};

/// What packets leave of the slot's bandwidth: 85 to 90 % (science of the thresholds).
const USED: f64 = 0.9;
/// A link that moves this share of its speed has its slot awake (our choice).
const AWAKE: f64 = 0.1;

/// What the slot leaves to packets, for a capacity.
pub fn slot(link: &LinkState) -> footing::Slot {
    match link.slot {
        None => footing::Slot::None,
        Some(_) if matches!(flag(link), Flagged::Unknown(_)) => footing::Slot::Asleep,
        Some(slot) => footing::Slot::Gives(slot.now as f64 * USED),
    }
}

/// An idle device may run its slot slower to save power; it is judged then by its lanes only.
pub fn flag(link: &LinkState) -> Flagged {
    let (Some(slot), Some(speed)) = (link.slot, link.speed) else {
        return Flagged::Unknown("the bandwidth of its PCIe slot, or the link's speed");
    };
    let speed = speed as f64;
    let evidence = format!("PCIe gives {}, the port runs at {}", bits(slot.now as f64), bits(speed));
    let ratio = speed / (slot.now as f64 * USED).max(1.0);
    let used = link.recent.others.map_or(0.0, |others| others.iter().map(|way| way.p95).fold(0.0, f64::max));
    let could_be_asleep = slot.most.is_none_or(|most| slot.now < most) && slot.narrow != Some(true);
    if ratio > 1.0 && could_be_asleep && used < AWAKE * speed {
        return Flagged::Unknown("traffic on the link: an idle device may run its slot slower");
    }
    slows(ratio, evidence, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Recent, Slot, Usage};

    #[test]
    fn a_slot_below_its_port() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let with = |now, most, narrow, p95| {
            let slot = Some(Slot { now, most: Some(most), narrow: Some(narrow) });
            let others = Some([Usage { p95, median: p95 }; 2]);
            let recent = Recent { others, ..link.recent };
            flag(&LinkState { slot, recent, speed: Some(12_500_000_000), ..link.clone() })
        };
        let gen3x8 = 7_876_000_000;
        assert!(matches!(with(gen3x8, gen3x8, false, 0.0), Flagged::Slows { ratio, .. } if ratio > 1.7));
        assert!(
            matches!(with(gen3x8, 15_752_000_000, true, 0.0), Flagged::Slows { .. }),
            "lanes are missing"
        );
        assert!(matches!(with(2_000_000_000, 15_752_000_000, false, 0.0), Flagged::Unknown(_)), "asleep");
        assert!(matches!(with(gen3x8, 15_752_000_000, false, 2e9), Flagged::Slows { .. }), "awake");
        assert!(matches!(flag(&LinkState { slot: None, ..link.clone() }), Flagged::Unknown(_)));
    }
}
