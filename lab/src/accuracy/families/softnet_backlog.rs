//! `softnet_backlog`: the CPUs' backlogs hold a handful of packets, and bursts of the migration do not fit.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "softnet_backlog",
    made: "net.core.netdev_max_backlog of 12 to 32 packets on the way through a router with a delay, with cubic or reno, whose \
           bursts overflow that; in some from midway on. The setting is the machine's: nothing else may run on it meanwhile",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let (rate, delay) = (draw.within(200, 500), draw.within(2, 5));
    let packets = draw.scaled(12, 32);
    let at = draw.within(2500, 3000);
    let control = draw.one_of(&["cubic", "cubic", "reno"]);
    let recipe = Recipe::new(6000)
        .path("rate: unlimited")
        .path(format!("congestion_control: {control}"))
        .path(format!("router: {{rate: {rate}mbit, queue: 512KiB, delay: {delay}ms}}"));
    let mut recipe = if number.is_multiple_of(3) {
        recipe
            .fault(format!("kind: small_backlog, packets: {packets}, at: {at}ms"))
            .between(None, Some(at), &["path_congestion"])
            .between(Some(at), None, &["softnet_backlog"])
    } else {
        recipe.fault(format!("kind: small_backlog, packets: {packets}")).always(&["softnet_backlog"])
    }
    .enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
