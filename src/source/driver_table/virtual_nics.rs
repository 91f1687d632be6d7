//! PURE. Ring overflows of the NICs that clouds and hypervisors give to virtual machines.

use super::{Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// Amazon. The kernel's driver puts the device's drops of every cause in the link's `rx_dropped` and none in `ethtool
/// -S`; only Amazon's own driver is known to show `rx_overruns` (not in any kernel read for this table).
pub const ENA: Driver = Driver {
    name: "ena",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "rx_overruns", names: &["rx_overruns"] }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["queue_{}_rx_empty_rx_ring", "queue_{}_rx_refil_partial", "queue_{}_rx_page_alloc_fail"],
    before_ring: &[],
    source: "ethernet/amazon/ena/ena_netdev.c: ena_get_stats64; ena_ethtool.c: ena_stats_rx_strings",
};

/// Google. Written by the device into the driver's memory every 20 seconds; 0 until it first does so.
pub const GVE: Driver = Driver {
    name: "gve",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum {
        meaning: "rx_no_buffers_posted",
        names: &["rx_no_buffers_posted[{}]"],
    }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx_buf_alloc_fail"],
    before_ring: &[],
    source: "ethernet/google/gve/gve_ethtool.c: gve_get_ethtool_stats (RX_NO_BUFFERS_POSTED of gve_adminq.h)",
};

/// Microsoft Azure. Kernels after 6.12 also set `rx_missed_errors` to this count, from a timer.
pub const MANA: Driver = Driver {
    name: "mana",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum {
        meaning: "hc_rx_discards_no_wqe",
        names: &["hc_rx_discards_no_wqe"],
    }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &[],
    before_ring: &[],
    source: "ethernet/microsoft/mana/mana_en.c: mana_query_gf_stats (rx_discards_nowqe)",
};

/// Hyper-V. The host's switch drops when the receive buffer is full, and does not tell the machine.
pub const HV_NETVSC: Driver = Driver {
    name: "hv_netvsc",
    aliases: &[],
    overflow: Overflow::Untold,
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx_comp_busy", "rx_no_memory"],
    before_ring: &[],
    source: "hyperv/netvsc_drv.c: netvsc_stats, netvsc_get_stats64; netvsc.c: send_recv_completions",
};

/// KVM and others. A full ring makes the *host* drop, on its tap. `rxN_drops` counts packets that arrived and were then
/// thrown away (malformed, XDP, no memory). A device with `VIRTIO_NET_F_DEVICE_STATS` tells its overruns, but the driver
/// passes them only to the netdev family's queue statistics (`rx-hw-drop-overruns`).
pub const VIRTIO_NET: Driver = Driver {
    name: "virtio_net",
    aliases: &[],
    overflow: Overflow::Untold,
    missed: Missed::Never,
    width: Width::Bits64,
    early: &[],
    before_ring: &[],
    source: "virtio_net.c: virtnet_rq_stats_desc, virtnet_stats_rx_basic_desc, virtnet_stats",
};

/// `VMware`. The same name comes once for each queue ("OOB": out of buffers); the names begin with blanks.
pub const VMXNET3: Driver = Driver {
    name: "vmxnet3",
    aliases: &[],
    overflow: Overflow::Statistics(&[Sum { meaning: "pkts rx OOB", names: &["pkts rx OOB"] }]),
    missed: Missed::Never,
    width: Width::Bits64,
    early: &["rx buf alloc fail"],
    before_ring: &[],
    source: "vmxnet3/vmxnet3_ethtool.c: vmxnet3_rq_dev_stats (pktsRxOutOfBuf), vmxnet3_get_stats64",
};
