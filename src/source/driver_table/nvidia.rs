//! PURE. Ring overflows of NVIDIA (Mellanox) drivers.

use super::{Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// `ConnectX-4` and later. `rx_discards_phy` grows without `rx_out_of_buffer` when the adapter itself, not the ring, is
/// too slow. The queue counter has 32 bits in the firmware's answer, so both its places wrap.
pub const MLX5_CORE: Driver = Driver {
    name: "mlx5_core",
    aliases: &["mlx5_core.sf"],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_out_of_buffer", names: &["rx_out_of_buffer"] }]),
    missed: Missed::Same,
    width: Width::Bits32,
    early: &["rx_buff_alloc_err", "rx_buffer_passed_thres_phy"],
    before_ring: &["rx_discards_phy"],
    source: "ethernet/mellanox/mlx5/core/en_stats.c: UPDATE_STATS(qcnt); en_main.c: mlx5e_get_stats",
};

/// `ConnectX-3`. The firmware's "drop due to overflow"; the driver puts it in `rx_fifo_errors`. `rx_dropped` is the
/// firmware's total of all drops and may count filtered packets, so it is not taken. A virtual function has neither.
pub const MLX4_EN: Driver = Driver {
    name: "mlx4_en",
    aliases: &["mlx4_core"],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_fifo_errors", names: &["rx_fifo_errors"] }]),
    missed: Missed::Never,
    width: Width::Bits32,
    early: &[],
    before_ring: &[],
    source: "ethernet/mellanox/mlx4/en_port.c: mlx4_en_DUMP_ETH_STATS (RdropOvflw)",
};
