//! The kinds of runs, and what each draws.

use super::plan::Plan;
use crate::accuracy::draw::Draw;

/// One kind.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it is, in words.
    pub made: &'static str,
    draw: fn(&mut Draw) -> Plan,
}

/// All kinds.
pub const KINDS: [Kind; 7] = [
    Kind { name: "idle", made: "the guest writes next to nothing", draw: idle },
    Kind {
        name: "zeros",
        made: "60 to 90 % of memory is zero",
        draw: |d| busy(d, (60, 90), (40, 80), (10, 60)),
    },
    Kind {
        name: "calm",
        made: "the guest dirties a tenth to a half of the rate",
        draw: |d| busy(d, (0, 40), (50, 100), (10, 50)),
    },
    Kind {
        name: "edge",
        made: "the guest dirties 50 to 90 % of the rate",
        draw: |d| busy(d, (0, 30), (35, 60), (50, 90)),
    },
    Kind { name: "never", made: "more than the rate, and a working set that no pause takes in", draw: never },
    Kind {
        name: "capped",
        made: "the hypervisor's own limit, on a link that is 1.3 to 3 times as fast",
        draw: capped,
    },
    Kind { name: "shared", made: "others take 20 to 60 % of the link, steadily", draw: shared },
];

/// In which order they come, again and again: a fifth never ends.
const ORDER: [&str; 15] = [
    "calm", "never", "edge", "capped", "idle", "shared", "edge", "never", "calm", "zeros", "capped", "edge",
    "never", "calm", "shared",
];
/// A run that takes longer than this (milliseconds) is called off: it is known to have taken longer.
const LONGEST: u64 = 50_000;
/// When one that never ends is called off.
const ENOUGH: u64 = 15_000;

impl Kind {
    /// The kind of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The kind of the run of this index.
    pub fn nth(index: usize) -> Option<&'static Self> {
        Self::named(ORDER[index % ORDER.len()])
    }

    /// A run of this kind.
    pub fn plan(&self, draw: &mut Draw) -> Plan {
        (self.draw)(draw)
    }
}

/// A guest that is sent once in so many tenths of a second, with about so many percent of zero memory, and that dirties so
/// many percent of the rate.
fn busy(draw: &mut Draw, zero: (u64, u64), tenths: (u64, u64), percent: (u64, u64)) -> Plan {
    let zero = draw.within(zero.0, zero.1);
    // Guests that are mostly zero are large, or there would be nothing left to send.
    let memory = if zero > 50 { draw.within(256, 512) } else { draw.within(128, 400) };
    // Nothing of the working set is zero.
    let working_set = (memory * (100 - zero) / 100 * draw.within(10, 90) / 100).max(4);
    let zeros = (memory * zero * 16 / 100 / (memory - working_set)).min(15);
    let full = memory - (memory - working_set) * zeros / 16;
    let link = (full * 10 * 1024 / draw.within(tenths.0, tenths.1)).clamp(6 * 1024, 60 * 1024);
    Plan {
        memory,
        zeros,
        working_set,
        dirty_rate: (link * draw.within(percent.0, percent.1) / 100).max(8),
        random: draw.within(0, 1) == 1,
        link,
        others: 0,
        cap: None,
        downtime_limit: draw.one_of(&[50, 100, 200, 300, 500, 1000]),
        watch: draw.one_of(&["qmp", "qmp", "qmp_exclusive", "libvirt", "flow"]),
        stop_after: LONGEST,
    }
}

/// Zero pages lie outside of the working set: with a small one they are everywhere.
fn idle(draw: &mut Draw) -> Plan {
    let plan = busy(draw, (0, 30), (60, 120), (0, 1));
    Plan { working_set: 8, zeros: plan.zeros / 2, ..plan }
}

fn never(draw: &mut Draw) -> Plan {
    let plan = busy(draw, (0, 30), (40, 60), (130, 200));
    let downtime_limit = draw.one_of(&[50, 100, 200, 300]);
    // Faster than that no emulated guest writes.
    let link = plan.link.min(36 * 1024);
    let dirty_rate = plan.dirty_rate * link / plan.link;
    let pause = link * downtime_limit / 1000 / 1024;
    let working_set = (draw.within(25, 60) * pause / 10).clamp(8, plan.memory - 3);
    // By chance an emulated guest writes some 10,000 pages a second at most.
    Plan { downtime_limit, working_set, dirty_rate, link, random: false, stop_after: ENOUGH, ..plan }
}

fn capped(draw: &mut Draw) -> Plan {
    let plan = busy(draw, (0, 40), (50, 100), (5, 75));
    // libvirt takes whole MiB.
    let cap = plan.link.div_ceil(1024) * 1024;
    Plan { link: (cap * draw.within(13, 30) / 10).min(90 * 1024), cap: Some(cap), ..plan }
}

fn shared(draw: &mut Draw) -> Plan {
    let plan = busy(draw, (0, 40), (50, 100), (5, 75));
    let link = plan.link * 100 / (100 - draw.within(20, 60));
    Plan { others: link - plan.link, link, ..plan }
}
