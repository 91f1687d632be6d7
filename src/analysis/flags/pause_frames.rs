//! `pause_frames`: the switch stops this port, or this port stops the switch.

use super::contract::{Flag, Flagged, WORTH};
use super::state::LinkState;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "pause_frames",
    phases: BOTH,
    factor: "Time over time not paused: every second frame stops the port (the other one lets it go on) for at most 65,535 times \
             512 bits; half of that is counted.",
    judge: flag,
};

/// Bits that the longest pause lasts: 65,535 quanta of 512 bits (IEEE 802.3, annex 31B).
const LONGEST_PAUSE: f64 = 65_535.0 * 512.0;
/// Time of a pause that is counted: every second frame, half of the longest (our estimate: only the frames are counted).
const COUNTED: f64 = 0.25;
/// The most of the time that the estimate may take.
const MOST: f64 = 0.9;

/// Frames are counted, not time: the factor is an estimate.
pub fn flag(link: &LinkState) -> Flagged {
    let recent = &link.recent;
    let (Some(received), Some(sent), Some(speed)) = (recent.pauses_received, recent.pauses_sent, link.speed)
    else {
        return Flagged::Unknown("counters of pause frames, or the link's speed");
    };
    let seconds = recent.time.as_secs_f64().max(1.0);
    let evidence = format!("{received} pause frames received and {sent} sent in {seconds:.0} s");
    let pause = LONGEST_PAUSE / (speed as f64 * 8.0) * COUNTED;
    let paused = (received.max(sent) as f64 / seconds * pause).min(MOST);
    let ratio = 1.0 / (1.0 - paused);
    if ratio < WORTH {
        return Flagged::Fine(evidence);
    }
    let larger = link.ring.filter(|ring| ring.now < ring.most && sent > received);
    let mend = larger.map(|ring| format!("ethtool -G {} rx {}", link.name, ring.most));
    Flagged::Slows { ratio, evidence, mend: mend.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Recent};

    #[test]
    fn frames_that_stop_the_port_for_long() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let with = |received, sent| {
            let recent = Recent { pauses_received: received, pauses_sent: sent, ..link.recent };
            flag(&LinkState { recent, ..link.clone() })
        };
        let Flagged::Slows { ratio, mend, .. } = with(Some(120_000), Some(0)) else { panic!("400/s") };
        assert!((1.4..1.7).contains(&ratio), "{ratio}");
        assert!(mend.is_empty(), "nothing on this host");
        let Flagged::Slows { mend, .. } = with(Some(0), Some(120_000)) else { panic!("400/s") };
        assert_eq!(mend, ["ethtool -G ens3f0 rx 8192"]);
        assert!(matches!(with(Some(300), Some(0)), Flagged::Fine(_)), "one a second");
        assert!(matches!(with(None, None), Flagged::Unknown(_)));
    }
}
