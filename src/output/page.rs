//! The page at `/` for a person: what limits running migrations, when they end and what to do; this host's links, worst
//! first; migrations that are over; how the sources do. `templates/page.html` is its face, `live.js` keeps it up to date:
//! it asks for the page again and changes what has changed. Without scripts the page reloads itself.

mod links;
mod outlook;
mod plot;
mod recent;
mod running;
mod sources;
mod story;
mod view;
mod words;

use super::migrations::{self, Row};
use super::units;
use crate::sample::frame::Frame;
use crate::sample::strip::LINK_POINTS;
use askama::Template;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use view::View;

/// Seconds until the page is made anew, and while a migration is on.
const REFRESH: [u8; 2] = [5, 1];
/// The same without scripts: a page that reloads every second cannot be read.
const RELOAD: [u8; 2] = [10, 3];

/// A frame that is older than this, in nanoseconds, is a sampler that hangs: twice the longest interval that can be configured.
const OLD_NS: u64 = 120_000_000_000;

/// Files that the page needs: path beneath it, media type, text.
pub static FILES: [(&str, &str, &str); 3] = [
    ("/page/live.css", "text/css; charset=utf-8", include_str!("../../templates/live.css")),
    ("/page/live.js", "text/javascript; charset=utf-8", include_str!("../../templates/live.js")),
    ("/page/icon.svg", "image/svg+xml", include_str!("../../templates/icon.svg")),
];

/// What the page may do: its own files, its own style, its own script, and to ask for itself again.
pub const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page has to know beside the frame.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The host's name; empty if it is not known.
    pub host: String,
    /// Where the metrics are.
    pub metrics_path: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    version: &'static str,
    place: &'a Place,
    title: String,
    sampled: String,
    is_old: bool,
    refresh: u8,
    reload: u8,
    running: Vec<running::Card>,
    hidden_running: usize,
    recent: Vec<recent::Past>,
    hidden_recent: usize,
    links: Vec<links::LinkRow<'a>>,
    hidden_links: usize,
    span: String,
    known: usize,
    judged: usize,
    slow: usize,
    sources: sources::Sources,
}

/// The page for the newest frame, at a moment in nanoseconds since 1970.
pub fn render(now: &Frame, place: &Place, wall_ns: u64) -> String {
    let rows = migrations::rows(now);
    let carrying = carrying(&rows);
    let chosen = links::choose(now, &carrying);
    let mut shown: HashSet<_> = chosen.iter().map(|chosen| chosen.link.key).collect();
    let all = now.links.all().iter();
    shown.extend(all.filter(|link| carrying.contains_key(&link.name)).map(|link| link.key));
    let view = View::new(now, &shown);
    let (running, hidden_running) = running::cards(&view, &rows);
    let (recent, hidden_recent) = recent::rows(&view, &rows);
    let is_on = usize::from(!running.is_empty());
    let slow: HashSet<_> = now
        .flags
        .list
        .iter()
        .filter(|finding| finding.ratio().is_some())
        .map(|finding| finding.key)
        .collect();
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        place,
        title: title(&running, hidden_running, place),
        sampled: if now.wall_ns == 0 { "not yet".into() } else { units::time_of_day(now.wall_ns) + " UTC" },
        is_old: now.wall_ns > 0 && wall_ns.saturating_sub(now.wall_ns) > OLD_NS,
        refresh: REFRESH[is_on],
        reload: RELOAD[is_on],
        running,
        hidden_running,
        recent,
        hidden_recent,
        hidden_links: now.links.exported().len() - chosen.len(),
        span: span(now),
        links: links::rows(&view, &chosen, &carrying),
        known: now.links.all().len(),
        judged: now.flags.judged.len(),
        slow: slow.len(),
        sources: sources::of(now),
    };
    page.render().unwrap_or_else(|error| format!("The page could not be made: {error}"))
}

/// The guests that move over each link now, by the names of links.
fn carrying(rows: &[Row<'_>]) -> HashMap<String, Vec<String>> {
    let mut carrying: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows.iter().filter(|row| row.is_on()) {
        let mut names: Vec<String> = row.label("device").into_iter().collect();
        // Of a bond all members that it may take: `ens1+ens2`.
        names.extend(row.label("wire").iter().flat_map(|wire| wire.split('+')).map(str::to_owned));
        names.dedup();
        for name in names {
            carrying.entry(name).or_default().push(row.label("vm").unwrap_or_default());
        }
    }
    carrying
}

/// How far back the plots of links go.
fn span(now: &Frame) -> String {
    let step = now.strips.links.first().map_or(Duration::from_secs(1), |strip| strip.step);
    match (step * LINK_POINTS as u32).as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// What stands in the browser's tab: `75 % db · host`.
fn title(running: &[running::Card], hidden: usize, place: &Place) -> String {
    let on = match running {
        [] => String::new(),
        [one] => {
            one.percent.map_or(format!("{} · ", one.vm), |percent| format!("{percent} % {} · ", one.vm))
        }
        many => format!("{} migrations · ", many.len() + hidden),
    };
    let host = if place.host.is_empty() { String::new() } else { format!("{} · ", place.host) };
    format!("{on}{host}miglink")
}

#[cfg(test)]
mod tests;
