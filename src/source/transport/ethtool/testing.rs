//! For tests of the parsers: replies built by hand, rows read back, captures mutated.

use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::metric::Column;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Subjects;
use crate::source::transport::message::Request;
use proptest::prelude::{any, Strategy};

/// The payload of a generic netlink message with these attributes.
pub fn reply(fill: impl FnOnce(Request) -> Request) -> Vec<u8> {
    const MESSAGE_HEADER: usize = 16;
    fill(Request::new(0, 0, &[0; 4])).bytes(0)[MESSAGE_HEADER..].to_vec()
}

/// What a parser makes of a payload: the cells of one row.
pub fn row(columns: &'static [Column], parse: impl FnOnce(usize, &mut Block)) -> Vec<Cell> {
    let mut block = Block::new("test", Monotonic::default(), columns, Subjects::host());
    parse(0, &mut block);
    (0..columns.len()).map(|column| block.cell(column, 0)).collect()
}

/// The integers of a row, `None` for a gap.
pub fn integers(columns: &'static [Column], parse: impl FnOnce(usize, &mut Block)) -> Vec<Option<u64>> {
    row(columns, parse).into_iter().map(Cell::as_integer).collect()
}

/// A capture with some bytes changed, then cut at any place.
pub fn mutated(capture: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..capture.len(), any::<u8>());
    (proptest::collection::vec(change, 0..6), 0..=capture.len()).prop_map(|(changes, length)| {
        let mut bytes = capture.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(length);
        bytes
    })
}
