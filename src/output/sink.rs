//! Where an exposition's text goes: the trait that its writer speaks to, and the sink for plain text.
//!
//! A sink is told the structure of a body (these rows, this column, that value) instead of finished lines, because
//! that is what makes compressing as cheap as rendering (`gzip`).

use super::line::{Lines, Value};
use crate::sample::subject::Subjects;
use std::sync::Arc;

/// How many bytes make a chunk worth sending; a chunk's buffer starts with room for it and one long line.
pub const CHUNK: usize = 64 << 10;

/// Takes one body's text, in order.
///
/// A family is `text` (its HELP and TYPE lines), then for each of its columns `column` and one `integer` or `float`
/// for each row that has a value. `rows` comes before the first column that is about these rows.
pub trait Sink {
    /// Text that is written once, with its line feeds.
    fn text(&mut self, text: &str);

    /// The lines that follow are about these subjects. Costs something for each row unless they are the same
    /// (`Arc`) as before, so it is for a block and not for a column.
    fn rows(&mut self, subjects: &Arc<Subjects>);

    /// The lines that follow are `prefix`, the row's labels, `tail`, the value: `miglink_x{` and `} `, or
    /// `miglink_x{` and `,ring="rx"} `, or for a row without labels `miglink_x ` and nothing.
    fn column(&mut self, prefix: &str, tail: &str);

    /// A line with an integer. Rows in rising order cost the least; skipping some is a little dearer.
    ///
    /// # Panics
    /// If `row` is not one of the exported rows.
    fn integer(&mut self, row: usize, value: u64);

    /// A line with a float: `+Inf`, `-Inf`, `NaN`, otherwise the shortest text that reads back as the same float.
    ///
    /// # Panics
    /// If `row` is not one of the exported rows.
    fn float(&mut self, row: usize, value: f64);

    /// How many bytes `take` would give.
    fn ready(&self) -> usize;

    /// Moves out the bytes that can be sent already, so that a large body never stands in memory at once.
    fn take(&mut self) -> Vec<u8>;

    /// Ends the body and gives its last bytes.
    fn finish(self) -> Vec<u8>
    where
        Self: Sized;
}

/// The text as it is.
#[derive(Debug)]
pub struct Plain {
    out: Vec<u8>,
    lines: Lines,
    value: Value,
}

impl Default for Plain {
    fn default() -> Self {
        Self { out: chunk(), lines: Lines::default(), value: Value::default() }
    }
}

impl Sink for Plain {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn rows(&mut self, subjects: &Arc<Subjects>) {
        self.lines.rows(subjects);
    }

    fn column(&mut self, prefix: &str, tail: &str) {
        self.lines.column(prefix, tail);
    }

    #[inline]
    fn integer(&mut self, row: usize, value: u64) {
        self.value.set_integer(value);
        self.lines.append(row, &self.value, &mut self.out);
    }

    #[inline]
    fn float(&mut self, row: usize, value: f64) {
        self.value.set_float(value);
        self.lines.append(row, &self.value, &mut self.out);
    }

    fn ready(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.out, chunk())
    }

    fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// An empty buffer for the next chunk.
fn chunk() -> Vec<u8> {
    Vec::with_capacity(CHUNK + CHUNK / 8)
}

#[cfg(test)]
mod tests {
    use super::{Plain, Sink};
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use std::sync::Arc;

    #[test]
    fn a_body_reads_as_the_text_format_wants_it() {
        let mut list = SubjectsBuilder::default();
        list.row(1).label("device", "eth0");
        list.row(2).label("device", "a \"quoted\" one");
        let mut sink = Plain::default();
        sink.text("# TYPE miglink_x gauge\n");
        sink.rows(&Arc::new(list.build()));
        sink.column("miglink_x{", "} ");
        sink.integer(0, 0);
        sink.integer(1, u64::MAX);
        sink.column("miglink_y{", ",ring=\"rx\"} ");
        sink.float(1, 0.1);
        sink.rows(&Subjects::host());
        sink.column("miglink_z ", "");
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 3.0, -0.0, 1e300, 1.5e-9] {
            sink.float(0, value);
        }
        let text = String::from_utf8(sink.finish()).unwrap();
        insta::assert_snapshot!(text, @r#"
        # TYPE miglink_x gauge
        miglink_x{device="eth0"} 0
        miglink_x{device="a \"quoted\" one"} 18446744073709551615
        miglink_y{device="a \"quoted\" one",ring="rx"} 0.1
        miglink_z +Inf
        miglink_z -Inf
        miglink_z NaN
        miglink_z 3
        miglink_z -0
        miglink_z 1e300
        miglink_z 1.5e-9
        "#);
    }

    #[test]
    fn what_was_taken_is_gone() {
        let mut sink = Plain::default();
        sink.text("one\n");
        assert_eq!((sink.ready(), sink.take()), (4, b"one\n".to_vec()));
        sink.text("two\n");
        assert_eq!(sink.finish(), b"two\n");
    }
}
