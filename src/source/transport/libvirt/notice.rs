//! What libvirt tells without being asked.

use super::procedure::Domain;
use super::xdr::{Parameters, Reader};
use super::ProtocolError;

/// `VIR_DOMAIN_EVENT_ID_LIFECYCLE`, to register.
pub const LIFECYCLE: i32 = 0;
/// `VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION` (libvirt 1.3.2).
pub const ITERATION: i32 = 20;
/// `VIR_DOMAIN_EVENT_ID_JOB_COMPLETED` (libvirt 3.3.0).
pub const JOB_COMPLETED: i32 = 21;

/// `REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE`.
pub const LIFECYCLE_TOLD: i32 = 318;
/// `REMOTE_PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION`.
pub const ITERATION_TOLD: i32 = 359;
/// `REMOTE_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED`.
pub const JOB_COMPLETED_TOLD: i32 = 363;

/// Something happened to a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// To which.
    pub domain: Domain,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It was started, stopped…: `virDomainEventType` and its detail.
    Lifecycle(i32, i32),
    /// The dirty pages were collected for this time.
    Iteration(i32),
    /// Its job is done, with these last figures.
    JobCompleted(Parameters),
}

/// Reads an event; `None` is one that was not asked for. All begin with the number of their registration.
pub fn parse(procedure: i32, body: &[u8]) -> Result<Option<Notice>, ProtocolError> {
    if !matches!(procedure, LIFECYCLE_TOLD | ITERATION_TOLD | JOB_COMPLETED_TOLD) {
        return Ok(None);
    }
    let mut reader = Reader::new(body);
    reader.int()?;
    let domain = Domain::read(&mut reader)?;
    let what = match procedure {
        LIFECYCLE_TOLD => What::Lifecycle(reader.int()?, reader.int()?),
        ITERATION_TOLD => What::Iteration(reader.int()?),
        _ => What::JobCompleted(reader.parameters()?),
    };
    Ok(Some(Notice { domain, what }))
}

#[cfg(test)]
mod tests {
    use super::{parse, Domain, Notice, What, ITERATION_TOLD, JOB_COMPLETED_TOLD, LIFECYCLE_TOLD};
    use crate::source::transport::libvirt::xdr::Writer;
    use proptest::collection;
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn arbitrary_events_never_panic(bytes in collection::vec(any::<u8>(), 0..200)) {
            for procedure in [LIFECYCLE_TOLD, ITERATION_TOLD, JOB_COMPLETED_TOLD, 0] {
                let _ = parse(procedure, &bytes);
            }
        }
    }

    #[test]
    fn a_lifecycle_event_reads() {
        let domain = Domain { name: "vm".into(), uuid: [7; 16], id: 3 };
        let body = domain.write(Writer::default().int(1)).int(5).int(3).finish();
        assert_eq!(parse(LIFECYCLE_TOLD, &body), Ok(Some(Notice { domain, what: What::Lifecycle(5, 3) })));
    }
}
