//! Numbers and factors that several flags share.

use super::state::LinkState;

/// A rate as links are spoken of: `10 Gbit/s`, `80 Mbit/s`.
pub fn bits(bytes_per_second: f64) -> String {
    let bits = bytes_per_second * 8.0;
    let (scaled, unit) = match bits {
        b if b >= 1e9 => (b / 1e9, "Gbit/s"),
        b if b >= 1e6 => (b / 1e6, "Mbit/s"),
        b => (b / 1e3, "kbit/s"),
    };
    let text = if scaled >= 100.0 { format!("{scaled:.0}") } else { format!("{scaled:.1}") };
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// By what factor lost packets slow one TCP connection on this link: Mathis' bound (segment / round trip x 1.22 / square
/// root of the loss; science of attribution) against what the link can carry.
pub fn of_loss(link: &LinkState, lost: u64, received: u64) -> Option<f64> {
    let share = lost_share(lost, received);
    if share <= 0.0 {
        return Some(1.0);
    }
    let bound = link.segment() / link.round_trip().0.as_secs_f64() * 1.22 / share.sqrt();
    Some((link.ceiling()? / bound).max(1.0))
}

/// The share of packets that were lost.
pub fn lost_share(lost: u64, received: u64) -> f64 {
    lost as f64 / (lost + received).max(1) as f64
}

/// Below this share of lost packets, bulk TCP with selective acknowledgements hardly slows down (Red Hat KB 742043).
pub const HARMLESS_LOSS: f64 = 0.001;

#[cfg(test)]
mod tests {
    use super::{bits, of_loss};
    use crate::analysis::flags::state::LinkState;

    #[test]
    fn loss_slows_by_mathis() {
        let link = LinkState::example();
        assert_eq!(of_loss(&link, 0, 100), Some(1.0));
        let factor = of_loss(&link, 10, 990).expect("a speed");
        assert!((6.0..7.0).contains(&factor), "1 % at 0.1 ms: {factor}");
        assert_eq!(of_loss(&LinkState { speed: None, ..link }, 10, 990), None);
        assert_eq!([1.25e9, 1.0e7, 125.0].map(bits), ["10 Gbit/s", "80 Mbit/s", "1 kbit/s"]);
    }
}
