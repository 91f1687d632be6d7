//! Sessions with deadlines and nothing else: what is asked and what the answer means is the sources' business.

pub mod ethtool;
pub mod genetlink;
pub mod ioctl;
pub mod libvirt;
pub mod message;
pub mod namespace;
pub mod netlink;
pub mod qmp;
pub mod sock_diag;
