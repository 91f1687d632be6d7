//! `wrong_link`: the migration runs over a link other than the one meant for it, or a faster idle one exists.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Meant, Window};

/// The rule.
pub static RULE: Rule = Rule {
    cause: "wrong_link",
    meaning: "The migration runs over a link other than those meant for it, or fills a slow link while a faster one idles.",
    reading: "The links on its way beside those that the configuration names (dedicated), or beside the other physical links and what they carry.",
    advice: "Give the destination's address on the right network when migrating, or make it the default: --migrateuri, migration_address in libvirt's configuration, the migration network of the cluster.",
    mend: &["ip route get PEER", "virsh migrate --live --migrateuri tcp://ADDRESS {vm} qemu+ssh://DESTINATION/system"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// A link is faster if it is twice as fast: less is not worth another network.
const FASTER: f64 = 2.0;
/// A link that carries less than a tenth of what it can is nearly idle.
const IDLE: f64 = 0.1;

fn judge(window: &Window) -> Judgement<'_> {
    if let Some(meant) = &window.meant {
        return by_word(meant, window);
    }
    let known = window.links.iter().filter_map(|link| Some((link, link.speed?)));
    let Some((link, speed)) = known.min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Judgement::Unknown("the speed of the links on its way");
    };
    if link.is_full() != Some(true) {
        return Judgement::RuledOut(evidence!("{} has room", link.name));
    }
    let beside = |other: &&LinkWindow| link.wire.master.is_empty() || other.wire.master != link.wire.master;
    let others = window.others.iter().filter(beside).filter_map(|other| Some((other, other.speed?)));
    let idle = others.filter(|(other, of)| *of >= FASTER * speed && other.rate <= IDLE * of);
    match idle.max_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((other, of)) => {
            let numbers = evidence!(
                "{} is full at {:.0} MB/s, {} could carry {:.0} MB/s and carries {:.0}",
                link.name,
                speed / 1e6,
                other.name,
                of / 1e6,
                other.rate / 1e6
            );
            // There the same bytes would take this much less time; whether the far side can be reached there is not known.
            Judgement::Limiting(1.0 - speed / of, numbers)
        }
        None => Judgement::RuledOut("no faster link of this host idles".into()),
    }
}

/// The operator's word is proof: what limits it on a link that is not meant for it is not the question.
fn by_word<'w>(meant: &'w Meant, window: &'w Window) -> Judgement<'w> {
    let way: Vec<&str> = window.links.iter().map(|link| link.name.as_str()).collect();
    match (meant.taken, meant.up.is_empty()) {
        (true, _) => Judgement::RuledOut(evidence!("{}: meant for migrations", way.join(", "))),
        (false, true) => {
            Judgement::Limiting(1.0, evidence!("over {}: no link meant for migrations is up", way.join(", ")))
        }
        (false, false) => Judgement::Limiting(
            1.0,
            evidence!(
                "over {}, not over {} that is meant for migrations",
                way.join(", "),
                meant.up.join(" or ")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Meant, Window};

    fn link(name: &str, rate: f64, speed: f64) -> LinkWindow {
        LinkWindow { name: name.into(), rate, speed: Some(speed), ..LinkWindow::default() }
    }

    #[test]
    fn a_faster_link_idles() {
        let window = Window {
            links: vec![link("eno1", 120e6, 125e6)],
            others: vec![link("ens1", 10e6, 1250e6), link("ens2", 900e6, 3125e6)],
            ..Window::example()
        };
        let judged = judge(&window);
        assert!(matches!(&judged, Judgement::Limiting(share, numbers)
            if (share - 0.9).abs() < 0.01 && numbers.words().contains("ens1")));
        let roomy = Window { links: vec![link("eno1", 60e6, 125e6)], ..window.clone() };
        assert!(matches!(judge(&roomy), Judgement::RuledOut(_)));
        assert!(matches!(judge(&Window { others: Vec::new(), ..window.clone() }), Judgement::RuledOut(_)));
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
    }

    #[test]
    fn the_configuration_is_heeded_first() {
        let window = |taken, up: &[&str]| {
            let meant = Meant { taken, up: up.iter().map(|name| (*name).to_owned()).collect() };
            Window { links: vec![link("eno1", 10e6, 125e6)], meant: Some(meant), ..Window::example() }
        };
        assert!(matches!(judge(&window(true, &["eno1"])), Judgement::RuledOut(_)));
        assert!(
            matches!(judge(&window(false, &["ens3"])), Judgement::Limiting(_, numbers) if numbers.words().contains("ens3"))
        );
        assert!(matches!(judge(&window(false, &[])), Judgement::Limiting(..)));
    }
}
