//! What would make a migration shorter: one change at a time, each computed as if it were so.

use super::capacity::{self, Capacity};
use super::model;
use super::prospect::Expected;
use super::question::{Question, Traffic, Transport};
use super::way::PAGE_OVERHEAD;
use super::workload::{Dirtying, Workload};
use crate::sample::footing::{Footing, Others, Shaped};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What is changed.
    pub change: String,
    /// The command that does it; words in capitals are for the reader to choose.
    pub command: Option<String>,
    /// Seconds that it takes then.
    pub total: f64,
    /// Seconds of pause then.
    pub pause: f64,
    /// Seconds saved; infinite where it would never end without the change.
    pub saves: f64,
}

/// A change that saves less than this part of the time is none (our choice: migrations differ by as much anyway).
const WORTH: f64 = 0.01;
/// What memory shrinks to, where nobody has tried: a half.
const USUAL_RATIO: f64 = 2.0;
/// Frames as large as switches carry them.
const JUMBO: u32 = 9000;

/// A question with one thing changed.
struct Change {
    words: String,
    command: Option<String>,
    link: Option<Footing>,
    question: Question,
}

/// The changes that apply, the one that saves most first.
pub fn of(link: Option<&Footing>, question: &Question, capacity: &Capacity, expected: &Expected) -> Vec<Row> {
    let base = expected.usual.total();
    let maker = Maker { link, question, capacity, expected };
    let mut rows: Vec<Row> = maker.changes().iter().filter_map(|change| outcome(change, base)).collect();
    rows.extend(maker.postcopy(base));
    rows.retain(|row| row.total.is_finite() && row.saves > base.min(1e9) * WORTH);
    rows.sort_by(|a, b| b.saves.total_cmp(&a.saves).then_with(|| a.total.total_cmp(&b.total)));
    rows
}

fn outcome(change: &Change, base: f64) -> Option<Row> {
    let Question { workload, conduct, cap, bandwidth, traffic } = change.question;
    let [_, rate] = capacity::of(change.link.as_ref(), bandwidth, cap, traffic).link?;
    let then = model::before(&workload, &change.question.way(rate), &conduct);
    Some(Row {
        change: change.words.clone(),
        command: change.command.clone(),
        total: then.total(),
        pause: then.pause,
        saves: base - then.total(),
    })
}

struct Maker<'a> {
    link: Option<&'a Footing>,
    question: &'a Question,
    capacity: &'a Capacity,
    expected: &'a Expected,
}

