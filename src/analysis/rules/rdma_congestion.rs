//! `rdma_congestion`: the fabric slows an RDMA migration down.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window};
use super::wire::RdmaPort;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "rdma_congestion",
    meaning: "RDMA: the fabric throttles the sender, loses packets, or the receiver is not ready for them.",
    reading: "Congestion notifications, negative acknowledgements, timeouts and missing buffers of the port that carries the migration's bytes.",
    advice: "Make the fabric lossless end to end (PFC and ECN on every hop with the same priority), or look for the port that is full.",
    mend: &["rdma statistic show", "mlnx_qos -i {wire}", "ethtool -S {wire} | grep -E 'prio|pause|discard'"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Bytes that no connection carries are this port's if it moved at least this share of what the hypervisor tells.
const SAME: f64 = 0.5;
/// After a notification a sender takes five periods of 55 us to come back near its rate (DCQCN, Zhu et al., SIGCOMM 2015);
/// it gets the rest back later, so this is what a notification costs at least.
const RECOVERY: f64 = 5.0 * 55e-6;
/// Lost packets are sent again with all that followed them (go back N): from one in a thousand on they tell, as in TCP.
const HARMLESS: f64 = 0.001;
/// A timer that ran out has stopped its queue pair for tens of milliseconds (4.096 us x 2^14, the usual setting).
const TIMEOUT: f64 = 0.067;

/// The port that carries the migration's bytes: there is no connection, the hypervisor tells of bytes, and a port moves
/// as many.
pub fn port(window: &Window) -> Option<(&LinkWindow, RdmaPort)> {
    let told = window.told.filter(|told| window.flow.is_none() && *told > 0.0)?;
    let ports = window.links.iter().chain(&window.others).filter_map(|link| Some((link, link.wire.rdma?)));
    ports
        .filter(|(_, port)| port.active && port.rate.is_some_and(|rate| rate >= SAME * told))
        .max_by(|(_, a), (_, b)| a.rate.unwrap_or_default().total_cmp(&b.rate.unwrap_or_default()))
}

fn judge(window: &Window) -> Judgement<'_> {
    if window.flow.is_some() {
        return Judgement::RuledOut("the migration moves by TCP".into());
    }
    let Some((link, port)) = port(window) else {
        return Judgement::Unknown("the RDMA port that moves the migration's bytes");
    };
    if (port.notifications, port.losses, port.timeouts) == (None, None, None) {
        return Judgement::Unknown("the congestion counters of the RDMA port");
    }
    let time = window.time.as_secs_f64();
    let count = |counter: Option<u64>| counter.unwrap_or(0) as f64;
    let numbers = evidence!(
        "{}: {:.0} congestion notifications, {:.0} packets refused or lost, {:.0} timeouts",
        link.name,
        count(port.notifications),
        count(port.losses),
        count(port.timeouts)
    );
    let lossy = port.packets.is_some_and(|packets| count(port.losses) >= HARMLESS * packets.max(1) as f64);
    let stopped = (count(port.notifications) * RECOVERY + count(port.timeouts) * TIMEOUT) / time;
    match (lossy && count(port.losses) > 0.0, stopped > 0.0) {
        (true, _) => Judgement::Limiting(1.0, numbers),
        (false, true) => Judgement::Limiting(stopped.min(1.0), numbers),
        (false, false) => Judgement::RuledOut(numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};
    use crate::analysis::rules::wire::{RdmaPort, Wire};
    use crate::analysis::verdicts::account::divide;

    fn window(port: RdmaPort) -> Window {
        let wire = Wire { hardware: true, rdma: Some(port), ..Wire::default() };
        let link = LinkWindow { wire, ..LinkWindow::default() };
        Window { flow: None, told: Some(2e9), others: vec![link], ..Window::example() }
    }

    fn port() -> RdmaPort {
        RdmaPort {
            active: true,
            rate: Some(2e9),
            packets: Some(500_000),
            notifications: Some(0),
            losses: Some(0),
            timeouts: Some(0),
        }
    }

    #[test]
    fn what_the_fabric_does_to_the_port_that_carries_it() {
        let throttled = window(RdmaPort { notifications: Some(2000), ..port() });
        assert!(matches!(judge(&throttled), Judgement::Limiting(share, _) if (share - 0.55).abs() < 0.01));
        assert!(divide(&throttled).iter().any(|share| share.cause == "rdma_congestion" && share.share > 0.5));
        let lossy = window(RdmaPort { losses: Some(900), ..port() });
        assert!(matches!(judge(&lossy), Judgement::Limiting(share, _) if share >= 1.0));
        let waits = window(RdmaPort { timeouts: Some(3), ..port() });
        assert!(matches!(judge(&waits), Judgement::Limiting(share, _) if share < 0.3));
        assert!(matches!(judge(&window(port())), Judgement::RuledOut(_)));
    }

    #[test]
    fn another_port_and_another_way_are_not_its() {
        let idle = window(RdmaPort { rate: Some(1e6), notifications: Some(2000), ..port() });
        assert!(matches!(judge(&idle), Judgement::Unknown(_)));
        let by_tcp = Window { flow: Some(FlowWindow::default()), ..window(port()) };
        assert!(matches!(judge(&by_tcp), Judgement::RuledOut(_)));
        let blind = window(RdmaPort { notifications: None, losses: None, timeouts: None, ..port() });
        assert!(matches!(judge(&blind), Judgement::Unknown(_)));
    }
}
