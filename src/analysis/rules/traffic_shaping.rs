//! `traffic_shaping`: a queueing discipline of this host paces the flow.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "traffic_shaping",
    meaning: "A queueing discipline of this host paces the flow.",
    reading: "The discipline held packets back (overlimits) or has a backlog, and the link carries what the discipline lets through.",
    advice: "Raise the rate of the discipline or class (tc qdisc show dev DEV), or give migrations a class of their own.",
    mend: &["tc -s qdisc show dev {device}", "tc -s class show dev {device}"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// A device counts segments that it will cut up later with one header for all, and its count and the flow's are read
/// up to a tenth of a second apart: three quarters of the rate is all of it.
const FULL: f64 = 0.75;

fn judge(window: &Window) -> Judgement<'_> {
    let shaped = window.links.iter().find_map(|link| Some((link, link.shaped?)));
    let Some((link, rate)) = shaped else {
        return Judgement::RuledOut("no discipline on the way has a rate".into());
    };
    let numbers = evidence!(
        "{}: {:.0} of {:.0} MB/s let through, {}, {:.0} kB wait",
        link.name,
        link.rate / 1e6,
        rate / 1e6,
        if link.held_back { "holds packets back" } else { "holds nothing back" },
        link.backlog.unwrap_or(0) as f64 / 1e3
    );
    let holds = link.held_back || link.backlog.is_some_and(|bytes| bytes > 0);
    let waits = link.backlog.is_some_and(|bytes| bytes > 0);
    if holds && (waits || link.rate >= FULL * rate) {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};

    #[test]
    fn a_shaper_that_holds_back() {
        let link = LinkWindow { rate: 36e6, shaped: Some(37.5e6), held_back: true, ..LinkWindow::default() };
        let window = Window { links: vec![link.clone()], ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let rests = LinkWindow { rate: 10e6, ..link };
        assert!(matches!(judge(&Window { links: vec![rests], ..window }), Judgement::RuledOut(_)));
    }
}
