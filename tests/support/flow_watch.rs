//! Follows fake hypervisors' connections by the `flows` source.

use super::fake_hypervisor::Fake;
use super::{open, Reader};
use miglink::sample::flow::Flow;
use miglink::sample::guest::{Followed, Process, Wanted};
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Reading, Source};
use miglink::source::flows;
use miglink::source::flows::columns::column;
use miglink::source::transport::sock_diag::tcp_info::Figure;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

/// The `flows` source as the agent reads it, half a second between two readings.
pub struct Watch {
    source: Box<dyn Source>,
    /// The links of this namespace.
    pub links: Reader,
    millis: u64,
    /// Who is followed.
    pub followed: Arc<Followed>,
    /// The flows as they were last told.
    pub flows: Arc<Vec<Flow>>,
    /// The last reading.
    pub last: Reading,
}

impl Watch {
    /// One that follows nobody yet.
    pub fn new() -> Self {
        let mut links = Reader::of_all();
        links.settle();
        Self {
            source: open(&flows::SOURCE),
            links,
            millis: 0,
            followed: Arc::default(),
            flows: Arc::default(),
            last: Reading::default(),
        }
    }

    /// These are the hypervisors, and all of them move.
    pub fn follow(&mut self, fakes: &[&Fake]) {
        let processes: Vec<Process> =
            fakes.iter().enumerate().map(|(at, fake)| process(at as u64 + 1, fake.pid())).collect();
        let wanted = processes.iter().map(|process| Wanted { key: process.key, paused: false }).collect();
        let generation = self.followed.generation + 1;
        self.followed = Arc::new(Followed { generation, processes, wanted, links: Vec::new() });
    }

    /// They are still there, but none of them moves.
    pub fn rest(&mut self) {
        let followed = Followed { wanted: Vec::new(), ..Followed::clone(&self.followed) };
        self.followed = Arc::new(followed);
    }

    fn context(&mut self) -> Context {
        self.millis += 500;
        let now = Monotonic(Duration::from_millis(self.millis));
        Context { now, followed: Arc::clone(&self.followed), ..self.links.context() }
    }

    /// Half a second later: the flows.
    pub fn read(&mut self) -> &[Flow] {
        let context = self.context();
        let mut reading = self.source.read(&context).expect("flows");
        if let Some(flows) = reading.flows.take() {
            self.flows = flows;
        }
        self.last = reading;
        &self.flows
    }

    /// As many readings later.
    pub fn pass(&mut self, readings: usize) {
        (0..readings).for_each(|_| {
            self.read();
        });
    }

    /// The flow whose far or near port this is.
    pub fn of_port(&mut self, port: u16) -> Flow {
        let found = self.read().iter().find(|flow| flow.local.port() == port || flow.peer.port() == port);
        found.cloned().unwrap_or_else(|| panic!("no flow of {port}: {:?}", self.last.problems))
    }

    /// One of a flow's figures in the last reading.
    pub fn figure(&self, flow: &Flow, figure: Figure) -> u64 {
        let block = &self.last.blocks[0];
        let row = block.subjects.row_of(flow.key).expect("a row");
        block.cell(column(figure), row).as_integer().expect("a value")
    }
}

fn process(key: u64, pid: u32) -> Process {
    let namespace = std::fs::metadata(format!("/proc/{pid}/ns/net")).expect("it runs").ino();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let ticks = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)?.parse().ok());
    Process { key, pid, namespace, start_ticks: ticks.expect("ticks"), ..Process::default() }
}
