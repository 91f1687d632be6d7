//! libvirt's words for a job, turned into the vocabulary of migrations. A value of an unexpected type is left out.

use crate::sample::migration::{Direction, Progress, Status};
use crate::source::transport::libvirt::xdr::{Parameters, Value};
use std::time::Duration;

/// `VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN`.
const MIGRATION_IN: u64 = 4;
/// `VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT`.
const MIGRATION_OUT: u64 = 5;

/// What kind of job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A migration.
    Migration(Direction),
    /// Anything else: a save, a dump, a backup.
    Other,
    /// libvirt does not say (before 3.3.0).
    Unsaid,
}

/// The job's kind (`VIR_DOMAIN_JOB_OPERATION`).
pub fn operation(parameters: &Parameters) -> Operation {
    match number(parameters, "operation") {
        Some(MIGRATION_IN) => Operation::Migration(Direction::Incoming),
        Some(MIGRATION_OUT) => Operation::Migration(Direction::Outgoing),
        Some(_) => Operation::Other,
        None => Operation::Unsaid,
    }
}

fn value<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a Value> {
    parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn number(parameters: &Parameters, name: &str) -> Option<u64> {
    match value(parameters, name)? {
        Value::Unsigned(number) => Some(*number),
        Value::Signed(number) => u64::try_from(*number).ok(),
        Value::Double(_) | Value::Text(_) => None,
    }
}

fn milliseconds(parameters: &Parameters, name: &str) -> Option<Duration> {
    number(parameters, name).map(Duration::from_millis)
}

/// The figures of a job. `status` is from its type and from events: libvirt does not pass on QEMU's own. The same
/// parameter is the expected pause while it goes on and the real one when it is done.
pub fn progress(parameters: &Parameters, direction: Option<Direction>, status: Status) -> Progress {
    let of = |name: &str| number(parameters, name);
    let memory = |part: &str| of(&format!("memory_{part}")).or_else(|| of(&format!("data_{part}")));
    let pause = milliseconds(parameters, "downtime");
    let done = status == Status::Completed;
    let error = match value(parameters, "errmsg") {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    Progress {
        status,
        direction,
        total_time: milliseconds(parameters, "time_elapsed"),
        setup_time: milliseconds(parameters, "setup_time"),
        expected_downtime: pause.filter(|_| !done),
        downtime: pause.filter(|_| done),
        memory_total: memory("total"),
        transferred: memory("processed"),
        remaining: memory("remaining"),
        normal_bytes: of("memory_normal_bytes"),
        zero_pages: of("memory_constant"),
        page_size: of("memory_page_size"),
        dirty_pages_per_second: of("memory_dirty_rate"),
        iterations: of("memory_iteration"),
        throughput: of("memory_bps").map(|rate| rate as f64),
        postcopy_requests: of("memory_postcopy_requests"),
        throttle_percent: of("auto_converge_throttle"),
        error,
        ..Progress::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{operation, progress, Operation};
    use crate::sample::migration::{Direction, Status};
    use crate::source::transport::libvirt::xdr::{Parameters, Value};
    use std::time::Duration;

    fn parameters(list: &[(&str, u64)]) -> Parameters {
        list.iter().map(|(name, number)| ((*name).to_owned(), Value::Unsigned(*number))).collect()
    }

    #[test]
    fn downtime_is_expected_first_and_real_at_the_end() {
        let list = parameters(&[("downtime", 300), ("memory_total", 7), ("data_total", 9)]);
        let running = progress(&list, None, Status::Active);
        assert_eq!(running.expected_downtime, Some(Duration::from_millis(300)));
        assert_eq!((running.downtime, running.memory_total), (None, Some(7)));
        let done = progress(&list, None, Status::Completed);
        assert_eq!((done.expected_downtime, done.downtime), (None, Some(Duration::from_millis(300))));
    }

    #[test]
    fn every_value_is_optional_and_wrong_types_are_left_out() {
        let nothing = progress(&Vec::new(), None, Status::Active);
        assert_eq!((nothing.transferred, nothing.total_time, nothing.throughput), (None, None, None));
        let wrong: Parameters = vec![
            ("memory_total".into(), Value::Text("many".into())),
            ("memory_processed".into(), Value::Double(f64::NAN)),
            ("memory_remaining".into(), Value::Signed(-1)),
            ("operation".into(), Value::Text("out".into())),
        ];
        let read = progress(&wrong, None, Status::Active);
        assert_eq!((read.memory_total, read.transferred, read.remaining), (None, None, None));
        assert_eq!(operation(&wrong), Operation::Unsaid);
    }

    #[test]
    fn old_versions_have_data_only_and_signed_operations() {
        let old = parameters(&[("data_total", 5), ("data_processed", 4), ("data_remaining", 1)]);
        let read = progress(&old, None, Status::Active);
        assert_eq!((read.memory_total, read.transferred, read.remaining), (Some(5), Some(4), Some(1)));
        let signed: Parameters = vec![("operation".into(), Value::Signed(5))];
        assert_eq!(operation(&signed), Operation::Migration(Direction::Outgoing));
        assert_eq!(operation(&parameters(&[("operation", 2)])), Operation::Other);
    }
}
