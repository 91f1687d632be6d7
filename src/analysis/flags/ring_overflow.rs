//! `ring_overflow`: the receive ring has lost packets of late.

use super::contract::{Flag, Flagged, WORTH};
use super::state::LinkState;
use super::words::{lost_share, of_loss, HARMLESS_LOSS};
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "ring_overflow",
    phases: BOTH,
    factor: "What the link carries over Mathis' bound for the share of packets lost.",
    judge: flag,
};

/// Any growing number of discards and a ring below its maximum is what to mend (Red Hat, Increasing the ring buffers);
/// fewer than one packet in 100,000 slow nobody even without selective acknowledgements (Red Hat KB 742043).
const ANY: f64 = 0.00001;

/// A ring that loses nothing is fine, however small it is.
pub fn flag(link: &LinkState) -> Flagged {
    let (Some(lost), Some(packets)) = (link.recent.overflows, link.recent.packets) else {
        return Flagged::Unknown("a counter of packets that the ring could not take");
    };
    let share = lost_share(lost, packets);
    let ring = link
        .ring
        .map_or(String::new(), |ring| format!(", the ring has {} of {} entries", ring.now, ring.most));
    let evidence = format!(
        "{lost} packets lost in {} s, {:.3} % of those that came{ring}",
        link.recent.time.as_secs(),
        share * 100.0
    );
    let larger = link.ring.filter(|ring| ring.now < ring.most);
    if share < ANY || (share < HARMLESS_LOSS && larger.is_none()) {
        return Flagged::Fine(evidence);
    }
    let Some(ratio) = of_loss(link, lost, packets) else { return Flagged::Unknown("the link's speed") };
    let mend = larger.map(|ring| format!("ethtool -G {} rx {}", link.name, ring.most));
    // A loss that a quiet ring has already is more under a migration: it is told though its factor is small.
    Flagged::Slows { ratio: ratio.max(WORTH), evidence, mend: mend.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Recent, Ring};

    #[test]
    fn packets_that_the_ring_lost() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)), "a small ring that loses nothing");
        let lost = |overflows, ring| {
            let recent = Recent { overflows, ..link.recent };
            flag(&LinkState { ring, recent, ..link.clone() })
        };
        let Flagged::Slows { ratio, mend, .. } = lost(Some(10_000), link.ring) else { panic!("1 %") };
        assert!(ratio > 6.0);
        assert_eq!(mend, ["ethtool -G ens3f0 rx 8192"]);
        let full = Some(Ring { now: 8192, most: 8192 });
        assert!(matches!(lost(Some(10_000), full), Flagged::Slows { mend, .. } if mend.is_empty()));
        assert!(matches!(lost(Some(100), full), Flagged::Fine(_)), "0.01 %, and nothing to enlarge");
        assert!(matches!(lost(Some(100), link.ring), Flagged::Slows { .. }));
        assert!(matches!(lost(Some(3), link.ring), Flagged::Fine(_)));
        assert!(matches!(lost(None, link.ring), Flagged::Unknown(_)));
    }
}
