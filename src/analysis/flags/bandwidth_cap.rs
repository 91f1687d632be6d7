//! `bandwidth_cap`: the hypervisor's limit, as the last migration over the link had it, is below what the link carries.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::COPY;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "bandwidth_cap",
    phases: COPY,
    factor:
        "What the link carries over the limit: a capped migration lies at its cap within 1.5 % (measured).",
    judge: flag,
};

/// Told of links that a migration with a known limit went over.
pub fn flag(link: &LinkState) -> Flagged {
    let Some((seen, cap)) = link.seen.as_ref().and_then(|seen| Some((seen, seen.cap?))) else {
        return Flagged::Unknown("a migration over this link whose hypervisor tells its limit");
    };
    let Some(ceiling) = link.ceiling() else { return Flagged::Unknown("the link's speed") };
    if cap == u64::MAX || cap == 0 {
        return Flagged::Fine(format!("{} had no limit", seen.vm));
    }
    let evidence =
        format!("{} was limited to {}, the link carries {}", seen.vm, bits(cap as f64), bits(ceiling));
    let mebibytes = (ceiling / f64::from(1 << 20)).ceil();
    let mend = vec![format!("virsh migrate-setspeed '{}' --bandwidth {mebibytes:.0}", seen.vm)];
    slows(ceiling / cap as f64, evidence, mend)
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Seen};

    #[test]
    fn a_cap_below_the_link() {
        let seen = |cap| {
            let seen = Seen { vm: "web1".into(), cap, ..Seen::default() };
            flag(&LinkState { seen: Some(seen), ..LinkState::example() })
        };
        let Flagged::Slows { ratio, mend, .. } = seen(Some(134_217_728)) else { panic!("128 MiB/s") };
        assert!((8.0..9.0).contains(&ratio), "{ratio}");
        assert_eq!(mend, ["virsh migrate-setspeed 'web1' --bandwidth 1123"]);
        assert!(matches!(seen(Some(u64::MAX)), Flagged::Fine(_)));
        assert!(matches!(seen(Some(2_000_000_000)), Flagged::Fine(_)));
        assert!(matches!(seen(None), Flagged::Unknown(_)));
        assert!(matches!(flag(&LinkState::example()), Flagged::Unknown(_)));
    }
}
