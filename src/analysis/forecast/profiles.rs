//! The series of forecasts: what each link carries, and how long guests of the configuration's profiles would take over it.
//!
//! Made anew when what capacities are made of has changed, which the survey tells every few seconds at most. Links that give
//! the same take the same time, so most forecasts are known already; what is left is done a little at a time.

use super::question::{Question, Traffic};
use super::{capacity, model};
use crate::analysis::migrations::migration::Phase;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::footing::Footing;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use crate::topology::roles::Patterns;
use std::collections::HashMap;
use std::sync::Arc;

/// The source that forecasts are counted to in `collect[]`.
pub const SOURCE: &str = "forecast";

/// What a link carries.
pub static CAPACITY: Metric = Metric::gauge(
    "link_capacity_bytes_per_second",
    "Payload of TCP that the link carries of everybody's: its speed less headers, or less where its PCIe slot or a queueing \
     discipline holds it; absent where neither a speed nor a discipline tells.",
    Unit::BytesPerSecond,
)
.float();
/// How long a profile's guest would take.
pub static SECONDS: Metric = Metric::gauge(
    "link_forecast_seconds",
    "How long this phase would last for a guest of this profile over the link as others use it now; absent if it would never end.",
    Unit::Seconds,
)
.float();

static CAPACITY_COLUMNS: [Column; 1] = [Column::of(&CAPACITY)];
static SECONDS_COLUMNS: [Column; 2] = [
    Column::labelled(&SECONDS, "phase", Phase::MemoryCopy.name()),
    Column::labelled(&SECONDS, "phase", Phase::StateTransfer.name()),
];
/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 2] = [&CAPACITY_COLUMNS, &SECONDS_COLUMNS];

/// More profiles than this nobody needs, and keys have room for.
pub const MOST_PROFILES: usize = 16;
/// Rounds of the model that are played through in one tick, so that many new links do not hold it up (our choice;
/// `cargo bench --bench flags` has what forecasts cost).
const ROUNDS: u32 = 20_000;
/// Forecasts that are remembered at most.
const MEMORY: usize = 4096;

/// A guest of the configuration.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What is asked of it.
    pub question: Question,
    /// The names of guests that it stands for; nobody's without.
    pub guests: Option<Patterns>,
}

/// One link's forecasts.
#[derive(Debug, Clone)]
struct Row {
    footing: Arc<Footing>,
    ceiling: Option<f64>,
    /// Copy and pause of each profile; `None` if the capacity is not known or it never ends.
    times: Vec<Option<[f64; 2]>>,
    /// Some are still to be made.
    left: bool,
}

/// What was made last.
#[derive(Debug, Default)]
pub struct LinkForecasts {
    footings: Arc<[Arc<Footing>]>,
    profiles: Arc<[Profile]>,
    /// How often profiles have changed: their rows have other keys then.
    generation: u64,
    rows: Vec<Row>,
    /// Copy and pause by profile and rate.
    known: HashMap<(usize, u64), [f64; 2]>,
    /// Rounds that may still be played through at once.
    rounds: u32,
    /// Some forecasts are still to be made.
    left: bool,
    blocks: Vec<Arc<Block>>,
}

impl LinkForecasts {
    /// Other profiles from now on.
    pub fn configure(&mut self, profiles: Arc<[Profile]>) {
        *self = Self { profiles, generation: self.generation + 1, left: true, ..Self::default() };
    }

    /// What is said of a guest of this name: the first profile that stands for it.
    pub fn guest(&self, vm: &str) -> Option<&Question> {
        self.place(vm).map(|place| &self.profiles[place].question)
    }

    /// How long a guest of this name would take over a device, as was found last: copy and pause, seconds.
    pub fn times_of(&self, vm: &str, device: &str) -> Option<[f64; 2]> {
        let place = self.place(vm)?;
        let row = self.rows.iter().find(|row| *row.footing.device == *device)?;
        *row.times.get(place)?
    }

    fn place(&self, vm: &str) -> Option<usize> {
        let stands = |profile: &Profile| profile.guests.as_ref().is_some_and(|guests| guests.matches(vm));
        self.profiles.iter().position(stands)
    }

