//! `compression`: the compressor is the limit.
//!
//! Beside `sender_cpu`: compression is on, and it is the compressing threads (multifd's, or those of the older way) that
//! have their cores full, more by running than by waiting for a processor. Then less compression or more threads mend it,
//! and more processor time does not. What runs full without compressing, or mostly waits, is `sender_cpu`.
//!
//! Several compressors on a host short of processors take turns with the thread that feeds them, and none of them is full:
//! then the time that the connections idle is theirs, as far as all of these threads together were busy.
//!
//! That memory would compress well while processors idle and the link is full is not told: no number of a hypervisor says
//! how well memory compresses before it is compressed.

use super::contract::{evidence, Judgement, Pool, Rule, COPY};
use super::window::Window;
use crate::sample::migration::Direction;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "compression",
    meaning: "The compressor is the limit: its threads have their cores full.",
    reading: "Running and waiting time of the busiest thread that compresses.",
    advice: "Compress less (zstd or a lower level instead of zlib, or none where the link has room), or with more threads.",
    mend: &[
        "virsh qemu-monitor-command {vm} --hmp 'info migrate_parameters'",
        "virsh migrate --live --parallel --parallel-connections 4 --comp-methods zstd {vm} qemu+ssh://DESTINATION/system",
    ],
    pool: Pool::Sender,
    phases: COPY,
    judge,
};

/// A thread that runs or waits for a processor nine tenths of the time has nothing else that it waits for.
const FULL: f64 = 0.9;

fn judge(window: &Window) -> Judgement<'_> {
    if window.direction == Direction::Incoming {
        return Judgement::RuledOut("the source compresses".into());
    }
    let Some(thread) = &window.compressor else {
        return match window.compression {
            Some(true) => Judgement::Unknown("the threads that compress"),
            // Threads of the older way have names of their own: without them nothing compresses.
            Some(false) | None => Judgement::RuledOut("nothing compresses".into()),
        };
    };
    let numbers = evidence!(
        "{} ran {:.0} % and waited for a processor {:.0} % of the time",
        thread.name,
        thread.running * 100.0,
        thread.waiting * 100.0
    );
    if thread.running < thread.waiting {
        return Judgement::RuledOut(numbers);
    }
    if thread.running + thread.waiting >= FULL {
        return Judgement::Limiting(1.0, numbers);
    }
    // Compressors that take turns: while the connections idle, nothing but they can be what is waited for.
    let taken = window
        .flow
        .as_ref()
        .map_or(0.0, |flow| flow.idle_share() / (flow.idle_share() + flow.network_share()));
    if window.feeding().is_some_and(|feeding| feeding >= FULL) {
        return Judgement::Limiting(taken, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, ThreadWindow, Window};
    use crate::analysis::verdicts::account::divide;
    use crate::sample::thread::Role;

    fn window(running: f64, waiting: f64) -> Window {
        let name = "multifdsend_0".into();
        let thread = ThreadWindow { name, role: Some(Role::Multifd), running, waiting };
        Window {
            flow: Some(FlowWindow { busy: 0.16, connections: 3, segment: 1448, ..FlowWindow::default() }),
            thread: Some(thread.clone()),
            compressor: Some(thread),
            compression: Some(true),
            ..Window::example()
        }
    }

    #[test]
    fn full_compressors_are_the_limit_and_waiting_ones_want_a_processor() {
        let leads = |window: &Window| divide(window)[0].cause;
        assert_eq!(leads(&window(0.95, 0.02)), "compression");
        assert_eq!(leads(&window(0.2, 0.75)), "sender_cpu");
        assert!(matches!(judge(&window(0.3, 0.1)), Judgement::RuledOut(_)));
        let plain = Window { compressor: None, compression: Some(false), ..window(0.95, 0.0) };
        assert_eq!(leads(&plain), "sender_cpu");
        let blind = Window { compressor: None, ..window(0.95, 0.0) };
        assert!(matches!(judge(&blind), Judgement::Unknown(_)));
    }
}
