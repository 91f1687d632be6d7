//! Messages in a stream of bytes: a header of 28 bytes, whose first word is the length of it all, then the body.

use super::xdr::{Reader, Writer};
use super::ProtocolError;

/// The program of libvirt's calls (`REMOTE_PROGRAM`).
pub const REMOTE: u32 = 0x2000_8086;
/// The program that asks whether the other side lives (`KEEPALIVE_PROGRAM`).
pub const KEEPALIVE: u32 = 0x6b65_6570;
/// Both programs' only version.
const VERSION: u32 = 1;

/// `VIR_NET_CALL`.
pub const CALL: i32 = 0;
/// `VIR_NET_REPLY`.
pub const REPLY: i32 = 1;
/// `VIR_NET_MESSAGE`: events, and all of keepalive.
pub const MESSAGE: i32 = 2;

/// Length and header.
const HEADER: usize = 28;
/// Longest message that is accepted. libvirt sends up to 32 MiB, but not of what we ask: a domain takes less than 100
/// bytes in a list, and lists end at 16,384.
const LONGEST: usize = 4 << 20;

/// A message's header without its length (`virNetMessageHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`REMOTE`] or [`KEEPALIVE`].
    pub program: u32,
    /// What is called, answered or told.
    pub procedure: i32,
    /// [`CALL`], [`REPLY`] or [`MESSAGE`]; others are for streams.
    pub kind: i32,
    /// The call's number, repeated in its answer.
    pub serial: u32,
    /// 0: well; 1: the body is an error.
    pub status: i32,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// What follows it.
    pub body: Vec<u8>,
}

/// A message's bytes.
pub fn encode(header: Header, body: &[u8]) -> Vec<u8> {
    Writer::default()
        .uint((HEADER + body.len()) as u32)
        .uint(header.program)
        .uint(VERSION)
        .int(header.procedure)
        .int(header.kind)
        .uint(header.serial)
        .int(header.status)
        .fixed(body)
        .finish()
}

/// Puts messages together from the pieces in which a stream brings them.
#[derive(Debug, Default)]
pub struct Assembler {
    buffer: Vec<u8>,
}

impl Assembler {
    /// Adds what came, and gives the messages that are complete.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Vec<Message>, ProtocolError> {
        self.buffer.extend(bytes);
        let (mut messages, mut start) = (Vec::new(), 0);
        while let Some((message, length)) = first(&self.buffer[start..])? {
            messages.push(message);
            start += length;
        }
        self.buffer.drain(..start);
        Ok(messages)
    }
}

/// The first message and its length, if it is there as a whole. Its header is judged as soon as it is there.
fn first(bytes: &[u8]) -> Result<Option<(Message, usize)>, ProtocolError> {
    let Some(head) = bytes.get(..HEADER) else { return Ok(None) };
    let mut reader = Reader::new(head);
    let (told, program, version) = (reader.uint()?, reader.uint()?, reader.uint()?);
    let length = told as usize;
    if !(HEADER..=LONGEST).contains(&length) {
        return Err(ProtocolError::Length(told));
    }
    if version != VERSION || !matches!(program, REMOTE | KEEPALIVE) {
        return Err(ProtocolError::Program { program, version });
    }
    let header = Header {
        program,
        procedure: reader.int()?,
        kind: reader.int()?,
        serial: reader.uint()?,
        status: reader.int()?,
    };
    Ok(bytes.get(HEADER..length).map(|body| (Message { header, body: body.to_vec() }, length)))
}

#[cfg(test)]
mod tests {
    use super::{encode, Assembler, Header, Message, HEADER, LONGEST, REMOTE};
    use crate::source::transport::libvirt::ProtocolError;
    use proptest::prelude::{any, proptest, Strategy};
    use proptest::{collection, prop_assert_eq};

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let header = (any::<i32>(), any::<i32>(), any::<u32>(), any::<i32>());
        let message = (header, collection::vec(any::<u8>(), 0..40)).prop_map(
            |((procedure, kind, serial, status), body)| Message {
                header: Header { program: REMOTE, procedure, kind, serial, status },
                body,
            },
        );
        collection::vec(message, 0..8)
    }

    proptest! {
        #[test]
        fn messages_come_back_however_the_stream_is_cut(list in messages(), piece in 1usize..50) {
            let bytes: Vec<u8> = list.iter().flat_map(|message| encode(message.header, &message.body)).collect();
            let mut assembler = Assembler::default();
            let mut found = Vec::new();
            for part in bytes.chunks(piece) {
                found.extend(assembler.add(part).unwrap());
            }
            prop_assert_eq!(found, list);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in collection::vec(any::<u8>(), 0..200), length in 0u32..100) {
            let _ = Assembler::default().add(&bytes);
            let mut plausible = length.to_be_bytes().to_vec();
            plausible.extend(REMOTE.to_be_bytes());
            plausible.extend(1u32.to_be_bytes());
            plausible.extend(&bytes);
            let _ = Assembler::default().add(&plausible);
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_at_the_header() {
        let header = Header { program: REMOTE, procedure: 1, kind: 1, serial: 0, status: 0 };
        for length in [0, HEADER as u32 - 1, LONGEST as u32 + 1, u32::MAX] {
            let mut bytes = encode(header, &[]);
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Assembler::default().add(&bytes), Err(ProtocolError::Length(length)));
        }
        let text = Assembler::default().add(b"\0\0\0\x40HTTP/1.1 400 Bad Request\r\n\r\n");
        assert!(matches!(text, Err(ProtocolError::Program { .. })), "{text:?}");
    }
}
