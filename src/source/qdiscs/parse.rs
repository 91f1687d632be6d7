//! Bytes of RTM_NEWQDISC and RTM_NEWTCLASS to what they say of a queue. Pure. An attribute that is missing or cut
//! short makes a gap in what it would have said, and nothing else: a newer kernel must not make a qdisc vanish.

use crate::sample::link::Index;
use crate::source::transport::message::{attributes, u32_at, u64_at, Attribute};
use std::fmt::{Display, Formatter};

/// `sizeof(struct tcmsg)` (include/uapi/linux/rtnetlink.h).
pub const TC_HEADER: usize = 20;
/// The parent of a root qdisc or class (`TC_H_ROOT`, include/uapi/linux/pkt_sched.h).
pub const ROOT: u32 = u32::MAX;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_STATS: u16 = 3;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
const TCA_STATS_PKT64: u16 = 8;

const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_HTB_PARMS: u16 = 1;
const TCA_HTB_RATE64: u16 = 6;
const TCA_HTB_CEIL64: u16 = 7;
const TCA_FQ_FLOW_MAX_RATE: u16 = 7;
const TCA_NETEM_RATE: u16 = 6;
const TCA_NETEM_RATE64: u16 = 8;
const TCA_CAKE_BASE_RATE64: u16 = 2;
/// `sizeof(struct tc_netem_qopt)`, which stands before the attributes in netem's options.
const NETEM_HEADER: usize = 24;
/// Where `struct tc_ratespec` holds its rate.
const RATE: usize = 8;
/// `sizeof(struct tc_ratespec)`: an HTB class has two, one after the other.
const RATE_SPEC: usize = 12;

/// A kind's name, `TCA_KIND`: never longer than this in the kernel (`IFNAMSIZ`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Kind([u8; 16]);

impl Kind {
    /// The kind of this name; what is beyond sixteen bytes is left out.
    pub fn new(name: &[u8]) -> Self {
        let mut kind = [0; 16];
        for (to, from) in kind.iter_mut().zip(name.iter().take_while(|byte| **byte != 0)) {
            *to = *from;
        }
        Self(kind)
    }

    /// Whether it has this name.
    pub fn is(self, name: &str) -> bool {
        self == Self::new(name.as_bytes())
    }
}

impl Display for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(String::from_utf8_lossy(&self.0).trim_end_matches('\0'))
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, out)
    }
}

/// A qdisc or a class as one message tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Its device.
    pub index: Index,
    /// Its handle; of a class, its class id.
    pub handle: u32,
    /// The class that it hangs under, or `ROOT`.
    pub parent: u32,
    /// `TCA_KIND`.
    pub kind: Kind,
    /// Bytes that passed.
    pub bytes: Option<u64>,
    /// Packets that passed.
    pub packets: Option<u64>,
    /// Packets dropped.
    pub drops: Option<u64>,
    /// How often it was over its limit and had to wait, or, where the kind counts so, to drop.
    pub overlimits: Option<u64>,
    /// Packets put back because the device could not take them.
    pub requeues: Option<u64>,
    /// Bytes waiting.
    pub backlog_bytes: Option<u64>,
    /// Packets waiting.
    pub backlog_packets: Option<u64>,
    /// The rate that it is held to, bytes a second (tbf, netem, cake; of an HTB class what it is assured of).
    pub rate: Option<u64>,
    /// What an HTB class may borrow up to, bytes a second.
    pub ceil: Option<u64>,
    /// What one flow is held to, bytes a second (fq).
    pub flow_rate: Option<u64>,
}

/// The kind of a qdisc or class, without reading the rest.
pub fn kind(payload: &[u8]) -> Option<Kind> {
    let found = attributes(payload, TC_HEADER).find(|attribute| attribute.kind == TCA_KIND)?;
    Some(Kind::new(found.value))
}

/// A qdisc or a class from the payload of its message; `None` if it is too short to say which.
pub fn queue(payload: &[u8]) -> Option<Queue> {
    let mut queue = Queue {
        index: u32_at(payload, 4)?,
        handle: u32_at(payload, 8)?,
        parent: u32_at(payload, 12)?,
        kind: kind(payload)?,
        ..Queue::default()
    };
    let (mut statistics, mut old_statistics) = (None, None);
    for attribute in attributes(payload, TC_HEADER) {
        match attribute.kind {
            TCA_OPTIONS => rates(&attribute, &mut queue),
            TCA_STATS2 => statistics = Some(attribute),
            TCA_STATS => old_statistics = Some(attribute),
            _ => {}
        }
    }
    match (statistics, old_statistics) {
        (Some(statistics), _) => counters(&statistics, &mut queue),
        (None, Some(statistics)) => old_counters(statistics.value, &mut queue),
        (None, None) => {}
    }
    Some(queue)
}

