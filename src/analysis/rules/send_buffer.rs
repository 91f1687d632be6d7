//! `send_buffer`: the socket's send buffer is smaller than the path needs.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "send_buffer",
    meaning: "The socket's send buffer is smaller than the path needs.",
    reading: "Bytes on their way (rate times round trip) reach the buffer's size, and the kernel counts time stopped by it.",
    advice: "Raise the largest send buffer to twice bandwidth times delay: sysctl -w net.ipv4.tcp_wmem='4096 16384 16777216'.",
    mend: &["sysctl -w net.ipv4.tcp_wmem='4096 16384 16777216'"],
    pool: Pool::Buffer,
    phases: BOTH,
    judge,
};

fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = &window.flow else { return Judgement::Unknown("the migration's connections") };
    let numbers = evidence!(
        "{:.0} kB on their way, a buffer of {:.0} kB",
        flow.in_flight() / 1e3,
        flow.send_buffer as f64 / 1e3
    );
    if flow.buffer_share() > 0.0 {
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
    fn the_chronograph_or_a_full_small_buffer() {
        let flow = FlowWindow { busy: 1.0, buffer_limited: 0.4, ..FlowWindow::default() };
        let told = Window { flow: Some(flow), ..Window::example() };
        assert!(matches!(judge(&told), Judgement::Limiting(..)));
        let flow = FlowWindow {
            busy: 0.97,
            send_buffer: 16_384,
            rate: 55e6,
            rtt: Duration::from_micros(800),
            ..FlowWindow::default()
        };
        let blind = Window { flow: Some(flow), ..Window::example() };
        assert!(matches!(judge(&blind), Judgement::Limiting(..)));
        assert!(matches!(judge(&Window::example()), Judgement::RuledOut(_)));
    }
}
