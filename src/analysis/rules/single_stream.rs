//! `single_stream`: one connection cannot use the bond, or one core is the ceiling, though the link has room.

use super::contract::{evidence, Judgement, Pool, Rule, COPY};
use super::window::{FlowWindow, LinkWindow, Window, CROWDED};
use crate::sample::migration::Direction;
use crate::sample::thread::Role;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "single_stream",
    meaning: "One connection cannot use all members of the bond, or one thread's core is the ceiling while other cores idle and the link has room.",
    reading: "A single connection fills one member of a bond whose others have room; or the only migration thread runs all the time.",
    advice: "Migrate over several connections (multifd; parallel migration in libvirt). A bond needs a hash of ports as well (layer3+4).",
    mend: &[
        "virsh migrate --live --parallel --parallel-connections 4 {vm} qemu+ssh://DESTINATION/system",
        "cat /sys/class/net/{device}/bonding/xmit_hash_policy",
    ],
    pool: Pool::Sender,
    phases: COPY,
    judge,
};

/// A thread that runs nine tenths of the time has nothing that it waits for. Waiting does not count: that is `sender_cpu`.
const FULL: f64 = 0.9;
/// A whole other core that idles.
const CORE: f64 = 1.0;
/// A member that carries less than half of what it can has room.
const ROOM: f64 = 0.5;

/// Stands before `sender_cpu`, which keeps what a further connection would not mend: quotas, waiting, multifd's threads.
fn judge(window: &Window) -> Judgement<'_> {
    let Some(flow) = window.flow.as_ref().filter(|_| window.direction == Direction::Outgoing) else {
        return Judgement::RuledOut("it is the source that would open more connections".into());
    };
    if flow.connections > 1 {
        return Judgement::RuledOut(evidence!("{} connections", flow.connections));
    }
    if let Some(judgement) = on_bond(window, flow) {
        return judgement;
    }
    on_core(window)
}

/// A member that this connection fills, of a bond whose others have room. `None` if that is not so.
fn on_bond<'w>(window: &'w Window, flow: &'w FlowWindow) -> Option<Judgement<'w>> {
    let bonds = window.links.iter().filter(|link| link.wire.bond.is_some_and(|bond| bond.active >= Some(2)));
    let all = || window.links.iter().chain(&window.others);
    for bond in bonds {
        let members = || all().filter(|link| link.wire.master == bond.name);
        let its = |link: &&LinkWindow| link.is_full() == Some(true) && flow.rate >= CROWDED * link.rate;
        let Some((full, speed)) = members().find(its).and_then(|link| Some((link, link.speed?))) else {
            continue;
        };
        let idle = members().filter_map(|link| Some((link.rate, link.speed?)));
        let room: f64 = idle.filter(|(rate, of)| *rate <= ROOM * of).map(|(rate, of)| of - rate).sum();
        if room > 0.0 {
            let numbers = evidence!(
                "{}: one connection fills {} at {:.0} MB/s, the other members have room for {:.0} MB/s",
                bond.name,
                full.name,
                full.rate / 1e6,
                room / 1e6
            );
            return Some(Judgement::Limiting(room / (room + speed), numbers));
        }
    }
    None
}

/// The only migration thread has its core full, and neither compresses nor encrypts.
fn on_core(window: &Window) -> Judgement<'_> {
    let Some(thread) = window.thread.as_ref().filter(|thread| thread.role == Some(Role::Migration)) else {
        return Judgement::Unknown("the migration's thread");
    };
    let (name, ran) = (&thread.name, thread.running * 100.0);
    if thread.running < FULL || window.compression == Some(true) || window.tls == Some(true) {
        return Judgement::RuledOut(evidence!("{name} ran {ran:.0} % of the time"));
    }
    let (Some(idle), Some(link)) = (window.idle_processors, window.narrowest()) else {
        return Judgement::Unknown("idle processors, or the speed of the links on its way");
    };
    let numbers = evidence!(
        "{name} ran {ran:.0} % of the time while {idle:.1} processors idled and {} carried {:.0} MB/s",
        link.name,
        link.rate / 1e6
    );
    let roomy = link.ceiling().is_some_and(|ceiling| link.rate < CROWDED * ceiling) && !link.held_back;
    if idle >= CORE && roomy {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, ThreadWindow, Window};
    use crate::analysis::rules::wire::{Bond, Wire};
    use crate::analysis::verdicts::account::divide;
    use crate::sample::thread::Role;

    fn flow(rate: f64, connections: usize) -> FlowWindow {
        FlowWindow { rate, busy: 0.7, connections, segment: 1448, ..FlowWindow::default() }
    }

    fn bond(connections: usize) -> Window {
        let member = |name: &str, rate| LinkWindow {
            name: name.into(),
            rate,
            speed: Some(1250e6),
            wire: Wire { hardware: true, master: "bond0".into(), ..Wire::default() },
            ..LinkWindow::default()
        };
        let members = Bond { members: 2, up: Some(2), active: Some(2), balances: true };
        let link = LinkWindow {
            name: "bond0".into(),
            rate: 1200e6,
            speed: Some(2500e6),
            wire: Wire { bond: Some(members), ..Wire::default() },
            ..LinkWindow::default()
        };
        Window {
            flow: Some(flow(1150e6, connections)),
            links: vec![link, member("ens1", 1200e6)],
            others: vec![member("ens2", 10e6)],
            ..Window::example()
        }
    }

    fn core(running: f64, waiting: f64) -> Window {
        let thread =
            ThreadWindow { name: "live_migration".into(), role: Some(Role::Migration), running, waiting };
        let link = LinkWindow { rate: 2.2e9, speed: Some(5e9), ..LinkWindow::default() };
        Window {
            flow: Some(flow(2.1e9, 1)),
            thread: Some(thread),
            links: vec![link],
            idle_processors: Some(6.0),
            ..Window::example()
        }
    }

    #[test]
    fn one_connection_on_a_bond() {
        assert!(matches!(judge(&bond(1)), Judgement::Limiting(share, _) if (share - 0.5).abs() < 0.02));
        assert!(matches!(judge(&bond(3)), Judgement::RuledOut(_)));
        let mut busy = bond(1);
        busy.others[0].rate = 1200e6;
        assert!(!matches!(judge(&busy), Judgement::Limiting(..)));
    }

    #[test]
    fn one_core_is_the_ceiling() {
        let window = core(0.97, 0.0);
        let shares = divide(&window);
        assert!(shares[0].cause == "single_stream" && shares[0].share > 0.99, "{shares:?}");
        assert!(matches!(judge(&core(0.5, 0.45)), Judgement::RuledOut(_)), "it waits for a processor");
        let full = Window { idle_processors: Some(0.1), ..core(0.97, 0.0) };
        assert!(matches!(judge(&full), Judgement::RuledOut(_)));
        let encrypts = Window { tls: Some(true), ..core(0.97, 0.0) };
        assert!(matches!(judge(&encrypts), Judgement::RuledOut(_)));
        let blind = Window { idle_processors: None, ..core(0.97, 0.0) };
        assert!(matches!(judge(&blind), Judgement::Unknown(_)));
    }
}
