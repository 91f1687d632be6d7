//! What storage connections move over each link: of the link that they leave by, and of those that carry it.

use super::state::Storage;
use super::tables::Tables;
use crate::sample::flow::Egress;
use crate::sample::link::{Index, Link, Links};
use crate::source::storage::lately;
use crate::topology::path;
use std::collections::HashMap;
use std::time::Duration;

/// By link; `None` as long as this host's storage connections are not known.
pub type ByLink = Option<HashMap<Index, Storage>>;

/// From the newest tables. Over a bond nobody knows by which member each connection goes: they are taken to be spread.
pub fn by_link(tables: &Tables, links: &Links) -> ByLink {
    let (block, _) = tables.column(&lately::RECEIVED, None)?;
    let mut found: HashMap<Index, Storage> = HashMap::new();
    for (row, key) in block.subjects.keys().iter().enumerate() {
        let Some(link) = links.all().iter().find(|link| link.key == *key) else { continue };
        let number = |column| block.cell(column, row).as_integer().unwrap_or(0);
        let kinds = block.subjects.label(row, "kinds").unwrap_or_default();
        let way = path::of(&leaves_by(link), links);
        for index in &way.links {
            let parts = if way.members.contains(index) { way.members.len() as f64 } else { 1.0 };
            let storage = found.entry(*index).or_default();
            storage.rates = [0, 1].map(|at| storage.rates[at] + number(at) as f64 / parts);
            storage.connections += number(2);
            storage.time = Duration::from_secs(number(3));
            for kind in kinds.split(", ").filter(|kind| !kind.is_empty()) {
                if !storage.kinds.iter().any(|known| known == kind) {
                    storage.kinds.push(kind.to_owned());
                }
            }
        }
    }
    Some(found)
}

fn leaves_by(link: &Link) -> Egress {
    Egress { index: link.index, name: link.name.clone(), ..Egress::default() }
}

#[cfg(test)]
mod tests {
    use super::by_link;
    use crate::analysis::flags::tables::Tables;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::link::{Link, Links};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::SubjectsBuilder;
    use crate::source::storage::{lately, SOURCE};
    use std::sync::Arc;

    #[test]
    fn storage_is_of_every_link_that_carries_it() {
        let link = |index: u32, kind: &'static str, master, lower| Link {
            key: u64::from(index) + 100,
            index,
            name: format!("l{index}"),
            kind: kind.into(),
            exported: true,
            oper_up: true,
            master,
            lower,
            ..Link::default()
        };
        let list = vec![
            link(1, "physical", Some(3), None),
            link(2, "physical", Some(3), None),
            link(3, "bond", None, None),
            link(4, "vlan", None, Some(3)),
            link(5, "physical", None, None),
        ];
        let links = Links::new(1, list, None);
        let mut tables = Tables::default();
        assert_eq!(by_link(&tables, &links), None, "nobody has looked");
        let mut rows = SubjectsBuilder::default();
        for (key, kinds) in [(104, "NFS, iSCSI"), (103, "iSCSI")] {
            rows.row(key).label("device", "x").label("kinds", kinds);
        }
        let mut block =
            Block::new(SOURCE.name, Monotonic::default(), &lately::COLUMNS, Arc::new(rows.build()));
        block.set_row(0, [4000, 100, 3, 300].map(Cell::integer));
        block.set_row(1, [2000, 0, 1, 300].map(Cell::integer));
        tables.refresh(&[Arc::new(block)], &links);
        let found = by_link(&tables, &links).expect("a table");
        let of = |index: u32| found.get(&index).map(|storage| (storage.rates, storage.connections));
        assert_eq!(of(4), Some(([4000.0, 100.0], 3)));
        assert_eq!(of(3), Some(([6000.0, 100.0], 4)));
        assert_eq!((of(1), of(5)), (Some(([3000.0, 50.0], 4)), None));
        assert_eq!(found[&3].kinds, ["NFS", "iSCSI"]);
    }
}
