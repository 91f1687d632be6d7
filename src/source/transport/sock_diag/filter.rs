//! Filters that the kernel runs itself over its sockets, so that ten thousand others are not told
//! (net/ipv4/inet_diag.c, `inet_diag_bc_run`). Pure.
//!
//! A program is a list of 4-byte operations: code, how far to go if it holds, how far if not. To go exactly to the
//! end accepts; to go 4 bytes beyond it rejects.

const JUMP: u8 = 1;
const LOCAL_PORT_AT_LEAST: u8 = 2;
const LOCAL_PORT_AT_MOST: u8 = 3;
const PEER_PORT_AT_LEAST: u8 = 4;
const PEER_PORT_AT_MOST: u8 = 5;

/// Bytes of one operation.
const OPERATION: usize = 4;
/// Bytes of one range's test of one end: two comparisons, each with its port in an operation of its own.
const TEST: usize = 4 * OPERATION;

/// Sockets one of whose ports lies in one of these ranges, ends included.
pub fn any_port_of(ranges: &[(u16, u16)]) -> Vec<u8> {
    let tests = ranges.iter().flat_map(|range| {
        [
            in_range(LOCAL_PORT_AT_LEAST, LOCAL_PORT_AT_MOST, *range),
            in_range(PEER_PORT_AT_LEAST, PEER_PORT_AT_MOST, *range),
        ]
    });
    // From the last to the first: each test that holds jumps over all that come after it.
    tests.rev().fold(Vec::new(), either)
}

/// Both comparisons must hold; if one does not, to go 4 bytes beyond this test.
fn in_range(at_least: u8, at_most: u8, (low, high): (u16, u16)) -> Vec<u8> {
    let mut program = Vec::with_capacity(TEST + OPERATION);
    let beyond = (TEST + OPERATION) as u16;
    operation(&mut program, at_least, 8, beyond);
    operation(&mut program, 0, 0, low);
    operation(&mut program, at_most, 8, beyond - 8);
    operation(&mut program, 0, 0, high);
    program
}

/// The first test, then a jump over the rest. A test that fails goes 4 bytes beyond itself: over the jump.
fn either(rest: Vec<u8>, mut test: Vec<u8>) -> Vec<u8> {
    if !rest.is_empty() {
        operation(&mut test, JUMP, OPERATION as u8, (rest.len() + OPERATION) as u16);
        test.extend(rest);
    }
    test
}

fn operation(program: &mut Vec<u8>, code: u8, yes: u8, no: u16) {
    program.extend([code, yes]);
    program.extend(no.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::any_port_of;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    /// The kernel's `inet_diag_bc_run`, for ports.
    fn run(program: &[u8], local: u16, peer: u16) -> bool {
        let (mut at, mut left) = (0, program.len() as isize);
        while left > 0 {
            let word = |at: usize| u16::from_ne_bytes([program[at + 2], program[at + 3]]);
            let port = if left > 4 { word(at + 4) } else { 0 };
            let holds = match program[at] {
                1 => false,
                2 => local >= port,
                3 => local <= port,
                4 => peer >= port,
                _ => peer <= port,
            };
            let step = if holds { usize::from(program[at + 1]) } else { usize::from(word(at)) };
            at += step;
            left -= step as isize;
        }
        left == 0
    }

    proptest! {
        #[test]
        fn what_is_in_a_range_passes(
            ranges in proptest::collection::vec((any::<u16>(), 0u16..300), 1..7),
            local in any::<u16>(),
            peer in any::<u16>(),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(low, width)| (low, low.saturating_add(width))).collect();
            let inside = |port: u16| ranges.iter().any(|(low, high)| (*low..=*high).contains(&port));
            prop_assert_eq!(run(&any_port_of(&ranges), local, peer), inside(local) || inside(peer));
        }
    }
}
