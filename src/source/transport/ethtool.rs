//! The generic netlink family `ethtool`: one question at a time to each exported link, and what the answers share.
//!
//! A driver that does not know a question answers EOPNOTSUPP and would do so for ever; that is remembered for as
//! long as the link keeps its identity, because a host has hundreds of software devices without rings. Only exported
//! links are asked: each question takes the kernel's RTNL lock, and ports of guests can be ten thousand.

use super::genetlink::Family;
use super::message::Request;
use super::netlink::{NetlinkError, Protocol, Session};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::choice::Choice;
use crate::sample::link::{Index, Link, Links};
use crate::sample::metric::Column;
use crate::sample::subject::Key;
use crate::source::contract::{Context, Reading, SourceError};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub mod answer;
#[cfg(test)]
pub mod testing;

use answer::{BITSET_NOMASK, BITSET_SIZE, BITSET_VALUE, STRSET_STRINGSETS};

/// What can be asked (`ETHTOOL_MSG_*_GET` of include/uapi/linux/ethtool_netlink.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// ETHTOOL_MSG_STRSET_GET.
    StringSets = 1,
    /// ETHTOOL_MSG_LINKMODES_GET.
    LinkModes = 4,
    /// ETHTOOL_MSG_LINKSTATE_GET.
    LinkState = 6,
    /// ETHTOOL_MSG_FEATURES_GET.
    Features = 11,
    /// ETHTOOL_MSG_RINGS_GET.
    Rings = 15,
    /// ETHTOOL_MSG_CHANNELS_GET.
    Channels = 17,
    /// ETHTOOL_MSG_COALESCE_GET.
    Coalescing = 19,
    /// ETHTOOL_MSG_PAUSE_GET, with statistics.
    Pause = 21,
    /// ETHTOOL_MSG_FEC_GET, with statistics.
    Fec = 29,
    /// ETHTOOL_MSG_STATS_GET: the groups eth-phy, eth-mac, eth-ctrl and rmon.
    Statistics = 32,
}

/// `ETHTOOL_FLAG_COMPACT_BITSETS`: bit sets as words, not as a list of names.
const COMPACT_BITSETS: u32 = 1;
/// `ETHTOOL_FLAG_STATS`. Commands other than pause and FEC refuse it.
const WITH_STATISTICS: u32 = 1 << 2;
const HEADER_DEVICE_INDEX: u16 = 1;
const HEADER_FLAGS: u16 = 3;
const STATS_GROUPS: u16 = 3;
/// `ETHTOOL_STATS_ETH_PHY`, `_ETH_MAC`, `_ETH_CTRL` and `_RMON`, as bits.
const ALL_GROUPS: u32 = 0b1111;
const STRINGSETS_STRINGSET: u16 = 1;
const STRINGSET_ID: u16 = 1;

impl Command {
    fn what(self) -> &'static str {
        match self {
            Self::StringSets => "asking for names",
            Self::LinkModes => "asking for link modes",
            Self::LinkState => "asking for the link's state",
            Self::Features => "asking for features",
            Self::Rings => "asking for ring sizes",
            Self::Channels => "asking for channels",
            Self::Coalescing => "asking for interrupt coalescing",
            Self::Pause => "asking for pause parameters",
            Self::Fec => "asking for forward error correction",
            Self::Statistics => "asking for standard statistics",
        }
    }

    fn flags(self) -> u32 {
        match self {
            Self::Pause | Self::Fec => COMPACT_BITSETS | WITH_STATISTICS,
            _ => COMPACT_BITSETS,
        }
    }

    /// The attribute that holds the request's header: `ETHTOOL_A_*_HEADER`.
    fn header(self) -> u16 {
        match self {
            Self::Statistics => 2,
            _ => 1,
        }
    }

    fn request(self, family: Family, device: Option<Index>) -> Request {
        let request = family.request(self as u8, 0).with_nested(self.header(), |header| {
            let header = header.with(HEADER_FLAGS, &self.flags().to_ne_bytes());
            match device {
                Some(index) => header.with(HEADER_DEVICE_INDEX, &index.to_ne_bytes()),
                None => header,
            }
        });
        match self {
            Self::Statistics => request.with_nested(STATS_GROUPS, |groups| {
                groups
                    .with(BITSET_NOMASK, &[])
                    .with(BITSET_SIZE, &ALL_GROUPS.count_ones().to_ne_bytes())
                    .with(BITSET_VALUE, &ALL_GROUPS.to_ne_bytes())
            }),
            _ => request,
        }
    }
}

