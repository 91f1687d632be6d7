//! `compression`: the hypervisor compresses, and its compressor is slower than the link.

use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "compression",
    made: "multifd with zlib over an unlimited veth, and the source's hypervisor has 30 to 70 % of a CPU, so that it is its \
           compressor and not the other side's that is the limit: it sends 6 to 14 MB/s, and without compression a tenth \
           of a CPU sends 100. sender_cpu says the same of the same threads and is right too. (zstd gives up on the guest's \
           memory at once and costs nearly nothing, so it is not made.)",
    weight: 1,
    make,
};

fn make(draw: &mut Draw, _number: u32) -> Recipe {
    let channels = draw.within(1, 2);
    let percent = draw.within(30, 70);
    let mut recipe = Recipe::new(5000)
        .path("rate: unlimited")
        .migrate(format!("multifd: {channels}"))
        .migrate("compression: zlib")
        .fault(format!("kind: cpu_quota, side: source, percent: {percent}"))
        .always(&["compression", "sender_cpu"]);
    // Bytes of memory, not of the link: at most 40 MB/s (measured).
    recipe.fill = percent * 4;
    recipe.watch = draw.one_of(&["qmp", "qmp", "qmp_exclusive"]);
    recipe
}
