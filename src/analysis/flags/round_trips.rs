//! How far it is to the other hosts: the shortest round trips of migrations over links.

use super::tables::Tables;
use crate::analysis::migrations::entry::Entry;
use crate::sample::link::Links;
use crate::sample::subject::Key;
use crate::source::flows;
use crate::source::flows::columns::column;
use crate::source::transport::sock_diag::tcp_info::Figure;
use std::collections::HashMap;
use std::time::Duration;

/// Keeps the shortest round trip of each link's migrations, as the kernel has measured it (`tcpi_min_rtt`).
pub fn note_round_trips(
    shortest: &mut HashMap<Key, Duration>,
    tables: &Tables,
    links: &Links,
    entries: &[Entry],
) {
    if entries.iter().all(|entry| entry.flows.is_empty()) {
        return;
    }
    let Some(block) = tables.of(flows::SOURCE.name).next() else { return };
    let of_flow = |flow: &Key| {
        let row = block.subjects.row_of(*flow)?;
        block.cell(column(Figure::MinRtt), row).as_integer().filter(|microseconds| *microseconds > 0)
    };
    for entry in entries {
        let Some(microseconds) = entry.flows.iter().filter_map(of_flow).min() else { continue };
        let round_trip = Duration::from_micros(microseconds);
        for link in entry.migration.path.links.iter().filter_map(|index| links.get(*index)) {
            let known = shortest.entry(link.key).or_insert(round_trip);
            *known = round_trip.min(*known);
        }
    }
}
