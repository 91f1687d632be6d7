//! Generic netlink: the number behind a family's name, and requests to a family.

use super::message::{attributes, Attribute, Request};
use super::netlink::{NetlinkError, Session};

/// `GENL_ID_CTRL` (include/uapi/linux/genetlink.h), the one family whose number is fixed.
const CONTROLLER: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// `sizeof(struct genlmsghdr)`: command, version, two reserved bytes.
const HEADER: usize = 4;

/// A family that the running kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    id: u16,
}

impl Family {
    /// Asks the kernel for a family; `NetlinkError::Kernel(ENOENT)` if it has none of that name.
    pub fn resolve(session: &mut Session, name: &str) -> Result<Self, NetlinkError> {
        let mut name = name.as_bytes().to_vec();
        name.push(0);
        let mut request =
            Request::new(CONTROLLER, 0, &header(CTRL_CMD_GETFAMILY)).with(CTRL_ATTR_FAMILY_NAME, &name);
        let mut id = None;
        session.ask(&mut request, |message| id = parse(message.payload))?;
        id.map(|id| Self { id }).ok_or(NetlinkError::CutShort)
    }

    /// Begins a request to the family.
    pub fn request(self, command: u8, flags: u16) -> Request {
        Request::new(self.id, flags, &header(command))
    }
}

/// The attributes of a generic netlink message.
pub fn contents(payload: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    attributes(payload, HEADER)
}

fn header(command: u8) -> [u8; HEADER] {
    // Every family in use here is at version 1, and the kernel does not look at it.
    [command, 1, 0, 0]
}

/// The family's number from the payload of CTRL_CMD_NEWFAMILY.
fn parse(payload: &[u8]) -> Option<u16> {
    let id = contents(payload).find(|attribute| attribute.kind == CTRL_ATTR_FAMILY_ID)?.unsigned()?;
    u16::try_from(id).ok()
}

#[cfg(test)]
mod tests {
    use super::{Family, CONTROLLER};
    use crate::source::transport::netlink::{NetlinkError, Protocol, Session};
    use std::time::Duration;

    #[test]
    fn the_kernel_names_its_families() {
        let mut session = Session::open(Protocol::Generic, Duration::from_secs(2)).expect("a socket");
        let controller = Family::resolve(&mut session, "nlctrl").expect("every kernel has it");
        assert_eq!(controller.id, CONTROLLER);
        let error = Family::resolve(&mut session, "miglink-none").expect_err("no such family");
        assert!(matches!(error, NetlinkError::Kernel(libc::ENOENT)), "{error}");
    }

    #[test]
    fn an_answer_without_a_number_is_none() {
        assert_eq!(super::parse(&[1, 2, 0, 0]), None);
        assert_eq!(super::parse(&[]), None);
    }
}
