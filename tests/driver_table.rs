//! Holds the table of ring overflows to the statistics of every driver in it: which are added, which are not, and what
//! happens where a driver or a name is unknown. The lists are in tests/data/ethtool (its README says where from).

#![allow(clippy::unwrap_used)] // A data file that cannot be read fails the test.

use miglink::source::driver_table::{driver, plan, Driver, Missed, Overflow, DRIVERS};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest, Just, Strategy};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the link's own counter says in these tests: no sum of statistics is equal to it.
const MISSED: Option<u64> = Some(99);

/// Driver, overflows, meaning. The addends are in the data files, all other statistics there have other values.
const EXPECTED: &[(&str, Option<u64>, &str)] = &[
    ("mlx5_core", Some(4711), "rx_out_of_buffer"),
    ("mlx4_en", Some(812), "rx_fifo_errors"),
    ("ice", Some(3391), "rx_dropped"),
    ("i40e", Some(2207), "rx_missed_errors"),
    ("iavf", Some(1873), "rx_discards"),
    ("ixgbe", Some(1500 + 37), "rx_missed_errors+rx_no_dma_resources"),
    ("ixgbevf", None, "none"),
    ("igb", Some(640 + 18), "rx_fifo_errors"),
    ("igc", Some(640 + 18), "rx_fifo_errors"),
    ("e1000e", MISSED, "rx_missed_errors"),
    ("bnxt_en", MISSED, "rx_missed_errors"),
    ("bnx2x", Some(123), "rx_discards"),
    ("qede", Some(777), "no_buff_discards"),
    ("sfc", Some(910 + 6), "port_rx_nodesc_drops+rx_nodesc_trunc"),
    ("ena", None, "none"),
    ("gve", Some(40 + 2 + 900), "rx_no_buffers_posted"),
    ("mana", Some(6021), "hc_rx_discards_no_wqe"),
    ("hv_netvsc", None, "none"),
    ("virtio_net", None, "none"),
    ("vmxnet3", Some(190 + 7), "pkts rx OOB"),
    ("cxgb4", Some(310 + 4 + 2 + 1), "rx_bg_frames_dropped+rx_bg_frames_trunc"),
    ("nfp", Some(4242), "dev_rx_discards"),
];

#[test]
fn every_driver_adds_its_overflows_and_nothing_else() {
    for &(name, overflows, meaning) in EXPECTED {
        let (names, values) = statistics(name);
        let plan = plan(name, &names);
        assert_eq!(plan.overflows(&values, MISSED), overflows, "{name}");
        assert_eq!(plan.meaning, meaning, "{name}");
        // The kernel's own ena driver has no count; the table knows of a spelling, but not of this one.
        assert_eq!(plan.from_table, name != "ena", "{name}");
    }
}

#[test]
fn every_driver_has_a_list_and_an_expectation() {
    let drivers: BTreeSet<_> = DRIVERS.iter().map(|driver| driver.name.to_owned()).collect();
    let expected: BTreeSet<_> = EXPECTED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let files: BTreeSet<_> = fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(drivers, expected);
    assert_eq!(drivers, files);
}

#[test]
fn names_and_aliases_are_given_once_and_found() {
    let mut seen = BTreeSet::new();
    for entry in DRIVERS {
        for name in entry.aliases.iter().chain([&entry.name]) {
            assert!(seen.insert(*name), "{name} twice");
            assert_eq!(driver(name).map(|found| found.name), Some(entry.name));
        }
    }
    assert!(driver("mlx").is_none());
}

#[test]
fn warnings_and_earlier_losses_exist_and_are_never_added() {
    for entry in DRIVERS {
        let (names, _) = statistics(entry.name);
        for pattern in entry.early.iter().chain(entry.before_ring) {
            assert!(!summed(entry).contains(pattern), "{}: {pattern} is added", entry.name);
            let queue_0 = pattern.replace("{}", "0");
            assert!(names.iter().any(|name| name.trim() == queue_0), "{}: no {pattern}", entry.name);
        }
    }
}

#[test]
fn statistics_of_real_devices_are_understood() {
    for (name, overflows) in [("e1000e", MISSED), ("virtio_net", None), ("vmxnet3", Some(0))] {
        let (names, values) = parse(&data().join("captured").join(format!("{name}.txt")));
        let plan = plan(name, &names);
        assert!(plan.from_table, "{name}");
        assert_eq!(plan.overflows(&values, MISSED), overflows, "{name}");
    }
}

#[test]
fn other_spellings_are_taken_in_order() {
    let (names, values) = statistics("igb");
    let (names, values) = without(&names, &values, "rx_fifo_errors");
    let igb = plan("igb", &names);
    assert_eq!(
        (igb.overflows(&values, MISSED), igb.meaning),
        (Some(640 + 18), "rx_missed_errors+rx_queue_drops")
    );

    let (names, values) = statistics("bnx2x");
    let (names, values) = without(&names, &values, "rx_discards");
    assert_eq!(plan("bnx2x", &names).overflows(&values, MISSED), Some(100 + 20 + 3));

    let siena = owned(&["rx_nodesc_drop_cnt", "rx_overflow", "rx_nodesc_trunc"]);
    assert_eq!(plan("sfc_siena", &siena).overflows(&[20, 300, 1], MISSED), Some(21));
    assert_eq!(plan("ena", &owned(&["suspend", "rx_overruns"])).overflows(&[1, 8], MISSED), Some(8));
    assert_eq!(plan("mlx4_core", &owned(&["rx_fifo_errors"])).overflows(&[3], MISSED), Some(3));
}

