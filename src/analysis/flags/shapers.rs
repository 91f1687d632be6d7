//! What queueing disciplines leave to one connection of each link that they hold to a rate.
//!
//! A discipline at the root holds all that leaves. Of classes, a connection takes one, and nobody tells which: the widest leaf
//! is what it can get at best. fq holds each connection to its own rate.

use super::state::Shaping;
use super::tables::Tables;
use crate::sample::block::Block;
use crate::sample::metric::Metric;
use crate::source::qdiscs::{self, BYTES, CLASS_BYTES, CLASS_CEIL, CLASS_RATE, FLOW_RATE, RATE};
use std::collections::HashMap;

/// The shaped links by name; links that are not in it have no rate.
#[derive(Debug, Default)]
pub struct Shapers {
    /// Whether the disciplines of this host are read.
    known: bool,
    by_device: HashMap<String, Shaping>,
}

/// A discipline or class that has a rate.
struct Queue {
    class: Option<String>,
    parent: Option<String>,
    kind: String,
    handle: String,
    rate: Option<u64>,
    flow_rate: Option<u64>,
    assured: u64,
    bytes: u64,
}

impl Shapers {
    /// Looks at the disciplines again; gives the names of the links whose shaping has changed.
    pub fn refresh(&mut self, tables: &Tables) -> Vec<String> {
        self.known = false;
        let mut queues: HashMap<String, Vec<Queue>> = HashMap::new();
        for block in tables.of(qdiscs::SOURCE.name) {
            self.known = true;
            let columns = Columns::of(block);
            for row in 0..block.rows() {
                if let (Some(queue), Some(device)) =
                    (Queue::of(block, columns, row), block.subjects.label(row, "device"))
                {
                    queues.entry(device).or_default().push(queue);
                }
            }
        }
        let shapings = queues
            .into_iter()
            .filter_map(|(device, queues)| Some((device.clone(), judge(&device, &queues)?)));
        let before = std::mem::replace(&mut self.by_device, shapings.collect());
        let gone = before.keys().filter(|name| !self.by_device.contains_key(*name));
        let others = self.by_device.keys().filter(|name| before.get(*name) != self.by_device.get(*name));
        gone.chain(others).cloned().collect()
    }

    /// A link's shaping; `None` if its disciplines are not known.
    pub fn of(&self, device: &str) -> Option<Shaping> {
        if !self.known {
            return None;
        }
        Some(self.by_device.get(device).cloned().unwrap_or_default())
    }
}

/// The columns of a block that queues are made of.
#[derive(Clone, Copy)]
struct Columns {
    rate: Option<usize>,
    flow_rate: Option<usize>,
    assured: Option<usize>,
    bytes: Option<usize>,
}

impl Columns {
    fn of(block: &Block) -> Self {
        let find = |metric: &'static Metric| {
            block.columns.iter().position(|column| std::ptr::eq(column.metric, metric))
        };
        Self {
            rate: find(&RATE).or(find(&CLASS_CEIL)),
            flow_rate: find(&FLOW_RATE),
            assured: find(&CLASS_RATE),
            bytes: find(&BYTES).or(find(&CLASS_BYTES)),
        }
    }
}

impl Queue {
    /// A row, if it has a rate or could have classes that have one. Most have none: their labels are not taken apart.
    fn of(block: &Block, columns: Columns, row: usize) -> Option<Self> {
        let number = |column: Option<usize>| block.cell(column?, row).as_integer().filter(|value| *value > 0);
        let (rate, flow_rate) = (number(columns.rate), number(columns.flow_rate));
        if rate.is_none() && flow_rate.is_none() && !block.subjects.labels(row).contains("kind=\"htb\"") {
            return None;
        }
        let label = |name| block.subjects.label(row, name);
        let kind = label("kind")?;
        Some(Self {
            class: label("class"),
            parent: label("parent"),
            kind,
            handle: label("handle").unwrap_or_default(),
            rate,
            flow_rate,
            assured: number(columns.assured).unwrap_or(0),
            bytes: number(columns.bytes).unwrap_or(0),
        })
    }
}

/// The narrowest that a connection cannot avoid.
fn judge(device: &str, queues: &[Queue]) -> Option<Shaping> {
    let root = queues.iter().find(|queue| queue.class.is_none() && queue.parent.is_none());
    if let Some(root) = root.filter(|root| root.rate.is_some()) {
        let what = format!("{} {}", root.kind, root.handle);
        return Some(Shaping {
            rate: root.rate,
            what,
            mend: format!("tc qdisc del dev {device} root"),
            depends: false,
            each: false,
        });
    }
    if let Some(fq) = root.filter(|root| root.flow_rate.is_some()) {
        let mend = format!("tc qdisc change dev {device} root fq maxrate {{rate}}");
        return Some(Shaping {
            rate: fq.flow_rate,
            what: "fq, for each connection,".into(),
            mend,
            depends: false,
            each: true,
        });
    }
    of_classes(device, root, queues)
}

