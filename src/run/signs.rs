//! The part of a reading that is about migrations, on its way to their tracker.

use crate::sample::flow::Flow;
use crate::sample::guest::Process;
use crate::sample::migration::Told;
use crate::sample::thread::Thread;
use crate::source::contract::Reading;
use std::sync::Arc;

/// What a reading tells of migrations.
pub struct Signs {
    /// The hypervisor processes, if they changed.
    pub processes: Option<Vec<Process>>,
    /// The flows, if they changed.
    pub flows: Option<Arc<Vec<Flow>>>,
    /// The threads, if they changed.
    pub threads: Option<Arc<Vec<Thread>>>,
    /// What hypervisors told.
    pub told: Vec<Told>,
    /// The tables are those of the reading before.
    pub unchanged: bool,
}

impl Signs {
    /// Takes them out of a reading.
    pub fn of(reading: &mut Reading) -> Self {
        Self {
            processes: reading.processes.take(),
            flows: reading.flows.take(),
            threads: reading.threads.take(),
            told: std::mem::take(&mut reading.told),
            unchanged: reading.unchanged,
        }
    }
}
