//! `softnet_backlog`: CPUs' backlogs have overflowed of late, and this link's packets pass them.

use super::contract::{Flag, Flagged, WORTH};
use super::state::LinkState;
use super::words::of_loss;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "softnet_backlog",
    phases: BOTH,
    factor: "What the link carries over Mathis' bound for the share of packets dropped.",
    judge: flag,
};

/// Drops of one minute that are worth a larger backlog: a sixteenth of its size (bpftune, net-buffer).
const OF_LIMIT: u64 = 16;
/// A link with less than this share of the host's packets is not the one that overflows (our choice).
pub const OWN: f64 = 0.1;

/// Packets of software links pass a backlog always, those of hardware only where they are steered to other CPUs (RPS); of which
/// links packets are steered no counter tells.
pub fn flag(link: &LinkState) -> Flagged {
    let (Some(backlog), Some(packets)) = (link.backlog, link.recent.packets) else {
        return Flagged::Unknown("the CPUs' backlogs, or the link's packets");
    };
    let Some(limit) = backlog.limit else { return Flagged::Unknown("net.core.netdev_max_backlog") };
    let minutes = (link.recent.time.as_secs_f64() / 60.0).max(1.0);
    let evidence = format!(
        "{} packets dropped from full backlogs in {} s, of {} taken; one holds {limit}",
        backlog.dropped,
        link.recent.time.as_secs(),
        backlog.processed
    );
    let own = packets as f64 >= OWN * backlog.processed as f64;
    let is_enough = (backlog.dropped as f64) >= (limit / OF_LIMIT) as f64 * minutes;
    if link.hardware && backlog.steered && own && is_enough {
        return Flagged::Unknown("whether its packets are those that are steered to other CPUs");
    }
    if link.hardware || !own || !is_enough {
        return Flagged::Fine(evidence);
    }
    let Some(ratio) = of_loss(link, backlog.dropped, backlog.processed) else {
        return Flagged::Unknown("the link's speed");
    };
    let mend = vec![format!("sysctl -w net.core.netdev_max_backlog={}", limit * 2)];
    Flagged::Slows { ratio: ratio.max(WORTH), evidence, mend }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Backlog, LinkState};

    #[test]
    fn drops_from_backlogs_that_the_link_passes() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let with = |hardware, dropped, steered| {
            let backlog = Backlog { dropped, processed: 1_000_000, steered, limit: Some(1000) };
            flag(&LinkState { hardware, backlog: Some(backlog), ..link.clone() })
        };
        let Flagged::Slows { mend, .. } = with(false, 5000, false) else { panic!("a software link") };
        assert_eq!(mend, ["sysctl -w net.core.netdev_max_backlog=2000"]);
        assert!(matches!(with(true, 5000, true), Flagged::Unknown(_)), "it may be another link's");
        assert!(matches!(with(true, 5000, false), Flagged::Fine(_)), "hardware that is not steered");
        assert!(matches!(with(false, 100, false), Flagged::Fine(_)), "20 a minute of 62");
        assert!(matches!(flag(&LinkState { backlog: None, ..link.clone() }), Flagged::Unknown(_)));
    }
}