/// The widest leaf of HTB's classes, within the classes above it.
fn of_classes(device: &str, root: Option<&Queue>, queues: &[Queue]) -> Option<Shaping> {
    let classes = || queues.iter().filter(|queue| queue.class.is_some());
    let above =
        |queue: &Queue| classes().find(|other| other.class == queue.parent && other.class != queue.class);
    let ceiling = |leaf: &Queue| {
        let (mut rate, mut at, mut steps) = (leaf.rate.unwrap_or(u64::MAX), above(leaf), 0);
        while let Some(class) = at.filter(|_| steps < 8) {
            rate = rate.min(class.rate.unwrap_or(u64::MAX));
            (at, steps) = (above(class), steps + 1);
        }
        rate
    };
    let leaves = || classes().filter(|class| !classes().any(|other| other.parent == class.class));
    let widest = leaves().max_by_key(|leaf| ceiling(leaf))?;
    let classified: u64 = leaves().map(|leaf| leaf.bytes).sum();
    // What no filter and no default sends to a class passes HTB at full speed.
    let unclassified = root.is_none_or(|root| root.bytes / 2 > classified);
    let rate = ceiling(widest);
    let class = widest.class.clone().unwrap_or_default();
    let parent = widest.parent.clone().map_or(String::from("root"), |parent| format!("parent {parent}"));
    let mend = format!(
        "tc class change dev {device} {parent} classid {class} htb rate {}bit ceil {{rate}}",
        widest.assured * 8
    );
    Some(Shaping {
        rate: Some(rate),
        what: format!("class {class}"),
        mend,
        depends: unclassified,
        each: false,
    })
}

#[cfg(test)]
mod tests {
    use super::Shapers;
    use crate::analysis::flags::tables::Tables;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::link::Links;
    use crate::sample::metric::Column;
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::SubjectsBuilder;
    use crate::source::qdiscs::{BYTES, CLASS_BYTES, CLASS_CEIL, CLASS_RATE, FLOW_RATE, RATE};
    use std::sync::Arc;

    static QDISCS: [Column; 3] = [Column::of(&BYTES), Column::of(&RATE), Column::of(&FLOW_RATE)];
    static CLASSES: [Column; 3] =
        [Column::of(&CLASS_BYTES), Column::of(&CLASS_RATE), Column::of(&CLASS_CEIL)];

    /// Rows as `kind handle parent class` (`-` for none) and three numbers.
    fn block(columns: &'static [Column], rows: &[(&str, [u64; 3])]) -> Arc<Block> {
        let mut list = SubjectsBuilder::default();
        for (at, (words, _)) in rows.iter().enumerate() {
            let words: Vec<&str> = words.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
            list.row(at as u64).label("device", "eth0").label("kind", words[0]).label("handle", words[1]);
            list.label("parent", words[2]).label("class", words[3]);
        }
        let mut block = Block::new("qdiscs", Monotonic::default(), columns, Arc::new(list.build()));
        for (row, (_, numbers)) in rows.iter().enumerate() {
            block.set_row(row, numbers.map(Cell::integer));
        }
        Arc::new(block)
    }

    fn shaping(blocks: &[Arc<Block>]) -> Option<(Option<u64>, String, bool)> {
        let (mut tables, mut shapers) = (Tables::default(), Shapers::default());
        tables.refresh(blocks, &Links::default());
        shapers.refresh(&tables);
        shapers.of("eth0").map(|shaping| (shaping.rate, shaping.what, shaping.depends))
    }

    #[test]
    fn the_root_holds_all_and_classes_hold_what_they_get() {
        assert_eq!(shaping(&[]), None, "not read");
        assert_eq!(
            shaping(&[block(&QDISCS, &[("fq_codel 0: - -", [9, 0, 0])])]),
            Some((None, String::new(), false))
        );
        let tbf = block(&QDISCS, &[("tbf 8001: - -", [9, 50, 0]), ("netem 9: 8001: -", [9, 10, 0])]);
        assert_eq!(shaping(&[tbf]), Some((Some(50), "tbf 8001:".into(), false)));
        let fq = block(&QDISCS, &[("fq 8001: - -", [9, 0, 70])]);
        assert_eq!(shaping(&[fq]), Some((Some(70), "fq, for each connection,".into(), false)));
        let tree = |unclassified: u64| {
            let root = block(&QDISCS, &[("htb 1: - -", [20 + unclassified, 0, 0])]);
            let leaf = |name: &str, ceil| (format!("htb 1: 1:1 {name}"), [10, 5, ceil]);
            let (a, b) = (leaf("1:10", 40), leaf("1:20", 900));
            let classes = block(&CLASSES, &[("htb 1: - 1:1", [20, 5, 100]), (&a.0, a.1), (&b.0, b.1)]);
            shaping(&[root, classes])
        };
        assert_eq!(tree(0), Some((Some(100), "class 1:20".into(), false)), "the class above holds it");
        assert_eq!(tree(1000), Some((Some(100), "class 1:20".into(), true)), "most passes no class");
    }

    #[test]
    fn only_changes_are_told() {
        let (mut tables, mut shapers) = (Tables::default(), Shapers::default());
        let first = block(&QDISCS, &[("tbf 8001: - -", [9, 50, 0])]);
        tables.refresh(&[Arc::clone(&first)], &Links::default());
        assert_eq!(shapers.refresh(&tables), ["eth0"]);
        let mut counted = (*first).clone();
        counted.set(0, 0, Cell::integer(99));
        tables.refresh(&[Arc::new(counted)], &Links::default());
        assert!(shapers.refresh(&tables).is_empty(), "only its counters moved");
        tables.refresh(&[], &Links::default());
        assert_eq!(shapers.refresh(&tables), ["eth0"]);
    }
}
