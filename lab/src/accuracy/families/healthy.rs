//! Nothing is wrong: a migration goes as fast as its link, or as fast as two emulated hypervisors do.

use super::{Family, HEALTHY};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family. What it lists as truth is what a quiet migration is limited by, not a fault: the rate of the lab's link
/// (a token bucket), or the processors of the two hypervisors. Anything else that leads for a second is a false alarm.
pub static FAMILY: Family = Family {
    name: HEALTHY,
    made: "nothing: guests of several sizes and dirty rates, over plain links, seen through every door. Its link \
           (traffic_shaping: the lab's link rate is a token bucket) or, over an unlimited veth, the hypervisors' own \
           speed may be named; any other cause that leads for a second or longer is a false alarm",
    weight: 3,
    make,
};

/// Every door. Few by libvirt: its two daemons take their time to start.
pub(super) const DOORS: [&str; 8] =
    ["qmp", "qmp", "qmp", "qmp_exclusive", "qmp_exclusive", "flow", "libvirt", "libvirt_p2p"];

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let dirty = draw.within(2, 16);
    let mut recipe = if number.is_multiple_of(3) {
        let mut recipe = Recipe::new(0).path("rate: unlimited").always(&["sender_cpu", "receiver_cpu"]);
        recipe.fill = draw.within(400, 1500);
        recipe
    } else {
        let rate = draw.scaled(100, 800);
        let seconds = draw.within(4, 9);
        let mut recipe = Recipe::new(0).path(format!("rate: {rate}mbit")).always(&["traffic_shaping"]);
        recipe.fill = (rate * seconds * 1000 / 8389).max(24);
        recipe
    };
    recipe.dirty = dirty;
    recipe.dirty_rate = Some(draw.within(1, 4));
    recipe.stop_after = None;
    recipe.watch = draw.one_of(&DOORS);
    if !recipe.watch.starts_with("libvirt") && draw.within(0, 3) == 0 {
        recipe = recipe.migrate("multifd: 2");
    }
    recipe.migrate("downtime_limit: 500ms")
}
