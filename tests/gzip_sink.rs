//! The gzip sink against independent decoders: what they make of its bytes is the plain sink's text.

#![allow(clippy::expect_used)] // in a test, a failed step is a failed test

use flate2::read::{GzDecoder, MultiGzDecoder};
use miglink::output::gzip::Gzip;
use miglink::output::sink::{Plain, Sink};
use miglink::sample::subject::{Subjects, SubjectsBuilder};
use proptest::prelude::{
    any, prop_assert, prop_assert_eq, prop_oneof, proptest, Just, ProptestConfig, Strategy,
};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// One call of a sink.
#[derive(Debug, Clone)]
enum Step {
    Text(String),
    Rows(Arc<Subjects>),
    Column(String, String),
    Integer(usize, u64),
    Float(usize, f64),
    Take,
}

/// Writes the steps and gives all bytes. Values for rows that do not exist are passed over.
fn written(mut sink: impl Sink, steps: &[Step]) -> Vec<u8> {
    let (mut bytes, mut rows) = (Vec::new(), 0);
    for step in steps {
        match step {
            Step::Text(text) => sink.text(text),
            Step::Rows(subjects) => {
                rows = subjects.exported();
                sink.rows(subjects);
            }
            Step::Column(prefix, tail) => sink.column(prefix, tail),
            Step::Integer(row, value) if *row < rows => sink.integer(*row, *value),
            Step::Float(row, value) if *row < rows => sink.float(*row, *value),
            Step::Integer(..) | Step::Float(..) => {}
            Step::Take => {
                let ready = sink.ready();
                let taken = sink.take();
                assert_eq!((taken.len(), sink.ready()), (ready, 0));
                bytes.extend(taken);
            }
        }
    }
    bytes.extend(sink.finish());
    bytes
}

fn decoded(mut decoder: impl Read) -> Vec<u8> {
    let mut text = Vec::new();
    decoder.read_to_end(&mut text).expect("the gzip sink's bytes are valid gzip");
    text
}

fn assert_same(steps: &[Step]) -> Vec<u8> {
    let (plain, gzip) = (written(Plain::default(), steps), written(Gzip::default(), steps));
    assert!(decoded(GzDecoder::new(&gzip[..])) == plain, "the first member is all of the text");
    assert!(decoded(MultiGzDecoder::new(&gzip[..])) == plain, "nothing stands behind the first member");
    gzip
}

fn subjects(labels: &[Vec<(&str, String)>], exported: usize) -> Arc<Subjects> {
    let mut list = SubjectsBuilder::default();
    for (row, labels) in labels.iter().enumerate() {
        if row >= exported {
            list.hide_the_rest();
        }
        list.row(row as u64);
        for (name, value) in labels {
            list.label(name, value);
        }
    }
    Arc::new(list.build())
}

/// Names that are close to each other, names that are not, and very long ones.
fn label_value() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => "tap[01]{0,4}",
        10 => ".{0,20}",
        1 => ("[abç\"\\\\]{1,9}", 1..1000usize).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

