//! `rdma_unused`: an active RDMA port is on the link, and the last migration over it ran over TCP.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::COPY;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "rdma_unused",
    phases: COPY,
    factor: "The RDMA port's rate over 18 Gbit/s for each TCP connection that the migration had.",
    judge: flag,
};

/// What one TCP connection of a migration gets at most, bytes a second, before a thread has its core full: 18 Gbit/s (measured
/// for vMotion on 40 GbE, Broadcom KB 323379).
pub const CONNECTION: f64 = 18e9 / 8.0;

/// Which transport the next migration takes nobody tells beforehand; the last one did.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(rdma) = link.rdma.as_ref().filter(|rdma| rdma.active) else {
        return Flagged::Fine("no active RDMA port on this link".into());
    };
    let (Some(seen), Some(rate)) = (&link.seen, rdma.rate) else {
        return Flagged::Unknown("a migration over this link, or the RDMA port's rate");
    };
    let connections = seen.channels.max(1);
    let evidence = format!(
        "{} is active at {}, and {} went by {connections} TCP connections",
        rdma.device,
        bits(rate as f64),
        seen.vm
    );
    let peer = &seen.peer;
    let mend = vec![format!(
        "virsh migrate --live --migrateuri rdma://{peer} '{}' qemu+ssh://{peer}/system",
        seen.vm
    )];
    slows(rate as f64 / (CONNECTION * connections as f64), evidence, mend)
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Rdma, Seen};

    #[test]
    fn tcp_beside_an_active_port() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let with = |gigabits: u64, seen| {
            let rate = Some(gigabits * 125_000_000);
            let rdma = Rdma { device: "mlx5_0".into(), active: true, rate, ..Rdma::default() };
            flag(&LinkState { rdma: Some(rdma), seen, ..link.clone() })
        };
        let seen = Seen { vm: "web1".into(), peer: "10.0.0.2".into(), channels: 1, ..Seen::default() };
        let Flagged::Slows { ratio, mend, .. } = with(100, Some(seen.clone())) else { panic!("100 Gbit/s") };
        assert!((5.0..6.0).contains(&ratio));
        assert!(mend[0].contains("rdma://10.0.0.2 'web1'"), "{mend:?}");
        assert!(matches!(with(10, Some(seen)), Flagged::Fine(_)), "TCP fills it as well");
        assert!(matches!(with(100, None), Flagged::Unknown(_)), "nothing has migrated");
    }
}
