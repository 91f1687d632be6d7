//! What a table's columns mean, told in full in every file: a recording can be read without the program that made it.

use super::coder::{Decoder, Encoder, Number, Wire};
use super::text::Texts;
use crate::sample::metric::{Column, Form, Kind, Metric, Unit, Width};
use std::sync::{Mutex, PoisonError};

/// A table has at most so many columns.
const MOST_COLUMNS: usize = 4096;
/// So many different tables and words may come out of recordings in one process's life: they are never given back.
const MOST_SCHEMAS: usize = 4096;
const MOST_WORDS: usize = 65_536;

const KINDS: [Kind; 3] = [Kind::Counter, Kind::Gauge, Kind::Info];
const UNITS: [Unit; 5] = [Unit::None, Unit::Bytes, Unit::Seconds, Unit::BytesPerSecond, Unit::Ratio];

/// One source's table.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The source's name.
    pub source: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
            && (std::ptr::eq(self.columns, other.columns) || self.columns == other.columns)
    }
}

/// The tables that a file describes, each with its mark: the check sum of its description. So a description that is lost in
/// one file can be taken from another.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    list: Vec<(u32, Schema)>,
}

impl Schemas {
    /// A table's mark, if it is described.
    pub fn mark(&self, schema: Schema) -> Option<u32> {
        self.list.iter().find(|(_, known)| *known == schema).map(|(mark, _)| *mark)
    }

    /// The table of a mark.
    pub fn get(&self, mark: u32) -> Option<Schema> {
        self.list.iter().find(|(known, _)| *known == mark).map(|(_, schema)| *schema)
    }

    /// Takes in a table and its description.
    pub fn add(&mut self, schema: Schema, described: &[u8]) {
        let mark = crc32fast::hash(described);
        if self.get(mark).is_none() && self.list.len() < MOST_SCHEMAS {
            self.list.push((mark, schema));
        }
    }
}

static WORDS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
static SCHEMAS: Mutex<Vec<Schema>> = Mutex::new(Vec::new());

/// A word that stays; `None` if there are too many.
pub fn word(text: &str) -> Option<&'static str> {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    match words.binary_search(&text) {
        Ok(at) => Some(words[at]),
        Err(_) if words.len() >= MOST_WORDS => None,
        Err(at) => {
            words.insert(at, Box::leak(text.into()));
            Some(words[at])
        }
    }
}

#[derive(Default)]
struct Known {
    count: Number,
    code: Number,
    texts: Texts,
}

impl Known {
    fn column(&mut self, wire: &mut impl Wire, column: &Column, before: &Metric) -> Told {
        let Metric { name, help, kind, unit, form, width } = column.metric;
        let code =
            |known: &mut Number, wire: &mut _, value: usize| Wire::number(wire, known, value as u64) as usize;
        let name = self.texts.text(wire, name, before.name);
        let help = self.texts.text(wire, help, before.help);
        let kind = code(&mut self.code, wire, KINDS.iter().position(|known| known == kind).unwrap_or(0));
        let unit = code(&mut self.code, wire, UNITS.iter().position(|known| known == unit).unwrap_or(0));
        let form = code(&mut self.code, wire, usize::from(*form == Form::Float));
        let width = code(&mut self.code, wire, usize::from(*width == Width::Bits32));
        let label = column.label.unwrap_or_default();
        let has_label = code(&mut self.code, wire, usize::from(column.label.is_some())) == 1;
        let label =
            has_label.then(|| (self.texts.text(wire, label.0, ""), self.texts.text(wire, label.1, "")));
        Told { name, help, kind, unit, form, width, label }
    }
}

/// A column as it was told, before its words are known to stay.
struct Told {
    name: String,
    help: String,
    kind: usize,
    unit: usize,
    form: usize,
    width: usize,
    label: Option<(String, String)>,
}

impl Told {
    fn metric(&self) -> Option<Metric> {
        Some(Metric {
            name: word(&self.name)?,
            help: word(&self.help)?,
            // What a later version knows beyond these reads as a plain gauge.
            kind: KINDS.get(self.kind).copied().unwrap_or(Kind::Gauge),
            unit: UNITS.get(self.unit).copied().unwrap_or(Unit::None),
            form: if self.form == 1 { Form::Float } else { Form::Integer },
            width: if self.width == 1 { Width::Bits32 } else { Width::Bits64 },
        })
    }
}

