//! `dirty_pages`: the guest dirties memory as fast as it is copied.

use super::contract::{evidence, Judgement, Pool, Rule, COPY};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "dirty_pages",
    meaning: "The guest dirties memory as fast as it could be copied: it cannot converge at this rate.",
    reading: "The guest's dirty rate beside the rate of the copy, and beside what the narrowest link of this host could carry.",
    advice: "Slow the guest down (auto-converge), switch to post-copy, allow a longer pause, or migrate at a quieter hour.",
    mend: &["virsh migrate-postcopy {vm}", "virsh migrate-setmaxdowntime {vm} MILLISECONDS"],
    pool: Pool::Whole,
    phases: COPY,
    judge,
};

/// From here on each iteration leaves as much to copy as it copied.
const AS_FAST: f64 = 0.8;

fn judge(window: &Window) -> Judgement<'_> {
    let (Some(flow), Some((dirty, iterations))) = (&window.flow, window.dirty) else {
        return Judgement::Unknown("the guest's dirty rate");
    };
    // What it could be copied at: if something here holds the rate below that, that is the cause.
    let possible = window.narrowest().and_then(super::window::LinkWindow::ceiling);
    let reach = possible.filter(|_| flow.idle_share() > 0.5).unwrap_or(flow.rate).max(flow.rate);
    let numbers = evidence!(
        "dirties {:.0} MB/s, copied at {:.0} MB/s, iteration {iterations}",
        dirty / 1e6,
        flow.rate / 1e6
    );
    if iterations >= 2 && dirty >= AS_FAST * reach {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, Window};

    #[test]
    fn from_the_second_iteration_on() {
        let flow = FlowWindow { rate: 36e6, busy: 1.0, ..FlowWindow::default() };
        let window = Window { flow: Some(flow), dirty: Some((40e6, 3)), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(
            judge(&Window { dirty: Some((40e6, 1)), ..window.clone() }),
            Judgement::RuledOut(_)
        ));
        assert!(matches!(judge(&Window { dirty: Some((10e6, 3)), ..window }), Judgement::RuledOut(_)));
    }
}
