//! The links, worst first: what would slow a migration over each and what mends it, rates against what it carries,
//! rings, and what was lost.

use super::plot::{self, Rates};
use super::story::plain;
use super::view::View;
use super::words::{or_nothing, NOTHING};
use crate::analysis::peaks;
use crate::output::flags::phases;
use crate::output::{explain, units};
use crate::sample::flag::{Finding, Flagged};
use crate::sample::frame::Frame;
use crate::sample::link::{Link, Role};
use crate::sample::metric::Metric;
use crate::sample::strip::LINK_POINTS;
use crate::sample::subject::Key;
use crate::source::{driver_statistics, link_counters, rings};
use std::collections::HashMap;

/// Links on a page; a host with more has them in its metrics and its JSON.
pub const MOST: usize = 100;
/// Flags of one link that are told; the others are counted.
const MOST_FLAGS: usize = 4;

/// Guests of one link that are named.
const FEW: usize = 3;

/// One cause on a link.
pub struct FlagRow<'a> {
    /// The cause in words.
    pub cause: String,
    /// What it means.
    pub meaning: &'static str,
    /// By what factor it slows a migration.
    pub factor: String,
    /// The phases that it slows.
    pub phases: String,
    /// The numbers.
    pub evidence: &'a str,
    /// What mends it.
    pub mend: &'a [String],
}

/// Traffic of one way.
pub struct Way {
    /// `receiving` or `sending`.
    pub label: &'static str,
    /// The rate now.
    pub rate: String,
    /// As a part of what the link carries.
    pub share: String,
    /// The highest of the last minute.
    pub peaks: String,
    /// The last minutes.
    pub spark: Option<Rates>,
}

/// One link.
pub struct LinkRow<'a> {
    /// Never used again.
    pub key: Key,
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub what: String,
    /// Whether it is up.
    pub up: bool,
    /// What it carries.
    pub capacity: String,
    /// Guests that move over it now, the first few by name.
    pub carries: String,
    /// Both ways.
    pub ways: [Way; 2],
    /// The rings: name, entries now, the most.
    pub rings: Vec<(&'static str, String, String)>,
    /// What was lost, and how often the carrier changed; only what is known.
    pub losses: Vec<(&'static str, String)>,
    /// What would slow a migration, worst first.
    pub flags: Vec<FlagRow<'a>>,
    /// Flags that are not shown.
    pub more: usize,
}

/// A link of the page, before its row is made.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    /// The link.
    pub link: &'a Link,
    /// By what factor it slows a migration, at least 1.
    ratio: f64,
    /// Its place among those of the same factor, the first ones first.
    place: [bool; 4],
}

/// The links of a page, worst first: those that would slow a migration, those that carry one, hardware, the others.
pub fn choose<'a>(frame: &'a Frame, carrying: &HashMap<String, Vec<String>>) -> Vec<Chosen<'a>> {
    let mut ratios: HashMap<Key, f64> = HashMap::new();
    for finding in &frame.flags.list {
        let ratio = finding.ratio().unwrap_or(1.0);
        let worst = ratios.entry(finding.key).or_insert(1.0);
        *worst = worst.max(ratio);
    }
    let of_link = |link: &'a Link| {
        let is_idle = !carrying.contains_key(&link.name);
        let place = [is_idle, link.role != Role::Physical, !link.oper_up, link.role == Role::Loopback];
        Chosen { link, ratio: ratios.get(&link.key).copied().unwrap_or(1.0), place }
    };
    let mut chosen: Vec<_> = frame.links.exported().iter().map(of_link).collect();
    chosen.sort_by(|a, b| b.ratio.total_cmp(&a.ratio).then_with(|| a.place.cmp(&b.place)));
    chosen.truncate(MOST);
    chosen
}

