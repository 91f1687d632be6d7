//! Netlink messages as bytes: a walk over what the kernel sent, and requests to send it. Pure.

use netlink_packet_core::NlasIterator;

/// `NLM_F_REQUEST` (include/uapi/linux/netlink.h).
pub const REQUEST: u16 = 0x1;
/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile.
pub const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLMSG_ERROR`.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub const DONE: u16 = 3;
/// `NLA_F_NESTED`.
pub const NESTED: u16 = 0x8000;

const HEADER: usize = 16;

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The error number of an `ERROR` or `DONE` message; 0 is an acknowledgement.
    pub fn error_number(&self) -> i32 {
        self.payload.first_chunk().map_or(0, |bytes| -i32::from_ne_bytes(*bytes))
    }
}

/// The messages of a datagram. A message that claims more bytes than there are ends the walk with `None`.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Option<Message<'_>>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let Some((message, rest)) = split_message(datagram) else {
            datagram = &[];
            return Some(None);
        };
        datagram = rest;
        Some(Some(message))
    })
}

fn split_message(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let payload = bytes.get(HEADER..length)?;
    let kind_and_flags = u32_at(bytes, 4)?.to_ne_bytes();
    let message = Message {
        kind: u16::from_ne_bytes([kind_and_flags[0], kind_and_flags[1]]),
        flags: u16::from_ne_bytes([kind_and_flags[2], kind_and_flags[3]]),
        sequence: u32_at(bytes, 8)?,
        payload,
    };
    Some((message, bytes.get(align(length)..).unwrap_or(&[])))
}

/// One attribute of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// `nla_type` without its flags.
    pub kind: u16,
    /// What it holds.
    pub value: &'a [u8],
    /// Header and value, for the parsers of netlink-packet-route.
    pub whole: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attributes inside this one.
    pub fn nested(&self) -> impl Iterator<Item = Attribute<'a>> {
        attributes(self.value, 0)
    }

    /// The number that it holds.
    pub fn unsigned(&self) -> Option<u64> {
        unsigned(self.value)
    }

    /// The text that it holds.
    pub fn text(&self) -> String {
        text(self.value)
    }
}

/// The attributes after a fixed header of `skip` bytes. A malformed tail is left out.
pub fn attributes(payload: &[u8], skip: usize) -> impl Iterator<Item = Attribute<'_>> {
    NlasIterator::new(payload.get(align(skip)..).unwrap_or(&[])).map_while(Result::ok).filter_map(|found| {
        let (kind, length) = (found.kind(), found.length() as usize);
        let whole = found.into_inner().get(..length)?;
        Some(Attribute { kind, value: whole.get(4..)?, whole })
    })
}

/// A `u32` at an offset, in the machine's byte order.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// A `u64` at an offset, in the machine's byte order.
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// A text attribute up to its terminating zero.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// An unsigned attribute of 1, 2, 4 or 8 bytes.
pub fn unsigned(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        1 => Some(u64::from(bytes[0])),
        2 => Some(u64::from(u16::from_ne_bytes(*bytes.first_chunk()?))),
        4 => u32_at(bytes, 0).map(u64::from),
        8 => u64_at(bytes, 0),
        _ => None,
    }
}

/// Bytes up to the next multiple of four, as netlink aligns everything.
pub const fn align(length: usize) -> usize {
    (length + 3) & !3
}

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// Begins a request with the family's fixed header.
    pub fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(header);
        let mut request = Self { bytes };
        request.close(0);
        request
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.close(0);
        self
    }

    /// Adds an attribute that holds attributes.
    #[must_use]
    pub fn with_nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let mut request = fill(self);
        let length = (request.bytes.len() - start) as u16;
        request.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        request.bytes[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        request
    }

    /// The bytes to send, with this sequence number.
    pub fn bytes(&mut self, sequence: u32) -> &[u8] {
        self.close(sequence);
        &self.bytes
    }

    fn close(&mut self, sequence: u32) {
        self.bytes.resize(align(self.bytes.len()), 0);
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{attributes, messages, u32_at, Request, DUMP, NESTED};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn a_request_reads_as_it_was_built() {
        let mut request = Request::new(94, DUMP, &[1, 0, 0, 0])
            .with(3, b"eth0\0")
            .with_nested(5, |inner| inner.with(1, &7u32.to_ne_bytes()).with(2, &[9]));
        let bytes = request.bytes(42).to_vec();
        let message = messages(&bytes).next().flatten().expect("one message");
        assert_eq!((message.kind, message.flags, message.sequence), (94, DUMP | 1, 42));
        let attributes: Vec<_> = attributes(message.payload, 4).collect();
        assert_eq!((attributes[0].kind, attributes[0].text()), (3, "eth0".into()));
        let inner: Vec<_> = attributes[1].nested().map(|a| (a.kind, a.unsigned())).collect();
        assert_eq!(inner, [(1, Some(7)), (2, Some(9))]);
        assert_eq!(u32_at(&bytes, 0), Some(bytes.len() as u32));
        assert_eq!(bytes[34..36], (5u16 | NESTED).to_ne_bytes());
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for message in messages(&bytes).flatten() {
                prop_assert!(message.payload.len() <= bytes.len());
                for attribute in attributes(message.payload, 12) {
                    prop_assert!(attribute.value.len() < bytes.len());
                    prop_assert!(attribute.nested().count() <= bytes.len());
                }
            }
        }

        #[test]
        fn a_cut_message_is_never_taken_for_a_whole_one(cut in 1usize..28) {
            let mut request = Request::new(1, 0, &[0; 4]).with(1, &[1, 2, 3, 4]);
            let bytes = request.bytes(1).to_vec();
            let short = &bytes[..bytes.len() - cut.min(bytes.len())];
            prop_assert_eq!(messages(short).flatten().count(), 0);
        }
    }
}
