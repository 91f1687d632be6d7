//! PURE. Ring overflows of the drivers of Solarflare (AMD), Chelsio and Netronome (Corigine).

use super::{Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// Solarflare. Of the whole port, virtual functions included; a virtual function shows neither name. A packet that
/// began to arrive and found too few buffers is in `rx_nodesc_trunc` instead of the firmware's count.
pub const SFC: Driver = Driver {
    name: "sfc",
    aliases: &["sfc_siena", "sfc_falcon"],
    overflow: Overflow::Statistics(&[
        Sum {
            meaning: "port_rx_nodesc_drops+rx_nodesc_trunc",
            names: &["port_rx_nodesc_drops", "rx_nodesc_trunc"],
        },
        Sum {
            meaning: "rx_nodesc_drop_cnt+rx_nodesc_trunc",
            names: &["rx_nodesc_drop_cnt", "rx_nodesc_trunc"],
        },
    ]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &[],
    before_ring: &[
        "port_rx_pm_trunc_bb_overflow",
        "port_rx_pm_discard_bb_overflow",
        "port_rx_pm_trunc_vfifo_full",
        "port_rx_pm_discard_vfifo_full",
    ],
    source: "ethernet/sfc/ef10.c: efx_ef10_stat_desc, efx_ef10_update_stats_common, efx_ef10_handle_rx_abort",
};

/// Chelsio T4 to T6. A free list without buffers holds packets back until the port's buffer group overflows; the
/// group's drops and truncations are disjoint and are all the driver shows.
pub const CXGB4: Driver = Driver {
    name: "cxgb4",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum {
        meaning: "rx_bg_frames_dropped+rx_bg_frames_trunc",
        names: &["rx_bg{}_frames_dropped", "rx_bg{}_frames_trunc"],
    }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &[],
    before_ring: &[],
    source: "ethernet/chelsio/cxgb4/t4_hw.c: t4_get_port_stats (rx_ovflow, rx_trunc); cxgb4_main.c: cxgb_get_stats",
};

/// Netronome. The firmware's count for this interface.
pub const NFP: Driver = Driver {
    name: "nfp",
    aliases: &["nfp_netvf"],
    overflow: Overflow::Statistics(&[Sum { meaning: "dev_rx_discards", names: &["dev_rx_discards"] }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx_replace_buf_alloc_fail"],
    before_ring: &[],
    source: "ethernet/netronome/nfp/nfp_net_ethtool.c: nfp_net_et_stats; nfp_net_common.c: nfp_net_stat64",
};