/// The rows.
pub fn rows<'a>(
    view: &View<'a>,
    chosen: &[Chosen<'a>],
    carrying: &HashMap<String, Vec<String>>,
) -> Vec<LinkRow<'a>> {
    let mut findings: HashMap<Key, Vec<&Finding>> = HashMap::new();
    for finding in view.now.flags.list.iter().filter(|finding| finding.ratio().is_some()) {
        findings.entry(finding.key).or_default().push(finding);
    }
    let of_link = |chosen: &Chosen<'a>| {
        let flags = findings.get(&chosen.link.key).map_or(&[][..], Vec::as_slice);
        let guests = carrying.get(&chosen.link.name).map_or(&[][..], Vec::as_slice);
        row(view, chosen.link, flags, few(guests))
    };
    chosen.iter().map(of_link).collect()
}

fn row<'a>(view: &View<'a>, link: &'a Link, flags: &[&'a Finding], carries: String) -> LinkRow<'a> {
    let capacity = view.capacity(link);
    LinkRow {
        key: link.key,
        name: &link.name,
        what: what(link),
        up: link.oper_up,
        capacity: capacity.map_or(String::new(), units::bits_per_second),
        carries,
        ways: [0, 1].map(|way| traffic(view, link, way, capacity)),
        rings: [("rx", "receive"), ("tx", "send")]
            .into_iter()
            .filter_map(|ring| entries(view, link, ring))
            .collect(),
        losses: losses(view, link),
        flags: flags.iter().take(MOST_FLAGS).filter_map(|finding| flag(finding)).collect(),
        more: flags.len().saturating_sub(MOST_FLAGS),
    }
}

fn traffic(view: &View<'_>, link: &Link, way: usize, capacity: Option<f64>) -> Way {
    let rate = view.rates(link.key)[way];
    let share = rate.zip(capacity.filter(|capacity| *capacity > 0.0));
    let metric: &'static Metric = [&peaks::RECEIVE_PEAK, &peaks::TRANSMIT_PEAK][way];
    let peak = |window| view.value(metric, Some(window), link.key).map(units::bits_per_second);
    let peaks = [("1 s", peak("1s")), ("100 ms", peak("100ms"))];
    let peaks = peaks.into_iter().filter_map(|(window, peak)| Some(format!("{} in {window}", peak?)));
    let strip = view.now.strips.link(link.key);
    let points = strip.map(|strip| strip.points.iter().map(|point| point[way]).collect::<Vec<f32>>());
    Way {
        label: ["receiving", "sending"][way],
        rate: or_nothing(rate, units::bits_per_second),
        share: share.map_or(String::new(), |(rate, capacity)| percent(rate / capacity)),
        peaks: peaks.collect::<Vec<_>>().join(", "),
        spark: strip
            .zip(points)
            .and_then(|(strip, points)| plot::spark(&points, strip.pushed, capacity, LINK_POINTS)),
    }
}

/// A small share is not nothing.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        percent if percent < 1.0 => "under 1 %".into(),
        percent => format!("{percent:.0} %"),
    }
}

fn entries(
    view: &View<'_>,
    link: &Link,
    ring: (&'static str, &'static str),
) -> Option<(&'static str, String, String)> {
    let now = view.value(&rings::ENTRIES, Some(ring.0), link.key)?;
    let most = view.value(&rings::ENTRIES_MAX, Some(ring.0), link.key);
    Some((ring.1, units::count(now), most.map_or(NOTHING.into(), units::count)))
}

fn losses(view: &View<'_>, link: &Link) -> Vec<(&'static str, String)> {
    let counts = [
        ("ring overflows", view.value(&driver_statistics::RING_OVERFLOWS, None, link.key)),
        ("missed", view.value(&link_counters::MISSED, None, link.key)),
        ("dropped receiving", view.value(&link_counters::RECEIVE_DROPS, None, link.key)),
        ("dropped sending", view.value(&link_counters::TRANSMIT_DROPS, None, link.key)),
        ("carrier changes", link.carrier_changes.map(|changes| changes as f64)),
    ];
    counts.into_iter().filter_map(|(name, count)| Some((name, units::count(count?)))).collect()
}

