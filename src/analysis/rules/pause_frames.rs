//! `pause_frames`: the switch stops this port, or this port stops the switch.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "pause_frames",
    meaning: "Ethernet flow control stops the port: at a source the switch stops it, at a destination it stops the switch.",
    reading: "The port's pause frames (received at a source, sent at a destination) times the longest pause that one can ask for.",
    advice: "At a source, find the port of the switch that is full; at a destination, enlarge the receive ring or take the port's traffic faster. Switching pauses off turns them into losses.",
    mend: &["ethtool -I -a {wire}", "ethtool -G {wire} rx MAX"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// The longest pause that a frame can ask for is 65,535 quanta of 512 bit times (IEEE 802.3, annex 31B): so many bytes are
/// not sent in it. How long it really was nobody counts (shared facts: frames only, no duration), so this is what the
/// frames can explain at most; a few of them explain next to nothing.
const LONGEST: f64 = 65_535.0 * 512.0 / 8.0;

fn judge(window: &Window) -> Judgement<'_> {
    if window.links.is_empty() {
        return Judgement::Unknown("the links on its way");
    }
    let wires: Vec<_> = window.links.iter().filter(|link| link.wire.hardware).collect();
    let paused = wires.iter().filter_map(|link| Some((*link, link.wire.pauses?, link.speed?)));
    let share = |pauses: u64, speed: f64| pauses as f64 * LONGEST / speed / window.time.as_secs_f64();
    let worst = paused.max_by(|a, b| share(a.1, a.2).total_cmp(&share(b.1, b.2)));
    match worst {
        Some((link, pauses, speed)) => {
            let share = share(pauses, speed).min(1.0);
            let numbers =
                evidence!("{}: {pauses} pause frames, up to {:.0} % of the time", link.name, share * 100.0);
            if pauses > 0 {
                Judgement::Limiting(share, numbers)
            } else {
                Judgement::RuledOut(numbers)
            }
        }
        None if wires.is_empty() => {
            Judgement::RuledOut("no link on its way is hardware that could be paused".into())
        }
        None => Judgement::Unknown("pause frames and speed of the links on its way"),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};
    use crate::analysis::rules::wire::Wire;

    fn paused(pauses: Option<u64>) -> Window {
        let wire = Wire { hardware: true, pauses, ..Wire::default() };
        let link = LinkWindow { speed: Some(1.25e9), wire, ..LinkWindow::default() };
        Window { links: vec![link], ..Window::example() }
    }

    #[test]
    fn frames_explain_what_they_can_at_most() {
        // 10 Gbit/s: 3.36 ms each.
        assert!(
            matches!(judge(&paused(Some(100))), Judgement::Limiting(share, _) if (share - 0.336).abs() < 0.01)
        );
        assert!(matches!(judge(&paused(Some(5000))), Judgement::Limiting(share, _) if share >= 1.0));
        assert!(matches!(judge(&paused(Some(0))), Judgement::RuledOut(_)));
    }

    #[test]
    fn a_port_that_does_not_count_them_is_unknown_and_software_has_none() {
        assert!(matches!(judge(&paused(None)), Judgement::Unknown(_)));
        let software = Window { links: vec![LinkWindow::default()], ..Window::example() };
        assert!(matches!(judge(&software), Judgement::RuledOut(_)));
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
    }
}
