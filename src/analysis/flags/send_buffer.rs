//! `send_buffer`: `tcp_wmem` is too small for the link's bandwidth and delay.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "send_buffer",
    phases: BOTH,
    factor:
        "Bandwidth x delay over three quarters of the largest send buffer; the delay is measured, or 0.1 ms.",
    judge: flag,
};

/// What is on its way of a full send buffer: 0.74 to 0.78 of it (measured; the rest is the kernel's own bookkeeping).
pub const USED: f64 = 0.75;
/// The kernel's default of `net.ipv4.tcp_wmem`'s largest value (Documentation/networking/ip-sysctl.rst of 6.12).
const DEFAULT: u64 = 4_194_304;

/// Told of links on which connections end.
pub fn flag(link: &LinkState) -> Flagged {
    if !link.addressed {
        return Flagged::Unknown("an address: no connection ends on this link");
    }
    let Some([smallest, first, largest]) = link.buffers.send else {
        return Flagged::Unknown("net.ipv4.tcp_wmem");
    };
    let Some(needed) = link.in_flight() else { return Flagged::Unknown("the link's speed") };
    let enough = ((needed * 2.0) as u64).next_power_of_two().max(DEFAULT);
    let mend = vec![format!("sysctl -w net.ipv4.tcp_wmem='{smallest} {first} {enough}'")];
    slows(needed / (largest as f64 * USED), evidence(link, "tcp_wmem", largest, needed), mend)
}

/// A buffer beside what the link needs on its way.
pub fn evidence(link: &LinkState, name: &str, largest: u64, needed: f64) -> String {
    let (round_trip, measured) = link.round_trip();
    format!(
        "{name} allows {:.0} kB, the link needs {:.0} kB on their way at {} round trip of {:.1} ms",
        largest as f64 / 1e3,
        needed / 1e3,
        if measured { "the shortest" } else { "an assumed" },
        round_trip.as_secs_f64() * 1e3
    )
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Buffers, LinkState};
    use std::time::Duration;

    #[test]
    fn bandwidth_and_delay_against_the_buffer() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)), "the kernel's default at 10 Gbit/s");
        let far = LinkState { round_trip: Some(Duration::from_millis(20)), ..link.clone() };
        let Flagged::Slows { ratio, mend, .. } = flag(&far) else { panic!("20 ms") };
        assert!((7.0..8.0).contains(&ratio), "{ratio}");
        assert_eq!(mend, ["sysctl -w net.ipv4.tcp_wmem='4096 16384 67108864'"]);
        let small = Buffers { send: Some([4096, 16_384, 16_384]), ..link.buffers };
        let small = LinkState { buffers: small, ..link.clone() };
        assert!(matches!(flag(&small), Flagged::Slows { ratio, .. } if ratio > 9.0));
        let unread = LinkState { buffers: Buffers::default(), ..link.clone() };
        let slow = LinkState { speed: None, ..link.clone() };
        for unknown in [unread, slow, LinkState { addressed: false, ..small }] {
            assert!(matches!(flag(&unknown), Flagged::Unknown(_)));
        }
    }
}
