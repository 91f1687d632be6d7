//! `packet_loss`: a router loses packets at random, and the sender's congestion control minds.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "packet_loss",
    made: "random loss in a router behind a delay, with cubic or reno, so much that Mathis' bound is at most a sixth of the \
           router's rate; in some from midway on. (BBR bears such loss: it is among path_congestion's variants.)",
    weight: 1,
    make,
};

/// Bytes a segment at an MTU of 1500.
const SEGMENT: f64 = 1448.0;
/// Mathis' constant.
const BOUND: f64 = 1.22;

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let delay = draw.within(1, 5);
    // Hundredths of a percent.
    let loss = draw.scaled(50, 300);
    // The relay of the wire adds a millisecond or so.
    let round_trip = (2 * delay + 1) as f64 / 1e3;
    let bound = SEGMENT / round_trip * BOUND / (loss as f64 / 1e4).sqrt() * 8.0 / 1e6;
    // The bound is of a sender whose receiver delays its acknowledgements; real ones reach twice as much (measured).
    let rate = (bound as u64 * 6).clamp(60, 500);
    let at = draw.within(2500, 3000);
    let percent = format!("{}.{:02}%", loss / 100, loss % 100);
    let control = draw.one_of(&["cubic", "cubic", "reno"]);
    let recipe = Recipe::new(6000).path("rate: unlimited").path(format!("congestion_control: {control}"));
    let router = format!("rate: {rate}mbit, queue: 512KiB, delay: {delay}ms");
    let mut recipe = if number.is_multiple_of(3) {
        recipe
            .path(format!("router: {{{router}}}"))
            .fault(format!("kind: loss, percent: {percent}, at: {at}ms"))
            .between(None, Some(at), &["path_congestion"])
            .between(Some(at), None, &["packet_loss"])
    } else {
        recipe.path(format!("router: {{{router}, loss: {percent}}}")).always(&["packet_loss"])
    }
    .enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    recipe
}
