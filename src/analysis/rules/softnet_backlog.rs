//! `softnet_backlog`: a CPU's backlog overflows.

use super::contract::{Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "softnet_backlog",
    meaning: "A CPU's backlog overflows: packets are dropped between the driver and the protocols.",
    reading: "The second column of /proc/net/softnet_stat grew.",
    advice: "Double the backlog: sysctl -w net.core.netdev_max_backlog=2000, and spread receive processing over CPUs.",
    mend: &["sysctl -w net.core.netdev_max_backlog=2000"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

fn judge(window: &Window) -> Judgement {
    let Some(dropped) = window.softnet_dropped else { return Judgement::Unknown("the CPUs' backlogs") };
    let numbers = format!("{dropped} packets dropped from full backlogs");
    if dropped > 0 {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::Window;

    #[test]
    fn drops_from_the_backlog() {
        let window = Window { softnet_dropped: Some(3), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(judge(&Window::example()), Judgement::RuledOut(_)));
    }
}
