//! Interrupts of every exported link's device, by the CPU that took them.
//!
//! Not from /proc/interrupts where it can be helped: that file counts every interrupt of every device, which on a
//! host of 256 CPUs is megabytes for the few lines that matter. /sys/kernel/irq/N/per_cpu_count (since 4.9) gives
//! one line; the big file remains for hosts without it, and for lines that do not fit sysfs's one page.

use super::contract::{read_file, Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::cpus;
use super::rows::KeptSubjects;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::link::Link;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use parse::{per_cpu_count, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod parse;

/// Interrupts of links' devices.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "interrupts",
    help: "Interrupts of every exported link's device by CPU, from /sys/kernel/irq or /proc/interrupts.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(10)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(2),
    tables: &[&COLUMNS],
    open,
};

/// Interrupts taken.
pub static INTERRUPTS: Metric = Metric::counter(
    "link_interrupts_total",
    "Interrupts of the link's device (of its PCI function, where several links share one) that this CPU took; a CPU that never took one has no row.",
    Unit::None,
)
.wraps_at_32_bits();

static COLUMNS: [Column; 1] = [Column::of(&INTERRUPTS)];

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let (sysfs, procfs) = (roots.sys.join("kernel/irq"), roots.proc.join("interrupts"));
    if !sysfs.is_dir() && !procfs.exists() {
        return Err(SourceError::Absent(format!("neither {} nor {}", sysfs.display(), procfs.display())));
    }
    Ok(Box::new(Interrupts::default()))
}

#[derive(Default)]
struct Interrupts {
    /// The CPUs in the order of `per_cpu_count`: those that the kernel could ever bring up.
    possible: Vec<u32>,
    /// Who has ever taken an interrupt of whom.
    seen: BTreeSet<(Key, u32)>,
    subjects: KeptSubjects,
}

/// Counts by CPU; `None` if one of the device's interrupts could not be read, so that a sum would be too small.
type Counts = Option<BTreeMap<u32, u64>>;

impl Source for Interrupts {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if self.possible.is_empty() {
            self.possible = possible_cpus(&context.roots)?;
        }
        let mut table = LazyTable::new(&context.roots);
        let mut found: Vec<(&Link, Counts)> = Vec::new();
        for link in context.links.exported().iter().filter(|link| !link.hardware().bus_address.is_empty()) {
            let irqs = irqs_of(link, &context.roots, &mut table)?;
            if !irqs.is_empty() {
                found.push((link, self.count(&irqs, &context.roots, &mut table)?));
            }
        }
        let subjects = self.subjects_of(&found);
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, subjects);
        for (cell, slot) in self.cells(&found).zip(block.column_mut(0)) {
            *slot = cell.bits();
        }
        Ok(Reading::of(block))
    }
}

impl Interrupts {
    /// The sum of some interrupts by CPU.
    fn count(&self, irqs: &[u32], roots: &Roots, table: &mut LazyTable) -> Result<Counts, SourceError> {
        let mut sums = BTreeMap::new();
        for irq in irqs {
            let path = roots.sys.join(format!("kernel/irq/{irq}/per_cpu_count"));
            let text = read_file(&path).unwrap_or_default();
            let counts = per_cpu_count(&text, &self.possible);
            let counts = match &counts {
                Some(counts) => counts,
                None => match table.get()?.counts.get(irq) {
                    Some(counts) => counts,
                    // It went away since it was listed.
                    None => return Ok(None),
                },
            };
            for (cpu, count) in counts {
                *sums.entry(*cpu).or_insert(0) += u64::from(*count);
            }
        }
        Ok(Some(sums))
    }

    /// A row for each link and CPU that ever took one of its interrupts. With 256 CPUs most never do.
    fn subjects_of(&mut self, found: &[(&Link, Counts)]) -> Arc<Subjects> {
        let keys: BTreeSet<Key> = found.iter().map(|(link, _)| link.key).collect();
        self.seen.retain(|(key, _)| keys.contains(key));
        for (link, counts) in found {
            let taken = counts.iter().flatten().filter(|(_, count)| **count > 0);
            self.seen.extend(taken.map(|(cpu, _)| (link.key, *cpu)));
        }
        let mut subjects = SubjectsBuilder::default();
        for (link, _) in found {
            for cpu in self.cpus_of(link.key) {
                // A key of a link is never used again, nor is its product with a CPU (`cpus::list` has fewer).
                subjects
                    .row(link.key << 16 | Key::from(cpu))
                    .label("device", &link.name)
                    .label("cpu", &cpu.to_string());
            }
        }
        self.subjects.keep(subjects.build())
    }

    fn cpus_of(&self, key: Key) -> impl Iterator<Item = u32> + '_ {
        self.seen.range((key, 0)..=(key, u32::MAX)).map(|(_, cpu)| *cpu)
    }

    fn cells<'a>(&'a self, found: &'a [(&Link, Counts)]) -> impl Iterator<Item = Cell> + 'a {
        found.iter().flat_map(move |(link, counts)| {
            self.cpus_of(link.key).map(move |cpu| match counts {
                None => Cell::gap(Gap::Failed),
                // /proc/interrupts leaves out CPUs that are offline.
                Some(counts) => Cell::integer_or(counts.get(&cpu).copied(), Gap::NotRead),
            })
        })
    }
}

fn possible_cpus(roots: &Roots) -> Result<Vec<u32>, SourceError> {
    let path = roots.sys.join("devices/system/cpu/possible");
    let text = match read_file(&path) {
        Ok(text) => text,
        // Without it `per_cpu_count` cannot be read, and /proc/interrupts names its CPUs itself.
        Err(SourceError::Absent(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    cpus::list(&text).ok_or_else(|| SourceError::Format {
        what: path.display().to_string(),
        line: 1,
        problem: format!("{:?} is no list of CPUs", text.trim()),
    })
}

/// The interrupts of a link's device: those of its PCI function, or those whose handlers are named after it.
fn irqs_of(link: &Link, roots: &Roots, table: &mut LazyTable) -> Result<Vec<u32>, SourceError> {
    if link.hardware().pci.is_empty() {
        return Ok(table.get()?.named_after(&[&link.name, &link.hardware().bus_address]));
    }
    let function = roots.sys.join("bus/pci/devices").join(&link.hardware().pci);
    let irqs = message_signalled(&function.join("msi_irqs"));
    if !irqs.is_empty() {
        return Ok(irqs);
    }
    // Without MSI there is one line, maybe shared with other devices; 0 means none.
    let line = read_file(&function.join("irq")).unwrap_or_default();
    Ok(line.trim().parse().ok().filter(|irq| *irq != 0).into_iter().collect())
}

fn message_signalled(directory: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// /proc/interrupts, read at most once in a reading, and only if something needs it.
struct LazyTable<'a> {
    roots: &'a Roots,
    table: Option<Table>,
}

impl<'a> LazyTable<'a> {
    fn new(roots: &'a Roots) -> Self {
        Self { roots, table: None }
    }

    fn get(&mut self) -> Result<&Table, SourceError> {
        let table = if let Some(table) = self.table.take() {
            table
        } else {
            let path = self.roots.proc.join("interrupts");
            Table::parse(&read_file(&path)?).map_err(|error| error.in_file(&path))?
        };
        Ok(self.table.insert(table))
    }
}

#[cfg(test)]
mod tests;
