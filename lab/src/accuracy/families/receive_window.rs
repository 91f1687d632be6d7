//! `receive_window`: the destination's sockets get little to receive into.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "receive_window",
    made: "tcp_rmem at the destination so small that window / round trip is at most a third of the router's rate; one in \
           three without a router, with 4 to 12 KiB on an unlimited veth",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let recipe = Recipe::new(5000).path("rate: unlimited");
    let (recipe, buffer, mbit) = if number.is_multiple_of(3) {
        (recipe, draw.scaled(4 << 10, 12 << 10), 1600)
    } else {
        let delay = draw.within(4, 15);
        let buffer = draw.scaled(96 << 10, 512 << 10);
        // At most half of the buffer is offered as window; the relay of the wire adds a millisecond.
        let mbit = buffer * 4 / (2 * delay + 1) / 1000;
        let rate = (mbit * 3).max(100);
        (
            recipe.path(format!("router: {{rate: {rate}mbit, queue: 1MiB, delay: {delay}ms}}")),
            buffer,
            mbit * 2,
        )
    };
    let mut recipe = recipe
        .sysctl("destination", "net.ipv4.tcp_rmem", &format!("4096 {buffer} {buffer}"))
        .always(&["receive_window"])
        .enough_for(mbit);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
