//! `pcie_limited`: the slot gives less than the port.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window, CROWDED};

/// The rule.
pub static RULE: Rule = Rule {
    cause: "pcie_limited",
    meaning: "The NIC's PCIe slot gives less than its port, and the slot is full.",
    reading: "What the link carries beside the least PCIe bandwidth between the NIC and the processor.",
    advice: "Move the NIC to a slot with more lanes, or of a newer generation; look for a link that trained below its abilities.",
    mend: &["lspci -vv -s $(basename $(readlink /sys/class/net/{wire}/device)) | grep -E 'LnkCap|LnkSta'"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// What packets leave of the bandwidth after encoding (headers of PCIe packets take 10 to 15 %; the rule of thumb of the
/// vendors is that 0.9 of it is the most).
const USABLE: f64 = 0.9;

/// The other port of a two-port card takes from the same slot and is not counted here.
fn judge(window: &Window) -> Judgement<'_> {
    if window.links.is_empty() {
        return Judgement::Unknown("the links on its way");
    }
    let wires: Vec<&LinkWindow> = window.links.iter().filter(|link| link.wire.hardware).collect();
    let slots = wires.iter().filter_map(|link| Some((*link, link.wire.pcie? * USABLE)));
    let Some((link, usable)) = slots.min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return match wires.is_empty() {
            true => Judgement::RuledOut("no link on its way is hardware".into()),
            false => Judgement::Unknown("the PCIe bandwidth of the links on its way"),
        };
    };
    let numbers =
        evidence!("{}: {:.0} of {:.0} MB/s that its slot can give", link.name, link.rate / 1e6, usable / 1e6);
    let narrower = link.speed.is_none_or(|speed| usable < speed);
    // More than the slot can give goes through a slot that was asleep when it was looked at.
    let awake = link.rate <= usable / USABLE;
    if narrower && awake && link.rate >= CROWDED * usable {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};
    use crate::analysis::rules::wire::Wire;

    /// A port of 100 Gbit/s in a slot of eight lanes of 8 GT/s: 7.9 GB/s.
    fn window(rate: f64, pcie: Option<f64>) -> Window {
        let wire = Wire { hardware: true, pcie, ..Wire::default() };
        let link = LinkWindow { rate, speed: Some(12.5e9), wire, ..LinkWindow::default() };
        Window { links: vec![link], ..Window::example() }
    }

    #[test]
    fn a_full_slot_is_the_limit() {
        assert!(matches!(judge(&window(6.8e9, Some(7.876e9))), Judgement::Limiting(..)));
        assert!(matches!(judge(&window(3.0e9, Some(7.876e9))), Judgement::RuledOut(_)));
        assert!(
            matches!(judge(&window(11.0e9, Some(15.75e9))), Judgement::RuledOut(_)),
            "the port is narrower"
        );
        assert!(matches!(judge(&window(6.8e9, Some(1.0e9))), Judgement::RuledOut(_)), "it was asleep");
        assert!(matches!(judge(&window(6.8e9, None)), Judgement::Unknown(_)));
    }
}
