//! From the readings of the last second to one window of numbers.

use super::snapshot::{along, Flow, Snapshot};
use super::surroundings::About;
use crate::analysis::rules::window::{FlowWindow, LinkWindow, ThreadWindow};
use crate::analysis::rules::wire::{RdmaPort, Wire};
use crate::sample::link::{Index, Link, Links};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::thread::Role;
use crate::source::transport::sock_diag::tcp_info::Figure;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The connections together: what adds up is added, shares are weighed by the bytes that each carried.
pub fn flow(recent: &VecDeque<Snapshot>, direction: Direction) -> Option<FlowWindow> {
    let (first, last) = (recent.front()?, recent.back()?);
    let time = last.at.since(first.at).as_secs_f64();
    let along = along(direction);
    let mut sum = FlowWindow { min_rtt: Duration::MAX, ..FlowWindow::default() };
    // A connection that opened meanwhile counts from its first reading on.
    let before =
        |now: &Flow| recent.iter().find_map(|then| then.flows.iter().find(|known| known.key == now.key));
    let pairs: Vec<(&Flow, &Flow)> = last.flows.iter().filter_map(|now| Some((before(now)?, now))).collect();
    let total = |figure| pairs.iter().map(|(before, now)| now.grown(before, figure)).sum::<u64>() as f64;
    let (bytes, sent) = (total(along), total(Figure::BytesSent));
    for (before, now) in &pairs {
        let grown = |figure| now.grown(before, figure) as f64;
        // A migration that stands still has no bytes to weigh by: then all connections weigh the same.
        let weight = if bytes > 0.0 { grown(along) / bytes } else { 1.0 / pairs.len() as f64 };
        let share = |figure| (grown(figure) / 1e6 / time).min(1.0) * weight;
        sum.rate += grown(along) / time;
        sum.sent += grown(Figure::BytesSent) / time;
        sum.busy += share(Figure::BusyTime);
        sum.window_limited += share(Figure::RwndLimited);
        sum.buffer_limited += share(Figure::SndbufLimited);
        sum.repeated += if sent > 0.0 { grown(Figure::BytesRetrans) / sent } else { 0.0 };
        sum.rtt = sum.rtt.max(Duration::from_micros(now.get(Figure::Rtt)));
        sum.min_rtt = sum.min_rtt.min(Duration::from_micros(now.get(Figure::MinRtt)));
        sum.congestion_window += now.get(Figure::SndCwnd) * now.get(Figure::SndMss);
        sum.segment = sum.segment.max(now.get(Figure::SndMss));
        sum.send_buffer += now.get(Figure::Sndbuf);
        sum.unsent += now.get(Figure::NotsentBytes);
        let filled = now.get(Figure::RmemAlloc) as f64 / now.get(Figure::Rcvbuf).max(1) as f64;
        sum.receive_queue = sum.receive_queue.max(filled);
        sum.connections += 1;
    }
    sum.peer_window = peer_window(recent);
    sum.variation = variation(recent, along);
    (sum.connections > 0).then_some(sum)
}

/// How much the rate varied between readings: standard deviation over mean.
fn variation(recent: &VecDeque<Snapshot>, along: Figure) -> f64 {
    let sum = |snapshot: &Snapshot| snapshot.flows.iter().map(|flow| flow.get(along)).sum::<u64>();
    let pairs = recent.iter().zip(recent.iter().skip(1));
    let rates: Vec<f64> = pairs
        .map(|(before, now)| {
            let time = now.at.since(before.at).as_secs_f64().max(1e-6);
            sum(now).saturating_sub(sum(before)) as f64 / time
        })
        .collect();
    let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
    let square = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / rates.len().max(1) as f64;
    if mean > 0.0 {
        square.sqrt() / mean
    } else {
        0.0
    }
}

/// Smallest and largest window of the peers in these readings.
fn peer_window(recent: &VecDeque<Snapshot>) -> (u64, u64) {
    let window = |snapshot: &Snapshot| snapshot.flows.iter().map(|flow| flow.get(Figure::SndWnd)).sum();
    let sums = recent.iter().map(window);
    let (smallest, largest) = sums.fold((u64::MAX, 0), |(low, high), sum: u64| (low.min(sum), high.max(sum)));
    (smallest.min(largest), largest)
}

/// The busiest of the threads with one of these roles.
pub fn busiest(recent: &VecDeque<Snapshot>, which: impl Fn(Role) -> bool) -> Option<ThreadWindow> {
    let busy = |thread: &ThreadWindow| thread.running + thread.waiting;
    each(recent, which).into_iter().max_by(|a, b| busy(a).total_cmp(&busy(b)))
}

/// The threads with one of these roles, each from its first reading on.
fn each(recent: &VecDeque<Snapshot>, which: impl Fn(Role) -> bool) -> Vec<ThreadWindow> {
    let Some(last) = recent.back() else { return Vec::new() };
    let threads = last.threads.iter().filter(|thread| which(thread.role)).filter_map(|now| {
        let (at, before) = recent
            .iter()
            .find_map(|then| Some((then.at, then.threads.iter().find(|known| known.key == now.key)?)))?;
        let time = last.at.since(at).as_nanos() as f64;
        let share = |at: usize| (now.times[at].saturating_sub(before.times[at]) as f64 / time).min(1.0);
        (time > 0.0).then(|| ThreadWindow {
            name: Arc::clone(&now.name),
            role: Some(now.role),
            running: share(0),
            waiting: share(1),
        })
    });
    threads.collect()
}