/// `TCA_STATS2`: `struct gnet_stats_basic`, `struct gnet_stats_queue` (include/uapi/linux/gen_stats.h).
fn counters(statistics: &Attribute<'_>, queue: &mut Queue) {
    let mut all_packets = None;
    for part in statistics.nested() {
        let word = |at| u32_at(part.value, at).map(u64::from);
        match part.kind {
            TCA_STATS_BASIC => (queue.bytes, queue.packets) = (u64_at(part.value, 0), word(8)),
            TCA_STATS_QUEUE => {
                (queue.backlog_packets, queue.backlog_bytes) = (word(0), word(4));
                (queue.drops, queue.requeues, queue.overlimits) = (word(8), word(12), word(16));
            }
            // Sent only when the 32 bits of the basic statistics are not enough (net/core/gen_stats.c).
            TCA_STATS_PKT64 => all_packets = u64_at(part.value, 0),
            _ => {}
        }
    }
    queue.packets = all_packets.or(queue.packets);
}

/// `TCA_STATS`: `struct tc_stats` (include/uapi/linux/pkt_sched.h), which knows no requeues.
fn old_counters(bytes: &[u8], queue: &mut Queue) {
    let word = |at| u32_at(bytes, at).map(u64::from);
    queue.bytes = u64_at(bytes, 0);
    (queue.packets, queue.drops, queue.overlimits) = (word(8), word(12), word(16));
    (queue.backlog_packets, queue.backlog_bytes) = (word(28), word(32));
}

fn rates(options: &Attribute<'_>, queue: &mut Queue) {
    let find =
        |skip: usize, kind: u16| attributes(options.value, skip).find(|a| a.kind == kind).map(|a| a.value);
    let short = |skip, kind, at| find(skip, kind).and_then(|bytes| u32_at(bytes, at)).map(u64::from);
    // The 64-bit form is sent when 32 bits are not enough, and then these are all ones.
    let spec = |kind, at| short(0, kind, at).filter(|rate| *rate != u64::from(u32::MAX));
    let long = |skip, kind| find(skip, kind).and_then(|bytes| u64_at(bytes, 0));
    if queue.kind.is("tbf") {
        queue.rate = long(0, TCA_TBF_RATE64).or(spec(TCA_TBF_PARMS, RATE));
    } else if queue.kind.is("htb") {
        queue.rate = long(0, TCA_HTB_RATE64).or(spec(TCA_HTB_PARMS, RATE));
        queue.ceil = long(0, TCA_HTB_CEIL64).or(spec(TCA_HTB_PARMS, RATE_SPEC + RATE));
    } else if queue.kind.is("fq") {
        queue.flow_rate = short(0, TCA_FQ_FLOW_MAX_RATE, 0).filter(|rate| *rate != u64::from(u32::MAX));
    } else if queue.kind.is("netem") {
        let rate = long(NETEM_HEADER, TCA_NETEM_RATE64).or(short(NETEM_HEADER, TCA_NETEM_RATE, 0));
        queue.rate = rate.filter(|rate| *rate != 0);
    } else if queue.kind.is("cake") {
        queue.rate = long(0, TCA_CAKE_BASE_RATE64).filter(|rate| *rate != 0);
    }
}

/// A qdisc's handle as tc writes it: `1:`, `8001:`, `0:`.
pub fn handle_text(handle: u32) -> String {
    format!("{:x}:", handle >> 16)
}

