//! `link_saturated`: the migration itself fills the link.

use super::contract::{evidence, Judgement, Pool, Rule, BOTH};
use super::window::Window;

/// The rule.
pub static RULE: Rule = Rule {
    cause: "link_saturated",
    meaning: "The migration itself fills the link: the hardware is the limit.",
    reading: "A link on the way carries all that its speed allows.",
    advice:
        "Use a faster link or a bond with several streams (multifd), or compression where processors idle.",
    mend: &["ethtool {wire}", "virsh migrate --live --parallel --parallel-connections 4 {vm} DESTINATION"],
    pool: Pool::Network,
    phases: BOTH,
    judge,
};

/// Goodput and headers together reach 98 % of a link's speed at an MTU of 1500; 95 % over a second is full.
const FULL: f64 = 0.95;

fn judge(window: &Window) -> Judgement<'_> {
    let known = window.links.iter().filter_map(|link| Some((link, link.speed?)));
    let Some((link, speed)) = known.max_by(|(a, of_a), (b, of_b)| {
        (a.rate / of_a).partial_cmp(&(b.rate / of_b)).unwrap_or(std::cmp::Ordering::Equal)
    }) else {
        return Judgement::Unknown("the speed of the links on its way");
    };
    let numbers = evidence!("{}: {:.0} of {:.0} MB/s", link.name, link.rate / 1e6, speed / 1e6);
    if link.rate >= FULL * speed {
        return Judgement::Limiting(1.0, numbers);
    }
    Judgement::RuledOut(numbers)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::analysis::rules::contract::Judgement;
    use crate::analysis::rules::window::{LinkWindow, Window};

    #[test]
    fn a_link_at_its_speed() {
        let link = LinkWindow { rate: 122e6, speed: Some(125e6), ..LinkWindow::default() };
        let window = Window { links: vec![link], ..Window::example() };
        assert!(matches!(judge(&window), Judgement::Limiting(..)));
        assert!(matches!(judge(&Window::example()), Judgement::Unknown(_)));
    }
}
