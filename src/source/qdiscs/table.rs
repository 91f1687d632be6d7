//! The rows of a table of queues from one reading to the next: which queue is which, and whose key it keeps.
//!
//! The kernel gives its qdiscs no number of their own: one is known by its device, handle, parent and kind. A
//! deletion that the kernel tells of ends its key even if all four are used again.

use super::parse::{class_text, handle_text, Kind, Queue, ROOT};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::link::{Index, Links};
use crate::sample::metric::Column;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The part of a class id that is its qdisc's handle (`TC_H_MAJ_MASK`).
const MAJOR: u32 = 0xffff_0000;

/// What tells one queue from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Id {
    link: Key,
    parent: u32,
    handle: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    id: Id,
    key: Key,
    index: Index,
    /// It did not come with the last reading, for no reason known; it is given one more chance.
    missed: bool,
}

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Qdiscs.
    Qdiscs,
    /// Classes of a qdisc.
    Classes,
}

/// A table of queues.
#[derive(Debug)]
pub struct Table {
    what: What,
    columns: &'static [Column],
    cells: fn(&Queue) -> [Cell; 9],
    rows: Vec<Row>,
    subjects: Arc<Subjects>,
    next_key: Key,
}

impl Table {
    /// An empty table.
    pub fn new(what: What, columns: &'static [Column], cells: fn(&Queue) -> [Cell; 9]) -> Self {
        Self { what, columns, cells, rows: Vec::new(), subjects: Arc::default(), next_key: 1 }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row did not come that should have.
    pub fn has_missed(&self) -> bool {
        self.rows.iter().any(|row| row.missed)
    }

    /// A qdisc or a class was deleted: it and every qdisc under it will be others, even under the same handles. Gives
    /// the handles of all that went.
    pub fn forget(&mut self, link: Key, handle: u32, parent: u32) -> Vec<u32> {
        self.rows.retain(|row| row.id.link != link || row.id.handle != handle || row.id.parent != parent);
        // Default qdiscs share the handle 0, and nothing says what hangs under which.
        let mut gone: Vec<u32> = Some(handle).filter(|handle| *handle != 0).into_iter().collect();
        let mut next = 0;
        while let Some(above) = gone.get(next).copied() {
            let is_under = |row: &Row| row.id.link == link && is_under(row.id.parent, above);
            gone.extend(
                self.rows.iter().filter(|row| is_under(row)).map(|row| row.id.handle).filter(|h| *h != 0),
            );
            self.rows.retain(|row| !is_under(row));
            next += 1;
        }
        gone
    }

    /// Forgets classes: these, and those of these qdiscs.
    pub fn forget_classes(&mut self, link: Key, gone: &[u32]) {
        let is_gone = |class: u32| gone.contains(&class) || gone.contains(&(class & MAJOR));
        self.rows.retain(|row| row.id.link != link || !is_gone(row.id.handle));
    }

    /// Takes what a reading saw, and makes its block. A queue that was there before and did not come, though its
    /// link is still there, stands as a gap once and is then gone.
    pub fn block(
        &mut self,
        mut seen: Vec<Queue>,
        links: &Links,
        followed: &[Index],
        source: &'static str,
        now: Monotonic,
    ) -> Block {
        let mut ids: Vec<(usize, Id, Option<Queue>)> =
            seen.drain(..).filter_map(|q| identify(q, links, followed)).collect();
        ids.sort_by_key(|(at, id, _)| (*at, id.parent != ROOT, *id));
        ids.dedup_by_key(|(_, id, _)| *id);
        // A row that was forgotten leaves its subject behind until here.
        let same = self.subjects.len() == ids.len()
            && self.rows.len() == ids.len()
            && self.rows.iter().zip(&ids).all(|(row, (_, id, _))| row.id == *id);
        if !same {
            self.add_missed(&mut ids, links, followed);
            self.rebuild(&ids, links);
        }
        for (row, (_, _, queue)) in self.rows.iter_mut().zip(&ids) {
            row.missed = queue.is_none();
        }
        let mut block = Block::new(source, now, self.columns, Arc::clone(&self.subjects));
        for (row, (_, _, queue)) in ids.iter().enumerate() {
            if let Some(queue) = queue {
                block.set_row(row, (self.cells)(queue));
            }
        }
        block
    }

    fn add_missed(&self, ids: &mut Vec<(usize, Id, Option<Queue>)>, links: &Links, followed: &[Index]) {
        let present: HashSet<Id> = ids.iter().map(|(_, id, _)| *id).collect();
        for row in self.rows.iter().filter(|row| !row.missed && !present.contains(&row.id)) {
            if let Some(at) =
                wanted_row(row.index, links, followed).filter(|at| links.all()[*at].key == row.id.link)
            {
                ids.push((at, row.id, None));
            }
        }
        ids.sort_by_key(|(at, id, _)| (*at, id.parent != ROOT, *id));
    }

    fn rebuild(&mut self, ids: &[(usize, Id, Option<Queue>)], links: &Links) {
        let keys: HashMap<Id, Key> = self.rows.iter().map(|row| (row.id, row.key)).collect();
        let mut subjects = SubjectsBuilder::default();
        self.rows.clear();
        for (at, id, _) in ids {
            let key = keys.get(id).copied().unwrap_or(self.next_key);
            self.next_key = self.next_key.max(key + 1);
            let link = &links.all()[*at];
            // Rows are in the order of the links, of which exported ones are first.
            if !link.exported {
                subjects.hide_the_rest();
            }
            self.rows.push(Row { id: *id, key, index: link.index, missed: false });
            let row = subjects.row(key).label("device", &link.name).label("kind", &id.kind.to_string());
            row.label("handle", &handle_text(id.handle));
            if self.what == What::Classes {
                row.label("class", &class_text(id.handle));
            }
            if id.parent != ROOT {
                row.label("parent", &class_text(id.parent));
            }
        }
        let subjects = subjects.build();
        if *self.subjects != subjects {
            self.subjects = Arc::new(subjects);
        }
    }
}

/// Whether a parent is this class, or this qdisc or one of its classes.
fn is_under(parent: u32, above: u32) -> bool {
    parent != ROOT && (parent == above || (above & !MAJOR == 0 && parent & MAJOR == above))
}

fn identify(queue: Queue, links: &Links, followed: &[Index]) -> Option<(usize, Id, Option<Queue>)> {
    let at = wanted_row(queue.index, links, followed)?;
    let id = Id { link: links.all()[at].key, parent: queue.parent, handle: queue.handle, kind: queue.kind };
    Some((at, id, Some(queue)))
}

/// Of exported links, and of hidden ones that carry a migration.
fn wanted_row(index: Index, links: &Links, followed: &[Index]) -> Option<usize> {
    links.row(index).filter(|row| *row < links.exported().len() || followed.contains(&index))
}

/// The cells that qdiscs and classes have in common, in the order of their columns, and two more.
pub fn cells(queue: &Queue, first: Option<u64>, second: Option<u64>) -> [Cell; 9] {
    let [said, limit] =
        [|value| Cell::integer_or(value, Gap::NotRead), |value| Cell::integer_or(value, Gap::Unsupported)];
    [
        said(queue.bytes),
        said(queue.packets),
        said(queue.drops),
        said(queue.overlimits),
        said(queue.requeues),
        said(queue.backlog_bytes),
        said(queue.backlog_packets),
        limit(first),
        limit(second),
    ]
}

#[cfg(test)]
mod tests {
    use super::{cells, Key, Table, What};
    use crate::sample::cell::Gap;
    use crate::sample::link::{Link, Links};
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::source::qdiscs::parse::{Kind, Queue, ROOT};

