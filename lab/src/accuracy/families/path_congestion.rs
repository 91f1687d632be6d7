//! `path_congestion`: a router behind the host is slower than the host's link.

use super::{Family, SLOW};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "path_congestion",
    made: "a router with a rate and a queue that neither host sees, with and without delay, with the machine's default \
           congestion control and with cubic; in one of four, loss that the default one (BBR) bears",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let rate = draw.scaled(SLOW / 2, 300);
    let delay = draw.one_of(&[0, 0, 1, 4, 8]);
    // At least what is on its way in a round trip, or the queue is what is too small.
    let in_flight = rate * 125 * (2 * delay + 1) / 1024;
    let queue = (in_flight * 2).clamp(128, 2048).max(draw.scaled(128, 1024));
    let mut router = format!("rate: {rate}mbit, queue: {queue}KiB");
    if delay > 0 {
        router = format!("{router}, delay: {delay}ms");
    }
    let mut recipe = Recipe::new(5000).path("rate: unlimited");
    match number % 4 {
        0 => {
            recipe = recipe.path("congestion_control: bbr");
            router = format!("{router}, loss: 0.{}%", draw.within(2, 9));
        }
        1 => recipe = recipe.path("congestion_control: cubic"),
        _ => {}
    }
    let mut recipe =
        recipe.path(format!("router: {{{router}}}")).always(&["path_congestion"]).enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
