//! `softnet_backlog`: the CPUs' backlogs hold a handful of packets, and bursts of the migration do not fit.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "softnet_backlog",
    made: "net.core.netdev_max_backlog of 10 to 20 packets on the way through a router with a delay, with cubic or reno, whose \
           bursts overflow that; in some from midway on. It costs half of the rate and more (measured: 30 MB/s without, 15 \
           with 24 packets; without a delay it costs nothing, TCP repairs that at once). The setting is the machine's: \
           nothing else may run on it meanwhile",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    // Before the onset the router must be what limits, so its queue must fill before the sender's buffer does: a short way
    // and cubic, which probes faster.
    let midway = number.is_multiple_of(3);
    let (rate, delay) = (draw.within(200, 400), draw.within(1, if midway { 2 } else { 3 }));
    let packets = draw.scaled(10, 20);
    let at = draw.within(2500, 3000);
    let control = draw.one_of(if midway { &["cubic"] } else { &["cubic", "reno"] });
    let recipe = Recipe::new(6000)
        .path("rate: unlimited")
        .path(format!("congestion_control: {control}"))
        .path(format!("router: {{rate: {rate}mbit, queue: 256KiB, delay: {delay}ms}}"));
    let mut recipe = if midway {
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
