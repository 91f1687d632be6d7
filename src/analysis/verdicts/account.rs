//! Divides a window of time over the causes. The shares add up to the window; what nothing explains is `unknown`.

use crate::analysis::rules::contract::{Judgement, Pool};
use crate::analysis::rules::window::Window;
use crate::analysis::rules::{rdma_congestion, RULES, UNKNOWN};
use crate::sample::migration::Direction;
use std::sync::Arc;

/// One cause's part of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The cause.
    pub cause: &'static str,
    /// Between 0 and 1.
    pub share: f64,
    /// The numbers, or what is missing. It is written once, and kept by all who remember the share.
    pub evidence: Arc<str>,
}

/// How small a share is not worth a word.
const NOTHING: f64 = 0.001;

/// The shares of a window, in the order of the rules.
pub fn divide(window: &Window) -> Vec<Share> {
    let mut shares = Vec::new();
    let left = take(window, Pool::Whole, 1.0, &mut shares);
    for (pool, part) in pools(window) {
        let unexplained = take(window, pool, part * left, &mut shares);
        // At its destination a migration is judged by what happens there; the rest is the source's to tell.
        if window.direction == Direction::Outgoing {
            add(&mut shares, UNKNOWN, unexplained, || missing(window, pool));
        }
    }
    shares
}

/// The parts of a window that are left to the causes of each pool.
fn pools(window: &Window) -> Vec<(Pool, f64)> {
    match (&window.flow, window.direction) {
        // Bytes that no connection carries, and an RDMA port does.
        (None, _) if rdma_congestion::port(window).is_some() => vec![(Pool::Network, 1.0)],
        (None, _) => vec![(Pool::Idle, 1.0)],
        (Some(_), Direction::Incoming) => vec![(Pool::Window, 0.5), (Pool::Network, 0.5)],
        (Some(flow), Direction::Outgoing) => vec![
            (Pool::Idle, flow.idle_share()),
            (Pool::Window, flow.window_share()),
            (Pool::Buffer, flow.buffer_share()),
            (Pool::Network, flow.network_share()),
        ],
    }
}

/// Lets the rules of a pool take their shares; gives what is left.
fn take(window: &Window, pool: Pool, part: f64, shares: &mut Vec<Share>) -> f64 {
    let mut left = part;
    for rule in RULES.iter().filter(|rule| rule.pool.explains(pool) && rule.phases.contains(&window.phase)) {
        if left < NOTHING {
            break;
        }
        if let Judgement::Limiting(share, evidence) = (rule.judge)(window) {
            let taken = left * share.clamp(0.0, 1.0);
            left -= taken;
            add(shares, rule.cause, taken, || evidence.words());
        }
    }
    left
}

/// Adds a cause's share; its evidence is put into words only if the share is worth one.
fn add(shares: &mut Vec<Share>, cause: &'static str, share: f64, evidence: impl FnOnce() -> String) {
    if share < NOTHING {
        return;
    }
    match shares.iter_mut().find(|known| known.cause == cause) {
        Some(known) => known.share += share,
        None => shares.push(Share { cause, share, evidence: evidence().into() }),
    }
}

/// What the rules of a pool would have needed.
fn missing(window: &Window, pool: Pool) -> String {
    let rules = RULES.iter().filter(|rule| rule.pool.explains(pool));
    let mut missing: Vec<&str> = rules
        .filter_map(|rule| match (rule.judge)(window) {
            Judgement::Unknown(what) => Some(what),
            _ => None,
        })
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return "no cause is proven".into();
    }
    format!("missing: {}", missing.join("; "))
}

#[cfg(test)]
mod tests {
    use super::divide;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, ThreadWindow, Window};
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    /// Rows of the calibration on real migrations: busy, window limited, buffer limited, rate, the numbers that tell,
    /// and the true cause.
    #[test]
    fn the_calibration_is_judged_as_it_was_made() {
        let shaped = LinkWindow {
            name: "mig0".into(),
            rate: 36e6,
            shaped: Some(37.5e6),
            held_back: true,
            ..LinkWindow::default()
        };
        let crowded = LinkWindow { rate: 48e6, shaped: Some(50e6), held_back: true, ..LinkWindow::default() };
        let free = LinkWindow { rate: 25e6, speed: Some(1250e6), ..LinkWindow::default() };
        let flow = |rate: f64, busy, window, buffer| FlowWindow {
            rate: rate * 1e6 / 8.0,
            busy,
            window_limited: window,
            buffer_limited: buffer,
            rtt: Duration::from_millis(3),
            min_rtt: Duration::from_micros(13),
            segment: 1448,
            unsent: 1_600_000,
            send_buffer: 2_500_000,
            peer_window: (280_000, 283_000),
            connections: 1,
            ..FlowWindow::default()
        };
        let base = Window::example();
        let cases = [
            ("bandwidth_cap", flow(248.0, 0.05, 0.0, 0.0), Some(31_457_280), vec![free.clone()]),
            ("traffic_shaping", flow(283.0, 0.99, 0.0, 0.0), None, vec![shaped]),
            ("path_congestion", flow(190.0, 1.0, 0.0, 0.0), None, vec![free.clone()]),
            ("link_shared", flow(63.0, 1.0, 0.0, 0.0), None, vec![crowded]),
            (
                "receive_window",
                FlowWindow { peer_window: (9900, 10_000), ..flow(419.0, 0.97, 0.64, 0.0) },
                None,
                vec![free.clone()],
            ),
            (
                "receiver_cpu",
                FlowWindow { peer_window: (0, 283_000), ..flow(122.0, 1.0, 0.96, 0.0) },
                None,
                vec![free.clone()],
            ),
            ("send_buffer", flow(38.0, 0.99, 0.04, 0.465), None, vec![free]),
        ];
        for (cause, flow, cap, links) in cases {
            let window = Window { flow: Some(flow), cap, links, ..base.clone() };
            let shares = divide(&window);
            let leading = shares.iter().max_by(|a, b| a.share.total_cmp(&b.share)).expect("shares");
            assert_eq!(leading.cause, cause, "{shares:#?}");
            assert!(leading.share > 0.6, "{shares:#?}");
        }
    }

    proptest! {
        #[test]
        fn shares_add_up(
            busy in 0.0..1.0f64,
            window in 0.0..1.0f64,
            buffer in 0.0..1.0f64,
            running in 0.0..1.0f64,
            rate in 0.0..1e9f64,
            repeated in 0.0..0.1f64,
            shaped in proptest::option::of(1e6..1e9f64),
        ) {
            let flow = FlowWindow {
                rate,
                busy,
                window_limited: busy * window,
                buffer_limited: busy * (1.0 - window) * buffer,
                repeated,
                segment: 1448,
                rtt: Duration::from_millis(1),
                ..FlowWindow::default()
            };
            let thread = ThreadWindow { running, ..ThreadWindow::default() };
            let link = LinkWindow { rate, shaped, held_back: true, ..LinkWindow::default() };
            let window =
                Window { flow: Some(flow), thread: Some(thread), links: vec![link], ..Window::example() };
            let sum: f64 = divide(&window).iter().map(|share| share.share).sum();
            prop_assert!((sum - 1.0).abs() < 0.01, "{sum}");
        }
    }
}