#[test]
fn an_unknown_driver_is_read_by_the_links_counter_and_says_so() {
    let plan = plan("rtl8139", &owned(&["rx_out_of_buffer"]));
    assert_eq!((plan.meaning, plan.from_table, plan.needs_statistics()), ("rx_missed_errors", false, false));
    assert_eq!(plan.overflows(&[7], MISSED), MISSED);
    assert_eq!(plan.overflows(&[7], None), None);
}

#[test]
fn without_the_expected_statistics_the_links_counter_counts_only_where_the_driver_sets_it() {
    let strange = owned(&["rx_strange"]);
    for (name, overflows) in [("i40e", MISSED), ("ixgbe", MISSED), ("ice", None), ("vmxnet3", None)] {
        let plan = plan(name, &strange);
        assert_eq!(plan.overflows(&[7], MISSED), overflows, "{name}");
        assert!(!plan.from_table, "{name}");
    }
}

#[test]
fn without_asking_for_statistics_an_equal_counter_of_the_link_will_do() {
    let mlx5 = plan("mlx5_core", &[]);
    assert_eq!(
        (mlx5.overflows(&[], MISSED), mlx5.from_table, mlx5.needs_statistics()),
        (MISSED, true, false)
    );
    // A part of the count is not the count.
    assert!(!plan("ixgbe", &[]).from_table);
}

#[test]
fn a_reading_that_is_too_short_counts_nothing() {
    let (names, values) = statistics("vmxnet3");
    let plan = plan("vmxnet3", &names);
    assert!(plan.needs_statistics());
    assert_eq!(plan.overflows(&values[..values.len() / 2], MISSED), None);
}

#[test]
fn every_entry_says_where_it_was_read_and_is_consistent() {
    for entry in DRIVERS {
        assert!(entry.source.contains(".c: "), "{}", entry.name);
        if matches!(entry.overflow, Overflow::Missed) {
            assert_eq!(entry.missed, Missed::Same, "{}", entry.name);
        }
    }
}

proptest! {
    #[test]
    fn no_names_or_values_make_it_panic(
        name in driver_name(),
        names in prop::collection::vec(any_statistic(), 0..40),
        values in prop::collection::vec(any::<u64>(), 0..40),
        missed in any::<Option<u64>>(),
    ) {
        let plan = plan(&name, &names);
        let overflows = plan.overflows(&values, missed);
        prop_assert!(plan.needs_statistics() || overflows.is_none() || overflows == missed);
    }

    #[test]
    fn unknown_statistics_change_nothing(
        (expected, extra) in (known_driver(), prop::collection::vec(("[xyz]{1,9} \\{\\}", any::<u64>(), any::<prop::sample::Index>()), 0..20)),
    ) {
        let (name, overflows, _) = expected;
        let (mut names, mut values) = statistics(name);
        for (unknown, value, place) in extra {
            let at = place.index(names.len() + 1);
            names.insert(at, unknown);
            values.insert(at, value);
        }
        prop_assert_eq!(plan(name, &names).overflows(&values, MISSED), overflows);
    }

    #[test]
    fn the_order_of_statistics_does_not_matter(
        (expected, pairs) in known_driver().prop_flat_map(|expected| {
            let (names, values) = statistics(expected.0);
            let pairs: Vec<_> = names.into_iter().zip(values).collect();
            (Just(expected), Just(pairs).prop_shuffle())
        }),
    ) {
        let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        prop_assert_eq!(plan(expected.0, &names).overflows(&values, MISSED), expected.1);
    }
}

fn known_driver() -> impl Strategy<Value = (&'static str, Option<u64>, &'static str)> {
    prop::sample::select(EXPECTED)
}

fn driver_name() -> impl Strategy<Value = String> {
    prop::strategy::Union::new([
        known_driver().prop_map(|expected| expected.0.to_owned()).boxed(),
        ".{0,12}".boxed(),
    ])
}

/// A name the table may look for, with a number of any length in it, or any text.
fn any_statistic() -> impl Strategy<Value = String> {
    let patterns: Vec<&'static str> = DRIVERS.iter().flat_map(summed).collect();
    let like_one =
        (prop::sample::select(patterns), "[0-9a-z]{0,25}").prop_map(|(p, number)| p.replace("{}", &number));
    prop::strategy::Union::new([like_one.boxed(), ".{0,32}".boxed()])
}

/// Every pattern that a driver's entry adds in one spelling or another.
fn summed(entry: &Driver) -> Vec<&'static str> {
    match entry.overflow {
        Overflow::Statistics(ways) => ways.iter().flat_map(|way| way.names.iter().copied()).collect(),
        Overflow::Missed | Overflow::Untold => Vec::new(),
    }
}

fn without(names: &[String], values: &[u64], gone: &str) -> (Vec<String>, Vec<u64>) {
    names.iter().cloned().zip(values.iter().copied()).filter(|(name, _)| name != gone).unzip()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ethtool")
}

fn statistics(driver: &str) -> (Vec<String>, Vec<u64>) {
    parse(&data().join(format!("{driver}.txt")))
}

/// Names and values as `ethtool -S` prints them: a title, then five blanks, the name as the driver gave it (its own
/// blanks included), a colon and the value.
fn parse(path: &Path) -> (Vec<String>, Vec<u64>) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("NIC statistics:"), "{}", path.display());
    lines
        .map(|line| {
            let (name, value) = line.strip_prefix("     ").unwrap().rsplit_once(": ").unwrap();
            (name.to_owned(), value.parse::<u64>().unwrap())
        })
        .unzip()
}
