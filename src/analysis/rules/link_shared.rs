//! `link_shared`: other traffic takes what is missing.

use super::contract::{evidence, Evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window, CROWDED};

/// The rule.
pub static RULE: Rule = Rule {
    cause: "link_shared",
    meaning: "Other traffic on the same link takes what is missing.",
    reading: "The narrowest link on the way is full, and the migration's own share of it is not all.",
    advice: "Move the other traffic, or give migrations a link or a class of their own.",
    mend: &["ss -tinp state established", "tc -s qdisc show dev {wire}"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Less than this is chatter, and the acknowledgements of others.
const OTHERS: f64 = 0.15;
/// Headers are a flow's own: about 6 % at an MTU of 1500.
const HEADERS: f64 = 1.06;

/// Who shares the narrowest link on the way.
pub(super) struct Crowd<'a> {
    link: &'a LinkWindow,
    ceiling: f64,
    /// Bytes a second that are not the migration's.
    pub others: f64,
    /// Those of them that are storage; `None` if it is not known.
    pub storage: Option<f64>,
}

impl<'a> Crowd<'a> {
    /// `None` if there are no connections, or no link's speed is known.
    pub fn of(window: &'a Window) -> Option<Self> {
        let (flow, link) = (window.flow.as_ref()?, window.narrowest()?);
        // What was sent and is not acknowledged yet, or was lost behind this link, is the migration's own too.
        let others = (link.rate - flow.rate.max(flow.sent) * HEADERS).max(0.0);
        let storage = link.storage.map(|storage| (storage * HEADERS).min(others));
        Some(Self { link, ceiling: link.ceiling()?, others, storage })
    }

    /// Whether the link is full, and not of the migration alone.
    pub fn limits(&self) -> bool {
        self.link.rate >= CROWDED * self.ceiling && self.others >= OTHERS * self.ceiling
    }

    /// Others that take half of it or more are the cause; below that, what the link can carry is one too.
    fn share(&self) -> f64 {
        (2.0 * self.others / self.link.rate).min(1.0)
    }

    /// The part of that which is storage's.
    pub fn storage_share(&self) -> f64 {
        self.storage.map_or(0.0, |storage| self.share() * storage / self.others.max(1.0))
    }

    /// In words.
    pub fn numbers(&self) -> Evidence<'a> {
        let (link, ceiling, others) = (self.link, self.ceiling, self.others);
        evidence!(
            "{}: {:.0} of {:.0} MB/s used, {:.0} MB/s of it by others",
            link.name,
            link.rate / 1e6,
            ceiling / 1e6,
            others / 1e6
        )
    }
}

/// What is left of the others' part when storage has had its own.
fn judge(window: &Window) -> Judgement<'_> {
    let Some(crowd) = Crowd::of(window) else {
        return Judgement::Unknown("the speed of the links on its way");
    };
    let (all, storage) = (crowd.share(), crowd.storage_share());
    if crowd.limits() && all > storage {
        return Judgement::Limiting((all - storage) / (1.0 - storage), crowd.numbers());
    }
    Judgement::RuledOut(crowd.numbers())
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};

    #[test]
    fn others_fill_the_link() {
        let link = LinkWindow { rate: 48e6, shaped: Some(50e6), ..LinkWindow::default() };
        let flow = FlowWindow { rate: 8e6, busy: 1.0, ..FlowWindow::default() };
        let window = Window { flow: Some(flow), links: vec![link.clone()], ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(share, _) if share > 0.8));
        let alone = FlowWindow { rate: 45e6, busy: 1.0, ..FlowWindow::default() };
        assert!(matches!(judge(&Window { flow: Some(alone), ..window }), Judgement::RuledOut(_)));
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
    }
}
