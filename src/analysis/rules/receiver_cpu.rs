//! `receiver_cpu`: the receiver does not take its data off the socket.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "receiver_cpu",
    meaning: "The receiver does not take data off its socket: its threads are busy, or held to a quota.",
    reading: "At the source: the peer's window swings towards zero. At the destination: the receive buffer is full, or the thread that takes the memory in has its core full.",
    advice: "Give the destination's hypervisor more processor time; use multifd so that more threads take the memory in.",
    mend: &["virsh schedinfo {vm}", "top -H -p PID"],
    pool: Pool::Window,
    phases: BOTH,
    judge,
};

use crate::sample::migration::Direction;

/// The window of a receiver that does not read shrinks below half of what it was a moment ago.
const SWINGS: f64 = 0.5;
/// A thread that runs or waits for a processor nine tenths of the time has nothing else that it waits for.
const FULL: f64 = 0.9;
/// A receive buffer that is half full holds what nobody takes.
const FILLED: f64 = 0.5;

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = &window.flow else { return Judgement::Unknown("the migration's connections") };
    if window.direction == Direction::Incoming {
        let busy = window.thread.as_ref().map_or(0.0, |thread| thread.running + thread.waiting);
        let numbers = evidence!(
            "receive buffer {:.0} % full, thread {:.0} % busy",
            flow.receive_queue * 100.0,
            busy * 100.0
        );
        let limits = flow.receive_queue >= FILLED || busy >= FULL;
        return if limits { Judgement::Limiting(1.0, numbers) } else { Judgement::RuledOut(numbers) };
    }
    let (smallest, largest) = flow.peer_window;
    let numbers = evidence!(
        "stopped {:.0} % of the time by a window that swings from {:.0} to {:.0} kB",
        flow.window_limited * 100.0,
        largest as f64 / 1e3,
        smallest as f64 / 1e3
    );
    if flow.window_share() > 0.0 && (smallest as f64) < SWINGS * largest as f64 {
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
    fn a_window_that_swings() {
        let flow = FlowWindow {
            busy: 1.0,
            window_limited: 0.96,
            peer_window: (0, 283_000),
            ..FlowWindow::default()
        };
        let window = Window { flow: Some(flow), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(judge(&Window::example()), Judgement::RuledOut(_)));
    }
}
