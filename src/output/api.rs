//! JSON for programs: migrations and links with the names and base units of the metrics (`docs/api.md`).
//!
//! Fields are made of the blocks' own columns, so a new metric of a link or a migration appears here by itself. What
//! is not known is left out, as its series is.

use super::flags;
use super::migrations::{self, Row};
use super::outlook;
use super::sink::CHUNK;
use super::verdicts::{self, Explained};
use crate::sample::block::Block;
use crate::sample::frame::Frame;
use crate::sample::metric::{Column, Form};
use crate::sample::subject::{Key, Subjects};
use crate::sample::verdict::{Part, Verdict};
use crate::topology::description;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{json, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Metrics that are one flag a state: told as the name of the state that is on.
const STATES: [&str; 2] = ["migration_phase", "migration_result"];

/// A row's labels and figures as one object.
struct Object<'a> {
    labels: Vec<(&'a str, String)>,
    figures: Vec<(&'a Block, usize)>,
    /// What would slow a migration; `None` where nobody has looked.
    flags: Option<Vec<Value>>,
    verdicts: Option<Value>,
    forecast: Option<Value>,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.labels {
            map.serialize_entry(name, value)?;
        }
        for (block, row) in &self.figures {
            let mut first = 0;
            for columns in block.columns.chunk_by(|a, b| a.metric == b.metric) {
                if let Some(value) = value(block, *row, columns, first) {
                    map.serialize_entry(columns[0].metric.name, &value)?;
                }
                first += columns.len();
            }
        }
        if let Some(flags) = &self.flags {
            map.serialize_entry("flags", flags)?;
        }
        if let Some(verdicts) = &self.verdicts {
            map.serialize_entry("verdicts", verdicts)?;
        }
        if let Some(forecast) = &self.forecast {
            map.serialize_entry("forecast", forecast)?;
        }
        map.end()
    }
}

/// What the columns of one metric say, of which the first is `first`: a number, an object with a number for each value
/// of their label, or the name of a state.
fn value(block: &Block, row: usize, columns: &[Column], first: usize) -> Option<Value> {
    let number = |at: usize| -> Option<Value> {
        let cell = block.cell(first + at, row);
        match columns[at].metric.form {
            Form::Integer => cell.as_integer().map(Value::from),
            // JSON has no word for infinity.
            Form::Float => cell.as_float().filter(|float| float.is_finite()).map(Value::from),
        }
    };
    if columns[0].label.is_none() {
        return number(0);
    }
    let labels = columns.iter().enumerate();
    let named = labels.filter_map(|(at, column)| Some((column.label?.1.to_owned(), number(at)?)));
    if STATES.contains(&columns[0].metric.name) {
        let mut on = named.filter(|(_, flag)| flag.as_u64() == Some(1));
        return on.next().map(|(state, _)| Value::from(state));
    }
    let object: serde_json::Map<_, _> = named.collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

/// The first bytes of a body, up to its list.
fn head(frame: &Frame, list: &str) -> Vec<u8> {
    let seconds = frame.wall_ns as f64 / 1e9;
    format!("{{\"timestamp_seconds\":{},\"{list}\":[", Value::from(seconds)).into_bytes()
}

/// Adds an object to a list; each stands on a line of its own.
fn add(out: &mut Vec<u8>, is_first: bool, object: &Object<'_>) {
    out.extend_from_slice(if is_first { b"\n" } else { b",\n" });
    let written = serde_json::to_writer(out, object);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail, and all names are strings");
}

/// The body of `/api/v1/migrations`: running ones first, then finished ones, each part from the newest on.
pub fn migrations(frame: &Frame) -> Vec<u8> {
    let mut out = head(frame, "migrations");
    for (place, row) in migrations::rows(frame).into_iter().enumerate() {
        let (info, at) = row.info;
        let verdict = verdicts::of(frame, &row);
        let object = Object {
            labels: info.subjects.pairs(at).collect(),
            figures: vec![row.figures],
            flags: None,
            verdicts: verdict.map(|verdict| told(verdict, &row)),
            forecast: outlook::of(frame, info.subjects.keys()[at]).and_then(outlook::json),
        };
        add(&mut out, place == 0, &object);
    }
    out.extend_from_slice(b"\n]}\n");
    out
}

/// What limited a migration: phase by phase, and `now` while it runs.
fn told(verdict: &Verdict, row: &Row<'_>) -> Value {
    let leading = |part: &Part| {
        let Explained { meaning, advice, commands } = verdicts::explain(part, row);
        json!({
            "cause": part.cause,
            "share": part.share,
            "evidence": part.evidence,
            "meaning": meaning,
            "advice": advice,
            "commands": commands,
        })
    };
    let mut told = serde_json::Map::new();
    if let Some(now) = &verdict.now {
        told.insert("now".into(), json!({ "leading": leading(now) }));
    }
    for phase in &verdict.phases {
        let causes = phase.parts.iter().map(|part| {
            let known = json!({"seconds": part.seconds, "share": part.share, "evidence": part.evidence});
            (part.cause.to_owned(), known)
        });
        let causes: serde_json::Map<_, _> = causes.collect();
        let led = phase.parts.first().map(leading);
        told.insert(phase.phase.into(), json!({ "leading": led, "causes": causes }));
    }
    Value::Object(told)
}

/// The body of `/api/v1/links`, chunk by chunk: the links that are shown, by name.
#[derive(Debug)]
pub struct Links {
    frame: Arc<Frame>,
    /// Rows of links in the lists of subjects that blocks have beside the links' own.
    rows: Vec<(Arc<Subjects>, HashMap<Key, usize>)>,
    /// The links that were judged by flags.
    judged: HashSet<Key>,
    next: usize,
    out: Vec<u8>,
    ended: bool,
}

impl Links {
    /// A body of a frame.
    pub fn new(frame: Arc<Frame>) -> Self {
        let links = frame.links.subjects();
        let shown: HashMap<Key, usize> =
            links.keys()[..links.exported()].iter().enumerate().map(|(row, key)| (*key, row)).collect();
        let mut rows: Vec<(Arc<Subjects>, HashMap<Key, usize>)> = Vec::new();
        for subjects in frame.blocks.iter().map(|block| &block.subjects) {
            if Arc::ptr_eq(subjects, links) || rows.iter().any(|(known, _)| Arc::ptr_eq(known, subjects)) {
                continue;
            }
            // Keys are unique within a kind of subject: a queue may have a link's number, but not its labels.
            let keys = subjects.keys().iter().enumerate();
            let of_link = |row: usize, key| {
                shown.get(key).is_some_and(|link| links.labels(*link) == subjects.labels(row))
            };
            let found: HashMap<_, _> =
                keys.filter(|(row, key)| of_link(*row, key)).map(|(row, key)| (*key, row)).collect();
            rows.push((Arc::clone(subjects), found));
        }
        let out = head(&frame, "links");
        let judged = frame.flags.judged.iter().copied().collect();
        Self { frame, rows, judged, next: 0, out, ended: false }
    }

    /// What would slow a migration over a link, worst first.
    fn flags(&self, key: Key) -> Vec<Value> {
        let of_link = self.frame.flags.list.iter().filter(|finding| finding.key == key);
        of_link.filter(|finding| finding.ratio().is_some()).map(flags::object).collect()
    }

    /// A link's labels and figures, `place` in the list of all links.
    fn object(&self, place: usize) -> Object<'_> {
        let link = &self.frame.links.all()[place];
        let own = self.frame.links.subjects();
        let row = |block: &Block| {
            if Arc::ptr_eq(&block.subjects, own) {
                return Some(place);
            }
            let (_, rows) = self.rows.iter().find(|(known, _)| Arc::ptr_eq(known, &block.subjects))?;
            rows.get(&link.key).copied()
        };
        let blocks = || self.frame.blocks.iter().map(AsRef::as_ref);
        let described = blocks()
            .find(|block: &&Block| block.columns.first().is_some_and(|c| *c.metric == description::INFO))
            // Exported links come first and in the same order in both.
            .filter(|block| block.subjects.keys().get(place) == Some(&link.key));
        let labels = match described {
            Some(block) => block.subjects.pairs(place).collect(),
            None => own.pairs(place).collect(),
        };
        let figures = blocks().filter_map(|block| Some((block, row(block)?))).collect();
        let flags = self.judged.contains(&link.key).then(|| self.flags(link.key));
        Object { labels, figures, flags, verdicts: None, forecast: None }
    }
}

impl Iterator for Links {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        while self.next < self.frame.links.exported().len() {
            let mut out = std::mem::take(&mut self.out);
            add(&mut out, self.next == 0, &self.object(self.next));
            self.next += 1;
            if out.len() >= CHUNK {
                return Some(out);
            }
            self.out = out;
        }
        self.ended = true;
        self.out.extend_from_slice(b"\n]}\n");
        Some(std::mem::take(&mut self.out))
    }
}

