//! `ring_overflow`: the NIC's receive ring overflows.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "ring_overflow",
    meaning: "The NIC's receive ring overflows: packets come faster than the host empties it.",
    reading: "The driver's counter of overflows (normalised; link_info names it) grew while the migration came in.",
    advice: "Enlarge the ring: ethtool -G DEV rx MAX (ethtool -g DEV shows it), and spread the load over more queues.",
    mend: &["ethtool -g {wire}", "ethtool -G {wire} rx MAX"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

fn judge(window: &Window) -> Judgement<'_> {
    let known = window.links.iter().filter_map(|link| Some((link, link.ring_overflows?)));
    let Some((link, overflows)) = known.max_by_key(|(_, overflows)| *overflows) else {
        return Judgement::Unknown("the overflow counters of the links on its way");
    };
    let numbers = evidence!("{}: {overflows} packets lost to a full ring", link.name);
    match window.suffers_from(overflows) {
        Some(true) => Judgement::Limiting(1.0, numbers),
        Some(false) => Judgement::RuledOut(numbers),
        None => Judgement::Unknown("the migration's connections"),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};
    use crate::sample::migration::Direction;

    #[test]
    fn an_overflow_while_it_runs() {
        let link = LinkWindow { ring_overflows: Some(12), ..LinkWindow::default() };
        let window = Window { links: vec![link], direction: Direction::Incoming, ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let source = Window { direction: Direction::Outgoing, ..window };
        assert!(matches!(judge(&source), Judgement::RuledOut(_)), "nothing of it was lost");
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
    }
}