fn any_subjects() -> impl Strategy<Value = Arc<Subjects>> {
    let row = (label_value(), prop_oneof![Just(String::new()), label_value()]);
    (proptest::collection::vec(row, 0..12), 0..14usize).prop_map(|(rows, exported)| {
        let labels: Vec<_> = rows.into_iter().map(|(a, b)| vec![("device", a), ("kind", b)]).collect();
        subjects(&labels, exported)
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let integer = prop_oneof![0..3u64, any::<u64>(), (0..64u32).prop_map(|bits| u64::MAX >> bits)];
    let float = prop_oneof![Just(0.0), Just(1.5), proptest::num::f64::ANY];
    prop_oneof![
        20 => ".{0,80}".prop_map(Step::Text),
        1 => (".{0,80}", 1..1000usize).prop_map(|(text, times)| Step::Text(text.repeat(times))),
        20 => any_subjects().prop_map(Step::Rows),
        40 => ("[a-z]{0,3}(_total)?[{ ]?", prop_oneof![Just("} ".to_owned()), ".{0,15}"])
            .prop_map(|(prefix, tail)| Step::Column(prefix, tail)),
        200 => (0..12usize, integer).prop_map(|(row, value)| Step::Integer(row, value)),
        50 => (0..12usize, float).prop_map(|(row, value)| Step::Float(row, value)),
        10 => Just(Step::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Any calls in any order, sensible or not.
    #[test]
    fn any_calls_decode_to_the_plain_text(steps in proptest::collection::vec(any_step(), 0..200)) {
        let (plain, gzip) = (written(Plain::default(), &steps), written(Gzip::default(), &steps));
        prop_assert!(decoded(GzDecoder::new(&gzip[..])) == plain);
        prop_assert!(decoded(MultiGzDecoder::new(&gzip[..])) == plain);
    }

    /// Bodies as they are written: columns of rising rows, some without a value, values that often repeat.
    #[test]
    fn any_table_decodes_to_the_plain_text(
        subjects in any_subjects(),
        columns in proptest::collection::vec(proptest::collection::vec(proptest::option::weighted(0.8, 0..4u64), 12), 1..20),
        tail in prop_oneof![Just("} "), Just(",ring=\"rx\"} "), Just("")],
    ) {
        let mut steps = vec![Step::Rows(subjects)];
        for (number, values) in columns.iter().enumerate() {
            steps.push(Step::Text(format!("# TYPE x_{number} gauge\n")));
            steps.push(Step::Column(format!("x_{number}{{"), tail.to_owned()));
            steps.extend(values.iter().enumerate().filter_map(|(row, value)| Some(Step::Integer(row, (*value)?.pow(9)))));
        }
        let (plain, gzip) = (written(Plain::default(), &steps), written(Gzip::default(), &steps));
        prop_assert_eq!(decoded(GzDecoder::new(&gzip[..])), plain);
    }
}

/// Every length of a line around the limits: of one match (258), of the fast path, and of the window.
#[test]
fn lines_of_every_critical_length_decode() {
    for length in (1..300).chain(2680..2700).chain((32_720..32_780).step_by(7)) {
        let rows: Vec<_> =
            ["a", "b", "b", "ab"].iter().map(|end| vec![("d", "x".repeat(length) + end)]).collect();
        let mut steps = vec![Step::Rows(subjects(&rows, 4))];
        for _ in 0..2 {
            steps.push(Step::Column("m{".to_owned(), "} ".to_owned()));
            steps.extend((0..4).map(|row| Step::Integer(row, 7)));
        }
        assert_same(&steps);
    }
}

#[test]
fn nothing_at_all_and_one_huge_text_decode() {
    assert_same(&[]);
    assert_same(&[Step::Rows(subjects(&[], 0)), Step::Text(String::new())]);
    let help: String =
        (0..300_000u32).map(|at| char::from(b' ' + (at.wrapping_mul(at) >> 7) as u8 % 95)).collect();
    assert_same(&[Step::Text(help)]);
}

/// A body as a host of 3,000 links has it: 40 columns, some values missing, an info metric with long labels.
fn body_of_a_host() -> Vec<Step> {
    let links: Vec<_> = (0..3000).map(|link| vec![("device", format!("tap{:08}", link * 7 / 3))]).collect();
    let qdiscs: Vec<_> = (0..3000)
        .map(|link| {
            vec![
                ("device", format!("tap{link:08}")),
                ("kind", "fq_codel".to_owned()),
                ("handle", format!("{link:x}:")),
            ]
        })
        .collect();
    let mut steps = vec![];
    for (subjects, tail) in
        [(subjects(&links, 2900), "} "), (subjects(&qdiscs, 3000), ",queue=\"transmit\"} ")]
    {
        steps.push(Step::Rows(subjects));
        for column in 0..20u64 {
            let name = format!("miglink_link_number_{column}_total");
            steps.push(Step::Text(format!("# HELP {name} A number.\n# TYPE {name} counter\n")));
            steps.push(Step::Column(format!("{name}{{"), tail.to_owned()));
            for row in (0..3000u64).filter(|row| (row * column) % 11 != 5) {
                let value = if row % 3 == 0 { (row * row * column) << (column * 2) } else { 0 };
                steps.push(Step::Integer(row as usize, value));
            }
            steps.push(Step::Take);
        }
    }
    steps
}

#[test]
fn the_programs_of_an_ordinary_system_read_it() {
    let gzip = assert_same(&body_of_a_host());
    let plain = written(Plain::default(), &body_of_a_host());
    let python = "import gzip, sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
    assert!(filtered(&mut Command::new("zcat"), &gzip) == plain, "zcat reads it");
    assert!(filtered(Command::new("python3").args(["-c", python]), &gzip) == plain, "python reads it");
    assert!(gzip.len() * 10 < plain.len(), "{} bytes of {}", gzip.len(), plain.len());
}

/// What a program makes of its standard input.
fn filtered(program: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program is installed");
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer does not panic").expect("the program reads all of its input");
    assert!(output.status.success(), "{:?}", output.status);
    output.stdout
}