/// A session with the family.
#[derive(Debug)]
pub struct Ethtool {
    session: Session,
    family: Family,
    /// The links whose drivers do not answer a question.
    unsupported: HashMap<Command, HashSet<Key>>,
    generation: u64,
    /// The links of the table.
    asked: Choice,
}

impl Ethtool {
    /// Opens a session; `Absent` on a kernel without the family (before 5.6).
    pub fn open(deadline: Duration) -> Result<Self, SourceError> {
        const WHAT: &str = "looking for the generic netlink family ethtool";
        let failed = |error| SourceError::Netlink { what: WHAT, error };
        let mut session = Session::open(Protocol::Generic, deadline).map_err(failed)?;
        match Family::resolve(&mut session, "ethtool") {
            Ok(family) => Ok(Self {
                session,
                family,
                unsupported: HashMap::new(),
                generation: 0,
                asked: Choice::default(),
            }),
            Err(NetlinkError::Kernel(libc::ENOENT)) => {
                Err(SourceError::Absent("the kernel has no ethtool netlink (it came with 5.6)".into()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Asks exported links one question and makes a table of the answers: a row for each link whose driver knows the
    /// question. `parse` gets a row whose cells all say `Unsupported` and sets what the
    /// answer holds.
    pub fn table(
        &mut self,
        source: &'static str,
        columns: &'static [Column],
        command: Command,
        context: &Context,
        mut parse: impl FnMut(&[u8], usize, &mut Block),
    ) -> Result<Reading, SourceError> {
        let links = &context.links;
        self.forget_the_gone(links);
        let mut asked = std::mem::take(&mut self.asked);
        asked.renew(links, |link| !self.is_unsupported(link, command));
        let mut block = Block::new(source, context.now, columns, asked.subjects().clone());
        let known = self.count_unsupported(command);
        let problems = self.ask_each(command, asked.of(links), |row, _, answer| {
            let gap = answer.err().unwrap_or(Gap::Unsupported);
            block.set_row(row, columns.iter().map(|_| Cell::gap(gap)));
            if let Ok(payload) = answer {
                parse(payload, row, &mut block);
            }
        })?;
        if self.count_unsupported(command) > known {
            asked.forget();
            asked.renew(links, |link| !self.is_unsupported(link, command));
            block = block.narrowed(asked.subjects().clone());
        }
        self.asked = asked;
        Ok(Reading { problems, ..Reading::of(block) })
    }

    /// Asks links one by one; `each` gets the number of the link among them, the link, and the payload of the answer,
    /// or why there is none. What failed for one link only is told in the sentences that come back.
    pub fn ask_each<'a>(
        &mut self,
        command: Command,
        links: impl Iterator<Item = &'a Link>,
        mut each: impl FnMut(usize, &Link, Result<&[u8], Gap>),
    ) -> Result<Vec<String>, SourceError> {
        let mut problems = Problems::new(command.what());
        for (row, link) in links.enumerate() {
            if self.is_unsupported(link, command) {
                each(row, link, Err(Gap::Unsupported));
                continue;
            }
            let mut request = command.request(self.family, Some(link.index));
            match self.session.ask(&mut request, |message| each(row, link, Ok(message.payload))) {
                Ok(()) => {}
                Err(NetlinkError::Kernel(libc::EOPNOTSUPP)) => {
                    self.unsupported.entry(command).or_default().insert(link.key);
                    each(row, link, Err(Gap::Unsupported));
                }
                Err(error) => each(row, link, Err(problems.note(link, error)?)),
            }
        }
        Ok(problems.sentences())
    }

    /// The names of a string set that is the same for all links (`ETH_SS_FEATURES`, `ETH_SS_LINK_MODES`), by index.
    pub fn string_set(&mut self, set: u32) -> Result<Vec<String>, NetlinkError> {
        let command = Command::StringSets;
        let mut request = command.request(self.family, None).with_nested(STRSET_STRINGSETS, |sets| {
            sets.with_nested(STRINGSETS_STRINGSET, |one| one.with(STRINGSET_ID, &set.to_ne_bytes()))
        });
        let mut names = Vec::new();
        self.session.ask(&mut request, |message| names = answer::strings(message.payload))?;
        Ok(names)
    }

    fn is_unsupported(&self, link: &Link, command: Command) -> bool {
        self.unsupported.get(&command).is_some_and(|known| known.contains(&link.key))
    }

    fn count_unsupported(&self, command: Command) -> usize {
        self.unsupported.get(&command).map_or(0, HashSet::len)
    }

    fn forget_the_gone(&mut self, links: &Links) {
        if self.generation != links.generation && !self.unsupported.is_empty() {
            let keys: HashSet<Key> = links.exported().iter().map(|link| link.key).collect();
            self.unsupported.values_mut().for_each(|known| known.retain(|key| keys.contains(key)));
        }
        self.generation = links.generation;
    }
}

/// What went wrong while links were asked one by one for the same thing.
#[derive(Debug)]
pub struct Problems {
    what: &'static str,
    denied: bool,
    sentences: Vec<String>,
}

impl Problems {
    /// None yet. `what` says what was being done, for example "asking for ring sizes".
    pub fn new(what: &'static str) -> Self {
        Self { what, denied: false, sentences: Vec::new() }
    }

    /// Says which gap a link's failure makes. A failure that is not the kernel's word on this link ends the reading.
    pub fn note(&mut self, link: &Link, error: NetlinkError) -> Result<Gap, SourceError> {
        match error {
            error if error.is_gone() => return Ok(Gap::NotRead),
            error if error.is_denied() => self.denied = true,
            NetlinkError::Kernel(_) => {
                self.sentences.push(format!("{} of {}: {error}", self.what, link.name));
            }
            error => return Err(SourceError::Netlink { what: self.what, error }),
        }
        Ok(Gap::Failed)
    }

    /// All of it, a sentence each; a refusal is said once, not for each link.
    pub fn sentences(mut self) -> Vec<String> {
        if self.denied {
            self.sentences.insert(0, format!("not permitted: {} (needs CAP_NET_ADMIN)", self.what));
        }
        self.sentences
    }
}

#[cfg(test)]
mod tests {
    use super::Problems;
    use crate::sample::cell::Gap;
    use crate::sample::link::Link;
    use crate::source::transport::netlink::NetlinkError;
    use std::time::Duration;

    fn link(name: &str) -> Link {
        Link { name: name.into(), ..Link::default() }
    }

    #[test]
    fn a_failure_names_its_link_and_a_refusal_is_said_once() {
        let mut problems = Problems::new("asking for ring sizes");
        for (name, error, gap) in [
            ("eth0", libc::EPERM, Gap::Failed),
            ("eth1", libc::EIO, Gap::Failed),
            ("eth2", libc::ENODEV, Gap::NotRead),
            ("eth3", libc::EACCES, Gap::Failed),
        ] {
            let noted = problems.note(&link(name), NetlinkError::Kernel(error));
            assert!(noted.is_ok_and(|noted| noted == gap), "{name}");
        }
        let sentences = problems.sentences();
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].contains("CAP_NET_ADMIN"), "{sentences:?}");
        assert!(sentences[1].contains("ring sizes of eth1: Input/output error"), "{sentences:?}");
    }

    #[test]
    fn a_session_that_fails_ends_the_reading() {
        let error = NetlinkError::Timeout(Duration::from_secs(5));
        let ended =
            Problems::new("asking for ring sizes").note(&link("eth0"), error).expect_err("no use to go on");
        assert_eq!(ended.to_string(), "asking for ring sizes: no answer within 5s");
    }
}
