//! What is known of a running migration: where it stands, its guest, its way and what the hypervisor keeps to.

use super::dirtied::Dirtied;
use super::model::{self, Forecast, Position};
use super::question::Question;
use super::way::{Conduct, Way};
use super::workload::{Dirtying, Workload};
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::Migration;
use crate::sample::monotonic::Monotonic;

/// A hypervisor's own limit holds the rate if it comes this near to it.
const AT_CAP: f64 = 0.9;
/// What a limited migration's pause is sent at where no link's rate is known: 10 Gbit/s, as nearly all hosts have.
const USUAL_LINK: f64 = 1.25e9;

/// What is known beside the migration itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// What the configuration says of it.
    pub profile: Option<&'a Question>,
    /// The guest, if somebody has described it, or it has moved before.
    pub known: Option<&'a Workload>,
    /// Copy and pause that were forecast for it before it began, seconds.
    pub before: Option<[f64; 2]>,
    /// Bytes of payload a second that the narrowest link on the way can carry, as far as that is known.
    pub link: Option<f64>,
}

/// All that the model needs of a running migration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub place: Place,
    pub workload: Workload,
    pub conduct: Conduct,
    /// Nothing is known of the guest's writing.
    pub blind: bool,
    /// It is described, or was seen twice.
    pub sure: bool,
    /// Post-copy is allowed: somebody may switch to it at any time.
    pub postcopy: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// By the hypervisor's word.
    Told(Position),
    /// So many bytes were carried; nobody tells of what.
    Carried(f64),
}

impl Known {
    /// `None` without the guest's memory, or where neither the hypervisor tells what is left nor anybody has told of the guest.
    pub fn of(entry: &Entry, dirtied: &Dirtied, beside: Beside<'_>, now: Monotonic) -> Option<Self> {
        let (migration, progress) = (&entry.migration, &entry.migration.progress);
        let memory = progress.memory_total? as f64;
        let throttle = progress.throttle_percent.unwrap_or(0) as f64 / 100.0;
        let place = match progress.remaining {
            Some(0) => return None,
            Some(remaining) => {
                let (since, first) = dirtied.position(now);
                Place::Told(Position { remaining: remaining as f64, since, first, throttle })
            }
            None => beside.known.map(|_| Place::Carried(entry.traffic.sum() as f64))?,
        };
        let seen = dirtied.dirtying(beside.known);
        let dirtying = seen.unwrap_or(Dirtying::NONE);
        // What was seen is of a guest that is slowed down already; the model slows it down further.
        let full = Dirtying { rate: dirtying.rate / (1.0 - throttle).max(0.01), ..dirtying };
        let capable = |name: &str| {
            migration.limits.capabilities.as_ref().is_some_and(|all| all.iter().any(|known| known == name))
        };
        let conduct = Conduct {
            downtime_limit: downtime_limit(migration, beside),
            auto_converge: capable("auto-converge"),
            setup: 0.0,
            ..Conduct::default()
        };
        Some(Self {
            place,
            workload: Workload { memory, zero_share: zero_share(migration, beside.known), dirtying: full },
            conduct,
            blind: seen.is_none(),
            sure: beside.known.is_some() || dirtied.count() >= 2,
            postcopy: capable("postcopy-ram"),
        })
    }

    /// The same with so many times as much dirtied.
    pub fn with_dirtied(self, times: f64) -> Self {
        let dirtying = Dirtying { rate: self.workload.dirtying.rate * times, ..self.workload.dirtying };
        Self { workload: Workload { dirtying, ..self.workload }, ..self }
    }

    /// How it goes on over this way; `None` if it has carried more than it should have: then nothing is known.
    pub fn plays(&self, way: &Way, overshoot: f64) -> Option<Forecast> {
        match self.place {
            Place::Told(position) => {
                Some(model::from(position, &self.workload, way, &self.conduct, overshoot))
            }
            Place::Carried(carried) => {
                let whole = model::whole(&self.workload, way, &self.conduct, overshoot);
                let paused = (whole.pause - self.conduct.devices) * way.pause - way.queue;
                let left = whole.sent - paused.max(0.0) - carried;
                (left > 0.0).then(|| Forecast { copy: left / way.copy, sent: left, ..whole })
            }
        }
    }
}

/// The hypervisor's word, or the configuration's, or QEMU's default.
pub(super) fn downtime_limit(migration: &Migration, beside: Beside<'_>) -> f64 {
    let told = migration.limits.downtime_limit.map(|limit| limit.as_secs_f64());
    let described = beside.profile.map(|question| question.conduct.downtime_limit);
    told.or(described).unwrap_or(Conduct::default().downtime_limit)
}

/// The share of zero pages in what is still to be sent for the first time.
pub(super) fn zero_share(migration: &Migration, known: Option<&Workload>) -> f64 {
    let progress = &migration.progress;
    let page = progress.page_size.unwrap_or(4096) as f64;
    let zero = progress.zero_pages.unwrap_or(0) as f64 * page;
    let seen = zero + progress.normal_bytes.unwrap_or(0) as f64;
    let left = progress.remaining.unwrap_or(0) as f64;
    match known {
        Some(known) if progress.remaining.is_none() => known.zero_share,
        Some(known) if left > 0.0 => ((known.zero_share * known.memory - zero) / left).clamp(0.0, 1.0),
        _ if seen > 0.0 => zero / seen,
        _ => 0.0,
    }
}

/// Of a rate that was seen; if it is the hypervisor's own limit, the pause is sent at the link's.
pub(super) fn way(rate: f64, migration: &Migration, beside: Beside<'_>) -> Way {
    let told = migration.limits.max_bandwidth.filter(|cap| *cap != u64::MAX).map(|cap| cap as f64);
    let cap = told.or(beside.profile.and_then(|question| question.cap));
    match cap.filter(|cap| rate >= AT_CAP * cap) {
        Some(cap) => {
            let link = beside.link.unwrap_or(USUAL_LINK).max(cap);
            Way { copy: rate, ..Way::of(link, Some(rate.min(link * 0.999))) }
        }
        None => Way::of(rate, None),
    }
}