    /// The tables of these links.
    pub fn blocks(&mut self, footings: &Arc<[Arc<Footing>]>, now: Monotonic) -> &[Arc<Block>] {
        if self.left || !Arc::ptr_eq(&self.footings, footings) {
            self.footings = Arc::clone(footings);
            self.make(now);
        }
        &self.blocks
    }

    fn make(&mut self, now: Monotonic) {
        if self.known.len() > MEMORY {
            self.known.clear();
        }
        (self.rounds, self.left) = (ROUNDS, false);
        let (old, footings) = (std::mem::take(&mut self.rows), Arc::clone(&self.footings));
        self.rows.reserve_exact(footings.len());
        for (place, footing) in footings.iter().enumerate() {
            let same = old.get(place).filter(|row| Arc::ptr_eq(&row.footing, footing) && !row.left);
            let row = same.cloned().unwrap_or_else(|| self.row(footing));
            self.left |= row.left;
            self.rows.push(row);
        }
        let blocks = [self.capacities(now), self.seconds(now)];
        self.blocks = blocks.into_iter().flatten().map(Arc::new).collect();
    }

    fn row(&mut self, footing: &Arc<Footing>) -> Row {
        let ceiling = capacity::of(Some(footing), None, None, Traffic::default()).ceiling;
        let mut row = Row { footing: Arc::clone(footing), ceiling, times: Vec::new(), left: false };
        for (place, profile) in Arc::clone(&self.profiles).iter().enumerate() {
            let Question { bandwidth, cap, traffic, .. } = profile.question;
            let rate = capacity::of(Some(footing), bandwidth, cap, traffic).link;
            let times = rate.map(|[_, rate]| self.times(place, &profile.question, rate));
            row.left |= times == Some(None);
            row.times.push(times.flatten().filter(|times| times[0].is_finite()));
        }
        row
    }

    /// Copy and pause of a profile at a rate; `None` if its turn is later.
    fn times(&mut self, place: usize, question: &Question, rate: f64) -> Option<[f64; 2]> {
        if let Some(times) = self.known.get(&(place, rate.to_bits())) {
            return Some(*times);
        }
        if self.rounds == 0 {
            return None;
        }
        let forecast = model::before(&question.workload, &question.way(rate), &question.conduct);
        self.rounds = self.rounds.saturating_sub(forecast.rounds + 1);
        let times = [forecast.copy, forecast.pause];
        self.known.insert((place, rate.to_bits()), times);
        Some(times)
    }

    fn capacities(&self, now: Monotonic) -> Option<Block> {
        let rows = || self.rows.iter().filter_map(|row| Some((&row.footing, row.ceiling?)));
        let subjects = self.same_rows(&CAPACITY, rows().map(|(footing, _)| footing.key));
        let subjects = subjects.unwrap_or_else(|| {
            let mut subjects = SubjectsBuilder::default();
            rows().for_each(|(footing, _)| _ = subjects.row(footing.key).label("device", &footing.device));
            Arc::new(subjects.build())
        });
        let mut block = Block::new(SOURCE, now, &CAPACITY_COLUMNS, subjects);
        rows().enumerate().for_each(|(at, (_, ceiling))| block.set(0, at, Cell::float(ceiling)));
        (block.rows() > 0).then_some(block)
    }

    fn seconds(&self, now: Monotonic) -> Option<Block> {
        let key = |footing: &Footing, place: usize| {
            (footing.key * 64 + self.generation % 64) * MOST_PROFILES as u64 + place as u64
        };
        let of_row = |row| {
            let Row { footing, times, .. }: &Row = row;
            times.iter().enumerate().filter_map(move |(place, times)| Some((footing, place, (*times)?)))
        };
        let rows = || self.rows.iter().flat_map(of_row);
        let subjects = self.same_rows(&SECONDS, rows().map(|(footing, place, _)| key(footing, place)));
        let subjects = subjects.unwrap_or_else(|| {
            let mut subjects = SubjectsBuilder::default();
            for (footing, place, _) in rows() {
                let row = subjects.row(key(footing, place)).label("device", &footing.device);
                row.label("profile", &self.profiles[place].name);
            }
            Arc::new(subjects.build())
        });
        let mut block = Block::new(SOURCE, now, &SECONDS_COLUMNS, subjects);
        rows().enumerate().for_each(|(at, (_, _, times))| block.set_row(at, times.map(Cell::float)));
        (block.rows() > 0).then_some(block)
    }

