//! Forecasts against QEMU's pre-copy played page by page: the model's equations against bitmaps, before and in flight.

mod bitmaps;

use bitmaps::{Ended, Guest, Precopy};
use miglink::analysis::forecast::in_flight::Journeys;
use miglink::analysis::forecast::known::Beside;
use miglink::analysis::forecast::model::{self, Forecast};
use miglink::analysis::forecast::way::{Conduct, Way};
use miglink::analysis::forecast::workload::{Dirtying, Pattern, Workload};
use miglink::analysis::migrations::entry::Entry;
use miglink::analysis::migrations::migration::{Migration, Outcome, Phase};
use miglink::sample::migration::Direction;
use miglink::sample::monotonic::Monotonic;
use miglink::sample::outlook::Outlook;
use proptest::prelude::{prop_assert, prop_compose, proptest, ProptestConfig};
use std::time::Duration;

const MIB: f64 = 1_048_576.0;

prop_compose! {
    /// Guests of 64 to 256 MiB at 20 to 100 MB/s: a few seconds, a few ten thousand pages.
    fn guests()(
        pages in 16_384usize..65_536,
        part in 0.02..0.6f64,
        rate in 20e6..100e6f64,
        ratio in 0.0..0.8f64,
        sweeps in proptest::bool::ANY,
        limit in 0.1..0.8f64,
        seed in 1u64..1_000_000,
    ) -> (Guest, f64, f64) {
        let working_set = ((pages as f64 * part) as usize).max(64);
        (Guest { pages, working_set, rate: rate * ratio, sweeps, seed }, rate, limit)
    }
}

fn workload(guest: &Guest) -> Workload {
    let pattern = if guest.sweeps { Pattern::Sweep } else { Pattern::Random };
    let dirtying = Dirtying { rate: guest.rate, working_set: guest.working_set as f64 * 4096.0, pattern };
    Workload { memory: guest.pages as f64 * 4096.0, zero_share: 0.0, dirtying }
}

