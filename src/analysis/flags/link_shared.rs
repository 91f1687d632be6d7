//! `link_shared`: others have used a good part of the link of late.

use super::contract::{Flag, Flagged};
use super::state::{LinkState, Usage};
use super::words::bits;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "link_shared",
    phases: BOTH,
    factor: "What the link carries over what others leave of it (their 95th percentile), but never less than half: a second \
             stream shares evenly.",
    judge: flag,
};

/// The rule's measure of what is more than chatter, most of the time.
const CHATTER: f64 = 0.15;
/// Others that take a fifth make a migration take a quarter longer (our choice: no authority was found).
const WORTH: f64 = 0.2;

/// Told from the last minutes, in the direction that is used more.
pub fn flag(link: &LinkState) -> Flagged {
    let (Some(ceiling), Some(others)) = (link.ceiling(), link.recent.others) else {
        return Flagged::Unknown("the link's speed, or what others move over it");
    };
    // What is storage has a flag of its own.
    let storage = link.storage.as_ref().map_or([0.0; 2], |storage| storage.rates);
    let [received, sent] = [0, 1].map(|way| Usage {
        p95: (others[way].p95 - storage[way]).max(0.0),
        median: (others[way].median - storage[way]).max(0.0),
    });
    let (way, most) = if received.p95 > sent.p95 { ("received", received) } else { ("sent", sent) };
    let evidence = format!(
        "others {way} {} of {} in the last {} s (95th percentile; median {})",
        bits(most.p95),
        bits(ceiling),
        link.recent.watched.as_secs(),
        bits(most.median)
    );
    if most.p95 < WORTH * ceiling || most.median < CHATTER * ceiling {
        return Flagged::Fine(evidence);
    }
    let ratio = ceiling / (ceiling - most.p95).max(ceiling / 2.0);
    // Whose it is, and where it could go, no counter tells: nothing to type.
    Flagged::Slows { ratio, evidence, mend: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Recent, Storage, Usage};

    fn used(p95: f64, median: f64) -> Flagged {
        let link = LinkState::example();
        let others = Some([Usage::default(), Usage { p95, median }]);
        flag(&LinkState { recent: Recent { others, ..link.recent }, ..link })
    }

    #[test]
    fn a_part_that_is_used_most_of_the_time() {
        assert!(matches!(used(0.0, 0.0), Flagged::Fine(_)));
        assert!(matches!(used(4e8, 3e8), Flagged::Slows { ratio, .. } if (1.4..1.6).contains(&ratio)));
        assert!(matches!(used(1.2e9, 1.1e9), Flagged::Slows { ratio, .. } if ratio > 1.9));
        assert!(matches!(used(1.2e9, 1e7), Flagged::Fine(_)), "a burst now and then");
        let link = LinkState::example();
        assert!(matches!(flag(&LinkState { speed: None, ..link.clone() }), Flagged::Unknown(_)));
        let others = Some([Usage::default(), Usage { p95: 4e8, median: 3e8 }]);
        let storage = Some(Storage { rates: [0.0, 3e8], connections: 1, ..Storage::default() });
        let stored = LinkState { recent: Recent { others, ..link.recent }, storage, ..link.clone() };
        assert!(matches!(flag(&stored), Flagged::Fine(_)), "it is storage: another flag");
        let recent = Recent { others: None, ..link.recent };
        assert!(matches!(flag(&LinkState { recent, ..link }), Flagged::Unknown(_)));
    }
}
