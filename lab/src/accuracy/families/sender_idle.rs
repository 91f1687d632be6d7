//! `sender_idle`: the source's hypervisor is stopped for some seconds, as by a debugger or a hanging disk.

use super::{Family, FAST, SLOW};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "sender_idle",
    made: "SIGSTOP to the source's hypervisor for 2.5 to 4 s in the middle of the copy, then SIGCONT",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, _number: u32) -> Recipe {
    let rate = draw.scaled(SLOW, FAST / 2);
    let at = draw.within(2500, 3000);
    let until = at + draw.within(2500, 4000);
    let mut recipe = Recipe::new(until + 3000)
        .path(format!("rate: {rate}mbit"))
        .fault(format!("kind: freeze, side: source, at: {at}ms, until: {until}ms"))
        .between(None, Some(at), &["traffic_shaping"])
        .between(Some(at), Some(until), &["sender_idle"])
        .between(Some(until), None, &["traffic_shaping"])
        .enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
