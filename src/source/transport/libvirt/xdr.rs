//! XDR (RFC 4506), as far as libvirt's messages need it. Reading never goes behind the end and never allocates more
//! than it was given.

use super::ProtocolError;

/// Most typed parameters in one answer; libvirt's own limits are below (`REMOTE_DOMAIN_JOB_STATS_MAX` is 64).
const MOST_PARAMETERS: u32 = 1024;

/// Writes values one behind the other.
#[derive(Debug, Default, Clone)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An `unsigned int`.
    #[must_use]
    pub fn uint(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// An `int`.
    #[must_use]
    pub fn int(self, value: i32) -> Self {
        self.uint(value.cast_unsigned())
    }

    /// An `unsigned hyper`.
    #[must_use]
    pub fn hyper(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Bytes of a length that both sides know, a multiple of four.
    #[must_use]
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A `string`: its length, its bytes, zeros up to a multiple of four.
    #[must_use]
    pub fn string(self, text: &str) -> Self {
        let mut written = self.uint(text.len() as u32);
        written.0.extend(text.as_bytes());
        written.0.resize(written.0.len().next_multiple_of(4), 0);
        written
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A typed parameter's value (`remote_typed_param_value`).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int`, `hyper` and `boolean`.
    Signed(i64),
    /// `unsigned int` and `unsigned hyper`.
    Unsigned(u64),
    /// `double`.
    Double(f64),
    /// `string`.
    Text(String),
}

/// Typed parameters, in the order in which they came.
pub type Parameters = Vec<(String, Value)>;

/// Reads values one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From the start of a message's body.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtocolError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(ProtocolError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Bytes of a length that both sides know.
    pub fn fixed<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], ProtocolError> {
        let (taken, rest) = self.0.split_first_chunk::<LENGTH>().ok_or(ProtocolError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// An `unsigned int`.
    pub fn uint(&mut self) -> Result<u32, ProtocolError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// An `int`.
    pub fn int(&mut self) -> Result<i32, ProtocolError> {
        self.fixed().map(i32::from_be_bytes)
    }

    /// An `unsigned hyper`.
    pub fn hyper(&mut self) -> Result<u64, ProtocolError> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A `string`. Names are written by people: what is not UTF-8 is replaced, not refused.
    pub fn string(&mut self) -> Result<String, ProtocolError> {
        let length = self.uint()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(length.next_multiple_of(4) - length)?;
        Ok(text)
    }

    /// A `string *`: one that may be missing.
    pub fn optional_string(&mut self) -> Result<Option<String>, ProtocolError> {
        if self.uint()? == 0 {
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// A list: its length, then its items. `smallest` is an item's least length in bytes: a list that cannot be in
    /// what is left is refused before anything is allocated for it.
    pub fn list<T>(
        &mut self,
        smallest: usize,
        item: impl Fn(&mut Self) -> Result<T, ProtocolError>,
    ) -> Result<Vec<T>, ProtocolError> {
        let count = self.uint()?;
        if (count as usize).saturating_mul(smallest) > self.0.len() {
            return Err(ProtocolError::Count(count));
        }
        (0..count).map(|_| item(self)).collect()
    }

    /// `remote_typed_param<>`.
    pub fn parameters(&mut self) -> Result<Parameters, ProtocolError> {
        let mut ahead = *self;
        let count = ahead.uint()?;
        if count > MOST_PARAMETERS {
            return Err(ProtocolError::Count(count));
        }
        self.list(12, |reader| Ok((reader.string()?, reader.value()?)))
    }

    /// The numbers of the types are `virTypedParameterType`.
    fn value(&mut self) -> Result<Value, ProtocolError> {
        Ok(match self.int()? {
            1 | 6 => Value::Signed(self.int()?.into()),
            2 => Value::Unsigned(self.uint()?.into()),
            3 => Value::Signed(self.hyper()?.cast_signed()),
            4 => Value::Unsigned(self.hyper()?),
            5 => Value::Double(f64::from_bits(self.hyper()?)),
            7 => Value::Text(self.string()?),
            other => return Err(ProtocolError::Type(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Reader, Value, Writer};
    use crate::source::transport::libvirt::ProtocolError;
    use proptest::prelude::{any, prop_oneof, proptest, Strategy};
    use proptest::{collection, prop_assert, prop_assert_eq};

    fn write(parameters: &Parameters) -> Vec<u8> {
        let start = Writer::default().uint(parameters.len() as u32);
        let written = parameters.iter().fold(start, |writer, (name, value)| {
            let named = writer.string(name);
            match value {
                Value::Signed(number) => named.int(3).hyper(number.cast_unsigned()),
                Value::Unsigned(number) => named.int(4).hyper(*number),
                Value::Double(number) => named.int(5).hyper(number.to_bits()),
                Value::Text(text) => named.int(7).string(text),
            }
        });
        written.finish()
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Signed),
            any::<u64>().prop_map(Value::Unsigned),
            (-1e300..1e300f64).prop_map(Value::Double),
            ".{0,20}".prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn parameters_come_back(list in collection::vec((".{0,20}", values()), 0..20)) {
            let bytes = write(&list);
            prop_assert_eq!(bytes.len() % 4, 0);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.parameters(), Ok(list));
            prop_assert!(reader.uint().is_err(), "all is read");
        }

        #[test]
        fn a_cut_message_is_short_or_counts_too_much(list in collection::vec((".{0,9}", values()), 1..9), cut in 1usize..8) {
            let bytes = write(&list);
            prop_assert!(Reader::new(&bytes[..bytes.len() - cut]).parameters().is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in collection::vec(any::<u8>(), 0..300)) {
            let _ = Reader::new(&bytes).parameters();
            let _ = Reader::new(&bytes).string();
            let _ = Reader::new(&bytes).optional_string();
            let _ = Reader::new(&bytes).list(4, Reader::int);
        }
    }

    #[test]
    fn a_million_parameters_are_refused_before_memory_is_taken() {
        let bytes = Writer::default().uint(1_000_000).finish();
        assert_eq!(Reader::new(&bytes).parameters(), Err(ProtocolError::Count(1_000_000)));
        let bytes = Writer::default().uint(u32::MAX).finish();
        assert_eq!(Reader::new(&bytes).list(4, Reader::int), Err(ProtocolError::Count(u32::MAX)));
    }

    #[test]
    fn strings_end_at_a_multiple_of_four() {
        assert_eq!(Writer::default().string("abcde").finish(), b"\0\0\0\x05abcde\0\0\0");
        let bytes = Writer::default().string("abcde").int(-7).finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.string(), reader.int()), (Ok("abcde".into()), Ok(-7)));
    }
}
