//! `sender_cpu`: a thread of the sender has its core full.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "sender_cpu",
    meaning: "A migration, compression or encryption thread of the sender uses all of its processor, or waits for one.",
    reading: "Running and waiting time of these threads while the connection idled; waiting counts a quota as well.",
    advice: "Give the hypervisor more processor time (quota, pinning), use multifd with more channels, or cheaper compression.",
    mend: &["virsh schedinfo {vm}", "virsh migrate --live --parallel --parallel-connections 4 {vm} DESTINATION"],
    pool: Pool::Idle,
    phases: BOTH,
    judge,
};

/// Threads that ran or wanted a processor for half of the time that the connection idled held it up for that part of it;
/// for nine tenths, for all of it: readings of threads and connections lie up to 100 ms apart.
const SOME: f64 = 0.5;
const FULL: f64 = 0.9;

fn judge(window: &Window) -> Judgement<'_> {
    let (Some(feeding), Some(thread)) =
        (window.feeding(), window.threads.as_ref().or(window.thread.as_ref()))
    else {
        return Judgement::Unknown("the hypervisor's threads");
    };
    let numbers = evidence!(
        "{} ran {:.0} % and waited for a processor {:.0} % of the time",
        thread.name,
        thread.running * 100.0,
        thread.waiting * 100.0
    );
    if feeding >= SOME {
        return Judgement::Limiting(if feeding >= FULL { 1.0 } else { feeding }, numbers);
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
        assert!(matches!(judge(&Window { thread: Some(thread), ..window.clone() }), Judgement::RuledOut(_)));
        let both = ThreadWindow {
            name: "two threads".into(),
            running: 0.4,
            waiting: 0.53,
            ..ThreadWindow::default()
        };
        let turns = Window { threads: Some(both), ..window };
        assert!(matches!(judge(&turns), Judgement::Limiting(share, _) if share > 0.99), "they take turns");
    }
}
