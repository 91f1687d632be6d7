//! PURE. Ring overflows of Intel drivers.

use super::{Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// E810 and later. `rx_dropped` is the register of the interface (VSI), `rx_dropped.nic` that of the port's packet
/// buffer. The driver computes `rx_missed_errors` from the latter but never hands it to the kernel.
pub const ICE: Driver = Driver {
    name: "ice",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_dropped", names: &["rx_dropped"] }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx_alloc_fail", "rx_pg_alloc_fail"],
    before_ring: &["rx_dropped.nic"],
    source: "ethernet/intel/ice/ice_lib.c: ice_update_eth_stats (GLV_RDPC); ice_main.c: ice_get_stats64",
};

/// X710 and relatives. The driver keeps the 32-bit register's distance from its first reading, so it wraps.
pub const I40E: Driver = Driver {
    name: "i40e",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_missed_errors", names: &["rx_missed_errors"] }]),
    missed: Missed::Same,
    width: Width::Bits32,
    early: &["rx_alloc_fail", "rx_pg_alloc_fail"],
    before_ring: &["port.rx_discards"],
    source:
        "ethernet/intel/i40e/i40e_main.c: i40e_stats_update_rx_discards, i40e_update_vsi_stats (GLV_RDPC)",
};

/// Virtual functions of i40e and ice. The physical function answers with its register for this interface, after the
/// statistics were read: the value is that of the reading before.
pub const IAVF: Driver = Driver {
    name: "iavf",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_discards", names: &["rx_discards"] }]),
    missed: Missed::Never,
    width: Width::Bits32,
    early: &[],
    before_ring: &[],
    source: "ethernet/intel/iavf/iavf_virtchnl.c: iavf_virtchnl_completion (VIRTCHNL_OP_GET_STATS)",
};

/// 82599, X540, X550. A ring without buffers either holds packets back until the packet buffer overflows (MPC) or, with
/// "drop enable" (SR-IOV, or many queues without flow control), loses them at the queue (QPRDC): two disjoint counts.
pub const IXGBE: Driver = Driver {
    name: "ixgbe",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum {
        meaning: "rx_missed_errors+rx_no_dma_resources",
        names: &["rx_missed_errors", "rx_no_dma_resources"],
    }]),
    missed: Missed::Part,
    width: Width::Bits64,
    early: &["rx_no_buffer_count", "alloc_rx_page_failed", "alloc_rx_buff_failed"],
    before_ring: &[],
    source: "ethernet/intel/ixgbe/ixgbe_main.c: ixgbe_update_stats (MPC, QPRDC), ixgbe_set_rx_drop_en",
};

/// Virtual functions of ixgbe: no counter of lost packets reaches them.
pub const IXGBEVF: Driver = Driver {
    name: "ixgbevf",
    aliases: &[],
    overflow: Overflow::Untold,
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["alloc_rx_page_failed", "alloc_rx_buff_failed"],
    before_ring: &[],
    source: "ethernet/intel/ixgbevf/ixgbevf_main.c: ixgbevf_get_stats, ixgbevf_update_stats",
};

/// What igb and igc share: `rx_fifo_errors` is MPC (packet buffer full, as on ixgbe) plus every queue's RQDPC, and is
/// kept when queues are made anew; `rx_missed_errors` is MPC alone and `rx_queue_N_drops` one queue's RQDPC.
const MPC_AND_RQDPC: Overflow = Overflow::Statistics(&[
    Sum { meaning: "rx_fifo_errors", names: &["rx_fifo_errors"] },
    Sum { meaning: "rx_missed_errors+rx_queue_drops", names: &["rx_missed_errors", "rx_queue_{}_drops"] },
]);

/// 82575 to I350, I210.
pub const IGB: Driver = Driver {
    name: "igb",
    aliases: &[],
    overflow: MPC_AND_RQDPC,
    missed: Missed::Part,
    width: Width::Bits64,
    early: &["rx_no_buffer_count", "rx_queue_{}_alloc_failed"],
    before_ring: &[],
    source: "ethernet/intel/igb/igb_main.c: igb_update_stats (MPC, RQDPC)",
};

/// I225, I226.
pub const IGC: Driver = Driver {
    name: "igc",
    aliases: &[],
    overflow: MPC_AND_RQDPC,
    missed: Missed::Part,
    width: Width::Bits64,
    early: &["rx_no_buffer_count", "rx_queue_{}_alloc_failed"],
    before_ring: &[],
    source: "ethernet/intel/igc/igc_main.c: igc_update_stats (MPC, RQDPC)",
};

/// 82571 to I219. One count, the same in both places.
pub const E1000E: Driver = Driver {
    name: "e1000e",
    aliases: &[],
    overflow: Overflow::Missed,
    missed: Missed::Same,
    width: Width::Bits64,
    early: &["rx_no_buffer_count", "alloc_rx_buff_failed"],
    before_ring: &[],
    source: "ethernet/intel/e1000e/netdev.c: e1000e_update_stats, e1000e_get_stats64 (MPC)",
};
