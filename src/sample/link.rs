//! A link and the set of links of one network namespace, as the kernel describes them.
//!
//! The set is the join of all that is known of a device: sources look up rows by interface index, rules walk from a
//! link to its master and its lower links. It is remade when the kernel tells of a change, and shared by `Arc`.

use super::subject::{Key, Subjects};
use std::borrow::Cow;
use std::sync::Arc;

/// The kernel's number of a device in its namespace.
pub type Index = u32;

/// One network device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Never used again: changes when the device is renamed or replaced.
    pub key: Key,
    /// The kernel's number in this namespace. It may be used again for another device.
    pub index: Index,
    /// The name.
    pub name: String,
    /// `IFLA_INFO_KIND` (`bond`, `vlan`, `veth`, `tun`…), or `physical` / `virtual` / `loopback` where there is none.
    pub kind: Cow<'static, str>,
    /// What stands under it; `None` for software devices, of which a host can have thousands.
    pub hardware: Option<Box<Hardware>>,
    /// The bond, team or bridge that this link is a port of.
    pub master: Option<Index>,
    /// The link below a vlan, macvlan or tunnel, in this namespace.
    pub lower: Option<Index>,
    /// Whether an address is configured, and which.
    pub addresses: Vec<std::net::IpAddr>,
    /// Largest payload of a frame, bytes.
    pub mtu: u32,
    /// The administrator wants it up.
    pub admin_up: bool,
    /// `IFLA_OPERSTATE`: operational.
    pub oper_up: bool,
    /// Whether the other end is there; `None` when the kernel did not say.
    pub carrier: Option<bool>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u64>,
    /// What the link is for; decided by topology.
    pub role: Role,
    /// Whether it is shown in /metrics; decided by topology and the configuration.
    pub exported: bool,
}

/// What stands under a link; each is empty where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    /// The kernel driver bound to the device's bus.
    pub driver: String,
    /// The address on its bus, for example `virtio0` or `0000:3b:00.1`.
    pub bus_address: String,
    /// The PCI function at or above it.
    pub pci: String,
    /// `IFLA_PHYS_PORT_NAME`: how a switching NIC names the port (`p0`, `pf0vf3`).
    pub port_name: String,
}

static NO_HARDWARE: Hardware = Hardware {
    driver: String::new(),
    bus_address: String::new(),
    pci: String::new(),
    port_name: String::new(),
};

impl Link {
    /// Whether the speed that its driver tells is one that bytes are held to. A veth says 10 Gb/s (`veth_get_link_ksettings`,
    /// drivers/net/veth.c), a tap 10 Mb/s until somebody sets another (drivers/net/tun.c), a bridge that of its fastest
    /// port (net/bridge/br_device.c); none of them holds anything back.
    pub fn has_real_speed(&self) -> bool {
        !matches!(&*self.kind, "veth" | "tun" | "bridge")
    }

    /// Whether the modes that its driver lists are those of a port. A hypervisor's device makes them up: vmxnet3 says 1 Gb/s
    /// and supports 10 under QEMU.
    pub fn has_real_modes(&self) -> bool {
        !matches!(&*self.hardware().driver, "virtio_net" | "vmxnet3" | "hv_netvsc")
    }

    /// What stands under the link; all empty for a software device.
    pub fn hardware(&self) -> &Hardware {
        self.hardware.as_deref().unwrap_or(&NO_HARDWARE)
    }

    /// The same, to be filled.
    pub fn hardware_mut(&mut self) -> &mut Hardware {
        self.hardware.get_or_insert_default()
    }
}

/// What a link is for, as far as its place among the others tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Has hardware under it.
    Physical,
    /// Has an address of its own and no hardware.
    Addressed,
    /// Carries a link that has an address.
    Carrier,
    /// Leads to a guest or a container.
    Port,
    /// The loopback.
    Loopback,
    /// None of these.
    #[default]
    Other,
}

impl Role {
    /// The word in labels.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Addressed => "addressed",
            Self::Carrier => "carrier",
            Self::Port => "port",
            Self::Loopback => "loopback",
            Self::Other => "other",
        }
    }
}

