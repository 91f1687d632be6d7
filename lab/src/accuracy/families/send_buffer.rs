//! `send_buffer`: the source's sockets get little to send from, and the way is long.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "send_buffer",
    made: "tcp_wmem at the source so small that buffer / round trip is at most a third of the router's rate (a small \
           buffer on a short way costs nearly nothing, so each variant has a delay)",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, _number: u32) -> Recipe {
    let delay = draw.within(5, 15);
    let buffer = draw.scaled(96 << 10, 512 << 10);
    // Three quarters of the buffer are payload (measured); the relay of the wire adds a millisecond.
    let mbit = buffer * 6 / (2 * delay + 1) / 1000;
    let rate = (mbit * 3).max(100);
    let mut recipe = Recipe::new(5000)
        .path("rate: unlimited")
        .path(format!("router: {{rate: {rate}mbit, queue: 1MiB, delay: {delay}ms}}"))
        .sysctl("source", "net.ipv4.tcp_wmem", &format!("4096 {buffer} {buffer}"))
        .always(&["send_buffer"])
        .enough_for(mbit * 3 / 2);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
