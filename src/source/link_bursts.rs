//! Byte counters of the host's wires every 100 ms, so that bursts shorter than a second are seen.
//!
//! A dump of all links ten times a second would cost ten times the idle budget; what bursts hurt is a physical link,
//! and a host has few. They are asked one by one, about 3 us each.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::link_counters::{self, RECEIVE_BYTES, TRANSMIT_BYTES};
use super::transport::message::Request;
use super::transport::netlink::{NetlinkError, Protocol, Session};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::{Index, Link, Links, Role};
use crate::sample::metric::Column;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use std::sync::Arc;
use std::time::Duration;

/// Byte counters of wires, ten times a second.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "link_bursts",
    help: "Byte counters of physical links ten times a second, for peaks; by RTM_GETSTATS.",
    privilege: "",
    pace: Pace::Fast,
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    // Its table feeds the peaks and is not shown itself.
    tables: &[],
    open,
};

/// How many wires are followed: 16 x 3 us ten times a second is a two-thousandth of a core.
const MOST: usize = 16;

static COLUMNS: [Column; 2] = [Column::of(&RECEIVE_BYTES), Column::of(&TRANSMIT_BYTES)];

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let session = Session::open(Protocol::Route, SOURCE.deadline).map_err(failed)?;
    Ok(Box::new(Bursts {
        session,
        generation: None,
        migrating: Vec::new(),
        wires: Vec::new(),
        subjects: Arc::default(),
    }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for a link's statistics", error }
}

/// Whether bursts on this link are followed.
pub fn is_followed(link: &Link) -> bool {
    link.role == Role::Physical && link.exported && link.oper_up
}

struct Bursts {
    session: Session,
    generation: Option<u64>,
    /// Links that migrations run over, wires or not.
    migrating: Vec<Index>,
    wires: Vec<Request>,
    subjects: Arc<Subjects>,
}

impl Source for Bursts {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if self.generation != Some(context.links.generation) || self.migrating != context.followed.links {
            self.migrating.clone_from(&context.followed.links);
            self.follow(&context.links);
            self.generation = Some(context.links.generation);
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        for (row, request) in self.wires.iter_mut().enumerate() {
            let answer = self.session.ask(request, |message| {
                if let Some([received, sent]) = link_counters::bytes(message.payload) {
                    block.set_row(row, [Cell::integer(received), Cell::integer(sent)]);
                }
            });
            match answer {
                Ok(()) => {}
                // It has just gone; the next links will not have it.
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Reading::of(block))
    }
}

impl Bursts {
    fn follow(&mut self, links: &Links) {
        let mut list = SubjectsBuilder::default();
        list.hide_the_rest();
        self.wires.clear();
        let wires = links.exported().iter().filter(|link| is_followed(link)).take(MOST);
        let others = self.migrating.iter().filter_map(|index| links.get(*index));
        for link in wires.chain(others.filter(|link| !is_followed(link)).take(MOST)) {
            list.row(link.key).label("device", &link.name);
            self.wires.push(link_counters::request_for(link.index));
        }
        let list = list.build();
        if *self.subjects != list {
            self.subjects = Arc::new(list);
        }
    }
}