/// The links of a namespace, exported ones first and by name, and the subjects made of them.
#[derive(Debug, Default)]
pub struct Links {
    /// Counts up with every change of any link.
    pub generation: u64,
    /// Exported ones first, each part by name.
    list: Vec<Link>,
    /// (index, row), by index.
    by_index: Vec<(Index, u32)>,
    /// One subject a link, labelled `device`; same order as the list.
    subjects: Arc<Subjects>,
}

impl Links {
    /// Puts links in order. `previous` lends its subjects if the set of links is still the same.
    pub fn new(generation: u64, mut list: Vec<Link>, previous: Option<&Self>) -> Self {
        list.sort_by(|a, b| b.exported.cmp(&a.exported).then_with(|| a.name.cmp(&b.name)));
        let mut by_index: Vec<_> = list.iter().enumerate().map(|(row, l)| (l.index, row as u32)).collect();
        by_index.sort_unstable();
        let subjects = kept_or_new(subjects_of(&list), previous.map(|p| &p.subjects));
        Self { generation, list, by_index, subjects }
    }

    /// All links, exported ones first.
    pub fn all(&self) -> &[Link] {
        &self.list
    }

    /// The links that are shown in /metrics.
    pub fn exported(&self) -> &[Link] {
        &self.list[..self.subjects.exported()]
    }

    /// The row of a device in `all` and in `subjects`.
    pub fn row(&self, index: Index) -> Option<usize> {
        let at = self.by_index.binary_search_by_key(&index, |(i, _)| *i).ok()?;
        Some(self.by_index[at].1 as usize)
    }

    /// A device by its index.
    pub fn get(&self, index: Index) -> Option<&Link> {
        Some(&self.list[self.row(index)?])
    }

    /// (index, row) of all links, by index: the order in which newer kernels dump them.
    pub fn by_index(&self) -> &[(Index, u32)] {
        &self.by_index
    }

    /// One subject a link, labelled `device`.
    pub fn subjects(&self) -> &Arc<Subjects> {
        &self.subjects
    }
}

/// Subjects that say the same as before are the same, so that whoever compares pointers sees no change.
fn kept_or_new(new: Subjects, previous: Option<&Arc<Subjects>>) -> Arc<Subjects> {
    match previous {
        Some(previous) if **previous == new => Arc::clone(previous),
        _ => Arc::new(new),
    }
}

fn subjects_of(list: &[Link]) -> Subjects {
    let mut subjects = super::subject::SubjectsBuilder::default();
    for link in list {
        if !link.exported {
            subjects.hide_the_rest();
        }
        subjects.row(link.key).label("device", &link.name);
    }
    subjects.build()
}

#[cfg(test)]
mod tests {
    use super::{Link, Links};
    use std::sync::Arc;

    fn link(key: u64, index: u32, name: &str, exported: bool) -> Link {
        Link { key, index, name: name.into(), exported, ..Link::default() }
    }

    #[test]
    fn exported_links_come_first_and_are_found_by_index() {
        let links = Links::new(
            1,
            vec![link(1, 5, "tap0", false), link(2, 3, "eth1", true), link(3, 9, "eth0", true)],
            None,
        );
        let names: Vec<_> = links.all().iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["eth0", "eth1", "tap0"]);
        assert_eq!((links.row(5), links.row(9), links.row(4)), (Some(2), Some(0), None));
        assert_eq!(links.subjects().exported(), 2);
    }

    #[test]
    fn subjects_are_kept_while_the_set_stays() {
        let first = Links::new(1, vec![link(1, 3, "eth0", true)], None);
        let mut up = link(1, 3, "eth0", true);
        up.oper_up = true;
        let second = Links::new(2, vec![up], Some(&first));
        assert!(Arc::ptr_eq(first.subjects(), second.subjects()));
        let renamed = Links::new(3, vec![link(2, 3, "lan0", true)], Some(&second));
        assert!(!Arc::ptr_eq(second.subjects(), renamed.subjects()));
    }
}
