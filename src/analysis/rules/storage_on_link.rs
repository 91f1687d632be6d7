//! `storage_on_link`: storage traffic shares the migration's link.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::link_shared::Crowd;
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "storage_on_link",
    meaning: "Storage traffic (iSCSI, NFS, SMB, Ceph, NBD, DRBD, NVMe/TCP, GlusterFS) on the same link takes what is missing.",
    reading: "The narrowest link on the way is full, and connections of this host on ports of storage carry so much of it.",
    advice: "Give storage and migrations links of their own, or a class each: a migration that slows storage down slows every guest down.",
    mend: &[
        "ss -tin '( sport = :3260 or dport = :3260 or dport = :2049 or dport = :445 or dport = :4420 )'",
        "tc -s qdisc show dev {wire}",
    ],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Less of the others' bytes than this is a mount's keep-alive.
const WORTH: f64 = 0.01;

/// As `link_shared`, with the part of the others' bytes that is storage; that rule takes the rest.
fn judge(window: &Window) -> Judgement<'_> {
    let Some(crowd) = Crowd::of(window) else {
        return Judgement::Unknown("the speed of the links on its way");
    };
    if !crowd.limits() {
        return Judgement::RuledOut(crowd.numbers());
    }
    let Some(storage) = crowd.storage else {
        return Judgement::Unknown("this host's connections on ports of storage");
    };
    let shared = crowd.numbers();
    let numbers = evidence!("{}, {:.0} MB/s of that storage", shared.words(), storage / 1e6);
    if storage < WORTH * crowd.others {
        return Judgement::RuledOut(numbers);
    }
    Judgement::Limiting(crowd.storage_share(), numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::link_shared;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};

    fn crowded(storage: Option<f64>) -> Window {
        let link = LinkWindow { rate: 48e6, shaped: Some(50e6), storage, ..LinkWindow::default() };
        let flow = FlowWindow { rate: 8e6, busy: 1.0, ..FlowWindow::default() };
        Window { flow: Some(flow), links: vec![link], ..Window::example() }
    }

    fn share(judgement: &Judgement) -> f64 {
        match judgement {
            Judgement::Limiting(share, _) => *share,
            Judgement::RuledOut(_) | Judgement::Unknown(_) => 0.0,
        }
    }

    #[test]
    fn storage_and_the_rest_divide_the_others_part() {
        for (storage, of_storage) in [(0.0, 0.0), (9.3e6, 0.25), (18.6e6, 0.5), (40e6, 1.0)] {
            let window = crowded(Some(storage));
            let taken = share(&judge(&window));
            assert!((taken - of_storage).abs() < 0.02, "{storage}: {taken}");
            let rest = share(&(link_shared::RULE.judge)(&window)) * (1.0 - taken);
            assert!((taken + rest - 1.0).abs() < 0.02, "{storage}: {taken} and {rest}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_storage() {
        assert!(matches!(judge(&crowded(None)), Judgement::Unknown(_)));
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
        let mut roomy = crowded(Some(30e6));
        roomy.links[0].shaped = Some(500e6);
        assert!(matches!(judge(&roomy), Judgement::RuledOut(_)));
    }
}