fn conduct(limit: f64) -> Conduct {
    Conduct { downtime_limit: limit, setup: 0.0, devices: 0.0, ..Conduct::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn the_model_is_what_the_bitmaps_do((guest, rate, limit) in guests()) {
        let ended = Precopy::new(guest.clone(), rate, limit).run(120.0);
        // No socket lies between these pages and the other end.
        let way = Way { queue: 0.0, ..Way::of(rate, None) };
        // Whether the rest of a round just falls below the threshold is chance: a fiftieth more or less of it is as good.
        let told = [0.98, 1.0, 1.02].map(|part| model::before(&workload(&guest), &way, &conduct(limit * part)));
        prop_assert!(ended.done && told.iter().all(|told| told.converges), "{ended:?} {told:?}");
        // A step is 50 ms; where in a step it ends is chance. Where a sweep stands when pages are collected is chance as well, and
        // matters where what waits is a good part of all that it writes. Where as much waits as a guest writes in all, it matters
        // which pages of the first round those are.
        let waits = rate * limit / (guest.working_set as f64 * 4096.0);
        let near = match guest.sweeps {
            true if waits > 0.2 => return Ok(()),
            true => 0.25,
            false if waits > 0.8 => 0.1,
            false => 0.05,
        };
        let was = ended.copy + ended.pause;
        let total = |pick: fn(f64, f64) -> f64| told.iter().map(Forecast::total).reduce(pick).expect("three");
        let (least, most) = (total(f64::min), total(f64::max));
        let within = least - near * was - 0.15 <= was && was <= most + near * was + 0.15;
        prop_assert!(within, "told {least:.2} to {most:.2} s, was {was:.2} s: {guest:?} {rate} {limit}");
        let pause = |pick: fn(f64, f64) -> f64| told.iter().map(|told| told.pause).reduce(pick).expect("three");
        let (least, most) = (pause(f64::min) - 0.075, pause(f64::max) + 0.075);
        let within = least <= ended.pause && ended.pause <= most;
        prop_assert!(within, "told {least:.3} to {most:.3} s of pause, was {:.3}: {guest:?} {rate} {limit}", ended.pause);
    }

    #[test]
    fn who_ends_is_never_called_hopeless(
        (guest, rate, limit) in guests(), more in 0.8..1.6f64, told in 0usize..3,
    ) {
        // It writes about as fast as it is sent, where it is hard to know.
        let guest = Guest { rate: rate * more, ..guest };
        let mut hopeless = None;
        // Nothing, all, or all but the order, which few know.
        let unordered = |known: Workload| Workload { dirtying: Dirtying { pattern: Pattern::Random, ..known.dirtying }, ..known };
        let known = [None, Some(workload(&guest)), Some(unordered(workload(&guest)))][told];
        let ended = follow(&guest, (rate, limit), 40.0, known.as_ref(), |time, outlook| {
            if outlook.converging == Some(false) && hopeless.is_none() {
                hopeless = Some(time);
            }
        });
        prop_assert!(!ended.done || hopeless.is_none(), "called hopeless after {hopeless:?} s, ended after {:.1} s", ended.copy);
    }
}

/// Plays a migration and looks at its forecast once a second.
fn follow(
    guest: &Guest,
    (rate, limit): (f64, f64),
    most: f64,
    known: Option<&Workload>,
    look: impl FnMut(f64, &Outlook),
) -> Ended {
    follow_by(guest, (rate, limit), most, known, true, look)
}

/// The same; without a monitor only what was carried is known.
fn follow_by(
    guest: &Guest,
    (rate, limit): (f64, f64),
    most: f64,
    known: Option<&Workload>,
    monitor: bool,
    mut look: impl FnMut(f64, &Outlook),
) -> Ended {
    let beside = Beside { known, ..Beside::default() };
    let mut precopy = Precopy::new(guest.clone(), rate, limit);
    let at = |seconds: f64| Monotonic(Duration::from_secs_f64(100.0 + seconds));
    let mut migration = Migration::new(1, "guest".into(), Direction::Outgoing, at(0.0));
    migration.confirmed = true;
    migration.enter(Phase::MemoryCopy, at(0.0));
    migration.limits.downtime_limit = Some(Duration::from_secs_f64(limit));
    migration.progress.memory_total = Some(guest.pages as u64 * 4096);
    let (mut entry, mut journeys, mut frame) = (Entry::new(migration), Journeys::default(), 0.0);
    while let Some(seen) = precopy.step(most) {
        let progress = &mut entry.migration.progress;
        if monitor {
            progress.remaining = Some(seen.remaining as u64 * 4096);
            progress.iterations = Some(seen.collected);
            progress.dirty_pages_per_second = Some(seen.dirty_rate);
            progress.normal_bytes = Some(seen.sent as u64);
        }
        entry.traffic.note(1, seen.sent as u64);
        entry.traffic.mark(at(seen.time));
        journeys.note(std::slice::from_ref(&entry), at(seen.time));
        if seen.time - frame >= 1.0 {
            frame = seen.time;
            look(seen.time, &journeys.outlooks(&[&entry], |_| beside, at(seen.time))[0]);
        }
    }
    let ended = precopy.ended();
    if ended.done {
        entry.migration.enter(Phase::StateTransfer, at(ended.copy));
        entry.migration.pause = Some(Duration::from_secs_f64(ended.pause));
        entry.migration.end(Outcome::Completed, at(ended.copy + ended.pause));
        // One that is over before it was read has no forecast.
        let after = at(ended.copy + ended.pause + 1.0);
        if let Some(outlook) = journeys.outlooks(&[&entry], |_| beside, after).first() {
            look(ended.copy + ended.pause, outlook);
        }
    }
    ended
}

#[test]
fn a_guest_that_cannot_end_is_told_with_what_it_needs() {
    let guest = Guest { pages: 32_768, working_set: 16_384, rate: 80e6, sweeps: false, seed: 7 };
    let mut first = None;
    let ended = follow(&guest, (40e6, 0.3), 30.0, None, |time, outlook| {
        if outlook.converging == Some(false) && first.is_none() {
            first = Some((time, outlook.needed.expect("told what it needs")));
        }
    });
    let (time, needed) = first.expect("told");
    assert!(!ended.done && time < 15.0, "told after {time} s");
    // W (1 - B/d) / B = 64 MiB x 0.5 / 40 MB/s
    assert!((needed.downtime_limit / (64.0 * MIB * 0.5 / 40e6) - 1.0).abs() < 0.2, "{needed:?}");
    let enough = Precopy::new(guest.clone(), needed.rate * 1.15, 0.3).run(120.0);
    assert!(enough.done, "{needed:?} {enough:?}");
}

#[test]
fn a_forecast_in_flight_is_near_and_scored() {
    let guest = Guest { pages: 65_536, working_set: 8192, rate: 15e6, sweeps: false, seed: 3 };
    let mut scores = Vec::new();
    let ended = follow(&guest, (30e6, 0.3), 60.0, Some(&workload(&guest)), |_, outlook| {
        scores.clone_from(&outlook.scores);
    });
    assert!(ended.done);
    assert!(scores.len() == 3 && scores.iter().all(|score| score.total_error.abs() < 0.1), "{scores:?}");
    let pauses = scores.iter().filter_map(|score| score.pause_error);
    assert!(pauses.clone().count() > 0 && pauses.clone().all(|error| error.abs() < 0.15), "{scores:?}");
}

#[test]
fn of_a_flow_alone_a_described_guest_is_forecast_by_what_it_carried() {
    let guest = Guest { pages: 65_536, working_set: 16_384, rate: 18e6, sweeps: false, seed: 5 };
    let (known, mut told, mut scores) = (workload(&guest), 0, Vec::new());
    let ended = follow_by(&guest, (30e6, 0.3), 60.0, Some(&known), false, |_, outlook| {
        told += usize::from(outlook.copy.is_some());
        scores.clone_from(&outlook.scores);
    });
    assert!(ended.done && told > 5 && scores.len() == 3, "{told} {scores:?}");
    assert!(scores.iter().all(|score| score.total_error.abs() < 0.08), "{scores:?}");
    // Nobody knows what memory a guest has left that nobody has told of.
    follow_by(&guest, (30e6, 0.3), 60.0, None, false, |_, outlook| assert!(outlook.copy.is_none()));
}