/// All threads together: what each ran and waited, added up.
pub fn together(recent: &VecDeque<Snapshot>) -> Option<ThreadWindow> {
    let all = each(recent, |_| true);
    let (count, first) = (all.len(), all.first()?);
    let more = || format!("{} and {} more", first.name, count - 1).into();
    let name = if count > 1 { more() } else { Arc::clone(&first.name) };
    let sum = |of: fn(&ThreadWindow) -> f64| all.iter().map(of).sum();
    Some(ThreadWindow {
        name,
        role: first.role,
        running: sum(|thread| thread.running),
        waiting: sum(|thread| thread.waiting),
    })
}

/// How many processors were idle on average.
pub fn idle_processors(first: &Snapshot, last: &Snapshot) -> Option<f64> {
    rate(last.idle?, first.idle?).map(|milliseconds| milliseconds / 1e3)
}

/// Growth a second between two readings with times of their own; `None` if it is one reading.
fn rate((at, now): (Monotonic, u64), (then, before): (Monotonic, u64)) -> Option<f64> {
    let time = at.since(then).as_secs_f64();
    (time > 0.0).then(|| now.saturating_sub(before) as f64 / time)
}

fn grown(now: Option<u64>, before: Option<u64>) -> Option<u64> {
    Some(now?.saturating_sub(before?))
}

/// A link as it was seen at a moment.
type Seen = (Index, About);

/// The links of the last reading, each from the first reading on in which it was counted: which links a migration runs over
/// is known after its connections are.
pub fn links_of(
    recent: &VecDeque<Snapshot>,
    which: fn(&Snapshot) -> &[Seen],
    direction: Direction,
    links: &Links,
) -> Vec<LinkWindow> {
    let Some(last) = recent.back() else { return Vec::new() };
    let of = |(index, now): &Seen| {
        let about =
            |then: &Snapshot| Some((then.at, which(then).iter().find(|(known, _)| known == index)?.1));
        let (at, mut before) = recent.iter().filter_map(about).find(|(_, about)| about.bytes.is_some())?;
        before.storage = recent.iter().filter_map(about).find_map(|(_, about)| about.storage);
        link_of(links.get(*index)?, &before, now, last.at.since(at), direction, links)
    };
    which(last).iter().filter_map(of).collect()
}

fn link_of(
    link: &Link,
    before: &About,
    now: &About,
    time: Duration,
    direction: Direction,
    links: &Links,
) -> Option<LinkWindow> {
    let way = usize::from(direction == Direction::Outgoing);
    // Links are read at other times than connections: their rates are of their own intervals.
    let ((at, bytes), (then, bytes_then)) = now.bytes.zip(before.bytes)?;
    let bytes = rate((at, bytes[way]), (then, bytes_then[way]))?;
    // A shaper holds what leaves by its link.
    let shaper = now.shaper.filter(|_| direction == Direction::Outgoing);
    let storage = now
        .storage
        .zip(before.storage)
        .and_then(|((at, now), (then, before))| rate((at, now[way]), (then, before[way])));
    Some(LinkWindow {
        name: link.name.clone(),
        rate: bytes,
        speed: now.speed.map(|speed| speed as f64),
        shaped: shaper.map(|shaper| shaper.rate as f64),
        held_back: shaper.is_some_and(|shaper| shaper.held_back == Some(true)),
        unseen: !now.queues_seen(link.exported) || shaper.is_some_and(|shaper| shaper.held_back.is_none()),
        backlog: shaper.and_then(|shaper| shaper.backlog),
        ring_overflows: grown(now.ring_overflows, before.ring_overflows),
        storage,
        wire: wire_of(link, before, now, time, direction, links),
    })
}

fn wire_of(
    link: &Link,
    before: &About,
    now: &About,
    time: Duration,
    direction: Direction,
    links: &Links,
) -> Wire {
    let (before, now) = (&before.facts, &now.facts);
    // Who sends is stopped by what it hears, who receives stops others by what it sends.
    let side = usize::from(direction == Direction::Incoming);
    let master = link.master.and_then(|master| links.get(master));
    let rdma = now.rdma.map(|now| {
        let before = before.rdma.unwrap_or_default();
        let both = |now: [Option<u64>; 2], before: [Option<u64>; 2]| grown(now[side], before[side]);
        RdmaPort {
            active: now.active,
            rate: both(now.bytes, before.bytes).map(|bytes| bytes as f64 / time.as_secs_f64()),
            packets: both(now.packets, before.packets),
            notifications: both(now.notifications, before.notifications),
            losses: both(now.losses, before.losses),
            timeouts: grown(now.timeouts, before.timeouts).filter(|_| side == 0),
        }
    });
    Wire {
        hardware: link.hardware.is_some(),
        mtu: link.mtu,
        master: master.map(|master| master.name.clone()).unwrap_or_default(),
        speed_max: now.speed_max.map(|speed| speed as f64),
        half_duplex: now.half_duplex,
        pauses: grown(now.pauses[side], before.pauses[side]),
        pcie: now.pcie.map(|pcie| pcie as f64),
        packets: grown(now.packets, before.packets),
        errors: grown(now.errors, before.errors),
        uncorrectable: grown(now.uncorrectable, before.uncorrectable),
        carrier_changes: grown(now.carrier_changes, before.carrier_changes),
        bond: now.bond,
        rdma,
    }
}
