//! What the PCIe slot gives a link's NIC: bandwidth now and at best, as the least of the function itself and every
//! bridge above it, from /sys/bus/pci/devices. And its NUMA node.
//!
//! The same walk and figures as `pcie_bandwidth_available` (drivers/pci/pci.c). A paravirtual device
//! (virtio, vmxnet3) moves no data over the PCIe link that its emulated function pretends to have, such as one lane of
//! 2.5 GT/s, so it has no bandwidth here.

use super::contract::{
    read_file, Context, Fact, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo,
};
use super::rows::KeptSubjects;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::link::Link;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::SubjectsBuilder;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// PCIe links of NICs.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "pcie",
    help: "PCIe bandwidth, width and NUMA node of every exported link's device, from /sys/bus/pci.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Bandwidth now.
pub static BANDWIDTH: Metric = Metric::gauge(
    "pcie_bandwidth_bytes_per_second",
    "Bandwidth that PCIe gives the device now, the least of its own link and every bridge's above it, without the overhead of packets.",
    Unit::BytesPerSecond,
);
/// Bandwidth at best.
pub static BANDWIDTH_MAX: Metric = Metric::gauge(
    "pcie_bandwidth_max_bytes_per_second",
    "Bandwidth that the device's own PCIe link could reach in a slot that does not limit it.",
    Unit::BytesPerSecond,
);
/// Lanes now.
pub static WIDTH: Metric = Metric::gauge("pcie_width", "Lanes of the device's PCIe link now.", Unit::None);
/// Lanes at best.
pub static WIDTH_MAX: Metric =
    Metric::gauge("pcie_width_max", "Lanes that the device's PCIe link could have.", Unit::None);

static COLUMNS: [Column; 4] =
    [Column::of(&BANDWIDTH), Column::of(&BANDWIDTH_MAX), Column::of(&WIDTH), Column::of(&WIDTH_MAX)];

/// Label of `link_info`: the function whose link gives less than the device could use.
const LIMITED_BY: &str = "pcie_limited_by";
/// Label of `link_info`: the node whose memory and CPUs are near the device.
const NUMA_NODE: &str = "numa_node";

/// (GT/s in tenths, Mb/s of a lane) after encoding: `PCIE_SPEED2MBS_ENC` in drivers/pci/pci.h.
const SPEEDS: [(u32, u64); 6] =
    [(25, 2000), (50, 4000), (80, 7876), (160, 15753), (320, 31507), (640, 64000)];
const BYTES_PER_MEGABIT: u64 = 1_000_000 / 8;

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let directory = roots.sys.join("bus/pci/devices");
    if !directory.is_dir() {
        return Err(SourceError::Absent(format!("no {}", directory.display())));
    }
    Ok(Box::new(Pcie { subjects: KeptSubjects::default() }))
}

struct Pcie {
    subjects: KeptSubjects,
}

impl Source for Pcie {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let links = context.links.exported().iter().filter(|link| !link.hardware().pci.is_empty());
        let links: Vec<&Link> = links.collect();
        let mut subjects = SubjectsBuilder::default();
        for link in &links {
            subjects.row(link.key).label("device", &link.name);
        }
        let subjects = self.subjects.keep(subjects.build());
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, subjects);
        let mut facts = Vec::new();
        for (row, link) in links.iter().enumerate() {
            let place = place_of(&link.hardware().pci, &context.roots);
            facts.extend(numa_node(&place).map(|value| Fact {
                key: link.key,
                label: NUMA_NODE,
                value: value.into(),
            }));
            if is_paravirtual(link) {
                block.set_row(row, [Cell::gap(Gap::Unsupported); 4]);
                continue;
            }
            let slot = judge(&functions(&place));
            block.set_row(row, slot.cells());
            facts.extend(slot.limited_by.map(|value| Fact {
                key: link.key,
                label: LIMITED_BY,
                value: value.into(),
            }));
        }
        Ok(Reading { facts, ..Reading::of(block) })
    }
}

