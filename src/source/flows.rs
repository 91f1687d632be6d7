//! TCP connections of hypervisor processes, in whichever network namespace they live, from the kernel's socket
//! diagnosis.
//!
//! Three ways find them, each cheap: where the kernel has counted new connections, it is asked to list those on ports
//! that migrations use, and filters the others out itself; a new socket among a hypervisor's descriptors has all
//! connections listed once; and the kernel tells the last words of every connection that ends, so that one of a third of
//! a second is not missed.

pub mod columns;
mod opened;
pub mod owners;
pub mod space;
mod table;

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::processes::is_alive;
use super::transport::netlink::NetlinkError;
use super::transport::sock_diag::tcp_info::Figure;
use super::transport::sock_diag::{filter, states, Socket};
use crate::sample::monotonic::Monotonic;
use crate::sample::ports;
use crate::sample::subject::Key;
use owners::Owners;
use space::Space;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use table::Table;

/// Connections of hypervisors.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "flows",
    help: "TCP connections of hypervisor processes, by the kernel's socket diagnosis (sock_diag).",
    privilege: "CAP_SYS_PTRACE to tell whose a connection is, CAP_SYS_ADMIN for other network namespaces",
    pace: Pace::Lookout,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(2),
    // Its rows have addresses in them and are never shown.
    tables: &[],
    open,
};

/// Between two looks for new connections, while a migration is on (its further channels open within moments).
const CLOSE_LOOK: Duration = Duration::from_millis(250);
/// Beyond fifty guests that move it is more than this for each of them.
const LOOK_EACH: Duration = Duration::from_millis(5);
/// The longest of that, and between two readings of those that are known while none is on.
const LOOK: Duration = Duration::from_millis(950);
/// Where connections come and go all the time, new ones are listed this often.
const STIR: Duration = Duration::from_millis(450);
/// Between two readings of all descriptors of all hypervisors.
const SCAN: Duration = Duration::from_secs(5);
/// How long a connection that is nobody's may still become a hypervisor's: libvirt makes the connection itself and
/// hands it over.
const STRANGE: Duration = Duration::from_secs(5);
/// A connection that ended before it was seen must have carried this much to be worth a question.
const WORTH: u64 = 1 << 20;

#[allow(clippy::unnecessary_wraps, reason = "the signature of every source")]
fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let own = std::fs::metadata(roots.proc.join("self/ns/net")).map_or(0, |place| place.ino());
    Ok(Box::new(Flows { own, ..Flows::default() }))
}

#[derive(Default)]
struct Flows {
    own: u64,
    spaces: Vec<Space>,
    /// This program's own namespace, for the way that packets of another go on.
    home: Option<Space>,
    owners: Owners,
    table: Table,
    generation: u64,
    looked: Option<Monotonic>,
    /// When connections were listed last, anywhere.
    listed: Monotonic,
    scanned: Option<Monotonic>,
    /// Ports that hypervisors listen on, beside the usual ones.
    listened: Vec<(u64, u16)>,
    /// Connections on those ports that are nobody's we know.
    strangers: HashMap<u64, Monotonic>,
    problems: Vec<String>,
}

impl Source for Flows {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        self.problems.clear();
        let processes = &context.followed.processes;
        let changed = self.generation != context.followed.generation;
        if changed {
            self.generation = context.followed.generation;
            self.enter_spaces(context);
        }
        if processes.is_empty() && self.table.is_empty() {
            return Ok(Reading::default());
        }
        let look = changed || self.is_time(context);
        if !look && context.followed.wanted.is_empty() {
            return Ok(Reading::unchanged());
        }
        self.hear_last_words(context);
        if look {
            self.looked = Some(context.now);
            self.look(context, changed);
        }
        self.refresh(context, look);
        self.note_survivors(context);
        self.table.forget(context.now);
        let mut reading = self.table.reading(context);
        self.problems.extend(self.owners.problem.clone());
        reading.problems = std::mem::take(&mut self.problems);
        Ok(reading)
    }
}

