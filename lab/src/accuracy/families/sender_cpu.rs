//! `sender_cpu`: the source's hypervisor gets a small share of one CPU.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "sender_cpu",
    made: "the source's hypervisor gets 5 to 9 % of a CPU, and the link could carry many times what that sends; in some \
           from midway on, on a link that was full before",
    weight: 1,
    make,
};

/// What a hypervisor with one percent of a CPU sends in the lab, in megabits a second (measured: 10 % do 900).
const PERCENT: u64 = 90;

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let percent = draw.within(5, 9);
    let mut recipe = if number.is_multiple_of(3) {
        let (at, rate) = (draw.within(2000, 2500), draw.within(1500, 1800));
        let mut recipe = Recipe::new(6000)
            .path(format!("rate: {rate}mbit"))
            .fault(format!("kind: cpu_quota, side: source, percent: 5, at: {at}ms"))
            .between(Some(at), None, &["sender_cpu"]);
        recipe.fill = rate * at / 8000 + 400;
        recipe
    } else {
        Recipe::new(5000)
            .path("rate: unlimited")
            .fault(format!("kind: cpu_quota, side: source, percent: {percent}"))
            .always(&["sender_cpu"])
            .enough_for(percent * PERCENT)
    };
    recipe.dirty = draw.within(4, 16);
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive", "flow"]);
    recipe
}
