//! `path_congestion`: something beyond this host is full.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window, CROWDED};

/// The rule.
pub static RULE: Rule = Rule {
    cause: "path_congestion",
    meaning: "The flow is limited by the network though nothing on this host is full: a slower hop, a policer, or the far side.",
    reading: "The connection is busy all the time, its round trip is far above the shortest one, and no link of this host carries what it can.",
    advice: "Measure the path (mtr, iperf3 between both hosts at a quiet hour) and look at the slowest hop's queue.",
    mend: &["mtr --report PEER", "iperf3 --client PEER --time 10"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = &window.flow else { return Judgement::Unknown("the migration's connections") };
    let numbers = evidence!(
        "limited by the network {:.0} % of the time, round trip {:.1} ms of {:.2} ms at best, nothing here is full",
        flow.network_share() * 100.0,
        flow.rtt.as_secs_f64() * 1e3,
        flow.min_rtt.as_secs_f64() * 1e3
    );
    if window.links.is_empty() {
        return Judgement::Unknown("the links on its way");
    }
    if window.links.iter().any(|link| link.unseen) {
        return Judgement::Unknown("a second look at the queueing disciplines of a link");
    }
    if let Some(link) = window.links.iter().find(|link| link.held_back) {
        return Judgement::RuledOut(evidence!("a discipline of {} holds packets back", link.name));
    }
    // A shaper is looked at once a second: one whose link is full holds it, though its last reading is older than that.
    let is_full = |link: &&LinkWindow| link.ceiling().is_some_and(|ceiling| link.rate >= CROWDED * ceiling);
    if let Some(link) = window.links.iter().find(is_full) {
        return Judgement::RuledOut(evidence!("{} carries all that it can", link.name));
    }
    if flow.network_share() > 0.0 {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};

    #[test]
    fn busy_and_nothing_here_is_full() {
        let flow = FlowWindow { busy: 1.0, rate: 24e6, ..FlowWindow::default() };
        let link = LinkWindow { rate: 25e6, ..LinkWindow::default() };
        let window = Window { flow: Some(flow), links: vec![link], ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let full = LinkWindow { rate: 25e6, shaped: Some(26e6), ..LinkWindow::default() };
        assert!(matches!(judge(&Window { links: vec![full], ..window }), Judgement::RuledOut(_)));
    }
}