impl Maker<'_> {
    fn changes(&self) -> Vec<Change> {
        let mut list: Vec<Change> =
            [self.no_cap(), self.channels(), self.compression(), self.calmer(), self.longer()]
                .into_iter()
                .flatten()
                .collect();
        if let Some(link) = self.link {
            let of_link = [
                self.jumbo(link),
                self.ring(link),
                self.dedicated(link),
                self.unshaped(link),
                self.rdma(link),
                self.alone(),
            ];
            list.extend(of_link.into_iter().flatten());
        }
        list
    }

    fn change(&self, words: &str, command: &str, edit: impl FnOnce(&mut Question)) -> Change {
        let mut question = *self.question;
        edit(&mut question);
        let command = (!command.is_empty()).then(|| command.to_owned());
        Change { words: words.to_owned(), command, link: self.link.cloned(), question }
    }

    fn on(&self, words: &str, command: &str, link: Footing) -> Change {
        Change { link: Some(link), ..self.change(words, command, |_| {}) }
    }

    fn no_cap(&self) -> Option<Change> {
        self.question.cap?;
        let command = "virsh qemu-monitor-command DOMAIN --hmp 'migrate_set_parameter max-bandwidth 0'";
        Some(self.change("no limit of the hypervisor", command, |question| question.cap = None))
    }

    /// Where each connection is held by itself.
    fn channels(&self) -> Option<Change> {
        let Traffic { channels, transport, .. } = self.question.traffic;
        let held = self.capacity.shared.is_some_and(|shared| self.capacity.own < shared);
        if !held || transport == Transport::Rdma || channels > 127 {
            return None;
        }
        let more = channels * 2;
        let command = format!(
            "virsh migrate --live --parallel --parallel-connections {more} DOMAIN qemu+ssh://HOST/system"
        );
        let words = format!("{more} connections instead of {channels}");
        Some(self.change(&words, &command, |question| question.traffic.channels = more))
    }

    fn compression(&self) -> Option<Change> {
        let is_on = self.question.conduct.compression > 1.0;
        if is_on || self.question.traffic.transport != Transport::Plain {
            return None;
        }
        let command = "virsh migrate --live --parallel --comp-methods zstd DOMAIN qemu+ssh://HOST/system";
        let words = "compression, if memory shrinks to a half and the cores keep up";
        Some(self.change(words, command, |question| {
            question.conduct.compression = USUAL_RATIO;
            question.traffic.transport = Transport::Compressed;
        }))
    }

    fn calmer(&self) -> Option<Change> {
        if self.question.conduct.auto_converge || self.expected.usual.converges {
            return None;
        }
        let command = "virsh migrate --live --auto-converge DOMAIN qemu+ssh://HOST/system";
        let words = "auto-converge, which slows the guest down";
        Some(self.change(words, command, |question| question.conduct.auto_converge = true))
    }

    /// A longer pause is told where it would not end otherwise.
    fn longer(&self) -> Option<Change> {
        // A tenth beyond the edge, where it would take for ever; in tenths of a second, as people write it.
        let limit = (self.expected.needs.downtime_limit * 11.0).ceil() / 10.0;
        if self.expected.usual.converges || limit > super::way::LONGEST_LIMIT {
            return None;
        }
        let command = format!("virsh migrate-setmaxdowntime DOMAIN {:.0}", limit * 1e3);
        let words = format!("a pause of up to {limit:.1} s allowed");
        Some(self.change(&words, &command, |question| question.conduct.downtime_limit = limit))
    }

    fn jumbo(&self, link: &Footing) -> Option<Change> {
        if link.mtu >= JUMBO || !link.hardware || self.question.bandwidth.is_some() {
            return None;
        }
        let command = format!("ip link set dev {} mtu {JUMBO}", link.wire);
        let words = "frames of 9000 bytes, on all of the path";
        Some(self.on(words, &command, Footing { mtu: JUMBO, ..link.clone() }))
    }

    fn ring(&self, link: &Footing) -> Option<Change> {
        let (_, entries) = (link.loss?, link.larger_ring?);
        let command = format!("ethtool -G {} rx {entries}", link.wire);
        Some(self.on("a receive ring that loses nothing", &command, Footing { loss: None, ..link.clone() }))
    }

    fn dedicated(&self, link: &Footing) -> Option<Change> {
        link.others.filter(|others| others.median > 0.0)?;
        let quiet = Footing { others: Some(Others::default()), ..link.clone() };
        Some(self.on("a link of its own, without other traffic", "", quiet))
    }

    fn unshaped(&self, link: &Footing) -> Option<Change> {
        let Shaped::Held { mend, .. } = &link.shaping else { return None };
        let speed = link.speed.map_or(String::from("RATE"), |speed| format!("{}bit", speed * 8));
        let command = mend.replace("{rate}", &speed);
        Some(self.on("no shaping", &command, Footing { shaping: Shaped::Free, ..link.clone() }))
    }

    fn rdma(&self, link: &Footing) -> Option<Change> {
        let (device, rate) = link.rdma.as_ref()?;
        if self.question.traffic.transport == Transport::Rdma {
            return None;
        }
        let command = "virsh migrate --live --migrateuri rdma://HOST DOMAIN qemu+ssh://HOST/system";
        let mut change = self.change(&format!("RDMA over {device}"), command, |question| {
            question.traffic.transport = Transport::Rdma;
        });
        // Queueing disciplines of the kernel and the bond's spreading do not hold RDMA.
        let shaping = Shaped::Free;
        change.link = Some(Footing { speed: Some(*rate), shaping, bond: None, loss: None, ..link.clone() });
        Some(change)
    }

    fn alone(&self) -> Option<Change> {
        if self.question.traffic.concurrent == 1 {
            return None;
        }
        Some(self.change("one migration at a time", "", |question| question.traffic.concurrent = 1))
    }

    /// After all memory was sent once, the guest goes on at the other host, and what it has dirtied follows.
    fn postcopy(&self, base: f64) -> Option<Row> {
        let [_, rate] = self.capacity.link?;
        let Question { workload, conduct, .. } = self.question;
        let way = self.question.way(rate);
        let still = Workload { dirtying: Dirtying::NONE, ..*workload };
        let once = model::before(&still, &way, conduct).total() - conduct.devices;
        let left = workload.dirtying.within(once).min(workload.memory);
        // Before QEMU 10 its limit holds here, too.
        let rest = left * PAGE_OVERHEAD / conduct.compression / way.copy;
        let (total, pause) = (once + conduct.devices + rest, conduct.devices);
        let command =
            "virsh migrate --live --postcopy --postcopy-after-precopy DOMAIN qemu+ssh://HOST/system";
        Some(Row {
            change: "post-copy after all memory was sent once".into(),
            command: Some(command.into()),
            total,
            pause,
            saves: base - total,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::forecast::prospect;
    use crate::analysis::forecast::question::{Question, Traffic};
    use crate::analysis::forecast::way::Conduct;
    use crate::analysis::forecast::workload::{Dirtying, Workload};
    use crate::sample::footing::{Footing, Others, Shaped};

    fn question(rate: f64) -> Question {
        let workload = Workload { memory: 64e9, zero_share: 0.0, dirtying: Dirtying::linear(rate) };
        let (conduct, traffic) = (Conduct::default(), Traffic::default());
        Question { workload, conduct, cap: None, bandwidth: None, traffic }
    }

    fn link() -> Footing {
        Footing {
            device: "ens3f0".into(),
            wire: "ens3f0".into(),
            mtu: 1500,
            hardware: true,
            speed: Some(1_250_000_000),
            shaping: Shaped::Free,
            others: Some(Others { median: 3e8, p95: 3e8 }),
            rdma: Some(("mlx5_0".into(), 12_500_000_000)),
            ..Footing::default()
        }
    }

    #[test]
    fn each_change_saves_what_it_would() {
        let found = prospect::of(Some(&link()), &Question { cap: Some(1e8), ..question(2e7) });
        let rows: Vec<&str> = found.what_if.iter().map(|row| row.change.as_str()).collect();
        assert_eq!(rows[0], "no limit of the hypervisor", "{rows:?}");
        assert!(rows.iter().all(|row| !row.contains("frames of 9000")), "the cap holds: {rows:?}");
        let lifted = prospect::of(Some(&link()), &question(2e7));
        let total = |of: &prospect::Prospect| of.expected.expect("known").usual.total();
        assert!((found.what_if[0].total / total(&lifted) - 1.0).abs() < 1e-9);
        let rows: Vec<&str> = lifted.what_if.iter().map(|row| row.change.as_str()).collect();
        for wanted in ["RDMA over mlx5_0", "a link of its own", "frames of 9000", "compression"] {
            assert!(rows.iter().any(|row| row.starts_with(wanted)), "{wanted}: {rows:?}");
        }
        assert!(rows.iter().all(|row| !row.contains("auto-converge") && !row.contains("pause")), "{rows:?}");
        let busier = prospect::of(Some(&link()), &question(4e8));
        assert!(busier.what_if.iter().any(|row| row.change.starts_with("post-copy")), "{busier:?}");
        assert!(lifted.what_if.windows(2).all(|two| two[0].saves >= two[1].saves));
    }

    #[test]
    fn what_never_ends_can_be_made_to_end() {
        let found = prospect::of(Some(&link()), &question(2e9));
        let expected = found.expected.expect("known");
        assert!(!expected.usual.converges && expected.needs.rate > 1.5e9);
        let rows: Vec<&str> = found.what_if.iter().map(|row| row.change.as_str()).collect();
        for wanted in ["auto-converge", "a pause of up to", "post-copy"] {
            assert!(rows.iter().any(|row| row.starts_with(wanted)), "{wanted}: {rows:?}");
        }
        assert!(found.what_if.iter().all(|row| row.total.is_finite() && row.saves.is_infinite()));
        assert!(found.what_if.windows(2).all(|two| two[0].total <= two[1].total));
    }

    #[test]
    fn the_range_is_around_what_is_usual() {
        let busy = Footing { others: Some(Others { median: 1e8, p95: 5e8 }), ..link() };
        let expected = prospect::of(Some(&busy), &question(1e8)).expected.expect("known");
        let (usual, best, worst) = (expected.usual, expected.best, expected.worst);
        assert!(best.total <= usual.total() && usual.total() * 1.3 < worst.total, "{expected:?}");
        assert!(best.pause <= usual.pause && usual.pause <= worst.pause && best.pause < worst.pause);
    }
}
