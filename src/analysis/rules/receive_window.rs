//! `receive_window`: the receiver's window is smaller than the path needs.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "receive_window",
    meaning: "The receiver's window is smaller than the path needs, though the receiver takes its data.",
    reading: "The kernel counts time stopped by the peer's window, and that window is steady: it is full all the time and never opens.",
    advice: "Raise the largest receive buffer at the destination: sysctl -w net.ipv4.tcp_rmem='4096 131072 33554432'.",
    mend: &["sysctl -w net.ipv4.tcp_rmem='4096 131072 33554432'"],
    pool: Pool::Window,
    phases: BOTH,
    judge,
};

/// A window that shrinks below half of what it was a moment ago is one that is not emptied.
const STEADY: f64 = 0.5;

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = &window.flow else { return Judgement::Unknown("the migration's connections") };
    let (smallest, largest) = flow.peer_window;
    let numbers = evidence!(
        "stopped {:.0} % of the time by a window of {:.0} to {:.0} kB, {:.0} kB on their way",
        flow.window_limited * 100.0,
        smallest as f64 / 1e3,
        largest as f64 / 1e3,
        flow.in_flight() / 1e3
    );
    if flow.window_share() > 0.0 && smallest as f64 >= STEADY * largest as f64 {
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
    fn a_small_and_steady_window() {
        let flow = FlowWindow {
            busy: 0.8,
            window_limited: 0.33,
            peer_window: (9000, 10_000),
            ..FlowWindow::default()
        };
        let window = Window { flow: Some(flow.clone()), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let swings = FlowWindow { peer_window: (0, 283_000), ..flow };
        assert!(matches!(judge(&Window { flow: Some(swings), ..window }), Judgement::RuledOut(_)));
    }
}
