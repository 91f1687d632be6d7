//! `mtu_mismatch`: frames are smaller than the path allows.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::{LinkWindow, Window};
use crate::sample::migration::Direction;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "mtu_mismatch",
    meaning: "The MTU differs along the path: frames are smaller than the links of this host allow, and more of the wire goes to headers; or larger than a link takes, and are lost or cut.",
    reading: "The connection's segments beside the largest MTU on this host's part of the way.",
    advice: "Set the same MTU on every link, switch and host of the path, the far side first.",
    mend: &["ip link show dev {device}", "tracepath -n PEER", "ip link set dev {device} mtu MTU"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Bytes of a frame beside the segment, preamble and gap included (shared facts: 1448 of 1538).
const AROUND: f64 = 90.0;
/// IP and TCP headers with time stamps: what an MTU leaves of itself. IPv6 takes 20 more.
const HEADERS: u64 = 52;
/// Tunnels and IPv6 take this much rightfully.
const SLACK: u64 = 100;
/// It never takes more than this: where headers cost more, something else is broken.
const MOST: f64 = 0.2;
/// Less is not worth a word.
const LEAST: f64 = 0.005;

/// Small frames cost the headers that larger ones would save, at whichever hop is full: 5 % between 1500 and 9000. That
/// is the whole share; it can never lead where anything else is proven.
fn judge(window: &Window) -> Judgement<'_> {
    if window.direction == Direction::Incoming {
        return Judgement::RuledOut("frames are made at the source".into());
    }
    let Some(segment) = window.flow.as_ref().map(|flow| flow.segment).filter(|segment| *segment > 0) else {
        return Judgement::Unknown("the segments of the migration's connections");
    };
    let Some(largest) = known(window).map(|link| u64::from(link.wire.mtu)).max() else {
        return Judgement::Unknown("the MTU of the links on its way");
    };
    let allowed = largest.saturating_sub(HEADERS);
    let use_of_wire = |segment: u64| segment as f64 / (segment as f64 + AROUND);
    let saved = 1.0 - use_of_wire(segment) / use_of_wire(allowed.max(1));
    let numbers = evidence!(
        "segments of {segment} bytes, MTU {}: headers take {:.1} % more than they need to",
        list_of(window),
        saved.max(0.0) * 100.0
    );
    if segment + SLACK >= allowed || saved < LEAST {
        return Judgement::RuledOut(numbers);
    }
    Judgement::Limiting(saved.min(MOST), numbers)
}

/// The links on its way whose MTU is known.
fn known(window: &Window) -> impl Iterator<Item = &LinkWindow> {
    window.links.iter().filter(|link| link.wire.mtu > 0)
}

fn list_of(window: &Window) -> String {
    let list: Vec<String> = known(window).map(|link| format!("{} {}", link.name, link.wire.mtu)).collect();
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{FlowWindow, LinkWindow, Window};
    use crate::analysis::rules::wire::Wire;
    use crate::analysis::verdicts::account::divide;

    fn window(segment: u64, mtus: &[u32]) -> Window {
        let link =
            |mtu: &u32| LinkWindow { wire: Wire { mtu: *mtu, ..Wire::default() }, ..LinkWindow::default() };
        let flow = FlowWindow { segment, busy: 1.0, rate: 1e6, ..FlowWindow::default() };
        Window { flow: Some(flow), links: mtus.iter().map(link).collect(), ..Window::example() }
    }

    #[test]
    fn small_frames_cost_their_headers() {
        let small = window(1448, &[9000, 9000]);
        let judged = judge(&small);
        assert!(
            matches!(judged, Judgement::Limiting(share, _) if (share - 0.049).abs() < 0.002),
            "{judged:?}"
        );
        assert!(matches!(judge(&window(1448, &[1500, 9000])), Judgement::Limiting(..)), "a small vlan");
        for fits in [window(1448, &[1500]), window(1398, &[1500]), window(8948, &[9000, 9000])] {
            assert!(matches!(judge(&fits), Judgement::RuledOut(_)));
        }
        assert!(matches!(judge(&window(1448, &[0])), Judgement::Unknown(_)));
    }

    #[test]
    fn it_never_leads() {
        for segment in [48, 536, 1448] {
            let shares = divide(&window(segment, &[65_535]));
            let of =
                |cause| shares.iter().find(|share| share.cause == cause).map_or(0.0, |share| share.share);
            assert!(of("mtu_mismatch") > 0.0 && of("mtu_mismatch") < of("path_congestion"), "{shares:?}");
        }
    }
}