/// Whether the link's device is made of software: virtio, which stands on a PCI function without being one, or
/// vmxnet3, which is one.
fn is_paravirtual(link: &Link) -> bool {
    link.hardware().bus_address.starts_with("virtio") || link.hardware().driver == "vmxnet3"
}

/// The directory of a PCI function, with all functions above it as parents.
fn place_of(address: &str, roots: &Roots) -> PathBuf {
    let path = roots.sys.join("bus/pci/devices").join(address);
    std::fs::canonicalize(&path).unwrap_or(path)
}

/// The kernel says -1 where there is only one node or the firmware does not tell.
fn numa_node(place: &Path) -> Option<String> {
    let node: i64 = read_file(&place.join("numa_node")).ok()?.trim().parse().ok()?;
    (node >= 0).then(|| node.to_string())
}

/// One PCI function's own link, as far as it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Function {
    address: String,
    speed: Option<u64>,
    speed_max: Option<u64>,
    width: Option<u64>,
    width_max: Option<u64>,
}

impl Function {
    fn bandwidth(&self) -> Option<u64> {
        Some(self.speed? * self.width?)
    }

    fn bandwidth_max(&self) -> Option<u64> {
        Some(self.speed_max? * self.width_max?)
    }
}

/// The function and all bridges above it, nearest first.
fn functions(place: &Path) -> Vec<Function> {
    let mut functions: Vec<Function> =
        place.ancestors().take_while(|path| path.join("vendor").exists()).map(function).collect();
    // A virtual function has no link of its own (its registers read 0): it shares the physical function's.
    if let (Some(first), Ok(physical)) = (functions.first_mut(), std::fs::canonicalize(place.join("physfn")))
    {
        if first.bandwidth().is_none() {
            *first = function(&physical);
        }
    }
    functions
}

fn function(place: &Path) -> Function {
    let text = |name| read_file(&place.join(name)).unwrap_or_default();
    Function {
        address: place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        speed: lane_speed(&text("current_link_speed")),
        speed_max: lane_speed(&text("max_link_speed")),
        width: lanes(&text("current_link_width")),
        width_max: lanes(&text("max_link_width")),
    }
}

/// Bytes a second of one lane from `8.0 GT/s PCIe` (since 5.7) or `8 GT/s`; `Unknown` and speeds to come are none.
fn lane_speed(text: &str) -> Option<u64> {
    let (number, _) = text.trim().split_once(" GT/s")?;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let tenths = whole.parse::<u32>().ok()?.checked_mul(10)?.checked_add(tenths.parse().ok()?)?;
    let (_, megabits) = SPEEDS.iter().find(|(speed, _)| *speed == tenths)?;
    Some(megabits * BYTES_PER_MEGABIT)
}

/// Lanes: a link that is down has 0, and a register that cannot be read says 63 or 255. There are at most 32.
fn lanes(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|lanes| (1..=32).contains(lanes))
}

/// What the walk found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Slot {
    bandwidth: Option<u64>,
    bandwidth_max: Option<u64>,
    width: Option<u64>,
    width_max: Option<u64>,
    limited_by: Option<String>,
}

impl Slot {
    fn cells(&self) -> [Cell; 4] {
        [self.bandwidth, self.bandwidth_max, self.width, self.width_max]
            .map(|value| Cell::integer_or(value, Gap::Unknown))
    }
}

