//! What a migration needs to converge: the edge of `model`, solved.
//!
//! At the edge a round leaves as much as it sent: `d (1 - B (L - h/2) / W) = B` (model.rs, with `y` small beside `W`). A guest
//! that writes in turn must be slower than the way, or the pause must take in all that it writes: `d = B` or `W = B L`.

use super::model::MIDDLE;
use super::way::{Conduct, Way, PAGE_OVERHEAD};
use super::workload::{Pattern, Workload};

/// What would make it converge. Both are a little more than the edge itself, where it would take for ever.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needs {
    /// Bytes of payload a second, with the pause that is allowed now.
    pub rate: f64,
    /// Seconds of pause, at the rate of now.
    pub downtime_limit: f64,
    /// How much the guest would have to be slowed down, 0 to 1.
    pub throttle: f64,
}

/// What it needs; all of it is what there is already, or less, if it converges.
pub fn of(workload: &Workload, way: &Way, conduct: &Conduct) -> Needs {
    let (rate, set) = (workload.dirtying.rate, workload.working_set());
    // A byte of a page is more or less than a byte on the wire.
    let wire = PAGE_OVERHEAD / conduct.compression;
    let beyond = MIDDLE * way.step / wire;
    let time = (conduct.downtime_limit - beyond).max(0.0);
    let needed = if rate > 0.0 { 1.0 / (1.0 / (rate * wire) + time / set) } else { 0.0 };
    let pages = way.copy / wire;
    if workload.dirtying.pattern == Pattern::Sweep && set.is_finite() {
        let (late, short) = (rate > pages, set > way.copy * conduct.downtime_limit);
        return Needs {
            rate: (rate * wire).min(set / conduct.downtime_limit),
            downtime_limit: if late { set / way.copy } else { beyond },
            throttle: if late && short { 1.0 - pages / rate } else { 0.0 },
        };
    }
    let limit = if rate > pages { set * (1.0 - pages / rate) / way.copy + beyond } else { beyond };
    let bearable = if set > way.copy * time { pages / (1.0 - way.copy * time / set) } else { f64::INFINITY };
    let throttle = if rate > bearable { 1.0 - bearable / rate } else { 0.0 };
    Needs { rate: needed, downtime_limit: limit, throttle }
}