    /// The rows of the table before, if they are the same.
    fn same_rows(&self, metric: &'static Metric, keys: impl Iterator<Item = u64>) -> Option<Arc<Subjects>> {
        let of_metric = |block: &&Arc<Block>| std::ptr::eq(block.columns[0].metric, metric);
        let before = self.blocks.iter().find(of_metric)?;
        before.subjects.keys().iter().copied().eq(keys).then(|| Arc::clone(&before.subjects))
    }
}

#[cfg(test)]
mod tests {
    use super::{LinkForecasts, Profile};
    use crate::analysis::forecast::question::{Question, Traffic};
    use crate::analysis::forecast::way::Conduct;
    use crate::analysis::forecast::workload::{Dirtying, Workload};
    use crate::sample::footing::{Footing, Others, Shaped};
    use crate::sample::monotonic::Monotonic;
    use std::sync::Arc;

    fn profile(name: &str, rate: f64) -> Profile {
        let workload = Workload { memory: 8e9, zero_share: 0.0, dirtying: Dirtying::linear(rate) };
        let (conduct, traffic) = (Conduct::default(), Traffic::default());
        let question = Question { workload, conduct, cap: None, bandwidth: None, traffic };
        Profile { name: name.into(), question, guests: None }
    }

    fn link(key: u64, speed: Option<u64>) -> Arc<Footing> {
        let (device, others) = (format!("ens{key}").into(), Some(Others::default()));
        Arc::new(Footing {
            key,
            device,
            mtu: 1500,
            speed,
            shaping: Shaped::Free,
            others,
            ..Footing::default()
        })
    }

    #[test]
    fn a_link_has_rows_for_what_is_known() {
        let mut outlook = LinkForecasts::default();
        outlook.configure([profile("calm", 1e7), profile("wild", 5e9)].into());
        let links: Arc<[_]> = [link(1, Some(1_250_000_000)), link(2, None)].into();
        let blocks = outlook.blocks(&links, Monotonic::default()).to_vec();
        let [capacity, seconds] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!((capacity.rows(), capacity.subjects.label(0, "device")), (1, Some("ens1".into())));
        assert_eq!((seconds.rows(), seconds.subjects.label(0, "profile")), (1, Some("calm".into())));
        let copy = seconds.cell(0, 0).as_float().expect("a time");
        assert!((6.0..8.0).contains(&copy), "{copy}");
        let more: Arc<[_]> = [Arc::clone(&links[0]), link(3, Some(125_000_000))].into();
        let later = outlook.blocks(&more, Monotonic::default()).to_vec();
        assert_eq!((later[0].rows(), later[1].rows()), (2, 2));
        let keys = later[1].subjects.keys().to_vec();
        outlook.configure([profile("calm", 2e7)].into());
        let other = outlook.blocks(&more, Monotonic::default()).to_vec();
        assert!(other[1].subjects.keys().iter().all(|key| !keys.contains(key)), "a key is not used again");
    }

    #[test]
    fn much_is_made_a_little_at_a_time() {
        let mut outlook = LinkForecasts::default();
        outlook.configure([profile("calm", 1e7)].into());
        let links: Arc<[_]> = (1..=10_000).map(|key| link(key, Some(100_000_000 + key * 7))).collect();
        let rows = |outlook: &mut LinkForecasts| outlook.blocks(&links, Monotonic::default())[1].rows();
        let first = rows(&mut outlook);
        assert!(first > 100 && first < 10_000, "{first}");
        let rounds = (1..100).find(|_| rows(&mut outlook) == 10_000);
        assert!(rounds.is_some(), "all of them in the end");
    }
}
