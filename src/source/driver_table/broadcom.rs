//! PURE. Ring overflows of Broadcom drivers and of those that came from there to `QLogic` (Marvell).

use super::{Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// NetXtreme-C/E. `rx_missed_errors` is the sum of every ring's `rx_discards` and keeps what closed rings had counted,
/// which the rings' own statistics forget.
pub const BNXT_EN: Driver = Driver {
    name: "bnxt_en",
    aliases: &[],
    overflow: Overflow::Missed,
    missed: Missed::Same,
    width: Width::Bits64,
    early: &["rx_total_buf_errors", "rx_total_oom_discards"],
    before_ring: &[],
    source: "ethernet/broadcom/bnxt/bnxt.c: bnxt_get_ring_stats, bnxt_add_prev_stats (rx_discard_pkts)",
};

/// `NetXtreme` II 10G. The total is the sum of the queues', which are shown too (`[0]: rx_discards`) with many queues.
pub const BNX2X: Driver = Driver {
    name: "bnx2x",
    aliases: &[],
    overflow: Overflow::Statistics(&[
        Sum { meaning: "rx_discards", names: &["rx_discards"] },
        Sum { meaning: "rx_discards", names: &["[{}]: rx_discards"] },
    ]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx_skb_alloc_discard"],
    before_ring: &["rx_brb_discard", "rx_brb_truncate"],
    source: "ethernet/broadcom/bnx2x/bnx2x_stats.c: bnx2x_storm_stats_update, bnx2x_net_stats_update (no_buff_discard)",
};

/// `FastLinQ` 41000 and 45000. The link's `rx_fifo_errors` is the same count.
pub const QEDE: Driver = Driver {
    name: "qede",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "no_buff_discards", names: &["no_buff_discards"] }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["{}: rx_alloc_errors"],
    before_ring: &["brb_discards", "brb_truncates"],
    source:
        "ethernet/qlogic/qede/qede_main.c: qede_fill_by_demand_stats; qed/qed_l2.c: __qed_get_vport_mstats",
};
