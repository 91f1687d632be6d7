//! `receiver_cpu`: the destination's hypervisor gets a small share of one CPU.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "receiver_cpu",
    made: "the destination's hypervisor gets 5 to 10 % of a CPU, and the link could carry many times what that takes in; \
           in some from midway on",
    weight: 1,
    make,
};

/// What a hypervisor with one percent of a CPU takes in in the lab, in megabits a second, at most (measured: 40).
const PERCENT: u64 = 60;

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let percent = draw.within(5, 10);
    let mut recipe = if number.is_multiple_of(3) {
        let (at, rate) = (draw.within(2000, 2500), draw.within(900, 1300));
        let mut recipe = Recipe::new(6000)
            .path(format!("rate: {rate}mbit"))
            .fault(format!("kind: cpu_quota, side: destination, percent: 5, at: {at}ms"))
            .between(Some(at), None, &["receiver_cpu"]);
        recipe.fill = rate * at / 8000 + 5 * PERCENT * 4 / 8;
        recipe
    } else {
        Recipe::new(5000)
            .path("rate: unlimited")
            .fault(format!("kind: cpu_quota, side: destination, percent: {percent}"))
            .always(&["receiver_cpu"])
            .enough_for(percent * PERCENT)
    };
    recipe.dirty = draw.within(4, 16);
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive", "flow"]);
    recipe
}
