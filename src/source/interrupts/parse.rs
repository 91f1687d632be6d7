//! Texts that count interrupts by CPU: sysfs's one line for an interrupt, and /proc/interrupts. Pure.

use crate::source::line_error::LineError;
use std::collections::BTreeMap;

/// (CPU, count): the kernel keeps 32 bits.
pub type PerCpu = Vec<(u32, u32)>;

/// The counts of `per_cpu_count`, one for each possible CPU. `None` if there are not as many, or if the line does
/// not end: sysfs cuts it after a page (kernel/irq/irqdesc.c, `per_cpu_count_show`), and the last number with it.
pub fn per_cpu_count(text: &str, possible: &[u32]) -> Option<PerCpu> {
    let mut counts = PerCpu::with_capacity(possible.len());
    for word in text.strip_suffix('\n')?.split(',') {
        counts.push((*possible.get(counts.len())?, word.parse().ok()?));
    }
    (counts.len() == possible.len()).then_some(counts)
}

/// /proc/interrupts: what has a number. Interrupts with a name (NMI, LOC) belong to no device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Counts of the CPUs that are online, by interrupt.
    pub counts: BTreeMap<u32, PerCpu>,
    /// What stands behind the counts: chip, kind, names of the handlers.
    names: BTreeMap<u32, String>,
}

impl Table {
    /// Reads the whole file.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut lines = text.lines().enumerate();
        let (_, header) = lines.next().ok_or_else(|| LineError::of_all("empty"))?;
        let cpus = header.split_ascii_whitespace().map(|word| word.strip_prefix("CPU")?.parse().ok());
        let cpus: Option<Vec<u32>> = cpus.collect();
        let cpus = cpus.filter(|cpus| !cpus.is_empty());
        let cpus = cpus.ok_or_else(|| LineError::at(0, "names no CPUs"))?;
        let mut table = Self::default();
        for (index, line) in lines {
            let Some((id, rest)) = line.split_once(':') else { continue };
            let Ok(irq) = id.trim().parse() else { continue };
            let (counts, names) =
                split_counts(rest, &cpus).ok_or_else(|| LineError::at(index, "fewer counts than CPUs"))?;
            table.counts.insert(irq, counts);
            table.names.insert(irq, names.to_owned());
        }
        Ok(table)
    }

    /// The interrupts with a handler that bears one of the names, alone or followed by more: `eth0-TxRx-3`.
    pub fn named_after(&self, names: &[&str]) -> Vec<u32> {
        let named = self.names.iter().filter(|(_, text)| {
            let mut words = text.split([' ', ',']);
            words.any(|word| names.iter().any(|name| is_named_after(word, name)))
        });
        named.map(|(irq, _)| *irq).collect()
    }
}

fn split_counts<'a>(mut rest: &'a str, cpus: &[u32]) -> Option<(PerCpu, &'a str)> {
    let mut counts = PerCpu::with_capacity(cpus.len());
    for cpu in cpus {
        rest = rest.trim_start();
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        counts.push((*cpu, word.parse().ok()?));
        rest = after;
    }
    Some((counts, rest.trim()))
}

/// `eth1` is not named in `eth10-rx-0`.
fn is_named_after(word: &str, name: &str) -> bool {
    let rest = word.strip_prefix(name).filter(|_| !name.is_empty());
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::{per_cpu_count, Table};
    use crate::source::fixture::{mutated, text};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn a_line_that_was_cut_is_not_read() {
        assert_eq!(per_cpu_count("0,14618\n", &[0, 1]), Some(vec![(0, 0), (1, 14618)]));
        assert_eq!(per_cpu_count("5,6\n", &[0, 8]), Some(vec![(0, 5), (8, 6)]));
        for (cut, possible) in
            [("0,146", 2), ("0,\n", 2), ("0\n", 2), ("0,1,2\n", 2), ("\n", 1), ("", 0), ("0,4294967296\n", 2)]
        {
            let possible: Vec<u32> = (0..possible).collect();
            assert_eq!(per_cpu_count(cut, &possible), None, "{cut:?}");
        }
    }

    #[test]
    fn a_captured_table_is_read() {
        let table = Table::parse(&text("proc/6.18/interrupts")).expect("reads");
        assert_eq!(table.counts.len(), 19, "numbered lines only");
        assert_eq!(table.named_after(&["eth0", "virtio2"]), [37, 38, 39]);
        assert_eq!(table.named_after(&["virtio", ""]), [0; 0]);
    }

    #[test]
    fn a_cpu_that_is_offline_has_no_column() {
        let table = Table::parse(&text("proc/layouts/interrupts-cpu-1-offline")).expect("reads");
        assert_eq!(table.counts[&130], [(0, 7), (2, 4_294_967_295)]);
        assert_eq!(table.named_after(&["eth1"]), [130, 131], "not eth10, not myeth1");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line) in [("", 0), ("38: 1 2\n", 1), ("  CPU0 CPU1\n 38: 5 eth0\n", 2), ("\n", 1)] {
            assert_eq!(Table::parse(text).expect_err("wrong").line, line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn counts_come_back(counts in proptest::collection::vec(any::<u32>(), 1..300)) {
            let possible: Vec<u32> = (0..counts.len() as u32).map(|cpu| cpu * 2).collect();
            let words: Vec<String> = counts.iter().map(u32::to_string).collect();
            let expected: Vec<(u32, u32)> = possible.iter().copied().zip(counts.iter().copied()).collect();
            let line = words.join(",") + "\n";
            prop_assert_eq!(per_cpu_count(&line, &possible), Some(expected.clone()));
            prop_assert_eq!(per_cpu_count(&line[..line.len() - 1], &possible), None);
            let header = possible.iter().map(|cpu| format!(" CPU{cpu}")).collect::<Vec<_>>().concat();
            let table = Table::parse(&format!("{header}\n 7: {}  chip eth0\n", words.join(" "))).expect("reads");
            prop_assert_eq!(&table.counts[&7], &expected);
            prop_assert_eq!(table.named_after(&["eth0"]), [7]);
        }

        #[test]
        fn damaged_text_is_answered(damaged in mutated(text("proc/6.18/interrupts"))) {
            match Table::parse(&damaged) {
                Ok(table) => prop_assert!(table.counts.len() < damaged.lines().count()),
                Err(error) => prop_assert!(error.line <= damaged.lines().count()),
            }
        }
    }
}
