//! `compression`: the hypervisor compresses, and its compressor is slower than the link.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "compression",
    made: "multifd with zlib or zstd over an unlimited veth: the compressing threads of the source have the CPU full. \
           sender_cpu says the same of the same threads and is right too",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, _number: u32) -> Recipe {
    let method = draw.one_of(&["zlib", "zlib", "zstd"]);
    let channels = draw.within(1, 2);
    let mut recipe = Recipe::new(4500)
        .path("rate: unlimited")
        .migrate(format!("multifd: {channels}"))
        .migrate(format!("compression: {method}"))
        .always(&["compression", "sender_cpu"]);
    recipe.fill = if method == "zstd" { draw.within(1500, 1700) } else { draw.within(650, 800) };
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive"]);
    recipe
}
