//! Nothing is wrong, for minutes: over links so slow that several such migrations can run beside each other and no processor is
//! full. Made only where it is named.

use super::healthy::DOORS;
use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family. Its truth is that of `healthy`.
pub static FAMILY: Family = Family {
    name: "healthy_for_minutes",
    made: "the same for two to three minutes each, then called off, over slow links; made only on demand, in several processes at once",
    weight: 0,
    make,
};

fn make(draw: &mut Draw, _: u32) -> Recipe {
    let (rate, seconds) = (draw.scaled(24, 48), draw.within(120, 200));
    let mut recipe = Recipe::new(seconds * 1000)
        .path(format!("rate: {rate}mbit"))
        .always(&["traffic_shaping"])
        .enough_for(rate);
    recipe.dirty = draw.within(2, 8);
    recipe.dirty_rate = Some(1);
    recipe.watch = draw.one_of(&DOORS);
    recipe.migrate("downtime_limit: 500ms")
}
