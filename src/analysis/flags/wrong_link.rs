//! `wrong_link`: migrations take this link, and a faster one is idle, or one that is meant for them.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "wrong_link",
    phases: BOTH,
    factor: "The other link's speed over this one's.",
    judge: flag,
};

/// Told of links that a migration has taken: every host has slower links, and most are never meant for migrations.
pub fn flag(link: &LinkState) -> Flagged {
    let (Some(seen), Some(speed)) = (&link.seen, link.reach()) else {
        return Flagged::Unknown("a migration over this link, or its speed");
    };
    let Some(faster) = &link.faster else {
        return Flagged::Fine("no other link with an address is faster and idle".into());
    };
    let evidence = format!(
        "{} went over it at {}, while {} has {}{} and is idle",
        seen.vm,
        bits(speed as f64),
        faster.name,
        bits(faster.speed as f64),
        if faster.meant { ", is meant for migrations" } else { "" }
    );
    slows(faster.speed as f64 / speed.max(1) as f64, evidence, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{Faster, LinkState, Seen};

    #[test]
    fn a_faster_link_rests() {
        let seen = Some(Seen { vm: "web1".into(), ..Seen::default() });
        let link = LinkState { seen, ..LinkState::example() };
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let faster = Some(Faster { name: "ens4".into(), speed: 12_500_000_000, meant: true });
        let with = LinkState { faster: faster.clone(), ..link };
        let Flagged::Slows { ratio, evidence, .. } = flag(&with) else { panic!("100 Gbit/s") };
        assert!(ratio > 9.9 && evidence.contains("meant"), "{evidence}");
        assert!(matches!(flag(&LinkState { seen: None, ..with }), Flagged::Unknown(_)));
    }
}