impl Flows {
    /// Whether it is time for a look: it is due, or nothing moves yet and somewhere connections were opened.
    fn is_time(&mut self, context: &Context) -> bool {
        let Some(last) = self.looked else { return true };
        let passed = context.now.since(last);
        let moving = u32::try_from(context.followed.wanted.len()).unwrap_or(u32::MAX);
        if moving > 0 {
            return passed >= CLOSE_LOOK.max(LOOK_EACH.saturating_mul(moving)).min(LOOK);
        }
        passed >= LOOK || (context.now.since(self.listed) >= STIR && self.spaces.iter_mut().any(Space::stirs))
    }

    /// Opens a space for every namespace that has a hypervisor in it, and leaves those that have none.
    fn enter_spaces(&mut self, context: &Context) {
        let processes = &context.followed.processes;
        self.spaces.retain(|space| {
            space.is_sound() && processes.iter().any(|process| process.namespace == space.namespace)
        });
        for process in processes {
            if self.spaces.iter().any(|space| space.namespace == process.namespace) || process.namespace == 0
            {
                continue;
            }
            match Space::open(process.namespace, self.own, process.pid, &context.roots) {
                Ok(space) => self.spaces.push(space),
                // The process has just ended.
                Err(SourceError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.problems.push(error.to_string()),
            }
        }
    }

    fn hear_last_words(&mut self, context: &Context) {
        for at in 0..self.spaces.len() {
            let namespace = self.spaces[at].namespace;
            let mut short = Vec::new();
            let (table, listened) = (&mut self.table, &self.listened);
            let heard = self.spaces[at].destroyed(|socket| {
                if table.close(namespace, &socket, context.now) || carried(&socket) < WORTH {
                    return;
                }
                let ports = [socket.local.port(), socket.peer.port()];
                if is_usual(&socket) || ports.iter().any(|port| listened.contains(&(namespace, *port))) {
                    short.push(socket);
                }
            });
            note(&mut self.problems, "connections that end", heard);
            for socket in short {
                self.add(at, socket.clone(), None, context);
                self.table.close(namespace, &socket, context.now);
            }
        }
    }

    /// Adds a connection of a space, with the link that it leaves by.
    fn add(&mut self, at: usize, socket: Socket, owner: Option<Key>, context: &Context) {
        let namespace = self.spaces[at].namespace;
        let mut egress = self.spaces[at].egress(&socket, &context.links);
        if let Some(egress) = egress.as_mut().filter(|egress| egress.foreign) {
            if self.home.is_none() {
                self.home = Space::open(self.own, self.own, 0, &context.roots).ok();
            }
            let home = self.home.as_mut().filter(|home| home.is_sound());
            egress.outer = home.and_then(|home| home.route(socket.peer.ip(), None));
        }
        let accepted = self.listened.contains(&(namespace, socket.local.port()));
        self.table.add(namespace, socket, owner, accepted, egress, context.now);
    }

    /// Looks for new connections.
    fn look(&mut self, context: &Context, changed: bool) {
        if changed || self.scanned.is_none_or(|last| context.now.since(last) >= SCAN) {
            self.scan(context, changed);
            self.find_listeners();
        }
        let all = self.owners.has_unexplained();
        // What nothing was opened in has nothing new; now and then it is listed in any case.
        let young = |first: &Monotonic| context.now.since(*first) < STRANGE;
        let anyhow = all || self.scanned == Some(context.now) || self.strangers.values().any(young);
        for at in 0..self.spaces.len() {
            let stirs = self.spaces[at].stirs();
            if stirs || anyhow || !self.spaces[at].counts_opened() {
                self.look_in(at, all, context);
                self.listed = context.now;
            }
        }
        if self.strangers.len() > 100_000 {
            self.strangers.clear();
        }
    }

    fn scan(&mut self, context: &Context, whole: bool) {
        self.scanned = Some(context.now);
        self.owners.scan(&context.roots.proc, &context.followed.processes, whole);
    }

    fn find_listeners(&mut self) {
        self.listened.clear();
        for space in &mut self.spaces {
            let namespace = space.namespace;
            let found = space.list(states::LISTENING, &[], |socket| {
                if self.owners.of(socket.inode).is_some() && !ports::is_console(socket.local.port()) {
                    self.listened.push((namespace, socket.local.port()));
                }
            });
            note(&mut self.problems, "listening sockets", found);
        }
    }

    fn look_in(&mut self, at: usize, all: bool, context: &Context) {
        let space = &mut self.spaces[at];
        space.calm();
        let listened = self.listened.iter().filter(|(namespace, _)| *namespace == space.namespace);
        let mut ranges = ports::MIGRATION.to_vec();
        ranges
            .extend(listened.map(|(_, port)| (*port, *port)).filter(|(port, _)| !ports::is_migration(*port)));
        let program = if all { Vec::new() } else { filter::any_port_of(&ranges) };
        let mut fresh = Vec::new();
        let (table, strangers) = (&self.table, &self.strangers);
        let namespace = space.namespace;
        let listed = space.list(states::CONNECTED, &program, |socket| {
            if socket.inode != 0
                && strangers.get(&socket.cookie).is_none_or(|first| context.now.since(*first) < STRANGE)
                && !table.has(namespace, socket.cookie)
            {
                fresh.push(socket);
            }
        });
        note(&mut self.problems, "connections", listed);
        // The descriptors were read before these connections were made.
        if fresh.iter().any(|socket| self.owners.of(socket.inode).is_none() && is_usual(socket)) {
            self.scan(context, true);
        }
        for socket in fresh {
            let Some(owner) = self.owners.of(socket.inode) else {
                self.strangers.entry(socket.cookie).or_insert(context.now);
                continue;
            };
            self.add(at, socket, Some(owner), context);
        }
    }

    /// Looks which processes live on after their connections. Not in the reading that a connection closed in: one that is
    /// being killed is there for a moment after its connections.
    fn note_survivors(&mut self, context: &Context) {
        for row in self.table.rows_mut() {
            let flow = &mut row.flow;
            if flow.outlived || flow.closed.is_none_or(|closed| context.now <= closed) {
                continue;
            }
            let owner = flow.owner.and_then(|owner| context.followed.process(owner));
            flow.outlived = owner.is_some_and(|process| is_alive(&context.roots.proc, process));
        }
    }

    /// Asks again for the connections that are followed, and at every look for all.
    fn refresh(&mut self, context: &Context, all: bool) {
        for row in self.table.rows_mut() {
            let followed = context.followed.wanted.iter().any(|guest| row.flow.owner == Some(guest.key));
            if row.flow.closed.is_some() || !(all || followed) {
                continue;
            }
            let Some(space) = self.spaces.iter_mut().find(|space| space.namespace == row.flow.namespace)
            else {
                row.flow.closed = Some(context.now);
                continue;
            };
            match space.again(&mut row.request) {
                Ok(Some(socket)) => row.take(socket, context.now),
                Ok(None) => row.flow.closed = Some(context.now),
                Err(error) => note(&mut self.problems, "a connection", Err(error)),
            }
        }
        if self.spaces.iter().any(|space| !space.is_sound()) {
            self.enter_spaces(context);
        }
    }
}

fn is_usual(socket: &Socket) -> bool {
    ports::is_migration(socket.local.port()) || ports::is_migration(socket.peer.port())
}

/// Bytes either way.
fn carried(socket: &Socket) -> u64 {
    let of = |figure| socket.figures.get(figure).unwrap_or(0);
    of(Figure::BytesAcked) + of(Figure::BytesReceived)
}

fn note(problems: &mut Vec<String>, what: &str, result: Result<(), NetlinkError>) {
    if let Err(error) = result {
        problems.push(format!("{what}: {error}"));
    }
}