/// The least bandwidth on the way up. A function without a known link (a root complex's own) does not count.
fn judge(functions: &[Function]) -> Slot {
    let Some(own) = functions.first() else { return Slot::default() };
    let known = functions.iter().filter_map(|function| Some((function.bandwidth()?, &function.address)));
    // Both ends of a link show the same speed: the one nearer to the root names the slot, as in the kernel's log.
    let least = known.rev().min_by_key(|(bandwidth, _)| *bandwidth);
    let bandwidth_max = own.bandwidth_max();
    let limiting = least.filter(|(bandwidth, _)| bandwidth_max.is_some_and(|max| *bandwidth < max));
    Slot {
        bandwidth: least.map(|(bandwidth, _)| bandwidth),
        bandwidth_max,
        width: own.width,
        width_max: own.width_max,
        limited_by: limiting.map(|(_, address)| address.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, lane_speed, lanes, Function, Slot, SOURCE};
    use crate::sample::link::Link;
    use crate::source::contract::SourceError;
    use crate::source::fixture::{context, golden, lines, link, text, Tree};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn slots_read_as_their_golden() {
        let tree = Tree::of(&text("sys/pcie.tree"));
        let mut virtio = link(6, "paravirtual", "0000:60:00.0");
        virtio.hardware_mut().bus_address = "virtio3".into();
        let mut vmxnet3 = link(10, "vmxnet3", "0000:60:00.0");
        vmxnet3.hardware_mut().driver = "vmxnet3".into();
        let links = vec![
            vmxnet3,
            link(1, "full", "0000:3b:00.0"),
            link(2, "narrow-bridge", "0000:5e:00.0"),
            link(3, "narrow-slot", "0000:86:00.1"),
            link(4, "virtual-function", "0000:3b:02.0"),
            link(5, "no-pcie", "0000:00:03.0"),
            virtio,
            Link { exported: false, ..link(7, "hidden", "0000:3b:00.0") },
            link(8, "bond0", ""),
            link(9, "gone", "0000:99:00.0"),
        ];
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        golden("pcie", &lines(&source.read(&context(&tree.roots(), links)).expect("reads")));
        assert!(matches!((SOURCE.open)(&Tree::of("").roots()), Err(SourceError::Absent(_))));
    }

    #[test]
    fn speeds_are_those_of_the_kernel() {
        // drivers/pci/pci.h: 8000*128/130 Mb/s and so on; both ways of writing them.
        for (text, megabits) in [
            ("2.5 GT/s PCIe\n", Some(2000)),
            ("5 GT/s\n", Some(4000)),
            ("8.0 GT/s PCIe\n", Some(8000 * 128 / 130)),
            ("16.0 GT/s PCIe\n", Some(16000 * 128 / 130)),
            ("32 GT/s\n", Some(32000 * 128 / 130)),
            ("64.0 GT/s PCIe\n", Some(64000)),
            ("128.0 GT/s PCIe\n", None),
            ("Unknown speed\n", None),
            ("Unknown\n", None),
            ("", None),
        ] {
            assert_eq!(lane_speed(text), megabits.map(|m: u64| m * 125_000), "{text:?}");
        }
        for (text, expected) in
            [("16\n", Some(16)), ("0\n", None), ("255\n", None), ("63\n", None), ("", None)]
        {
            assert_eq!(lanes(text), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_known_is_nothing_told() {
        assert_eq!(judge(&[]), Slot::default());
        assert_eq!(judge(&[Function::default()]), Slot::default());
    }

    proptest! {
        #[test]
        fn the_least_of_the_way_up_counts(ways in proptest::collection::vec((1u64..1000, 1u64..33), 1..6)) {
            let functions: Vec<Function> = ways.iter().enumerate().map(|(at, (speed, width))| Function {
                address: at.to_string(), speed: Some(*speed), width: Some(*width), ..Function::default()
            }).collect();
            prop_assert_eq!(judge(&functions).bandwidth, ways.iter().map(|(speed, width)| speed * width).min());
        }

        #[test]
        fn any_text_is_answered(text in any::<String>(), number in "[0-9.]{0,12}") {
            prop_assert!(lane_speed(&text).is_none_or(|speed| speed > 0));
            let speed = format!("{number} GT/s PCIe");
            prop_assert!(lane_speed(&speed).is_none_or(|speed| speed > 0));
            prop_assert!(lanes(&number).is_none_or(|lanes| (1..=32).contains(&lanes)));
        }
    }
}
