//! `dirty_pages`: the guest dirties a large part of its memory faster than the link carries it.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "dirty_pages",
    made: "the guest dirties its working set flat out, and the set is larger than the link carries within the pause that \
           QEMU may plan. The truth begins with the second iteration; the first copies all memory at the link's rate, \
           which is its truth",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, _number: u32) -> Recipe {
    let rate = draw.within(100, 170);
    let dirty = draw.within(28, 44);
    let fill = dirty + draw.within(4, 12);
    // The first iteration at 94 % of the rate, in milliseconds.
    let first = fill * 8389 / (rate * 94 / 100);
    let mut recipe = Recipe::new(first + 5000)
        .path(format!("rate: {rate}mbit"))
        .between(None, Some(first), &["traffic_shaping"])
        .between(Some(first), None, &["dirty_pages"]);
    (recipe.fill, recipe.dirty, recipe.dirty_rate) = (fill, dirty, None);
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive"]);
    recipe
}
