//! `sender_idle`: the sender has nothing to send.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "sender_idle",
    meaning: "The sender has nothing to send and its threads are not busy: it waits for a disk, for the receiver, or stands still.",
    reading: "The connection idles, and so does the thread that would feed it.",
    advice: "Look at what the hypervisor waits for: storage that is copied as well, a stopped process, a handshake.",
    mend: &["virsh domjobinfo {vm}", "iostat -x 1"],
    pool: Pool::Idle,
    phases: BOTH,
    judge,
};

/// Threads that were busy for this much of it were not what stood still.
const FULL: f64 = 0.9;

fn judge(window: &Window) -> Judgement<'_> {
    let (Some(flow), Some(thread)) = (&window.flow, window.threads.as_ref().or(window.thread.as_ref()))
    else {
        return Judgement::Unknown("the hypervisor's threads, or the migration's connections");
    };
    let numbers = evidence!(
        "the connection idled {:.0} % of the time, {} was busy {:.0} %",
        flow.idle_share() * 100.0,
        thread.name,
        (thread.running + thread.waiting) * 100.0
    );
    // What the threads' own business explains of the idle time has been taken by `sender_cpu`, which stands before.
    match window.feeding() {
        Some(feeding) if feeding < FULL => Judgement::Limiting(1.0, numbers),
        _ => Judgement::RuledOut(numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, ThreadWindow, Window};

    #[test]
    fn both_rest() {
        let flow = FlowWindow { busy: 0.0, ..FlowWindow::default() };
        let thread = ThreadWindow { name: "live_migration".into(), ..ThreadWindow::default() };
        let window = Window { flow: Some(flow), thread: Some(thread), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
    }
}
