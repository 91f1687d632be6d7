//! `sender_cpu`: a thread of the sender has its core full.

use super::contract::{Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "sender_cpu",
    meaning: "A migration, compression or encryption thread of the sender uses all of its processor, or waits for one.",
    reading: "Running and waiting time of the busiest of these threads; waiting counts a quota as well.",
    advice: "Give the hypervisor more processor time (quota, pinning), use multifd with more channels, or cheaper compression.",
    mend: &["virsh schedinfo {vm}", "virsh migrate --live --parallel --parallel-connections 4 {vm} DESTINATION"],
    pool: Pool::Idle,
    phases: BOTH,
    judge,
};

/// A thread that runs or waits for a processor nine tenths of the time has nothing else that it waits for.
const FULL: f64 = 0.9;

fn judge(window: &Window) -> Judgement {
    let Some(thread) = &window.thread else { return Judgement::Unknown("the hypervisor's threads") };
    let numbers = format!(
        "{} ran {:.0} % and waited for a processor {:.0} % of the time",
        thread.name,
        thread.running * 100.0,
        thread.waiting * 100.0
    );
    if thread.running + thread.waiting >= FULL {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{ThreadWindow, Window};

    #[test]
    fn a_thread_at_its_quota() {
        let thread = ThreadWindow {
            name: "live_migration".into(),
            running: 0.2,
            waiting: 0.75,
            ..ThreadWindow::default()
        };
        let window = Window { thread: Some(thread), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let thread = ThreadWindow {
            name: "live_migration".into(),
            running: 0.2,
            waiting: 0.1,
            ..ThreadWindow::default()
        };
        assert!(matches!(judge(&Window { thread: Some(thread), ..window }), Judgement::RuledOut(_)));
    }
}
