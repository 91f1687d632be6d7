//! `packet_loss`: packets are lost beyond this host.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{Window, HARMLESS};

/// The rule.
pub static RULE: Rule = Rule {
    cause: "packet_loss",
    meaning: "Packets are lost beyond this host, more than the flow's round-trip time bears.",
    reading: "The share of bytes sent again, and the rate that it allows by Mathis' bound (segment / round trip x 1.22 / square root of the loss).",
    advice: "Look for errors, drops and policers along the path: ip -s link on every hop, the switch's counters.",
    mend: &["mtr --report --tcp PEER", "ip -s -s link show dev {wire}"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// A rate this near to the bound, or beyond it, is held by it.
const NEAR: f64 = 0.5;
/// A bottleneck with a queue that overflows loses packets too, but what comes through it is steady; a path that loses
/// at random makes the rate go up and down (measured in the lab: mostly 1 to 4 %, at times 9 % behind a full router, 5 to
/// 30 % with random loss). In doubt the path is named, not the loss.
const STEADY: f64 = 0.12;

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = &window.flow else { return Judgement::Unknown("the migration's connections") };
    if flow.repeated < HARMLESS {
        return Judgement::RuledOut(evidence!("{:.3} % of the bytes sent again", flow.repeated * 100.0));
    }
    let bound = flow.segment as f64 / flow.rtt.as_secs_f64().max(1e-6) * 1.22 / flow.repeated.sqrt();
    let numbers = evidence!(
        "{:.2} % of the bytes sent again: at {:.1} ms that bounds the rate to about {:.0} MB/s; the rate varies by {:.0} %",
        flow.repeated * 100.0,
        flow.rtt.as_secs_f64() * 1e3,
        bound / 1e6,
        flow.variation * 100.0
    );
    if flow.rate >= NEAR * bound && flow.variation >= STEADY {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, Window};
    use std::time::Duration;

    #[test]
    fn loss_and_its_bound() {
        let flow = FlowWindow {
            rate: 12e6,
            busy: 1.0,
            repeated: 0.01,
            variation: 0.2,
            segment: 1448,
            rtt: Duration::from_millis(1),
            ..FlowWindow::default()
        };
        let window = Window { flow: Some(flow.clone()), ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        let steady = FlowWindow { variation: 0.02, ..flow.clone() };
        assert!(matches!(judge(&Window { flow: Some(steady), ..window.clone() }), Judgement::RuledOut(_)));
        let clean = FlowWindow { repeated: 0.0001, ..flow };
        assert!(matches!(judge(&Window { flow: Some(clean), ..window }), Judgement::RuledOut(_)));
    }
}