fn flag(finding: &Finding) -> Option<FlagRow<'_>> {
    let Flagged::Slows { ratio, evidence, mend } = &finding.result else { return None };
    let cause = explain::causes().into_iter().find(|cause| cause.name == finding.cause);
    let factor = if *ratio >= 10.0 { format!("{ratio:.0} ×") } else { format!("{ratio:.1} ×") };
    Some(FlagRow {
        cause: plain(finding.cause),
        meaning: cause.map_or("", |cause| cause.meaning()),
        factor,
        phases: plain(&phases(finding.cause).join(" and ")),
        evidence,
        mend,
    })
}

/// Some names, and how many there are beside them.
fn few(names: &[String]) -> String {
    let told = names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FEW) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// What a link is, in a few words: `physical, ice, 0000:3b:00.0`, `vlan, addressed`.
fn what(link: &Link) -> String {
    let role = Some(link.role.word()).filter(|role| *role != link.kind);
    let hardware = link.hardware();
    let parts = [Some(&*link.kind), Some(hardware.driver.as_str()), role, Some(hardware.pci.as_str())];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{choose, rows, MOST};
    use crate::output::page::view::View;
    use crate::sample::flag::{Finding, Findings, Flagged};
    use crate::sample::frame::Frame;
    use crate::sample::link::{Link, Links, Role};
    use std::collections::{HashMap, HashSet};
    use std::sync::Arc;

    fn frame(links: Vec<Link>, flagged: &[(u64, &'static str, f64)]) -> Frame {
        let finding = |(key, cause, ratio): &(u64, &'static str, f64)| Finding {
            key: *key,
            device: format!("eth{key}"),
            cause,
            result: Flagged::Slows {
                ratio: *ratio,
                evidence: "1 % lost".into(),
                mend: vec!["mend it".into()],
            },
        };
        let list = flagged.iter().map(finding).collect();
        let flags = Arc::new(Findings { judged: [1].into(), list });
        Frame { links: Arc::new(Links::new(1, links, None)), flags, ..Frame::default() }
    }

    fn link(key: u64, role: Role) -> Link {
        Link {
            key,
            index: key as u32,
            name: format!("eth{key}"),
            exported: true,
            oper_up: true,
            role,
            ..Link::default()
        }
    }

    #[test]
    fn the_worst_comes_first_then_what_carries_a_migration_then_hardware() {
        let links =
            (1..=5).map(|key| link(key, if key == 4 { Role::Physical } else { Role::Addressed })).collect();
        let frame =
            frame(links, &[(3, "ring_overflow", 6.55), (3, "mtu_mismatch", 1.5), (5, "single_stream", 2.0)]);
        let carrying = HashMap::from([("eth2".to_owned(), vec!["db".to_owned()])]);
        let chosen = choose(&frame, &carrying);
        let keys: HashSet<_> = chosen.iter().map(|chosen| chosen.link.key).collect();
        let rows = rows(&View::new(&frame, &keys), &chosen, &carrying);
        let names: Vec<_> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["eth3", "eth5", "eth2", "eth4", "eth1"]);
        let flags: Vec<_> = rows[0].flags.iter().map(|flag| (&*flag.cause, &*flag.factor)).collect();
        assert_eq!(flags, [("ring overflow", "6.5 ×"), ("mtu mismatch", "1.5 ×")]);
        assert_eq!((rows[0].flags[0].mend, &*rows[2].carries), (&["mend it".to_owned()][..], "db"));
    }

    #[test]
    fn ten_thousand_links_are_bounded() {
        let links = (1..=10_000).map(|key| link(key, Role::Physical)).collect();
        let frame = frame(links, &[(9_999, "ring_overflow", 2.0)]);
        let chosen = choose(&frame, &HashMap::new());
        assert_eq!((chosen.len(), chosen[0].link.key), (MOST, 9_999));
    }
}