    const COUNT: Metric = Metric::counter("count_total", "Count.", Unit::None);
    static COLUMNS: [Column; 9] = [Column::of(&COUNT); 9];

    fn links(key: Key) -> Links {
        let shown = Link { key, index: 3, name: "eth0".into(), exported: true, ..Link::default() };
        let hidden = Link { key: 99, index: 4, name: "tap0".into(), ..Link::default() };
        Links::new(1, vec![shown, hidden], None)
    }

    fn queue(kind: &str, handle: u32, parent: u32) -> Queue {
        let kind = Kind::new(kind.as_bytes());
        Queue { index: 3, handle, parent, kind, bytes: Some(u64::from(handle)), ..Queue::default() }
    }

    fn table(what: What) -> Table {
        Table::new(what, &COLUMNS, |queue| cells(queue, None, None))
    }

    /// Labels and keys after a reading.
    fn read(table: &mut Table, seen: Vec<Queue>, links: &Links) -> Vec<(String, Key)> {
        let block = table.block(seen, links, &[], "test", Monotonic::default());
        let subjects = &block.subjects;
        subjects.keys().iter().enumerate().map(|(row, key)| (subjects.labels(row).to_owned(), *key)).collect()
    }

    #[test]
    fn rows_are_labelled_as_tc_writes_and_hidden_links_have_none() {
        let hidden = Queue { index: 4, ..queue("htb", 0x1_0000, ROOT) };
        let seen = vec![queue("fq", 0, 0x1_0002), queue("mq", 0x1_0000, ROOT), hidden];
        let labels: Vec<_> =
            read(&mut table(What::Qdiscs), seen, &links(1)).into_iter().map(|row| row.0).collect();
        let expected =
            [r#"device="eth0",kind="mq",handle="1:""#, r#"device="eth0",kind="fq",handle="0:",parent="1:2""#];
        assert_eq!(labels, expected);
        let classes = read(&mut table(What::Classes), vec![queue("htb", 0x1_0010, 0x1_0001)], &links(1));
        assert_eq!(classes[0].0, r#"device="eth0",kind="htb",handle="1:",class="1:10",parent="1:1""#);
    }

    #[test]
    fn a_hidden_link_that_carries_a_migration_has_rows_that_are_not_shown() {
        let seen = || {
            let hidden = Queue { index: 4, ..queue("htb", 0x1_0000, ROOT) };
            vec![hidden, queue("mq", 0x1_0000, ROOT)]
        };
        let (mut table, links) = (table(What::Qdiscs), links(1));
        let rows = |followed: &[u32], table: &mut Table| {
            let block = table.block(seen(), &links, followed, "test", Monotonic::default());
            (block.rows(), block.subjects.exported())
        };
        assert_eq!(rows(&[4], &mut table), (2, 1));
        // It is no longer followed: it goes without leaving a gap.
        assert_eq!(rows(&[], &mut table), (1, 1));
        assert!(!table.has_missed());
    }

    #[test]
    fn a_key_lives_as_long_as_its_qdisc() {
        let (mut table, links) = (table(What::Qdiscs), links(1));
        let tree = || {
            vec![
                queue("htb", 0x1_0000, ROOT),
                queue("tbf", 0x20_0000, 0x1_0010),
                queue("sfq", 0x30_0000, 0x20_0001),
            ]
        };
        let first = read(&mut table, tree(), &links);
        assert_eq!(read(&mut table, tree(), &links), first);
        assert_eq!(table.forget(1, 0x20_0000, 0x1_0010), [0x20_0000, 0x30_0000]);
        let second = read(&mut table, tree(), &links);
        assert_eq!(second[0], first[0]);
        assert!(second[1..].iter().all(|row| !first.contains(row)), "{second:?}");
        table.forget(1, 0x20_0000, 0x1_0010);
        assert_eq!(read(&mut table, vec![queue("htb", 0x1_0000, ROOT)], &links), first[..1]);
        let replaced = read(&mut table, vec![queue("tbf", 0x1_0000, ROOT)], &links);
        let new =
            replaced.iter().find(|row| row.0 == r#"device="eth0",kind="tbf",handle="1:""#).expect("a row");
        assert!(!second.iter().any(|row| row.1 == new.1));
    }

    #[test]
    fn deleting_the_ingress_hook_spares_the_root() {
        let (mut table, links) = (table(What::Qdiscs), links(1));
        let tree = || vec![queue("htb", 0x1_0000, ROOT), queue("clsact", 0xffff_0000, 0xffff_fff1)];
        let first = read(&mut table, tree(), &links);
        table.forget(1, 0xffff_0000, 0xffff_fff1);
        let second = read(&mut table, tree(), &links);
        assert_eq!(second[0], first[0]);
        assert_ne!(second[1], first[1]);
    }

    #[test]
    fn deleted_classes_and_those_of_deleted_qdiscs_start_anew() {
        let (mut table, links) = (table(What::Classes), links(1));
        let tree = || {
            vec![queue("htb", 0x1_0001, ROOT), queue("htb", 0x1_0010, 0x1_0001), queue("htb", 0x2_0001, ROOT)]
        };
        let first = read(&mut table, tree(), &links);
        table.forget_classes(1, &[0x1_0010, 0x2_0000]);
        let second = read(&mut table, tree(), &links);
        let kept = |class: &str| first.iter().any(|row| row.0.contains(class) && second.contains(row));
        assert_eq!([kept("\"1:1\""), kept("\"1:10\""), kept("\"2:1\"")], [true, false, false]);
    }

    #[test]
    fn what_did_not_come_is_a_gap_once_and_then_gone() {
        let (mut table, links) = (table(What::Qdiscs), links(1));
        let both = || vec![queue("htb", 0x1_0000, ROOT), queue("tbf", 0x20_0000, 0x1_0010)];
        table.block(both(), &links, &[], "test", Monotonic::default());
        let one = || vec![queue("htb", 0x1_0000, ROOT)];
        let block = table.block(one(), &links, &[], "test", Monotonic::default());
        assert_eq!(
            (block.rows(), block.cell(0, 1).reason(), table.has_missed()),
            (2, Some(Gap::NotRead), true)
        );
        let block = table.block(one(), &links, &[], "test", Monotonic::default());
        assert_eq!((block.rows(), table.has_missed()), (1, false));
    }

    #[test]
    fn a_replaced_link_takes_its_rows_with_it() {
        let mut table = table(What::Qdiscs);
        let seen = || vec![queue("htb", 0x1_0000, ROOT), queue("htb", 0x1_0000, ROOT)];
        let first = read(&mut table, seen(), &links(1));
        assert_eq!(first.len(), 1, "a qdisc that is listed twice is one row");
        let second = read(&mut table, seen(), &links(2));
        assert_eq!(second.len(), 1);
        assert_ne!(first, second);
        assert_eq!(read(&mut table, Vec::new(), &links(3)), []);
    }
}
