//! How long this host's processors were idle, from /proc/uptime, while guests move: a thread that has its core full is
//! another matter on a host whose other cores idle.
//!
//! /proc/uptime has the idle time of all processors in one sum (fs/proc/uptime.c) and costs nothing beside /proc/stat,
//! which counts every interrupt.

use super::contract::{Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::Subjects;
use std::sync::Arc;
use std::time::Duration;

/// Idle time of the processors.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "processors",
    help: "Idle time of all processors together while guests move, from /proc/uptime.",
    privilege: "",
    pace: Pace::Migration,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(1),
    // It feeds the rules and is not shown.
    tables: &[],
    open,
};

/// Idle time.
pub static IDLE: Metric = Metric::counter(
    "processors_idle_milliseconds_total",
    "Time that processors were idle, the sum of all of them.",
    Unit::None,
);

/// The column of its table.
pub static COLUMNS: [Column; 1] = [Column::of(&IDLE)];

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let file = KeptFile::open(roots.proc.join("uptime"))?;
    Ok(Box::new(Processors { file, told: false, host: Subjects::host() }))
}

struct Processors {
    file: KeptFile,
    /// The last reading had figures.
    told: bool,
    host: Arc<Subjects>,
}

impl Source for Processors {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let reads = !context.followed.wanted.is_empty();
        if !reads {
            // Once, so that the last figures of the guests that have moved are gone.
            let (had, nothing) = (std::mem::take(&mut self.told), Reading::default());
            return Ok(if had { nothing } else { Reading::unchanged() });
        }
        self.told = true;
        let idle = Cell::integer_or(parse(self.file.read_piece()?), Gap::Failed);
        Ok(Reading::of(Block::of_host(SOURCE.name, context.now, &COLUMNS, &self.host, vec![idle])))
    }
}

/// Milliseconds, from the second number: seconds with two decimals.
fn parse(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_ascii_whitespace().nth(1)?.split_once('.')?;
    let hundredths = hundredths.parse::<u64>().ok().filter(|hundredths| *hundredths < 100)?;
    seconds.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::{open, parse};
    use crate::sample::guest::{Followed, Wanted};
    use crate::source::contract::{Context, Roots};
    use std::sync::Arc;

    #[test]
    fn the_second_number_is_idle_time() {
        assert_eq!(parse("350735.47 234388.90\n"), Some(234_388_900));
        for wrong in ["", "1.0", "1.0 2", "1.0 a.b", "1.0 2.345"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn it_is_read_while_a_guest_moves_only() {
        let mut source = open(&Roots::default()).expect("opens");
        assert!(source.read(&Context::default()).expect("reads").blocks.is_empty());
        let wanted = vec![Wanted { key: 3, paused: false }];
        let followed = Arc::new(Followed { wanted, ..Followed::default() });
        let reading = source.read(&Context { followed, ..Context::default() }).expect("reads");
        assert!(reading.blocks[0].cell(0, 0).is_value());
    }
}
