//! The outermost layer of a file: what it is, and records one after the other, each with its length and check sum, so that a
//! torn end is cut and damage in the middle costs what it hit.

/// The first bytes of a file of frames: a name, and the format's version.
pub const MAGIC: [u8; 8] = *b"miglink\x01";
/// Bytes of a record before its payload.
pub const HEAD: usize = 16;
/// The two bytes that every record begins with.
const MARK: [u8; 2] = [0xf1, 0x1e];
/// No record is longer.
const LONGEST: u32 = 1 << 28;

/// What a record holds. Kinds that a reader does not know are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who writes this file, and since when (JSON).
    Opening,
    /// What the columns of a table mean.
    Schema,
    /// A tick that stands alone.
    Key,
    /// A tick, told by how it differs from the one before.
    Tick,
    /// The file was finished in order (JSON).
    Seal,
    /// Of a later version.
    Other,
}

const KINDS: [(u8, Kind); 5] =
    [(1, Kind::Opening), (2, Kind::Schema), (3, Kind::Key), (4, Kind::Tick), (5, Kind::Seal)];

/// A record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it holds.
    pub kind: Kind,
    /// Bytes of its payload.
    pub length: u32,
    /// Of a tick: milliseconds since the file's opening.
    pub time: u32,
    check: u32,
}

impl Head {
    /// Reads a head; `None` if there is none here.
    pub fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..2] != MARK || word(4) > LONGEST {
            return None;
        }
        let kind = KINDS.iter().find(|(code, _)| *code == bytes[2]).map_or(Kind::Other, |(_, kind)| *kind);
        Some(Self { kind, length: word(4), time: word(8), check: word(12) })
    }

    /// Whether a head and its payload are as they were written.
    pub fn is_sound(&self, bytes: &[u8; HEAD], payload: &[u8]) -> bool {
        check(&bytes[..12], payload) == self.check
    }
}

fn check(head: &[u8], payload: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(head);
    check.update(payload);
    check.finalize()
}

/// Adds a record behind `out`; `payload` writes what it holds.
pub fn add(out: &mut Vec<u8>, kind: Kind, time: u32, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let code = KINDS.iter().find(|(_, known)| *known == kind).map_or(0, |(code, _)| *code);
    out.extend_from_slice(&[MARK[0], MARK[1], code, 0]);
    out.extend_from_slice(&[0; HEAD - 4]);
    payload(out);
    let length = (out.len() - start - HEAD) as u32;
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    out[start + 8..start + 12].copy_from_slice(&time.to_le_bytes());
    let check = check(&out[start..start + 12], &out[start + HEAD..]);
    out[start + 12..start + HEAD].copy_from_slice(&check.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{add, Head, Kind, HEAD};

    #[test]
    fn any_flipped_bit_is_found() {
        let mut out = b"before".to_vec();
        add(&mut out, Kind::Key, 1234, |out| out.extend_from_slice(b"payload"));
        let record = out[6..].to_vec();
        let read = |bytes: &[u8]| {
            let head = bytes.first_chunk::<HEAD>()?;
            let read = Head::read(head)?;
            read.is_sound(head, bytes.get(HEAD..HEAD + read.length as usize)?).then_some(read)
        };
        let head = read(&record).unwrap();
        assert_eq!((head.kind, head.length, head.time), (Kind::Key, 7, 1234));
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&damaged), None, "bit {bit}");
        }
    }
}
