//! `softnet_backlog`: a CPU's backlog overflows.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "softnet_backlog",
    meaning: "A CPU's backlog overflows: packets are dropped between the driver and the protocols.",
    reading: "The second column of /proc/net/softnet_stat grew: at a destination by more than a thousandth of its packets, at a source by as much as was sent again.",
    advice: "Double the backlog: sysctl -w net.core.netdev_max_backlog=2000, and spread receive processing over CPUs.",
    mend: &["sysctl -w net.core.netdev_max_backlog=2000"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

fn judge(window: &Window) -> Judgement<'_> {
    let Some(dropped) = window.softnet_dropped else { return Judgement::Unknown("the CPUs' backlogs") };
    let numbers = evidence!("{dropped} packets dropped from full backlogs");
    match window.suffers_from(dropped) {
        Some(true) => Judgement::Limiting(1.0, numbers),
        Some(false) => Judgement::RuledOut(numbers),
        None => Judgement::Unknown("the migration's connections"),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, Window};
    use crate::sample::migration::Direction;

    #[test]
    fn drops_from_the_backlog_that_the_migration_suffers_from() {
        // 100,000 packets a second.
        let flow = FlowWindow {
            rate: 144.8e6,
            sent: 144.8e6,
            segment: 1448,
            connections: 1,
            ..FlowWindow::default()
        };
        let (direction, softnet_dropped) = (Direction::Incoming, Some(300));
        let window = Window { direction, flow: Some(flow.clone()), softnet_dropped, ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(
            judge(&Window { softnet_dropped: Some(3), ..window.clone() }),
            Judgement::RuledOut(_)
        ));
        let source = Window { direction: Direction::Outgoing, ..window };
        assert!(matches!(judge(&source), Judgement::RuledOut(_)), "somebody else's");
        let own = FlowWindow { repeated: 0.003, ..flow };
        assert!(matches!(judge(&Window { flow: Some(own), ..source }), Judgement::Limiting(..)));
    }
}
