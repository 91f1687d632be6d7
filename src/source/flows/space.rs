//! One network namespace: the sockets that ask its kernel, opened once inside it.

use super::opened::Opened;
use crate::sample::flow::Egress;
use crate::sample::link::{Index, Links};
use crate::source::contract::{Roots, SourceError};
use crate::source::transport::message::{attributes, u32_at, unsigned, Request};
use crate::source::transport::namespace;
use crate::source::transport::netlink::{Events, NetlinkError, Protocol, Session};
use crate::source::transport::sock_diag::tcp_info::Figure;
use crate::source::transport::sock_diag::{self, Socket};
use std::net::IpAddr;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(1);
const RTM_GETLINK: u16 = 18;
const RTM_GETROUTE: u16 = 26;
const RTM_GETNSID: u16 = 90;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_LINK_NETNSID: u16 = 37;
const NETNSA_NSID: u16 = 1;
const NETNSA_PID: u16 = 2;

/// A namespace that hypervisor processes live in.
pub struct Space {
    /// Its inode.
    pub namespace: u64,
    /// It is not this program's own.
    pub foreign: bool,
    sockets: Session,
    routes: Session,
    destroyed: Events,
    /// Its count of connections; `None` where the kernel does not tell.
    opened: Option<Opened>,
    /// Connections were opened since the last list of them.
    stirred: bool,
}

impl Space {
    /// Opens its sockets; another namespace is entered through a process of it.
    pub fn open(namespace: u64, own: u64, pid: u32, roots: &Roots) -> Result<Self, SourceError> {
        let foreign = namespace != own;
        let own_or = if foreign { pid.to_string() } else { "self".to_owned() };
        let opened = Opened::of(&roots.proc.join(own_or));
        let failed = |error| SourceError::Netlink { what: "opening a socket for sockets", error };
        let make = || -> Result<Self, NetlinkError> {
            Ok(Self {
                namespace,
                foreign,
                sockets: Session::open(Protocol::SockDiag, DEADLINE)?,
                routes: Session::open(Protocol::Route, DEADLINE)?,
                destroyed: Events::join(Protocol::SockDiag, &sock_diag::DESTROYED)?,
                opened,
                stirred: true,
            })
        };
        if !foreign {
            return make().map_err(failed);
        }
        let place = roots.proc.join(pid.to_string()).join("ns/net");
        match namespace::inside(&place, make) {
            Ok(made) => made.map_err(failed),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(SourceError::Denied {
                what: format!("entering {}", place.display()),
                needs: "CAP_SYS_ADMIN",
            }),
            Err(error) => Err(SourceError::Io { what: format!("entering {}", place.display()), error }),
        }
    }

    /// Whether its sockets are still those that were opened inside it.
    pub fn is_sound(&self) -> bool {
        self.sockets.is_open() && self.routes.is_open()
    }

    /// Whether the kernel tells of connections that are opened.
    pub fn counts_opened(&self) -> bool {
        self.opened.is_some()
    }

    /// Whether it told of some since `calm`.
    pub fn stirs(&mut self) -> bool {
        self.stirred |= self.opened.as_mut().is_some_and(Opened::may_differ);
        self.stirred
    }

    /// Its connections are listed now. What is opened from here on counts anew.
    pub fn calm(&mut self) {
        self.stirred = false;
    }

    /// All sockets in these states that pass the filter.
    pub fn list(
        &mut self,
        states: u32,
        filter: &[u8],
        mut each: impl FnMut(Socket),
    ) -> Result<(), NetlinkError> {
        let mut request = sock_diag::list(states, filter, false);
        let listed = self.sockets.dump(&mut request, |message| {
            if let Some(socket) = sock_diag::parse(message.payload) {
                each(socket);
            }
        });
        listed.map(|_| ())
    }

    /// Asks for one socket again; `None` if it is gone. What the kernel keeps of it for a minute (TIME_WAIT) is nobody's
    /// and has no figures.
    pub fn again(&mut self, request: &mut Request) -> Result<Option<Socket>, NetlinkError> {
        let mut found = None;
        match self.sockets.ask(request, |message| found = sock_diag::parse(message.payload)) {
            Ok(()) => {
                Ok(found.filter(|socket| socket.inode != 0 || socket.figures.get(Figure::Rtt).is_some()))
            }
            Err(NetlinkError::Kernel(libc::ENOENT | libc::ESTALE)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last words of sockets that were destroyed since the last time.
    pub fn destroyed(&mut self, mut each: impl FnMut(Socket)) -> Result<(), NetlinkError> {
        self.destroyed.drain(|message| {
            if let Some(socket) = sock_diag::parse(message.payload) {
                each(socket);
            }
        })
    }

    /// The link that a socket's packets leave by. `None` if there is no way.
    pub fn egress(&mut self, socket: &Socket, links: &Links) -> Option<Egress> {
        let index = self.route(socket.peer.ip(), Some(socket.local.ip()))?;
        if !self.foreign {
            let name = links.get(index).map(|link| link.name.clone()).unwrap_or_default();
            return Some(Egress { index, name, ..Egress::default() });
        }
        self.foreign_egress(index)
    }

    /// The kernel's own answer (RTM_GETROUTE), rules, marks of tables and all.
    pub fn route(&mut self, to: IpAddr, from: Option<IpAddr>) -> Option<Index> {
        route(&mut self.routes, to, from)
    }

    fn foreign_egress(&mut self, index: Index) -> Option<Egress> {
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        let mut egress = Egress { index, foreign: true, ..Egress::default() };
        let (mut peer, mut place) = (None, None);
        let asked = self.routes.ask(&mut Request::new(RTM_GETLINK, 0, &header), |message| {
            for attribute in attributes(message.payload, header.len()) {
                match attribute.kind {
                    IFLA_IFNAME => egress.name = attribute.text(),
                    IFLA_LINK => peer = attribute.unsigned().map(|index| index as Index),
                    IFLA_LINK_NETNSID => place = attribute.unsigned(),
                    _ => {}
                }
            }
        });
        asked.ok()?;
        egress.peer = peer.filter(|_| place.is_some() && place == self.number_of_ours());
        Some(egress)
    }

    /// The number by which that namespace knows this program's own.
    fn number_of_ours(&mut self) -> Option<u64> {
        let pid = std::process::id().to_ne_bytes();
        let mut request = Request::new(RTM_GETNSID, 0, &[0; 4]).with(NETNSA_PID, &pid);
        let mut number = None;
        let asked = self.routes.ask(&mut request, |message| {
            let found = attributes(message.payload, 4).find(|found| found.kind == NETNSA_NSID);
            number = found.and_then(|found| unsigned(found.value));
        });
        asked.ok().and(number)
    }
}

/// The link that the kernel sends packets to an address by (RTM_GETROUTE), in the session's namespace. `None` if there
/// is no way.
pub fn route(session: &mut Session, to: IpAddr, from: Option<IpAddr>) -> Option<Index> {
    let (family, bits) = if to.is_ipv4() { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
    // `struct rtmsg`: family, dst_len, src_len, then what the kernel fills in.
    let header = [family as u8, bits, if from.is_some() { bits } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut request = Request::new(RTM_GETROUTE, 0, &header).with(RTA_DST, &octets(to));
    if let Some(from) = from {
        request = request.with(RTA_SRC, &octets(from));
    }
    let mut index = None;
    let asked = session.ask(&mut request, |message| {
        let device = attributes(message.payload, header.len()).find(|found| found.kind == RTA_OIF);
        index = device.and_then(|found| u32_at(found.value, 0));
    });
    asked.ok().and(index)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