const BLANK: Metric = Metric::gauge("", "", Unit::None);
static NOTHING: Metric = BLANK;

/// A table's meaning in bytes.
pub fn write(schema: Schema) -> Vec<u8> {
    let (mut wire, mut known, mut out) = (Encoder::default(), Known::default(), Vec::new());
    known.texts.text(&mut wire, schema.source, "");
    wire.number(&mut known.count, schema.columns.len() as u64);
    let mut before = &NOTHING;
    for column in schema.columns {
        known.column(&mut wire, column, before);
        before = column.metric;
    }
    wire.finish(&mut out);
    out
}

/// Reads what `write` tells; `None` if it does not read as that.
pub fn read(bytes: &[u8]) -> Option<Schema> {
    let (mut wire, mut known) = (Decoder::new(bytes)?, Known::default());
    let source = known.texts.text(&mut wire, "", "");
    let count = wire.count(&mut known.count, 0, MOST_COLUMNS);
    let mut columns: Vec<Told> = Vec::new();
    let blank = Column { metric: &NOTHING, label: None };
    for _ in 0..count {
        let before = columns.last().and_then(Told::metric).unwrap_or(BLANK);
        columns.push(known.column(&mut wire, &blank, &before));
        if !wire.is_sound() {
            return None;
        }
    }
    let source = word(&source)?;
    let metrics: Vec<Metric> = columns.iter().map(Told::metric).collect::<Option<_>>()?;
    stay(source, &metrics, &columns)
}

/// The table that stays of one that was read; the same one each time.
fn stay(source: &'static str, metrics: &[Metric], told: &[Told]) -> Option<Schema> {
    let label = |told: &Told| match &told.label {
        Some((name, value)) => Some(Some((word(name)?, word(value)?))),
        None => Some(None),
    };
    let labels: Vec<_> = told.iter().map(label).collect::<Option<_>>()?;
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |known: &&Schema| {
        known.source == source
            && known.columns.len() == metrics.len()
            && known
                .columns
                .iter()
                .zip(metrics.iter().zip(&labels))
                .all(|(column, (metric, label))| column.metric == metric && column.label == *label)
    };
    if let Some(known) = schemas.iter().find(is_it) {
        return Some(*known);
    }
    if schemas.len() >= MOST_SCHEMAS {
        return None;
    }
    let mut columns: Vec<Column> = Vec::with_capacity(metrics.len());
    for (metric, label) in metrics.iter().zip(labels) {
        // Columns of one metric share it.
        let metric = match columns.last() {
            Some(before) if before.metric == metric => before.metric,
            _ => {
                let Metric { name, help, kind, unit, form, width } = *metric;
                Box::leak(Box::new(Metric { name, help, kind, unit, form, width }))
            }
        };
        columns.push(Column { metric, label });
    }
    schemas.push(Schema { source, columns: Vec::leak(columns) });
    schemas.last().copied()
}

#[cfg(test)]
mod tests {
    use super::{read, write, Schema};
    use crate::sample::metric::{Column, Metric, Unit};
    use proptest::prelude::{any, proptest};

    static BYTES: Metric = Metric::counter("a_bytes_total", "Bytes.", Unit::Bytes).wraps_at_32_bits();
    static RATIO: Metric = Metric::gauge("a_ratio", "A ratio.", Unit::Ratio).float();
    static COLUMNS: [Column; 3] =
        [Column::labelled(&BYTES, "ring", "rx"), Column::labelled(&BYTES, "ring", "tx"), Column::of(&RATIO)];

    #[test]
    fn tables_come_back_and_stay_once() {
        let schema = Schema { source: "test", columns: &COLUMNS };
        let bytes = write(schema);
        let (first, second) = (read(&bytes).unwrap(), read(&bytes).unwrap());
        assert_eq!((first, first.source), (schema, "test"));
        assert!(std::ptr::eq(first.columns, second.columns));
        assert!(std::ptr::eq(first.columns[0].metric, first.columns[1].metric));
        assert!(read(&bytes[..bytes.len() / 2]).is_none_or(|cut| cut != schema));
    }

    proptest! {
        #[test]
        fn rubbish_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            read(&bytes);
        }
    }
}
