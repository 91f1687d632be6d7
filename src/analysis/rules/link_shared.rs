//! `link_shared`: other traffic takes what is missing.

use super::contract::{Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "link_shared",
    meaning: "Other traffic on the same link takes what is missing.",
    reading: "The narrowest link on the way is full, and the migration's own share of it is not all.",
    advice: "Move the other traffic, or give migrations a link or a class of their own.",
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// A link that carries this share of what it can is full for a window of a second (bursts and headers take the rest).
pub const CROWDED: f64 = 0.85;
/// Less than this is chatter, and the acknowledgements of others.
const OTHERS: f64 = 0.15;

fn judge(window: &Window) -> Judgement {
    let (Some(flow), Some(link)) = (&window.flow, window.narrowest()) else {
        return Judgement::Unknown("the speed of the links on its way");
    };
    let ceiling = link.ceiling().unwrap_or(f64::MAX);
    // Headers are the flow's own: about 6 % at an MTU of 1500.
    let others = (link.rate - flow.rate * 1.06).max(0.0);
    let numbers = format!(
        "{}: {:.0} of {:.0} MB/s used, {:.0} MB/s of it by others",
        link.name,
        link.rate / 1e6,
        ceiling / 1e6,
        others / 1e6
    );
    if link.rate >= CROWDED * ceiling && others >= OTHERS * ceiling {
        // Others that take half of it or more are the cause; below that, what the link can carry is one too.
        return Judgement::Limiting((2.0 * others / link.rate).min(1.0), numbers);
    }
    Judgement::RuledOut(numbers)
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
