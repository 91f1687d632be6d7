//! `bandwidth_cap`: the hypervisor is told a limit that lies far below the link's rate.

use super::{Family, FAST};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "bandwidth_cap",
    made: "max-bandwidth at most 60 % of the link's rate, mostly less; in some set midway, or lifted, or raised and still the limit",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let cap = draw.scaled(4, 28);
    // 1 MiB/s is 8.4 Mb/s.
    let link = (cap * 21).max(draw.within(250, FAST));
    let at = draw.within(2500, 3500);
    // Long enough for each part to show after the two seconds that a verdict may take.
    let stop = if number % 4 == 1 { 5000 } else { at + 3500 };
    let recipe = Recipe::new(stop).path(format!("rate: {link}mbit"));
    let capped = |recipe: Recipe| recipe.migrate(format!("max_bandwidth: {cap}MiB/s"));
    let mut recipe = match number % 4 {
        0 => capped(recipe)
            .fault(format!("kind: max_bandwidth, at: {at}ms, value: unlimited"))
            .between(None, Some(at), &["bandwidth_cap"])
            .between(Some(at), None, &["traffic_shaping"])
            .enough_for(link),
        1 => capped(recipe).always(&["bandwidth_cap"]).enough_for(cap * 9),
        2 => recipe
            .fault(format!("kind: max_bandwidth, at: {at}ms, value: {cap}MiB/s"))
            .between(None, Some(at), &["traffic_shaping"])
            .between(Some(at), None, &["bandwidth_cap"])
            .enough_for(link),
        _ => capped(recipe)
            .fault(format!("kind: max_bandwidth, at: {at}ms, value: {}MiB/s", cap * 3 / 2))
            .always(&["bandwidth_cap"])
            .enough_for(cap * 14),
    };
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive"]);
    if draw.within(0, 2) == 0 {
        recipe = recipe.migrate("multifd: 2");
    }
    recipe
}
