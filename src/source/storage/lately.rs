//! What storage connections moved over links of late: bytes a second over the last minutes. Pure.

use super::{Known, SOURCE};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::Index;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use crate::source::contract::Context;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Received by storage connections of late.
pub static RECEIVED: Metric = Metric::gauge(
    "storage_receive_bytes_per_second",
    "Bytes a second that storage connections received of late.",
    Unit::BytesPerSecond,
);
/// Sent by them.
pub static SENT: Metric = Metric::gauge(
    "storage_transmit_bytes_per_second",
    "Bytes a second that storage connections sent of late.",
    Unit::BytesPerSecond,
);
/// How many there are.
pub static CONNECTIONS: Metric =
    Metric::gauge("storage_connections", "Storage connections that leave by the link.", Unit::None);
/// Over which time.
pub static SECONDS: Metric =
    Metric::gauge("storage_seconds", "The time that the rates of storage connections are of.", Unit::Seconds);

/// The columns of its table, a row for each link that storage connections leave by.
pub static COLUMNS: [Column; 4] =
    [Column::of(&RECEIVED), Column::of(&SENT), Column::of(&CONNECTIONS), Column::of(&SECONDS)];

/// How long ago is of late: as long as other traffic is remembered for flags.
const LATELY: Duration = Duration::from_secs(300);
/// Closer looks are not remembered one by one.
const STEP: Duration = Duration::from_secs(5);

type Sums = BTreeMap<Index, [u64; 2]>;

/// Sums of bytes by link at the looks of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Lately {
    looks: VecDeque<(Monotonic, Sums)>,
    now: Option<(Monotonic, Sums)>,
    subjects: Arc<Subjects>,
}

impl Lately {
    /// Takes in the sums of a look.
    pub(super) fn note(&mut self, now: Monotonic, sums: &Sums) {
        if self.looks.back().is_none_or(|(last, _)| now.since(*last) >= STEP) {
            self.looks.extend(self.now.take());
        }
        if self.looks.is_empty() {
            self.looks.push_back((now, sums.clone()));
        }
        while self.looks.get(1).is_some_and(|(at, _)| now.since(*at) >= LATELY) {
            self.looks.pop_front();
        }
        self.now = Some((now, sums.clone()));
    }

    /// Whether there were two looks, so that there are rates.
    pub(super) fn is_known(&self) -> bool {
        !self.time().is_zero()
    }

    fn time(&self) -> Duration {
        let ends = self.looks.front().zip(self.now.as_ref());
        ends.map_or(Duration::ZERO, |((first, _), (last, _))| last.since(*first))
    }

    /// The table, once there are rates: links with storage connections, and those that had some.
    pub(super) fn block(&mut self, known: &HashMap<u64, Known>, context: &Context) -> Option<Block> {
        let seconds = self.time().as_secs_f64();
        let ((_, first), (_, last)) = self.looks.front().zip(self.now.as_ref()).filter(|_| seconds > 0.0)?;
        let mut list = SubjectsBuilder::default();
        list.hide_the_rest();
        let mut rows = Vec::new();
        for (index, sums) in last {
            let Some(link) = context.links.get(*index) else { continue };
            let of_link = || known.values().filter(|known| known.link == Some(*index));
            let kinds: BTreeSet<&str> = of_link().map(|known| known.kind).collect();
            let kinds: Vec<&str> = kinds.into_iter().collect();
            list.row(link.key).label("device", &link.name).label("kinds", &kinds.join(", "));
            let before = first.get(index).copied().unwrap_or_default();
            let rate = |way: usize| (sums[way].saturating_sub(before[way]) as f64 / seconds) as u64;
            rows.push([rate(0), rate(1), of_link().count() as u64, seconds.round() as u64]);
        }
        let list = list.build();
        if *self.subjects != list {
            self.subjects = Arc::new(list);
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        rows.iter().enumerate().for_each(|(row, cells)| block.set_row(row, cells.map(Cell::integer)));
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lately, Sums};
    use crate::sample::link::{Link, Links};
    use crate::sample::monotonic::Monotonic;
    use crate::source::contract::Context;
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn rates_are_of_the_last_minutes() {
        let links =
            Links::new(1, vec![Link { key: 5, index: 2, name: "eth0".into(), ..Link::default() }], None);
        let context = Context { links: Arc::new(links), ..Context::default() };
        let mut lately = Lately::default();
        let mut look = |second: u64, received| {
            lately.note(Monotonic(Duration::from_secs(second)), &Sums::from([(2, [received, 0])]));
            let block = lately.block(&HashMap::new(), &context)?;
            Some([0, 3].map(|column| block.cell(column, 0).as_integer().expect("a number")))
        };
        assert_eq!(look(0, 1000), None, "one look tells no rate");
        assert_eq!(look(1, 4000), Some([3000, 1]));
        assert_eq!(look(31, 32_000), Some([1000, 31]));
        for second in (61..=301).step_by(30) {
            look(second, 32_000);
        }
        assert_eq!(look(331, 32_000), Some([0, 300]), "what was longer ago is forgotten");
        assert_eq!(look(333, 92_000).map(|[rate, _]| rate), Some(198), "and what came since is told at once");
    }
}
