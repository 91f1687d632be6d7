//! `rdma_unused`: the migration runs over TCP past an RDMA port.

use super::contract::{evidence, Judgement, Pool, Rule, COPY};
use super::window::{Window, CROWDED, HARMLESS};
use crate::sample::migration::Direction;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "rdma_unused",
    meaning: "An active RDMA port sits on the path, the migration runs over TCP, and TCP does not fill the link.",
    reading: "The port is active and idle while the connection is limited by the network, though no link is full, nothing is lost and no queue builds up.",
    advice: "Migrate over RDMA where the hypervisor can, with all memory of the guest pinned; both hosts need a port in the same fabric.",
    mend: &["rdma link show", "virsh migrate --live --migrateuri rdma://DESTINATION {vm} qemu+ssh://DESTINATION/system"],
    pool: Pool::Network,
    phases: COPY,
    judge,
};

/// A port that moves less than this share of the migration's bytes does not carry it.
const IDLE: f64 = 0.01;
/// From here on a queue builds up somewhere: a hop is full that RDMA would pass as well (shared facts 1.3).
const QUEUED: u32 = 3;

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = window.flow.as_ref().filter(|_| window.direction == Direction::Outgoing) else {
        return Judgement::RuledOut("it is the source that would use it".into());
    };
    let mut ports = window.links.iter().filter_map(|link| Some((link, link.wire.rdma?)));
    let Some((link, port)) = ports.rfind(|(_, port)| port.active) else {
        return Judgement::RuledOut("no link on its way has an active RDMA port".into());
    };
    let Some(moved) = port.rate else { return Judgement::Unknown("the bytes that the RDMA port moves") };
    let numbers = evidence!(
        "{}: its RDMA port moves {:.0} MB/s, TCP {:.0} MB/s with a round trip of {:.2} ms ({:.2} at best)",
        link.name,
        moved / 1e6,
        flow.rate / 1e6,
        flow.rtt.as_secs_f64() * 1e3,
        flow.min_rtt.as_secs_f64() * 1e3
    );
    let full = window
        .links
        .iter()
        .any(|link| link.held_back || link.ceiling().is_some_and(|ceiling| link.rate >= CROWDED * ceiling));
    let elsewhere = flow.repeated >= HARMLESS || flow.rtt >= flow.min_rtt * QUEUED;
    if moved >= IDLE * flow.rate || full || elsewhere {
        return Judgement::RuledOut(numbers);
    }
    Judgement::Limiting(1.0, numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};
    use crate::analysis::rules::wire::{RdmaPort, Wire};
    use std::time::Duration;

    fn window() -> Window {
        let port = RdmaPort { active: true, rate: Some(0.0), ..RdmaPort::default() };
        let wire = Wire { hardware: true, rdma: Some(port), ..Wire::default() };
        let link = LinkWindow { rate: 2.2e9, speed: Some(12.5e9), wire, ..LinkWindow::default() };
        let flow = FlowWindow {
            rate: 2.1e9,
            busy: 1.0,
            rtt: Duration::from_micros(60),
            min_rtt: Duration::from_micros(40),
            ..FlowWindow::default()
        };
        Window { flow: Some(flow), links: vec![link], ..Window::example() }
    }

    #[test]
    fn tcp_that_leaves_the_link_half_empty() {
        assert!(matches!(judge(&window()), Judgement::Limiting(..)));
    }

    #[test]
    fn what_rdma_would_not_mend() {
        let mut full = window();
        full.links[0].rate = 12e9;
        let mut queued = window();
        queued.flow.iter_mut().for_each(|flow| flow.rtt = Duration::from_millis(1));
        let mut used = window();
        used.links[0].wire.rdma.iter_mut().for_each(|port| port.rate = Some(1e9));
        for other in [full, queued, used, Window::example()] {
            assert!(matches!(judge(&other), Judgement::RuledOut(_)));
        }
        let mut blind = window();
        blind.links[0].wire.rdma.iter_mut().for_each(|port| port.rate = None);
        assert!(matches!(judge(&blind), Judgement::Unknown(_)));
    }
}
