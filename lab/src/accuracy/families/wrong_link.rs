//! `wrong_link`: the hosts have a second link, which is meant for migrations, and the migration goes over the first.

use super::{Family, FAST, SLOW};
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "wrong_link",
    made: "two links between the hosts, of which miglink's configuration names the second (dedicated: [mig1]); the migration \
           goes over the first, which a token bucket holds to at most a third of the second's rate, and in some a cap that is \
           lifted comes before. (Its twins, over the link that is meant, are among those of traffic_shaping.)",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let rate = draw.scaled(SLOW / 2, FAST / 2);
    let second = match draw.within(0, 2) {
        0 => "unlimited".to_owned(),
        _ => format!("{}mbit", rate * draw.within(3, 10)),
    };
    let at = draw.within(2500, 3000);
    let recipe =
        Recipe::new(5500).path(format!("rate: {rate}mbit")).path(format!("second: {{rate: {second}}}"));
    let mut recipe = if number.is_multiple_of(4) {
        // 1 MiB/s is 8.4 Mb/s: less than half of the link.
        recipe
            .migrate(format!("max_bandwidth: {}MiB/s", rate / 20))
            .fault(format!("kind: max_bandwidth, at: {at}ms, value: unlimited"))
            .between(None, Some(at), &["bandwidth_cap"])
            .between(Some(at), None, &["wrong_link"])
    } else {
        recipe.always(&["wrong_link"])
    }
    .enough_for(rate);
    recipe.dedicated = Some("mig1");
    // A cap is told by monitors alone.
    let doors = ["qmp", "qmp", "qmp_exclusive", "flow"];
    recipe.watch = draw.one_of(if number.is_multiple_of(4) { &doors[..3] } else { &doors });
    if !number.is_multiple_of(4) && draw.within(0, 3) == 0 {
        recipe = recipe.migrate("multifd: 2");
    }
    if draw.within(0, 3) == 0 {
        recipe = recipe.path("congestion_control: cubic");
    }
    recipe
}