/// A class id, or a parent, as tc writes it: `1:10`, `:2`, `1:`, `root`.
pub fn class_text(class: u32) -> String {
    match (class >> 16, class & 0xffff) {
        (0xffff, 0xffff) => "root".into(),
        (0, 0) => "none".into(),
        (0, minor) => format!(":{minor:x}"),
        (major, 0) => format!("{major:x}:"),
        (major, minor) => format!("{major:x}:{minor:x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{class_text, handle_text, queue, Kind, Queue, ROOT, TC_HEADER};
    use crate::source::transport::message::{messages, Request};

    const OPTIONS: u16 = 2;
    const STATS: u16 = 3;
    const STATS2: u16 = 7;

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    fn begin(kind: &str) -> Request {
        let mut header = [0; TC_HEADER];
        header[4..].copy_from_slice(&words(&[7, 0x1_0000, ROOT, 2]));
        Request::new(36, 0, &header).with(1, format!("{kind}\0").as_bytes())
    }

    fn parsed(mut request: Request) -> Queue {
        let bytes = request.bytes(1).to_vec();
        let message = messages(&bytes).next().flatten().expect("a message");
        queue(message.payload).expect("a qdisc")
    }

    fn basic(packets: u32) -> Vec<u8> {
        [1000u64.to_ne_bytes().to_vec(), words(&[packets, 0])].concat()
    }

    #[test]
    fn statistics_are_read_field_by_field() {
        let all = parsed(begin("fq_codel").with_nested(STATS2, |inner| {
            inner.with(1, &basic(10)).with(3, &words(&[1, 2, 3, 4, 5])).with(8, &(1u64 << 33).to_ne_bytes())
        }));
        assert_eq!(
            (all.index, all.handle, all.parent, all.kind),
            (7, 0x1_0000, ROOT, Kind::new(b"fq_codel"))
        );
        assert_eq!((all.bytes, all.packets), (Some(1000), Some(1 << 33)), "64 bits of packets win");
        assert_eq!((all.backlog_packets, all.backlog_bytes), (Some(1), Some(2)));
        assert_eq!((all.drops, all.requeues, all.overlimits), (Some(3), Some(4), Some(5)));
        let short = parsed(
            begin("fq_codel")
                .with_nested(STATS2, |inner| inner.with(1, &basic(10)[..9]).with(3, &words(&[1, 2, 3]))),
        );
        assert_eq!((short.bytes, short.packets), (Some(1000), None));
        assert_eq!((short.drops, short.requeues, short.overlimits), (Some(3), None, None));
    }

    #[test]
    fn old_statistics_count_only_where_there_are_no_new_ones() {
        let old = [1000u64.to_ne_bytes().to_vec(), words(&[10, 3, 5, 0, 0, 1, 2])].concat();
        let read = parsed(begin("tbf").with(STATS, &old));
        assert_eq!((read.bytes, read.packets, read.drops), (Some(1000), Some(10), Some(3)));
        assert_eq!((read.overlimits, read.requeues), (Some(5), None));
        assert_eq!((read.backlog_packets, read.backlog_bytes), (Some(1), Some(2)));
        let both =
            parsed(begin("tbf").with_nested(STATS2, |inner| inner.with(1, &basic(11))).with(STATS, &old));
        assert_eq!((both.packets, both.drops), (Some(11), None));
    }

    #[test]
    fn rates_of_every_kind_that_has_one() {
        let spec = |rate: u32| words(&[0, 0, rate]);
        let large = 5_000_000_000u64.to_ne_bytes();
        let tbf = parsed(begin("tbf").with_nested(OPTIONS, |o| o.with(1, &spec(125_000))));
        assert_eq!(tbf.rate, Some(125_000));
        let tbf = parsed(begin("tbf").with_nested(OPTIONS, |o| o.with(1, &spec(u32::MAX)).with(4, &large)));
        assert_eq!(tbf.rate, Some(5_000_000_000));
        let htb = parsed(
            begin("htb")
                .with_nested(OPTIONS, |o| o.with(1, &[spec(1000), spec(u32::MAX)].concat()).with(7, &large)),
        );
        assert_eq!((htb.rate, htb.ceil), (Some(1000), Some(5_000_000_000)));
        let fq = |rate: u32| parsed(begin("fq").with_nested(OPTIONS, |o| o.with(7, &words(&[rate]))));
        assert_eq!((fq(1000).flow_rate, fq(u32::MAX).flow_rate), (Some(1000), None));
        let netem = |rate: u32| {
            let inner =
                Request::new(0, 0, &[0; 24]).with(6, &words(&[rate, 0, 0, 0])).bytes(0)[16..].to_vec();
            parsed(begin("netem").with(OPTIONS, &inner)).rate
        };
        assert_eq!((netem(1000), netem(0)), (Some(1000), None));
        let cake = parsed(begin("cake").with_nested(OPTIONS, |o| o.with(2, &large)));
        assert_eq!(cake.rate, Some(5_000_000_000));
        let other =
            parsed(begin("newest").with_nested(OPTIONS, |o| o.with(1, &spec(125_000)).with(7, &large)));
        assert_eq!((other.rate, other.ceil, other.flow_rate), (None, None, None));
    }

    #[test]
    fn handles_read_as_tc_writes_them() {
        assert_eq!([0x1_0000, 0x8001_0000, 0, 0xffff_0000].map(handle_text), ["1:", "8001:", "0:", "ffff:"]);
        assert_eq!(
            [0x1_0010, 0x8001_0000, 3, 0xffff_fff1, ROOT, 0].map(class_text),
            ["1:10", "8001:", ":3", "ffff:fff1", "root", "none"]
        );
    }
}
