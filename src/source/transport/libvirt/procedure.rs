//! The procedures that a monitor calls: how they are asked, and what their answers mean. None of them takes a lock
//! on a domain that is being received; `MAX_DOWNTIME` would and is for the source of a migration only.

use super::xdr::{Parameters, Reader, Writer};
use super::ProtocolError;

/// `REMOTE_PROC_CONNECT_OPEN`.
pub const OPEN: i32 = 1;
/// `REMOTE_PROC_AUTH_LIST`.
pub const AUTH_LIST: i32 = 66;
/// `REMOTE_PROC_AUTH_POLKIT`.
pub const AUTH_POLKIT: i32 = 70;
/// `REMOTE_PROC_DOMAIN_GET_STATE`.
pub const STATE: i32 = 212;
/// `REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS`.
pub const LIST_DOMAINS: i32 = 273;
/// `REMOTE_PROC_DOMAIN_GET_JOB_STATS`.
pub const JOB_STATS: i32 = 298;
/// `REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY`.
pub const REGISTER: i32 = 316;
/// `REMOTE_PROC_DOMAIN_MIGRATE_GET_MAX_DOWNTIME`: takes the domain's job lock, so on a domain that is being received
/// it hangs for 30 s.
pub const MAX_DOWNTIME: i32 = 387;

/// `REMOTE_AUTH_NONE`.
pub const AUTH_NONE: i32 = 0;
/// `REMOTE_AUTH_POLKIT`.
pub const AUTH_WITH_POLKIT: i32 = 2;

/// A domain's UUID as libvirt sends it.
pub type Uuid = [u8; 16];

/// A domain (`remote_nonnull_domain`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: Uuid,
    /// Its number while it runs, -1 when it does not.
    pub id: i32,
}

impl Domain {
    /// Lower case, with hyphens.
    pub fn uuid_text(&self) -> String {
        let mut text = String::with_capacity(36);
        for (at, byte) in self.uuid.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        text
    }

    /// From a message.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(Self { name: reader.string()?, uuid: reader.fixed()?, id: reader.int()? })
    }

    /// Into a message.
    #[must_use]
    pub fn write(&self, writer: Writer) -> Writer {
        writer.string(&self.name).fixed(&self.uuid).int(self.id)
    }
}

/// The last record of a finished job, without taking it away from others: `VIR_DOMAIN_JOB_STATS_COMPLETED` and
/// `VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED`.
const KEPT_RECORD: u32 = 3;
/// `VIR_CONNECT_RO`.
const READ_ONLY: u32 = 1;
/// `VIR_CONNECT_LIST_DOMAINS_ACTIVE`.
const ACTIVE: u32 = 1;

/// [`OPEN`] of the system's QEMU driver, read-only.
pub fn open() -> Vec<u8> {
    Writer::default().uint(1).string("qemu:///system").uint(READ_ONLY).finish()
}

/// [`LIST_DOMAINS`] of those that run.
pub fn list_domains() -> Vec<u8> {
    Writer::default().int(1).uint(ACTIVE).finish()
}

/// [`JOB_STATS`] of the job that goes on, or of the last one that is done.
pub fn job_stats(domain: &Domain, of_last: bool) -> Vec<u8> {
    domain.write(Writer::default()).uint(if of_last { KEPT_RECORD } else { 0 }).finish()
}

/// [`STATE`] and [`MAX_DOWNTIME`].
pub fn of_domain(domain: &Domain) -> Vec<u8> {
    domain.write(Writer::default()).uint(0).finish()
}

/// [`REGISTER`] for an event of all domains.
pub fn register(event: i32) -> Vec<u8> {
    Writer::default().int(event).uint(0).finish()
}

/// The answer to [`AUTH_LIST`].
pub fn auth_types(body: &[u8]) -> Result<Vec<i32>, ProtocolError> {
    Reader::new(body).list(4, Reader::int)
}

/// The answer to [`LIST_DOMAINS`].
pub fn domains(body: &[u8]) -> Result<Vec<Domain>, ProtocolError> {
    Reader::new(body).list(24, Domain::read)
}

/// What a domain is busy with: the answer to [`JOB_STATS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// `virDomainJobType`: 0 none, 1 and 2 it goes on, 3 completed, 4 failed, 5 cancelled.
    pub kind: i32,
    /// `VIR_DOMAIN_JOB_*`. Every one may be missing.
    pub parameters: Parameters,
}

/// The answer to [`JOB_STATS`].
pub fn job(body: &[u8]) -> Result<Job, ProtocolError> {
    let mut reader = Reader::new(body);
    Ok(Job { kind: reader.int()?, parameters: reader.parameters()? })
}

/// The answer to [`STATE`]: `virDomainState` and its reason.
pub fn state(body: &[u8]) -> Result<(i32, i32), ProtocolError> {
    let mut reader = Reader::new(body);
    Ok((reader.int()?, reader.int()?))
}

/// The answer to [`MAX_DOWNTIME`]: milliseconds.
pub fn max_downtime(body: &[u8]) -> Result<u64, ProtocolError> {
    Reader::new(body).hyper()
}

/// libvirt said no (`remote_error`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `virErrorNumber`.
    pub code: i32,
    /// For people.
    pub message: String,
}

/// An answer whose status is not 0.
pub fn refusal(body: &[u8]) -> Result<Refusal, ProtocolError> {
    let mut reader = Reader::new(body);
    let (code, _part) = (reader.int()?, reader.int()?);
    Ok(Refusal { code, message: reader.optional_string()?.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::{domains, job, refusal, state, Domain, Reader, Writer};
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    proptest! {
        #[test]
        fn domains_come_back(name in ".{0,40}", uuid in any::<[u8; 16]>(), id in any::<i32>()) {
            let domain = Domain { name, uuid, id };
            let bytes = domain.write(Writer::default()).finish();
            prop_assert_eq!(Domain::read(&mut Reader::new(&bytes)), Ok(domain));
        }

        #[test]
        fn arbitrary_answers_never_panic(bytes in collection::vec(any::<u8>(), 0..200)) {
            let _ = (domains(&bytes), job(&bytes), state(&bytes), refusal(&bytes));
        }
    }

    #[test]
    fn uuids_are_written_as_libvirt_does() {
        let uuid = *b"\xaa\xaa\xaa\xaa\0\0\x40\0\x80\0\0\0\0\0\0\x01";
        let domain = Domain { name: "vm".into(), uuid, id: 1 };
        assert_eq!(domain.uuid_text(), "aaaaaaaa-0000-4000-8000-000000000001");
    }
}
