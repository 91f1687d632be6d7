//! `storage_on_link`: storage connections use the link that migrations would take.

use super::contract::{Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "storage_on_link",
    phases: BOTH,
    factor: "What the link carries over what its traffic leaves of it (95th percentile), but never less than an even share with each storage \
             connection.",
    judge: flag,
};

/// Storage that uses less than this share of the link takes nothing away worth a flag (our choice).
const QUIET: f64 = 0.1;

/// Told where the link's storage connections are known.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(storage) = &link.storage else { return Flagged::Unknown("which connections are storage's") };
    if storage.is_empty() {
        return Flagged::Fine("no storage connection leaves by this link".into());
    }
    let (Some(ceiling), Some(others)) = (link.ceiling(), link.recent.others) else {
        return Flagged::Unknown("the link's speed, or what is moved over it");
    };
    let used = others.iter().map(|way| way.p95).fold(0.0, f64::max);
    let mut kinds = storage.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let evidence = format!(
        "{} connections of {}, and {} of {} in use (95th percentile)",
        storage.len(),
        kinds.join(", "),
        bits(used),
        bits(ceiling)
    );
    if used < QUIET * ceiling {
        return Flagged::Fine(evidence);
    }
    let even = ceiling / (1 + storage.len()) as f64;
    Flagged::Slows { ratio: ceiling / (ceiling - used).max(even), evidence, mend: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Recent, Usage};

    #[test]
    fn storage_that_is_busy() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Unknown(_)), "nobody tells");
        let with = |storage, p95| {
            let recent = Recent { others: Some([Usage { p95, median: p95 }; 2]), ..link.recent };
            flag(&LinkState { storage: Some(storage), recent, ..link.clone() })
        };
        assert!(matches!(with(vec![], 6e8), Flagged::Fine(_)));
        assert!(matches!(with(vec!["iscsi"], 1e6), Flagged::Fine(_)), "it rests");
        let Flagged::Slows { ratio, evidence, .. } = with(vec!["nfs", "iscsi", "iscsi"], 6e8) else {
            panic!("half of the link")
        };
        assert!(
            (2.0..2.1).contains(&ratio) && evidence.contains("3 connections of iscsi, nfs"),
            "{evidence}"
        );
        assert!(
            matches!(with(vec!["nfs"], 1.2e9), Flagged::Slows { ratio, .. } if ratio > 1.9),
            "an even share"
        );
    }
}
