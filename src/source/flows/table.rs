//! The connections that are known, and the table made of them.

use super::columns::COLUMNS;
use super::SOURCE;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::flow::{Egress, Flow};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use crate::source::contract::{Context, Reading};
use crate::source::transport::message::Request;
use crate::source::transport::sock_diag::tcp_info::Figures;
use crate::source::transport::sock_diag::{self, Socket};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection's last row stands after its end.
const FAREWELL: Duration = Duration::from_secs(3);
/// More than this are not followed: a guest's own connections are not a hypervisor's, so only a fault makes so many.
const MOST: usize = 4096;

/// One known connection.
pub struct Row {
    /// What it is.
    pub flow: Flow,
    /// How to ask for it again.
    pub request: Request,
    cookie: u64,
    figures: Figures,
    read_at: Monotonic,
}

impl Row {
    /// Takes in an answer.
    pub fn take(&mut self, socket: Socket, now: Monotonic) {
        self.figures = socket.figures;
        self.read_at = now;
        if self.flow.congestion != socket.congestion && !socket.congestion.is_empty() {
            self.flow.congestion = socket.congestion;
        }
    }
}

/// All known connections, in the order in which they were found.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    last_key: Key,
    subjects: Arc<Subjects>,
    told: Arc<Vec<Flow>>,
}

impl Table {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a connection is known.
    pub fn has(&self, namespace: u64, cookie: u64) -> bool {
        self.rows.iter().any(|row| row.cookie == cookie && row.flow.namespace == namespace)
    }

    /// All of them.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    /// Adds one.
    pub fn add(
        &mut self,
        namespace: u64,
        socket: Socket,
        owner: Option<Key>,
        accepted: bool,
        egress: Option<Egress>,
        now: Monotonic,
    ) {
        if self.rows.len() >= MOST {
            return;
        }
        self.last_key += 1;
        let flow = Flow {
            key: self.last_key,
            namespace,
            local: socket.local,
            peer: socket.peer,
            owner,
            accepted,
            egress,
            congestion: socket.congestion.clone(),
            opened: now,
            closed: None,
            outlived: false,
        };
        let request = sock_diag::one(&socket);
        self.rows.push(Row { flow, request, cookie: socket.cookie, figures: socket.figures, read_at: now });
    }

    /// The kernel says that a socket is gone, with its last figures. `false` if it is not known.
    pub fn close(&mut self, namespace: u64, socket: &Socket, now: Monotonic) -> bool {
        let found =
            self.rows.iter_mut().find(|row| row.cookie == socket.cookie && row.flow.namespace == namespace);
        let Some(row) = found else { return false };
        row.take(socket.clone(), now);
        row.flow.closed.get_or_insert(now);
        true
    }

    /// Drops those that ended a while ago.
    pub fn forget(&mut self, now: Monotonic) {
        self.rows.retain(|row| row.flow.closed.is_none_or(|at| now.since(at) <= FAREWELL));
    }

    /// The table, and the flows if any of them is new, gone or otherwise different.
    pub fn reading(&mut self, context: &Context) -> Reading {
        let same = self.told.iter().eq(self.rows.iter().map(|row| &row.flow));
        if !same {
            self.told = Arc::new(self.rows.iter().map(|row| row.flow.clone()).collect());
            let subjects = self.name_rows();
            if *self.subjects != subjects {
                self.subjects = Arc::new(subjects);
            }
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        for (at, row) in self.rows.iter().enumerate() {
            block.set_row(at, row.figures.all().iter().map(|value| Cell::integer_or(*value, Gap::NotRead)));
        }
        Reading { flows: (!same).then(|| Arc::clone(&self.told)), ..Reading::of(block) }
    }

    fn name_rows(&self) -> Subjects {
        let mut list = SubjectsBuilder::default();
        list.hide_the_rest();
        for Row { flow, .. } in &self.rows {
            list.row(flow.key).label("local", &flow.local.to_string()).label("peer", &flow.peer.to_string());
        }
        list.build()
    }
}
