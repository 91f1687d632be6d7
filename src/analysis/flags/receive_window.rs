//! `receive_window`: `tcp_rmem`, or how it is used, is too small for migrations that come over the link.

use super::contract::{slows, Flag, Flagged};
use super::send_buffer::evidence;
use super::state::{Buffers, LinkState};
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "receive_window",
    phases: BOTH,
    factor: "Bandwidth x delay over the largest window; the delay is measured, or 0.1 ms.",
    judge: flag,
};

/// The window is about half of the receive buffer (`tcp_adv_win_scale`; Documentation/networking/ip-sysctl.rst).
const USED: f64 = 0.5;
/// The largest window without scaling (RFC 7323).
const UNSCALED: u64 = 65_535;
/// The kernel's default of `net.ipv4.tcp_rmem`'s largest value (ip-sysctl.rst of 6.12).
const DEFAULT: u64 = 6_291_456;

/// The largest window that this host's settings allow, bytes.
pub fn window(buffers: &Buffers) -> Option<f64> {
    let [_, first, largest] = buffers.receive?;
    let buffer = if buffers.receive_grows? { largest } else { first.min(largest) };
    let usable = buffer as f64 * USED;
    Some(if buffers.window_scaling? { usable } else { usable.min(UNSCALED as f64) })
}

/// Told of links on which connections end; guests that come here are slowed.
pub fn flag(link: &LinkState) -> Flagged {
    let buffers = &link.buffers;
    if !link.addressed {
        return Flagged::Unknown("an address: no connection ends on this link");
    }
    let (Some([smallest, first, largest]), Some(scaling), Some(grows)) =
        (buffers.receive, buffers.window_scaling, buffers.receive_grows)
    else {
        return Flagged::Unknown("net.ipv4.tcp_rmem, tcp_window_scaling and tcp_moderate_rcvbuf");
    };
    let Some(needed) = link.in_flight() else { return Flagged::Unknown("the link's speed") };
    let mut mend = Vec::new();
    let enough = ((needed * 2.0) as u64).next_power_of_two().max(DEFAULT);
    if (largest as f64 * USED) < needed {
        mend.push(format!("sysctl -w net.ipv4.tcp_rmem='{smallest} {first} {enough}'"));
    }
    let usable = window(buffers).unwrap_or(largest as f64 * USED);
    let mut said = evidence(link, "tcp_rmem", largest, needed);
    if !grows {
        said += ", and buffers do not grow beyond the first";
        mend.push("sysctl -w net.ipv4.tcp_moderate_rcvbuf=1".into());
    }
    if !scaling {
        said += ", and windows end at 64 KiB";
        mend.push("sysctl -w net.ipv4.tcp_window_scaling=1".into());
    }
    slows(needed / usable.max(1.0), said, mend)
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Buffers, LinkState};

    #[test]
    fn the_largest_window_decides() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)), "the kernel's defaults");
        let with = |buffers| flag(&LinkState { buffers, ..link.clone() });
        let small = Buffers { receive: Some([4096, 32_768, 32_768]), ..link.buffers };
        assert!(matches!(with(small), Flagged::Slows { ratio, .. } if ratio > 7.0));
        let unscaled = with(Buffers { window_scaling: Some(false), ..link.buffers });
        let Flagged::Slows { mend, .. } = unscaled else { panic!("no scaling") };
        assert_eq!(mend, ["sysctl -w net.ipv4.tcp_window_scaling=1"]);
        let fixed = with(Buffers { receive_grows: Some(false), ..link.buffers });
        assert!(matches!(fixed, Flagged::Slows { ratio, .. } if ratio > 1.7));
        assert!(matches!(with(Buffers::default()), Flagged::Unknown(_)));
        assert!(matches!(flag(&LinkState { speed: None, ..link }), Flagged::Unknown(_)));
    }
}
