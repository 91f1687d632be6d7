//! What is told of a migration, running or over: what limits it, with the numbers and the commands, how the time was
//! divided over the causes, and the plots of it.

use super::plot::{self, Rates};
use super::view::View;
use super::words::{or_nothing, seconds};
use crate::analysis::rules::UNKNOWN;
use crate::output::migrations::Row;
use crate::output::{units, verdicts};
use crate::sample::flag::Flagged;
use crate::sample::link::Link;
use crate::sample::strip::MigrationStrip;
use crate::sample::verdict::{Part, Verdict};

/// Colours that a page has for causes.
const COLOURS: usize = 8;
/// Causes with less than this share of a phase are left out: nobody mends them.
const WORTH: f64 = 0.005;

/// What limits it.
pub struct Limit {
    /// The cause in words.
    pub name: String,
    /// Its share of the time that it was judged by.
    pub share: String,
    /// When it limits.
    pub meaning: &'static str,
    /// The numbers.
    pub evidence: String,
    /// What to do.
    pub advice: &'static str,
    /// Commands for it.
    pub commands: Vec<String>,
    /// Whether no cause is proven.
    pub is_unknown: bool,
}

/// A cause's part of a phase.
pub struct Share {
    /// The cause in words.
    pub name: String,
    /// Its colour in the band.
    pub class: String,
    /// How long it took.
    pub time: String,
    /// Percent of the phase.
    pub percent: String,
    /// The last evidence.
    pub evidence: String,
}

/// A phase and its causes, the largest part first.
pub struct PhaseShares {
    /// The phase in words.
    pub phase: String,
    /// The causes.
    pub shares: Vec<Share>,
}

/// A layer of the band, with its colour.
pub struct Coloured {
    /// The class of its colour.
    pub class: String,
    /// The cause in words.
    pub name: String,
    /// The shape.
    pub path: String,
}

/// A level in the plot of rates, with its name and number.
pub struct Level {
    /// The class of its line.
    pub class: &'static str,
    /// How far from the top, of 100.
    pub y: u32,
}

