//! What is recorded is read back as the same values, and rubbish as nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "recording/world.rs"]
mod world;

use miglink::record::envelope::{Head, Kind, HEAD, MAGIC};
use miglink::record::segment::{Opening, Reader, Writer};
use miglink::record::tick::Tick;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::sync::Arc;

fn written(ticks: &[Tick]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let opening = Opening { wall_ns: 1_790_000_000_000_000_000, ..Opening::default() };
    let mut writer = Writer::new(&opening, &mut bytes);
    ticks.iter().for_each(|tick| writer.add(tick, &mut bytes));
    writer.finish(&mut bytes);
    bytes
}

/// The records of a file that is whole.
fn records(bytes: &[u8]) -> Vec<(Kind, &[u8])> {
    let mut rest = bytes.strip_prefix(&MAGIC).unwrap();
    let mut records = Vec::new();
    while let Some(head) = rest.first_chunk::<HEAD>() {
        let read = Head::read(head).unwrap();
        let (payload, after) = rest[HEAD..].split_at(read.length as usize);
        assert!(read.is_sound(head, payload));
        records.push((read.kind, payload));
        rest = after;
    }
    assert!(rest.is_empty());
    records
}

proptest! {
    #[test]
    fn any_ticks_come_back(steps in proptest::collection::vec((world::step(), 1..70_000_u32), 1..40)) {
        let ticks = world::play(&steps);
        let bytes = written(&ticks);
        let mut reader = Reader::default();
        let read: Vec<Tick> =
            records(&bytes).into_iter().filter_map(|(kind, payload)| reader.take(kind, payload).unwrap()).collect();
        prop_assert_eq!(read.len(), ticks.len());
        for (read, written) in read.iter().zip(&ticks) {
            world::assert_equal(read, written);
        }
        // What was shared is shared again: unchanged tables cost no memory.
        for (read, written) in read.windows(2).zip(ticks.windows(2)) {
            let shared = |pair: &[Tick]| -> Vec<bool> {
                pair[1].frame.blocks.iter().map(|new| pair[0].frame.blocks.iter().any(|old| Arc::ptr_eq(old, new))).collect()
            };
            let apart = read[1].frame.monotonic.since(ticks[0].frame.monotonic);
            if apart.as_secs() < 120 {
                prop_assert_eq!(shared(read), shared(written));
            }
        }
    }

    #[test]
    fn a_reader_begins_at_any_key_and_survives_any_damage(
        steps in proptest::collection::vec((world::step(), 10_000..70_000_u32), 5..25),
        which in any::<proptest::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let ticks = world::play(&steps);
        let bytes = written(&ticks);
        let records = records(&bytes);
        let mut reader = Reader::default();
        let hit = which.index(records.len());
        let mut read = Vec::new();
        for (at, (kind, payload)) in records.iter().enumerate() {
            if at == hit {
                // Whatever is read of it, it is no other tick than those that were written; then it is as if it were lost.
                reader.take(*kind, &garbage).ok();
                reader.lose();
                continue;
            }
            if let Ok(Some(tick)) = reader.take(*kind, payload) {
                read.push(tick);
            }
        }
        prop_assert!(read.len() < ticks.len() || !matches!(records[hit].0, Kind::Key | Kind::Tick));
        for tick in &read {
            let same = ticks.iter().find(|written| written.frame.monotonic == tick.frame.monotonic).unwrap();
            world::assert_equal(tick, same);
        }
    }
}
