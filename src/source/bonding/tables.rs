//! Bonds and their members as blocks. Pure.

use super::{Found, BOND_COLUMNS, INFO_COLUMNS, MEMBER_COLUMNS, SOURCE};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::SubjectsBuilder;
use crate::source::rows::{KeptSubjects, Keys};

/// How many members each bond has, and in which state.
pub fn bonds(now: Monotonic, found: &[Found<'_>], kept: &mut KeptSubjects) -> Block {
    let mut subjects = SubjectsBuilder::default();
    for bond in found {
        subjects.row(bond.link.key).label("device", &bond.link.name);
    }
    let mut block = Block::new(SOURCE.name, now, &BOND_COLUMNS, kept.keep(subjects.build()));
    for (row, bond) in found.iter().enumerate() {
        let members = || bond.members.iter().map(|(_, member)| member);
        let up = count(members().map(|member| member.up));
        let active = count(members().map(|member| member.active));
        block.set_row(row, [Cell::integer(bond.members.len() as u64), up, active]);
    }
    block
}

/// How many are; a gap if it is not known of one of them.
fn count(mut states: impl Iterator<Item = Option<bool>>) -> Cell {
    let known = states.try_fold(0, |sum, state| Some(sum + u64::from(state?)));
    Cell::integer_or(known, Gap::Unsupported)
}

/// How each bond is set up.
pub fn info(now: Monotonic, found: &[Found<'_>], keys: &mut Keys, kept: &mut KeptSubjects) -> Block {
    let described: Vec<(String, Vec<(&str, &str)>)> = found.iter().map(describe).collect();
    keys.keep(|known| described.iter().any(|(name, _)| name == known));
    let mut subjects = SubjectsBuilder::default();
    for (name, labels) in &described {
        let row = subjects.row(keys.key(name));
        for (label, value) in labels {
            row.label(label, value);
        }
    }
    let mut block = Block::new(SOURCE.name, now, &INFO_COLUMNS, kept.keep(subjects.build()));
    block.column_mut(0).fill(Cell::integer(1).bits());
    block
}

/// A bond's labels, and a name that changes with any of them and with the link itself.
fn describe<'a>(found: &'a Found<'_>) -> (String, Vec<(&'static str, &'a str)>) {
    let primary = found.members.iter().find(|(link, _)| Some(link.index) == found.bond.primary);
    let labels = vec![
        ("device", found.link.name.as_str()),
        ("kind", &found.link.kind),
        ("mode", &found.bond.mode),
        ("hash_policy", &found.bond.hash_policy),
        ("lacp_rate", &found.bond.lacp_rate),
        ("primary", primary.map_or("", |(link, _)| &link.name)),
    ];
    (format!("{} {labels:?}", found.link.key), labels)
}

/// The state of each member.
pub fn members(now: Monotonic, found: &[Found<'_>], kept: &mut KeptSubjects) -> Block {
    let mut subjects = SubjectsBuilder::default();
    for bond in found {
        for (member, _) in &bond.members {
            // Neither key is ever used again, and no host sees 2^32 links come and go.
            let row = subjects.row(bond.link.key << 32 | member.key);
            row.label("device", &bond.link.name).label("member", &member.name);
        }
    }
    let mut block = Block::new(SOURCE.name, now, &MEMBER_COLUMNS, kept.keep(subjects.build()));
    for (row, (_, member)) in found.iter().flat_map(|bond| &bond.members).enumerate() {
        let state = |state: Option<bool>| Cell::integer_or(state.map(u64::from), Gap::Unsupported);
        let failures = Cell::integer_or(member.failures, Gap::Unsupported);
        block.set_row(row, [state(member.up), state(member.active), failures]);
    }
    block
}
