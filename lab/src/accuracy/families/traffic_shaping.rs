//! `traffic_shaping`: a token bucket on the source's own link.

use super::{Family, FAST, SLOW};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "traffic_shaping",
    made: "a token bucket (tbf) on the link of the source, and nothing else that limits; in \
           one of three beside a second link, where the migration goes over the one that is meant for it",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let rate = draw.scaled(SLOW / 2, FAST);
    let mut recipe =
        Recipe::new(5000).path(format!("rate: {rate}mbit")).always(&["traffic_shaping"]).enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp_exclusive", "flow"]);
    let channels = draw.one_of(&[0, 0, 2, 4]);
    if channels > 0 {
        recipe = recipe.migrate(format!("multifd: {channels}"));
    }
    if draw.within(0, 2) == 0 {
        recipe = recipe.path("congestion_control: cubic");
    }
    // The twins of wrong_link.
    match number % 6 {
        2 => {
            recipe.dedicated = Some("mig0");
            recipe.path("second: {rate: unlimited}")
        }
        5 => {
            recipe.dedicated = Some("mig1");
            recipe.path = vec!["rate: unlimited".into(), format!("second: {{rate: {rate}mbit, used: true}}")];
            recipe
        }
        _ => recipe,
    }
}
