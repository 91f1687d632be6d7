//! A frame as Prometheus reads it: text 0.0.4, or OpenMetrics 1.0 when asked, piece by piece into a sink.
//!
//! Names, help, kinds and units come from the metrics themselves; nothing is repeated here.

use super::sink::Sink;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::frame::Frame;
use crate::sample::metric::{Column, Form, Kind, Metric, PREFIX};
use std::fmt::Write;
use std::sync::Arc;

/// Which of the two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of a body.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One column of one block.
#[derive(Debug, Clone, Copy)]
struct Piece {
    block: usize,
    column: usize,
    /// Its metric's name and help have been written already, by the column before it.
    goes_on: bool,
}

/// Writes a frame column by column, so that a body of 20 MB never stands in memory.
#[derive(Debug)]
pub struct Exposition {
    frame: Arc<Frame>,
    format: Format,
    pieces: Vec<Piece>,
    next: usize,
    head: String,
    /// Written after the blocks: families that are text already.
    tail: String,
}

impl Exposition {
    /// Begins a body of the blocks whose source is wanted, with `tail` (text 0.0.4 or OpenMetrics without its end
    /// mark) after them.
    pub fn new(frame: Arc<Frame>, format: Format, wanted: impl Fn(&str) -> bool, tail: String) -> Self {
        let pieces = pieces(&frame, wanted);
        Self { frame, format, pieces, next: 0, head: String::new(), tail }
    }

    /// Writes the next column; `false` once all is written.
    pub fn step(&mut self, sink: &mut impl Sink) -> bool {
        let Some(piece) = self.pieces.get(self.next).copied() else {
            sink.text(&self.tail);
            if self.format == Format::OpenMetrics {
                sink.text("# EOF\n");
            }
            return false;
        };
        self.next += 1;
        let block = &self.frame.blocks[piece.block];
        let column = &block.columns[piece.column];
        if !piece.goes_on {
            self.head.clear();
            write_head(&mut self.head, column.metric, self.format);
            sink.text(&self.head);
        }
        self.head.clear();
        let tail = write_line_parts(&mut self.head, column, block);
        sink.rows(&block.subjects);
        sink.column(&self.head[..tail], &self.head[tail..]);
        write_values(block, piece.column, column.metric.form, sink);
        true
    }

    /// Writes all of it; for small bodies and tests.
    pub fn write(mut self, mut sink: impl Sink) -> Vec<u8> {
        let mut body = Vec::new();
        while self.step(&mut sink) {
            body.append(&mut sink.take());
        }
        body.append(&mut sink.finish());
        body
    }
}

/// The columns to write. A metric without any value is left out whole: an absent series says more than an empty family.
fn pieces(frame: &Frame, wanted: impl Fn(&str) -> bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (at, block) in frame.blocks.iter().enumerate().filter(|(_, block)| wanted(block.source)) {
        let mut written: Option<&'static Metric> = None;
        for (column, of) in block.columns.iter().enumerate() {
            let exported = &block.column(column)[..block.subjects.exported()];
            if exported.iter().any(|bits| Cell::from_bits(*bits).is_value()) {
                pieces.push(Piece { block: at, column, goes_on: written == Some(of.metric) });
                written = Some(of.metric);
            }
        }
    }
    pieces
}

fn write_head(out: &mut String, metric: &Metric, format: Format) {
    let (name, help) = (metric.name, metric.help);
    let result = match format {
        Format::Text => {
            let kind = if metric.kind == Kind::Counter { "counter" } else { "gauge" };
            writeln!(out, "# HELP {PREFIX}{name} {}\n# TYPE {PREFIX}{name} {kind}", Escaped(help, false))
        }
        Format::OpenMetrics => {
            let (family, kind) = family(metric);
            let unit = metric.unit.suffix();
            let unit =
                if unit.is_empty() { String::new() } else { format!("# UNIT {PREFIX}{family} {unit}\n") };
            let help = Escaped(help, true);
            write!(out, "# TYPE {PREFIX}{family} {kind}\n{unit}# HELP {PREFIX}{family} {help}\n")
        }
    };
    debug_assert!(result.is_ok(), "writing to a String cannot fail");
}

/// OpenMetrics names a family without the suffix of its samples.
fn family(metric: &Metric) -> (&'static str, &'static str) {
    match metric.kind {
        Kind::Counter => (metric.name.strip_suffix("_total").unwrap_or(metric.name), "counter"),
        Kind::Info => (metric.name.strip_suffix("_info").unwrap_or(metric.name), "info"),
        Kind::Gauge => (metric.name, "gauge"),
    }
}

/// Writes what stands before and after a row's labels; gives the place between the two.
fn write_line_parts(out: &mut String, column: &Column, block: &Block) -> usize {
    out.push_str(PREFIX);
    out.push_str(column.metric.name);
    // The host's row has no labels; a list of rows has them in all rows or in none.
    let labelled = block.rows() > 0 && !block.subjects.labels(0).is_empty();
    match column.label {
        Some((name, value)) => {
            out.push('{');
            let tail = out.len();
            let comma = if labelled { "," } else { "" };
            let result = write!(out, "{comma}{name}=\"{value}\"}} ");
            debug_assert!(result.is_ok(), "writing to a String cannot fail");
            tail
        }
        None if labelled => {
            out.push_str("{} ");
            out.len() - 2
        }
        None => {
            out.push(' ');
            out.len()
        }
    }
}