#[cfg(test)]
mod tests {
    use super::{migrations, Links};
    use crate::output::migrations::testing::{finished, frame, running};
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::flag::{Finding, Findings, Flagged};
    use crate::sample::frame::Frame;
    use crate::sample::link::{self, Link};
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::SubjectsBuilder;
    use crate::sample::verdict::{Part, PhaseVerdict, Verdict};
    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::{json, Value};
    use std::sync::Arc;

    fn read(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn a_migration_has_the_names_of_its_metrics() {
        let body = read(&migrations(&frame(&[finished(1, "b", 10, 30), running(2, "a", 90)])));
        assert_eq!(body["timestamp_seconds"], json!(1_795_359_859.685_808_2));
        let first = &body["migrations"][0];
        assert_eq!((&first["vm"], &first["migration_phase"]), (&json!("a"), &json!("memory_copy")));
        assert_eq!(first["migration_memory_bytes"], json!(536_870_912));
        assert_eq!(first["migration_phase_seconds"]["memory_copy"], json!(10.0));
        assert_eq!((first.get("migration_result"), first.get("migration_end_time_seconds")), (None, None));
        let second = &body["migrations"][1];
        assert_eq!((second.get("migration_phase"), &second["migration_result"]), (None, &json!("completed")));
        assert_eq!(second["migration_guest_downtime_seconds"], json!(0.419));
        assert_eq!(read(&migrations(&Frame::default()))["migrations"], json!([]));
    }

    #[test]
    fn a_migration_says_why_it_is_slow_and_what_to_do() {
        let part = |cause, seconds, share| Part { cause, seconds, share, evidence: "ens3f0: full".into() };
        let parts = vec![part("storage_on_link", 3.0, 0.75), part("unknown", 1.0, 0.25)];
        let verdict = Verdict {
            migration: 2,
            now: Some(part("traffic_shaping", 1.5, 1.0)),
            phases: vec![PhaseVerdict { phase: "memory_copy", parts }],
        };
        let told =
            Frame { verdicts: vec![verdict], ..frame(&[finished(1, "b", 10, 30), running(2, "a b", 90)]) };
        let body = read(&migrations(&told));
        let verdicts = &body["migrations"][0]["verdicts"];
        assert_eq!(verdicts["memory_copy"]["causes"]["storage_on_link"]["share"], json!(0.75));
        assert_eq!(verdicts["memory_copy"]["leading"]["cause"], json!("storage_on_link"));
        assert_eq!(verdicts["now"]["leading"]["commands"][0], json!("tc -s qdisc show dev vmbr0"));
        assert_eq!(verdicts["now"]["leading"]["evidence"], json!("ens3f0: full"));
        assert!(body["migrations"][1].get("verdicts").is_none(), "it was not judged");
    }

    static SOMETHING: Metric = Metric::gauge("link_something", "A thing.", Unit::None);
    static RING: Metric = Metric::gauge("link_ring", "A thing.", Unit::None);
    static COLUMNS: [Column; 3] = [
        Column::of(&SOMETHING),
        Column::labelled(&RING, "ring", "rx"),
        Column::labelled(&RING, "ring", "tx"),
    ];

    /// A frame of links, every figure of which is 7, and a queue whose key is that of the first link.
    fn frame_of_links(count: u64) -> Frame {
        let list = (1..=count).map(|key| {
            let name = format!("eth{key:05}");
            Link { key, index: key as u32, name, exported: true, ..Link::default() }
        });
        let links = Arc::new(link::Links::new(1, list.collect(), None));
        let mut queue = SubjectsBuilder::default();
        queue.row(1).label("device", "eth00001").label("queue", "0");
        let subjects = [Arc::clone(links.subjects()), Arc::new(queue.build())];
        let blocks = subjects.map(|subjects| {
            let mut block = Block::new("test", Monotonic::default(), &COLUMNS, subjects);
            block.column_mut(0).fill(Cell::integer(7).bits());
            block.column_mut(2).fill(Cell::integer(7).bits());
            Arc::new(block)
        });
        Frame { links, blocks: blocks.to_vec(), wall_ns: 1, ..Frame::default() }
    }

    #[test]
    fn links_come_in_chunks_and_with_their_own_figures_only() {
        let chunks: Vec<_> = Links::new(Arc::new(frame_of_links(3000))).collect();
        assert!(chunks.len() > 1);
        let body = read(&chunks.concat());
        let links = body["links"].as_array().unwrap();
        assert_eq!(links.len(), 3000);
        for link in [&links[0], &links[2999]] {
            assert_eq!((&link["link_something"], &link["link_ring"]), (&json!(7), &json!({"tx": 7})));
        }
        assert_eq!(links[2999]["device"], json!("eth03000"));
        let text = String::from_utf8(chunks.concat()).unwrap();
        assert_eq!(text.matches("link_something").count(), 3000);
    }

    #[test]
    fn a_link_that_was_judged_has_its_flags() {
        let result =
            Flagged::Slows { ratio: 2.0, evidence: "numbers".into(), mend: vec!["a command".into()] };
        let finding = Finding { key: 1, device: "eth00001".into(), cause: "single_stream", result };
        let found = Arc::new(Findings { judged: [1, 2].into(), list: vec![finding] });
        let frame = Frame { flags: found, ..frame_of_links(3) };
        let body = read(&Links::new(Arc::new(frame)).collect::<Vec<_>>().concat());
        let flag = json!({"cause": "single_stream", "phases": ["memory_copy"], "ratio": 2.0, "evidence": "numbers", "mend": ["a command"]});
        let flags: Vec<_> = (0..3).map(|at| body["links"][at].get("flags").cloned()).collect();
        assert_eq!(flags, [Some(json!([flag])), Some(json!([])), None]);
    }

    #[test]
    fn no_links_are_an_empty_list() {
        let body: Vec<u8> = Links::new(Arc::new(Frame::default())).flatten().collect();
        assert_eq!(read(&body)["links"], json!([]));
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in ".+") {
            let body = read(&migrations(&frame(&[running(1, &name, 90)])));
            prop_assert_eq!(body["migrations"][0]["vm"].as_str(), Some(name.as_str()));
        }
    }
}
