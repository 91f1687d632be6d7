//! `traffic_shaping`: a queueing discipline of the link holds every connection below the link's speed.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "traffic_shaping",
    phases: BOTH,
    factor: "What the link carries over the rate of the discipline; of classes the widest counts.",
    judge: flag,
};

/// Guests that leave over the link are slowed.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(shaper) = &link.shaper else {
        return Flagged::Unknown("the link's queueing disciplines");
    };
    if shaper.depends {
        return Flagged::Unknown("the class that a migration's packets take");
    }
    let Some(rate) = shaper.rate else { return Flagged::Fine("no discipline has a rate".into()) };
    let (Some(speed), Some(capacity)) = (link.speed, link.capacity()) else {
        return Flagged::Unknown("the link's speed");
    };
    let word = if link.nominal { " by its driver's word, more or less in truth" } else { "" };
    let evidence = format!(
        "{} lets {} through, the link carries {}{word}",
        shaper.what,
        bits(rate as f64),
        bits(capacity)
    );
    let mend = shaper.mend.replace("{rate}", &format!("{}bit", speed * 8));
    slows(capacity / rate.max(1) as f64, evidence, vec![mend])
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Shaping};

    #[test]
    fn a_rate_below_the_link() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Fine(_)));
        let shaper = Shaping {
            rate: Some(50_000_000),
            what: "class 1:10".into(),
            mend: "tc class change dev ens3f0 parent 1: classid 1:10 htb rate 16000000bit ceil {rate}".into(),
            depends: false,
            each: false,
        };
        let with = |shaper| flag(&LinkState { shaper, ..link.clone() });
        let Flagged::Slows { ratio, mend, .. } = with(Some(shaper.clone())) else { panic!("shaped") };
        assert!((23.0..24.0).contains(&ratio), "{ratio}");
        assert!(mend[0].ends_with("ceil 10000000000bit"), "{mend:?}");
        let wide = Shaping { rate: Some(1_250_000_000), ..shaper.clone() };
        assert!(matches!(with(Some(wide)), Flagged::Fine(_)));
        assert!(matches!(with(Some(Shaping { depends: true, ..shaper.clone() })), Flagged::Unknown(_)));
        assert!(matches!(with(None), Flagged::Unknown(_)));
        let slow = LinkState { shaper: Some(shaper), speed: None, ..link.clone() };
        assert!(matches!(flag(&slow), Flagged::Unknown(_)));
    }
}
