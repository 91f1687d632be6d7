//! Well-known ports of what shares a host's links: migrations, and storage that looks like them.
//!
//! Sources: firewalld's `libvirt` service, QEMU's and libvirt's defaults, KubeVirt (migration-proxy.go), Proxmox VE,
//! OpenStack and TripleO, Nutanix, Ganeti, IANA. A port alone proves nothing: 49152 and above lie inside Linux's
//! default range of ephemeral ports.

/// Ranges that migrations are listened for on, ends included.
pub const MIGRATION: [(u16, u16); 4] = [
    // QEMU and libvirt (49152-49215), OpenStack (to 49261), KubeVirt in the pod, Nutanix.
    (49152, 49261),
    // Proxmox without its tunnel.
    (60000, 60050),
    // TripleO.
    (61152, 61215),
    // Ganeti.
    (8102, 8102),
];

/// Ports of storage and its kin.
pub const STORAGE: [(u16, u16); 14] = [
    (111, 111),     // portmapper
    (445, 445),     // SMB
    (2049, 2049),   // NFS
    (3260, 3260),   // iSCSI
    (3300, 3300),   // Ceph monitors
    (4420, 4420),   // NVMe/TCP
    (5445, 5445),   // SMB Direct over iWARP
    (6789, 6789),   // Ceph monitors, old
    (6800, 7568),   // Ceph daemons
    (7788, 7799),   // DRBD
    (8009, 8009),   // NVMe/TCP discovery
    (10809, 10809), // NBD
    (20049, 20049), // NFS over RDMA, iWARP
    (24007, 24008), // GlusterFS
];
/// What is behind each of them, in their order.
const PROTOCOLS: [&str; 14] = [
    "NFS",
    "SMB",
    "NFS",
    "iSCSI",
    "Ceph",
    "NVMe/TCP",
    "SMB",
    "Ceph",
    "Ceph",
    "DRBD",
    "NVMe/TCP",
    "NBD",
    "NFS",
    "GlusterFS",
];
/// VNC and SPICE consoles.
const CONSOLE: (u16, u16) = (5900, 6100);

fn is_in(port: u16, ranges: &[(u16, u16)]) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&port))
}

/// Whether migrations are listened for on this port by default.
pub fn is_migration(port: u16) -> bool {
    is_in(port, &MIGRATION)
}

/// Whether it is a port of storage.
pub fn is_storage(port: u16) -> bool {
    is_in(port, &STORAGE)
}

/// The protocol of storage that is behind a port by default.
pub fn storage(port: u16) -> Option<&'static str> {
    let place = STORAGE.iter().position(|range| is_in(port, &[*range]))?;
    Some(PROTOCOLS[place])
}

/// Whether it is a port of a guest's console.
pub fn is_console(port: u16) -> bool {
    is_in(port, &[CONSOLE])
}