/// The plots of a migration.
#[derive(Default)]
pub struct Plots {
    /// The rates.
    pub rates: Rates,
    /// Levels that hold the rates.
    pub levels: Vec<Level>,
    /// Legend of the rates, beginning with the rate now.
    pub keys: Vec<(&'static str, String)>,
    /// Columns of the band.
    pub width: usize,
    /// The causes over time.
    pub layers: Vec<Coloured>,
    /// What both say, for those who do not see them.
    pub rates_text: String,
    /// The same of the causes.
    pub band_text: String,
    /// When they begin, and when they end.
    pub from: String,
    /// The end.
    pub until: String,
}

/// All of it.
pub struct Story {
    /// What limits it now, or limited it most.
    pub limit: Option<Limit>,
    /// How the time of each phase was divided.
    pub phases: Vec<PhaseShares>,
    /// The plots; `None` where nothing was kept.
    pub plots: Option<Plots>,
}

/// A cause's name without what programs need.
pub fn plain(cause: &str) -> String {
    cause.replace('_', " ")
}

impl Story {
    /// Of a row of the frame.
    pub fn of(view: &View<'_>, row: &Row<'_>) -> Self {
        let key = row.info.0.subjects.keys()[row.info.1];
        let strip = view.now.strips.migration(key).filter(|strip| !strip.is_empty());
        let verdict = verdicts::of(view.now, row);
        let seen: Vec<&str> = strip.iter().flat_map(|strip| &strip.causes).map(|(cause, _)| *cause).collect();
        Self {
            limit: verdict.and_then(verdicts::leading).map(|part| limit(view, part, row)),
            phases: verdict.map_or(Vec::new(), |verdict| phases(verdict, &seen)),
            plots: strip.map(|strip| plots(view, row, strip, &seen)),
        }
    }
}

fn limit(view: &View<'_>, part: &Part, row: &Row<'_>) -> Limit {
    let explained = verdicts::explain(part, row);
    let mut commands = mends(view, part, row);
    for command in explained.commands {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    Limit {
        name: plain(part.cause),
        share: format!("{:.0} %", part.share * 100.0),
        meaning: explained.meaning,
        evidence: part.evidence.clone(),
        advice: explained.advice,
        commands,
        is_unknown: part.cause == UNKNOWN,
    }
}

/// What mends the same cause where it was found of the migration's own link: that is more exact than what a rule knows.
fn mends(view: &View<'_>, part: &Part, row: &Row<'_>) -> Vec<String> {
    let own = [row.label("device"), row.label("wire")];
    let is_own = |device: &str| own.iter().flatten().any(|name| name.split('+').any(|name| name == device));
    let found =
        view.now.flags.list.iter().filter(|finding| finding.cause == part.cause && is_own(&finding.device));
    let mend = found.filter_map(|finding| match &finding.result {
        Flagged::Slows { mend, .. } => Some(mend.clone()),
        Flagged::Fine(_) | Flagged::Unknown(_) => None,
    });
    mend.flatten().collect()
}

/// A colour by the order in which the causes were first seen, so that it stays the same while the migration runs.
fn class(cause: &str, seen: &[&str]) -> String {
    if cause == UNKNOWN {
        return "k-unknown".into();
    }
    let place = seen.iter().filter(|other| **other != UNKNOWN).position(|other| *other == cause);
    place.map_or("k-none".into(), |place| format!("k{}", place % COLOURS))
}

fn phases(verdict: &Verdict, seen: &[&str]) -> Vec<PhaseShares> {
    let share = |part: &Part| Share {
        name: plain(part.cause),
        class: class(part.cause, seen),
        time: seconds(part.seconds),
        percent: format!("{:.0} %", part.share * 100.0),
        evidence: part.evidence.clone(),
    };
    let of_phase = verdict.phases.iter().map(|phase| PhaseShares {
        phase: plain(phase.phase),
        shares: phase.parts.iter().filter(|part| part.share >= WORTH).map(share).collect(),
    });
    of_phase.filter(|phase| !phase.shares.is_empty()).collect()
}

fn plots(view: &View<'_>, row: &Row<'_>, strip: &MigrationStrip, seen: &[&str]) -> Plots {
    let (link, capacity) = capacity(view, row);
    let limit = row.number("bandwidth_limit_bytes_per_second");
    let rates = plot::rates(strip, &[("capacity", capacity), ("limit", limit)]);
    let band = plot::band(strip);
    let now = row.number("throughput_bytes_per_second");
    let word = if row.is_on() { "now" } else { "mean" };
    let mean = || Some(f64::from(crate::sample::strip::mean(&strip.rate))).filter(|rate| !rate.is_nan());
    let rate = format!("this migration, {} {word}", or_nothing(now.or_else(mean), units::bits_per_second));
    let mut keys = vec![("k-rate", rate)];
    if !rates.line.is_empty() {
        keys.push(("k-wire", format!("all that {} {}", row.label("wire").unwrap_or_default(), way(row))));
    }
    keys.extend(
        capacity.map(|rate| ("k-capacity", format!("{link} carries {}", units::bits_per_second(rate)))),
    );
    keys.extend(
        limit.map(|rate| ("k-limit", format!("the hypervisor allows {}", units::bits_per_second(rate)))),
    );
    let texts = keys.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ");
    let names = band.layers.iter().map(|layer| plain(layer.cause)).collect::<Vec<_>>().join(", ");
    let coloured = |layer: plot::Layer| Coloured {
        class: class(layer.cause, seen),
        name: plain(layer.cause),
        path: layer.path,
    };
    let (from, until) = times(view, row, strip);
    Plots {
        levels: rates.levels.iter().map(|(class, y)| Level { class, y: *y }).collect(),
        rates_text: format!("Throughput over time: {texts}"),
        band_text: format!("Share of the time that each cause took, over time: {names}"),
        width: band.width,
        layers: band.layers.into_iter().map(coloured).collect(),
        rates,
        keys,
        from,
        until,
    }
}

fn way(row: &Row<'_>) -> &'static str {
    if row.label("direction").as_deref() == Some("incoming") {
        "receives"
    } else {
        "sends"
    }
}

/// What the migration's link carries, and its name: the link that packets leave by, otherwise the wire beneath.
fn capacity(view: &View<'_>, row: &Row<'_>) -> (String, Option<f64>) {
    let names = [row.label("device"), row.label("wire")];
    let of_link = |link: &Link| view.capacity(link).map(|rate| (link.name.clone(), Some(rate)));
    let mut links = names.into_iter().flatten().filter_map(|name| view.link(&name));
    links.find_map(of_link).unwrap_or_default()
}

/// When the plots begin and end.
fn times(view: &View<'_>, row: &Row<'_>, strip: &MigrationStrip) -> (String, String) {
    let ago = view.now.monotonic.since(strip.began);
    let from = view.now.wall_ns.saturating_sub(ago.as_nanos() as u64);
    let until = row.number("end_time_seconds").map_or("now".into(), super::words::time_of_day);
    (units::time_of_day(from), until)
}
