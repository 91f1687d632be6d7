//! Offloads that matter to a migration's throughput, by ETHTOOL_MSG_FEATURES_GET: equal to `ethtool -k`.
//!
//! Without segmentation and receive offload one core carries a few Gbit/s at most.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::Bitset;
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Offloads.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "features",
    help: "Offloads of links, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Whether an offload is on.
pub static FEATURE: Metric =
    Metric::gauge("link_feature", "1 if the offload is active on this link.", Unit::None);

static COLUMNS: [Column; 8] = [
    Column::labelled(&FEATURE, "feature", "tx-tcp-segmentation"),
    Column::labelled(&FEATURE, "feature", "tx-generic-segmentation"),
    Column::labelled(&FEATURE, "feature", "rx-gro"),
    Column::labelled(&FEATURE, "feature", "rx-lro"),
    Column::labelled(&FEATURE, "feature", "tx-checksumming"),
    Column::labelled(&FEATURE, "feature", "rx-checksum"),
    Column::labelled(&FEATURE, "feature", "hw-tc-offload"),
    Column::labelled(&FEATURE, "feature", "tls-hw-tx-offload"),
];

/// What `ethtool -k` calls `tx-checksumming` is any of the kernel's features that begin so.
const TX_CHECKSUMMING: (&str, &str) = ("tx-checksumming", "tx-checksum-");
/// `ETH_SS_FEATURES` (include/uapi/linux/ethtool.h).
const FEATURE_NAMES: u32 = 4;
const FEATURES_ACTIVE: u16 = 4;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let mut ethtool = Ethtool::open(SOURCE.deadline)?;
    // The kernel's numbers of features are not part of its interface, only the names are.
    let names = ethtool
        .string_set(FEATURE_NAMES)
        .map_err(|error| SourceError::Netlink { what: "asking for the names of features", error })?;
    Ok(Box::new(Features { ethtool, bits: bits_of(&names) }))
}

/// The bits behind each column.
type Bits = [Vec<u32>; COLUMNS.len()];

struct Features {
    ethtool: Ethtool,
    bits: Bits,
}

impl Source for Features {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let Self { ethtool, bits } = self;
        ethtool.table(SOURCE.name, &COLUMNS, Command::Features, context, |payload, row, block| {
            parse(payload, bits, row, block);
        })
    }
}

fn bits_of(names: &[String]) -> Bits {
    std::array::from_fn(|column| {
        let wanted = COLUMNS[column].label.map_or("", |(_, value)| value);
        let is_group = wanted == TX_CHECKSUMMING.0;
        let is_it = |name: &str| name == wanted || is_group && name.starts_with(TX_CHECKSUMMING.1);
        (0..).zip(names).filter(|(_, name)| is_it(name)).map(|(bit, _)| bit).collect()
    })
}

/// Fills a row from the payload of ETHTOOL_MSG_FEATURES_GET_REPLY. What this kernel has no bit for stays a gap.
fn parse(payload: &[u8], bits: &Bits, row: usize, block: &mut Block) {
    let Some(active) = contents(payload).find(|attribute| attribute.kind == FEATURES_ACTIVE) else { return };
    let active = Bitset::of(&active);
    for (column, bits) in bits.iter().enumerate() {
        let is_active = (!bits.is_empty()).then(|| bits.iter().any(|bit| active.has(*bit)));
        block.set(column, row, Cell::integer_or(is_active.map(u64::from), Gap::Unsupported));
    }
}

#[cfg(test)]
mod tests {
    use super::{bits_of, parse, COLUMNS};
    use crate::source::transport::ethtool::answer::strings;
    use crate::source::transport::ethtool::testing::{integers, mutated};
    use proptest::prelude::{prop_assert, proptest};

    const NAMES: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/feature-names.bin");
    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/features-virtio_net.bin");
    const VETH: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/features-veth.bin");
    const IFB: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/features-ifb.bin");

    /// As `ethtool -k` showed them of the devices that were captured.
    #[test]
    fn features_of_three_drivers() {
        let bits = bits_of(&strings(NAMES));
        for (payload, expected) in [
            (VIRTIO_NET, [1, 1, 1, 0, 1, 1, 0, 0]),
            (VETH, [1, 1, 0, 0, 1, 1, 0, 0]),
            (IFB, [1, 1, 1, 0, 1, 0, 0, 0]),
        ] {
            let cells = integers(&COLUMNS, |row, block| parse(payload, &bits, row, block));
            assert_eq!(cells, expected.map(Some));
        }
    }

    #[test]
    fn what_a_kernel_does_not_know_is_a_gap() {
        let bits = bits_of(&["rx-gro".into(), "tx-checksum-ipv4".into(), "rx-lro".into()]);
        let cells = integers(&COLUMNS, |row, block| parse(VETH, &bits, row, block));
        assert_eq!(
            cells.iter().map(Option::is_some).collect::<Vec<_>>(),
            [false, false, true, true, true, false, false, false]
        );
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_has_nothing_but_0_and_1(payload in mutated(VIRTIO_NET), names in mutated(NAMES)) {
            let cells = integers(&COLUMNS, |row, block| parse(&payload, &bits_of(&strings(&names)), row, block));
            prop_assert!(cells.into_iter().flatten().all(|value| value <= 1));
        }
    }
}
