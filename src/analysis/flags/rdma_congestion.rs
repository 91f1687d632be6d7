//! `rdma_congestion`: the RDMA port was told to slow down, or lost packets, of late.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::lost_share;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "rdma_congestion",
    phases: BOTH,
    factor: "Time over time at full rate: each congestion notification is counted as a quarter of the rate for 275 us; each lost packet as all \
             that is on its way sent again.",
    judge: flag,
};

/// What a notification costs: DCQCN cuts the rate by up to half and takes five rounds of 55 us to come back (Zhu et al., SIGCOMM
/// 2015): about a quarter of the rate for 275 us.
const NOTIFICATION: f64 = 0.25 * 275e-6;
/// The most of the time that the estimate may take: DCQCN halves, it does not stop.
const MOST: f64 = 0.5;

/// Told from the port's own counters.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(rdma) = link.rdma.as_ref().filter(|rdma| rdma.active) else {
        return Flagged::Fine("no active RDMA port on this link".into());
    };
    let (Some(notifications), Some(lost), Some(rate)) = (rdma.notifications, rdma.lost, rdma.rate) else {
        return Flagged::Unknown("the RDMA port's counters of congestion and loss");
    };
    let seconds = link.recent.time.as_secs_f64().max(1.0);
    let slowed = (notifications as f64 / seconds * NOTIFICATION).min(MOST);
    // RoCE goes back to what was lost: all that is on its way comes again.
    let on_the_way = rate as f64 * link.round_trip().0.as_secs_f64() / f64::from(link.mtu.max(1));
    let again = lost_share(lost, rdma.packets) * on_the_way.max(1.0);
    let evidence = format!(
        "{}: {notifications} congestion notifications and {lost} packets lost of {} in {seconds:.0} s",
        rdma.device, rdma.packets
    );
    slows((1.0 + again) / (1.0 - slowed), evidence, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Rdma};

    #[test]
    fn notifications_and_losses() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let with = |notifications, lost| {
            let rdma = Rdma {
                device: "mlx5_0".into(),
                active: true,
                rate: Some(12_500_000_000),
                notifications,
                lost,
                packets: 10_000_000,
            };
            flag(&LinkState { rdma: Some(rdma), ..link.clone() })
        };
        assert!(matches!(with(Some(100), Some(0)), Flagged::Fine(_)));
        assert!(matches!(with(Some(2_000_000), Some(0)), Flagged::Slows { ratio, .. } if ratio > 1.5));
        assert!(matches!(with(Some(0), Some(10_000)), Flagged::Slows { ratio, .. } if ratio > 1.5));
        assert!(matches!(with(None, Some(0)), Flagged::Unknown(_)));
    }
}