fn write_values(block: &Block, column: usize, form: Form, sink: &mut impl Sink) {
    let cells = block.column(column)[..block.subjects.exported()].iter().map(|bits| Cell::from_bits(*bits));
    for (row, cell) in cells.enumerate().filter(|(_, cell)| cell.is_value()) {
        match form {
            Form::Integer => sink.integer(row, cell.bits()),
            Form::Float => sink.float(row, f64::from_bits(cell.bits())),
        }
    }
}

/// Help as the formats want it: both escape backslash and line feed, OpenMetrics the quote too.
struct Escaped<'a>(&'a str, bool);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '"' if self.1 => out.write_str("\\\"")?,
                other => out.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposition, Format};
    use crate::output::sink::Plain;
    use crate::sample::block::Block;
    use crate::sample::cell::{Cell, Gap};
    use crate::sample::frame::Frame;
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use std::sync::Arc;

    static BYTES: Metric = Metric::counter("link_receive_bytes_total", "Bytes \"in\".", Unit::Bytes);
    static RINGS: Metric = Metric::gauge("link_ring_entries", "Ring\\size.", Unit::None);
    static SHARE: Metric = Metric::gauge("busy_ratio", "Busy.", Unit::Ratio).float();
    static INFO: Metric = Metric::info("link_info", "A link.");
    static EMPTY: Metric = Metric::gauge("nothing", "Never read.", Unit::None);
    static LINKS: [Column; 5] = [
        Column::of(&BYTES),
        Column::labelled(&RINGS, "ring", "rx"),
        Column::labelled(&RINGS, "ring", "tx"),
        Column::of(&INFO),
        Column::of(&EMPTY),
    ];
    static HOST: [Column; 1] = [Column::of(&SHARE)];

    fn frame() -> Arc<Frame> {
        let mut rows = SubjectsBuilder::default();
        rows.row(1).label("device", "eth0");
        rows.row(2).label("device", "eth1");
        rows.hide_the_rest().row(3).label("device", "tap0");
        let mut links = Block::new("links", Monotonic::default(), &LINKS, Arc::new(rows.build()));
        let (gap, value) = (Cell::gap(Gap::Unsupported), Cell::integer);
        links.set_row(0, [value(10), value(256), value(512), value(1)]);
        links.set_row(1, [value(20), gap, value(128), value(1)]);
        links.set_row(2, [value(30), value(9), value(9), value(1)]);
        let host =
            Block::of_host("host", Monotonic::default(), &HOST, &Subjects::host(), vec![Cell::float(0.25)]);
        Arc::new(Frame { blocks: vec![Arc::new(links), Arc::new(host)], ..Frame::default() })
    }

    fn text(format: Format, wanted: impl Fn(&str) -> bool) -> String {
        let body = Exposition::new(frame(), format, wanted, "tail 1\n".into()).write(Plain::default());
        String::from_utf8(body).expect("text")
    }

    #[test]
    fn text_0_0_4() {
        insta::assert_snapshot!(text(Format::Text, |_| true), @r#"
        # HELP miglink_link_receive_bytes_total Bytes "in".
        # TYPE miglink_link_receive_bytes_total counter
        miglink_link_receive_bytes_total{device="eth0"} 10
        miglink_link_receive_bytes_total{device="eth1"} 20
        # HELP miglink_link_ring_entries Ring\\size.
        # TYPE miglink_link_ring_entries gauge
        miglink_link_ring_entries{device="eth0",ring="rx"} 256
        miglink_link_ring_entries{device="eth0",ring="tx"} 512
        miglink_link_ring_entries{device="eth1",ring="tx"} 128
        # HELP miglink_link_info A link.
        # TYPE miglink_link_info gauge
        miglink_link_info{device="eth0"} 1
        miglink_link_info{device="eth1"} 1
        # HELP miglink_busy_ratio Busy.
        # TYPE miglink_busy_ratio gauge
        miglink_busy_ratio 0.25
        tail 1
        "#);
    }

    #[test]
    fn openmetrics() {
        insta::assert_snapshot!(text(Format::OpenMetrics, |source| source == "links"), @r#"
        # TYPE miglink_link_receive_bytes counter
        # UNIT miglink_link_receive_bytes bytes
        # HELP miglink_link_receive_bytes Bytes \"in\".
        miglink_link_receive_bytes_total{device="eth0"} 10
        miglink_link_receive_bytes_total{device="eth1"} 20
        # TYPE miglink_link_ring_entries gauge
        # HELP miglink_link_ring_entries Ring\\size.
        miglink_link_ring_entries{device="eth0",ring="rx"} 256
        miglink_link_ring_entries{device="eth0",ring="tx"} 512
        miglink_link_ring_entries{device="eth1",ring="tx"} 128
        # TYPE miglink_link info
        # HELP miglink_link A link.
        miglink_link_info{device="eth0"} 1
        miglink_link_info{device="eth1"} 1
        tail 1
        # EOF
        "#);
    }
}
