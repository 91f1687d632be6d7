//! `link_degraded`: the link is not what it could be.

use super::contract::{evidence, Evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window, HARMLESS};
use crate::sample::migration::Direction;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "link_degraded",
    meaning: "The link runs below its abilities: a slow speed, half duplex, a missing member of a bond, errors on the wire, a carrier that comes and goes.",
    reading: "The link is full at a speed below its best mode, or without a member of its bond; or its driver counts errors, or its carrier changed meanwhile.",
    advice: "Look at cable, transceiver and the switch's port; renegotiate the speed; bring the missing member back.",
    mend: &["ethtool {wire}", "ethtool -S {wire}", "cat /proc/net/bonding/{device}"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Corrections of forward error correction alone cost nothing: what was mended has arrived. They are a warning of what
/// comes, and no rule of what limits.
fn judge(window: &Window) -> Judgement<'_> {
    if window.links.is_empty() {
        return Judgement::Unknown("the links on its way");
    }
    let mut wires =
        window.links.iter().filter(|link| link.wire.hardware || link.wire.bond.is_some()).peekable();
    if wires.peek().is_none() {
        return Judgement::RuledOut("no link on its way is hardware".into());
    }
    let incoming = window.direction == Direction::Incoming;
    let faults = wires.clone().flat_map(|link| {
        [slow(link), halved(link), flapping(link), errors(link).filter(|_| incoming), missing(link)]
    });
    if let Some((share, numbers)) = faults.flatten().max_by(|a, b| a.0.total_cmp(&b.0)) {
        return Judgement::Limiting(share, numbers);
    }
    if wires.any(|link| link.wire.bond.is_none() && link.wire.speed_max.is_none()) {
        return Judgement::Unknown("the best mode of the links on its way");
    }
    Judgement::RuledOut("the links on its way are what they can be, or have room".into())
}

type Fault<'a> = Option<(f64, Evidence<'a>)>;

/// At its best speed the same bytes would take this much less time.
fn slow(link: &LinkWindow) -> Fault<'_> {
    let (speed, best) = (link.speed?, link.wire.speed_max?);
    let numbers =
        evidence!("{}: full at {:.0} MB/s, could run at {:.0} MB/s", link.name, speed / 1e6, best / 1e6);
    (speed < best && link.is_full()?).then(|| (1.0 - speed / best, numbers))
}

fn halved(link: &LinkWindow) -> Fault<'_> {
    link.wire.half_duplex.then(|| (1.0, evidence!("{}: half duplex", link.name)))
}

fn flapping(link: &LinkWindow) -> Fault<'_> {
    let changes = link.wire.carrier_changes.filter(|changes| *changes > 0)?;
    Some((1.0, evidence!("{}: its carrier changed {changes} times meanwhile", link.name)))
}

/// Packets that came broken. A source receives acknowledgements alone, of which a lost one costs nothing.
fn errors(link: &LinkWindow) -> Fault<'_> {
    let errors = link.wire.errors? + link.wire.uncorrectable.unwrap_or(0);
    let share = errors as f64 / link.wire.packets?.max(1) as f64;
    let numbers = evidence!("{}: {:.2} % of the packets came broken", link.name, share * 100.0);
    (errors > 0 && share >= HARMLESS).then_some((1.0, numbers))
}

/// A bond that is full without all of its members.
fn missing(link: &LinkWindow) -> Fault<'_> {
    let bond = link.wire.bond.filter(|bond| bond.balances)?;
    let up = bond.up?;
    let numbers = evidence!("{}: full, with {up} of {} members", link.name, bond.members);
    (up < bond.members && link.is_full()?).then(|| (1.0 - up as f64 / bond.members as f64, numbers))
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};
    use crate::analysis::rules::wire::{Bond, Wire};
    use crate::sample::migration::Direction;

    fn window(rate: f64, wire: Wire) -> Window {
        let link = LinkWindow { rate, speed: Some(125e6), wire, ..LinkWindow::default() };
        Window { links: vec![link], ..Window::example() }
    }

    fn healthy() -> Wire {
        Wire {
            hardware: true,
            speed_max: Some(125e6),
            errors: Some(0),
            packets: Some(1000),
            ..Wire::default()
        }
    }

    #[test]
    fn a_slow_mode_counts_where_it_is_full() {
        let slow = Wire { speed_max: Some(1250e6), ..healthy() };
        assert!(matches!(judge(&window(120e6, slow.clone())), Judgement::Limiting(share, _) if share > 0.89));
        assert!(matches!(judge(&window(60e6, slow)), Judgement::RuledOut(_)));
        assert!(matches!(judge(&window(120e6, healthy())), Judgement::RuledOut(_)));
    }

    #[test]
    fn faults_of_the_wire() {
        let flaps = Wire { carrier_changes: Some(2), ..healthy() };
        let half = Wire { half_duplex: true, ..healthy() };
        for wire in [flaps, half] {
            assert!(matches!(judge(&window(1e6, wire)), Judgement::Limiting(..)));
        }
        let broken = Wire { errors: Some(9), ..healthy() };
        assert!(matches!(judge(&window(1e6, broken.clone())), Judgement::RuledOut(_)));
        let comes = Window { direction: Direction::Incoming, ..window(1e6, broken) };
        assert!(matches!(judge(&comes), Judgement::Limiting(..)));
    }

    #[test]
    fn a_bond_without_a_member() {
        let bond = Bond { members: 2, up: Some(1), active: Some(1), balances: true };
        let wire = |bond| Wire { bond: Some(bond), ..Wire::default() };
        assert!(
            matches!(judge(&window(120e6, wire(bond))), Judgement::Limiting(share, _) if (share - 0.5).abs() < 0.01)
        );
        let guards = Bond { balances: false, ..bond };
        assert!(matches!(judge(&window(120e6, wire(guards))), Judgement::RuledOut(_)));
    }

    #[test]
    fn what_a_driver_does_not_list_is_unknown() {
        let silent = Wire { hardware: true, ..Wire::default() };
        assert!(matches!(judge(&window(1e6, silent)), Judgement::Unknown(_)));
        assert!(matches!(judge(&window(1e6, Wire::default())), Judgement::RuledOut(_)));
    }
}
