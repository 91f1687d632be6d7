//! Two causes at once, each of which would limit without the other: naming either is right.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "two_causes",
    made: "a guest that dirties flat out under a cap; the same beside other streams; a small receive window with a small \
           send buffer; a full link beside a cap that is nearly as low",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    match number % 4 {
        0 => dirty_under_a_cap(draw),
        1 => dirty_beside_others(draw),
        2 => both_buffers(draw),
        _ => cap_at_the_link(draw),
    }
}

fn flat_out(mut recipe: Recipe, draw: &mut Draw) -> Recipe {
    recipe.dirty = draw.within(28, 40);
    (recipe.fill, recipe.dirty_rate) = (recipe.dirty + 8, None);
    recipe
}

fn dirty_under_a_cap(draw: &mut Draw) -> Recipe {
    let cap = draw.within(12, 20);
    let recipe = flat_out(Recipe::new(0), draw).path("rate: 400mbit");
    let first = recipe.fill * 1000 / cap;
    let mut recipe = recipe
        .migrate(format!("max_bandwidth: {cap}MiB/s"))
        .between(None, Some(first), &["bandwidth_cap"])
        .between(Some(first), None, &["dirty_pages", "bandwidth_cap"]);
    recipe.stop_after = Some(first + 4500);
    recipe
}

fn dirty_beside_others(draw: &mut Draw) -> Recipe {
    let (rate, at) = (draw.within(200, 300), 4500);
    let streams = draw.within(1, 3);
    let recipe = flat_out(Recipe::new(10_000), draw);
    let first = recipe.fill * 8389 / (rate * 94 / 100);
    recipe
        .path(format!("rate: {rate}mbit"))
        .fault(format!("kind: competing_traffic, at: {at}ms, streams: {streams}"))
        .between(None, Some(first), &["traffic_shaping"])
        .between(Some(first), Some(at), &["dirty_pages"])
        .between(Some(at), None, &["dirty_pages", "link_shared"])
}

fn both_buffers(draw: &mut Draw) -> Recipe {
    let delay = draw.within(5, 12);
    let buffer = draw.scaled(96 << 10, 256 << 10);
    // A send buffer holds three quarters of its size, a receive buffer offers half of its: about the same.
    let window = buffer * 3 / 2;
    let mbit = buffer * 6 / (2 * delay + 1) / 1000;
    Recipe::new(5000)
        .path("rate: unlimited")
        .path(format!("router: {{rate: {}mbit, queue: 1MiB, delay: {delay}ms}}", (mbit * 3).max(100)))
        .sysctl("source", "net.ipv4.tcp_wmem", &format!("4096 {buffer} {buffer}"))
        .sysctl("destination", "net.ipv4.tcp_rmem", &format!("4096 {window} {window}"))
        .always(&["send_buffer", "receive_window"])
        .enough_for(mbit * 3 / 2)
}

fn cap_at_the_link(draw: &mut Draw) -> Recipe {
    let cap = draw.within(10, 40);
    let link = cap * 8389 / 1000 * 102 / 100;
    Recipe::new(5000)
        .path(format!("rate: {link}mbit"))
        .migrate(format!("max_bandwidth: {cap}MiB/s"))
        .always(&["bandwidth_cap", "traffic_shaping"])
        .enough_for(link)
}
