//! `bandwidth_cap`: the hypervisor keeps to a limit of its own.

use super::contract::{evidence, Judgement, Pool, Rule, COPY};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "bandwidth_cap",
    meaning: "The hypervisor's own limit holds the rate.",
    reading: "QEMU sends a tenth of the limit in each tenth of a second and then sleeps: the connection idles while the average lies at the limit.",
    advice: "Raise or lift the limit: virsh migrate-setspeed DOMAIN --bandwidth MIB, or QMP migrate-set-parameters max-bandwidth (0 for none).",
    mend: &["virsh migrate-setspeed {vm} MIB", "virsh qemu-monitor-command {vm} --hmp 'migrate_set_parameter max-bandwidth 0'"],
    pool: Pool::Whole,
    phases: COPY,
    judge,
};

/// The average of a capped migration lies within 1.5 % of the cap (measured); protocol and a window's edges add some.
const AT: f64 = 0.9;
/// Faster than this it is not held by the limit: it was lifted, or the guest has stopped and the rest goes without.
const BEYOND: f64 = 1.1;
/// With several connections it may: QEMU looks at its limit before it sends and not after, so each tenth of a second
/// ends with a packet too many, of 512 KiB (migration/multifd.h, `MULTIFD_PACKET_SIZE`). At a limit of 4 MiB/s that is a
/// quarter more (measured).
const PACKETS: f64 = 10.0 * 524_288.0;

/// At the cap all of the time is its: between the bursts it lets the sender sleep, and what slows the bursts down
/// changes nothing of the average.
fn judge(window: &Window) -> Judgement<'_> {
    let (Some(flow), Some(cap)) = (&window.flow, window.cap) else {
        return Judgement::Unknown("the hypervisor's limit, or the migration's connections");
    };
    if cap == u64::MAX {
        return Judgement::RuledOut("the hypervisor has no limit".into());
    }
    let numbers = evidence!("{:.1} of {:.1} MB/s allowed", flow.rate / 1e6, cap as f64 / 1e6);
    let more = if flow.connections > 1 { PACKETS } else { 0.0 };
    let (least, most) = (AT * cap as f64, BEYOND * cap as f64 + more);
    if (least..most).contains(&flow.rate) && flow.idle_share() > 0.0 {
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
    fn a_rate_at_the_cap_with_idle_time() {
        let flow = FlowWindow { rate: 31e6, busy: 0.05, ..FlowWindow::default() };
        let window = Window { flow: Some(flow), cap: Some(31_457_280), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(judge(&Window { cap: Some(u64::MAX), ..window.clone() }), Judgement::RuledOut(_)));
        assert!(
            matches!(judge(&Window { cap: Some(20_000_000), ..window.clone() }), Judgement::RuledOut(_)),
            "lifted"
        );
        assert!(matches!(judge(&Window { cap: None, ..window.clone() }), Judgement::Unknown(_)));
        let of = |connections, rate| {
            let flow = FlowWindow { rate, connections, busy: 0.05, ..FlowWindow::default() };
            let window = Window { flow: Some(flow), cap: Some(4 << 20), ..window.clone() };
            let limits = matches!(judge(&window), Judgement::Limiting(..));
            limits
        };
        assert!(of(3, 5.3e6), "a packet more in each tenth");
        assert!(!of(1, 5.3e6) && !of(3, 12e6));
    }
}
