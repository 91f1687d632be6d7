//! `link_shared`: streams of somebody else beside the migration.

use super::{Family, FAST, SLOW};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "link_shared",
    made: "one to four TCP streams on the migration's link, as fast as they go: they take half of it or more; in most \
           from midway on, in some they end. Before and after, the link's own rate is the truth. Where one stream takes \
           about half, that rate is a truth beside it",
    weight: 1,
    make,
};

/// Ports of nobody who is known.
const PORTS: [u16; 4] = [5201, 8080, 443, 30_000];

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let port = draw.one_of(&PORTS);
    beside(draw, number, port, "link_shared")
}

/// Traffic to a port, and the cause that it makes.
pub fn beside(draw: &mut Draw, number: u32, port: u16, cause: &'static str) -> Recipe {
    let rate = draw.scaled(SLOW, FAST);
    let streams = draw.within(1, 4);
    // Parts are longer than the two seconds that a verdict may take, or they would measure nothing but that.
    let (at, until) = (draw.within(2500, 3000), draw.within(6000, 6500));
    let fault = format!("kind: competing_traffic, streams: {streams}, port: {port}");
    // Half of it is the link's own doing.
    let both = [cause, "traffic_shaping"];
    let causes = if streams == 1 { &both[..] } else { &both[..1] };
    let recipe = Recipe::new(6500).path(format!("rate: {rate}mbit"));
    let mut recipe = match number % 3 {
        0 => recipe.fault(fault).always(causes),
        1 => recipe
            .fault(format!("{fault}, at: {at}ms"))
            .between(None, Some(at), &["traffic_shaping"])
            .between(Some(at), None, causes),
        _ => {
            let mut recipe = recipe
                .fault(format!("{fault}, at: {at}ms, until: {until}ms"))
                .between(None, Some(at), &["traffic_shaping"])
                .between(Some(at), Some(until), causes)
                .between(Some(until), None, &["traffic_shaping"]);
            recipe.stop_after = Some(9500);
            recipe
        }
    }
    .enough_for(rate);
    recipe.watch = draw.one_of(&["qmp", "qmp", "flow"]);
    if draw.within(0, 3) == 0 {
        recipe = recipe.migrate("multifd: 2");
    }
    recipe
}
