//! A flow: one TCP connection of a hypervisor process, and the link that it leaves or enters this host by.

use super::link::Index;
use super::monotonic::Monotonic;
use super::subject::Key;
use std::net::SocketAddr;

/// One TCP connection. Its numbers are in the `flows` source's table, in a row with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Never used again.
    pub key: Key,
    /// The inode of its network namespace.
    pub namespace: u64,
    /// Its end on this host.
    pub local: SocketAddr,
    /// Its far end.
    pub peer: SocketAddr,
    /// The process that holds it; `None` while that is not known.
    pub owner: Option<Key>,
    /// It was accepted here: its local port is one that is listened on in its namespace.
    pub accepted: bool,
    /// The link that its packets leave by.
    pub egress: Option<Egress>,
    /// How it controls congestion (`cubic`, `bbr`).
    pub congestion: String,
    /// When it was first seen.
    pub opened: Monotonic,
    /// When the kernel said that it is gone; its last row stands.
    pub closed: Option<Monotonic>,
    /// Its process was seen alive after that: it was not the process's end that ended it.
    pub outlived: bool,
}

/// The link that a flow's packets leave by, in the flow's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Egress {
    /// Its number there.
    pub index: Index,
    /// Its name there.
    pub name: String,
    /// The namespace is another than this program's.
    pub foreign: bool,
    /// The other end of a veth pair, if it is in this program's own namespace.
    pub peer: Option<Index>,
    /// The link of this program's own namespace that leads to the same far end.
    pub outer: Option<Index>,
}

impl Flow {
    /// The port by which a migration is recognised: the one that is listened on.
    pub fn service_port(&self) -> u16 {
        if self.accepted {
            self.local.port()
        } else {
            self.peer.port()
        }
    }
}
