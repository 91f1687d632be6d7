//! The sources of /proc and /sys against the running kernel: what they read lies between what a person reads
//! before and after, and what this host lacks is said to be absent.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where it fails, also in what its tests share"
)]

use miglink::sample::cell::Cell;
use miglink::sample::link::{Link, Links};
use miglink::sample::metric::Form;
use miglink::source::contract::{Context, Reading, Roots, Source, SourceError};
use miglink::source::SOURCES;
use std::path::Path;
use std::sync::Arc;

fn open(name: &str) -> Result<Box<dyn Source>, SourceError> {
    let info = SOURCES.iter().find(|info| info.name == name).expect("a source of this name");
    (info.open)(&Roots::default())
}

/// Reads a source over this host's links, all taken as exported; `None` if this host does not have it.
fn read(name: &str) -> Option<Reading> {
    let roots = Arc::new(Roots::default());
    let mut context = Context { roots, ..Context::default() };
    let found =
        open("links").expect("links").read(&context).expect("links").links.expect("the first reading");
    let exported = |link| Link { exported: true, ..link };
    context.links = Arc::new(Links::new(1, found.into_iter().map(exported).collect(), None));
    match open(name) {
        Ok(mut source) => Some(source.read(&context).expect("reads")),
        Err(SourceError::Absent(_)) => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A value by its metric and labels (the subject's, then the column's).
fn cell(reading: &Reading, metric: &str, labels: &str) -> Option<(Cell, Form)> {
    for block in &reading.blocks {
        for (column, described) in block.columns.iter().enumerate().filter(|(_, c)| c.metric.name == metric) {
            for row in 0..block.rows() {
                let own = described.label.map(|(name, value)| format!("{name}=\"{value}\""));
                let subject = block.subjects.labels(row);
                if own.map_or(subject == labels, |own| own == labels) {
                    return Some((block.cell(column, row), described.metric.form));
                }
            }
        }
    }
    None
}

fn integer(reading: &Reading, metric: &str, labels: &str) -> Option<u64> {
    let (cell, form) = cell(reading, metric, labels)?;
    assert_eq!(form, Form::Integer, "{metric}");
    cell.as_integer()
}

fn float(reading: &Reading, metric: &str, labels: &str) -> Option<f64> {
    let (cell, form) = cell(reading, metric, labels)?;
    assert_eq!(form, Form::Float, "{metric}");
    cell.as_float()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value under a name in a file of pairs of lines, as `nstat` finds it.
fn named(path: &str, section: &str, name: &str) -> Option<u64> {
    let text = text(path);
    let mut lines = text.lines().filter(|line| line.split(':').next() == Some(section));
    let place = lines.next()?.split_whitespace().position(|word| word == name)?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

/// A counter that only grows was read between two other looks at it.
fn assert_bracketed(what: &str, before: u64, read: u64, after: u64) {
    assert!(before <= read && read <= after, "{what}: {before} <= {read} <= {after}");
}

#[test]
fn softnet_equals_the_file() {
    let columns = |text: &str| -> Vec<Vec<u64>> {
        let words =
            |line: &str| line.split_whitespace().map(|w| u64::from_str_radix(w, 16).expect("hex")).collect();
        text.lines().map(words).collect()
    };
    let before = columns(&text("/proc/net/softnet_stat"));
    let reading = read("softnet").expect("every kernel has it");
    let after = columns(&text("/proc/net/softnet_stat"));
    assert_eq!(reading.blocks[0].rows(), before.len());
    for (before, after) in before.iter().zip(&after) {
        let cpu = format!("cpu=\"{}\"", before.get(12).expect("this kernel names the CPU"));
        for (column, metric) in
            [(0, "softnet_processed_total"), (1, "softnet_dropped_total"), (2, "softnet_squeezed_total")]
        {
            let read = integer(&reading, metric, &cpu).expect("a value");
            assert_bracketed(metric, before[column], read, after[column]);
        }
    }
}

#[test]
fn tcp_counters_equal_the_files() {
    let fields = [
        ("/proc/net/snmp", "Tcp", "InSegs", "tcp_segments_received_total"),
        ("/proc/net/snmp", "Tcp", "RetransSegs", "tcp_retransmitted_segments_total"),
        ("/proc/net/snmp", "Ip", "FragFails", "ip_fragments_failed_total"),
        ("/proc/net/netstat", "TcpExt", "TCPTimeouts", "tcp_timeouts_total"),
        ("/proc/net/netstat", "TcpExt", "TCPRcvQDrop", "tcp_receive_queue_drops_total"),
        ("/proc/net/netstat", "TcpExt", "TCPToZeroWindowAdv", "tcp_zero_window_advertised_total"),
    ];
    let look = || fields.map(|(path, section, name, _)| named(path, section, name));
    let before = look();
    let reading = read("tcp_counters").expect("every kernel has it");
    let after = look();
    for (at, (_, _, name, metric)) in fields.iter().enumerate() {
        let read = integer(&reading, metric, "");
        assert_eq!(read.is_some(), before[at].is_some(), "{name}");
        if let (Some(before), Some(read), Some(after)) = (before[at], read, after[at]) {
            assert_bracketed(name, before, read, after);
        }
    }
}

#[test]
fn pressure_equals_the_files() {
    let total = |resource: &str, kind: &str| -> Option<u64> {
        let text = text(&format!("/proc/pressure/{resource}"));
        let line = text.lines().find(|line| line.starts_with(kind))?;
        line.rsplit_once("total=")?.1.trim().parse().ok()
    };
    let files = [("cpu", "some", "waiting"), ("io", "some", "waiting"), ("io", "full", "stalled")];
    if std::fs::read("/proc/pressure/cpu").is_err() {
        assert!(read("pressure").is_none(), "this kernel has no pressure stall information");
        return;
    }
    let before = files.map(|(resource, kind, _)| total(resource, kind).expect("a total"));
    let reading = read("pressure").expect("the file is there");
    let after = files.map(|(resource, kind, _)| total(resource, kind).expect("a total"));
    for (at, (resource, _, metric)) in files.iter().enumerate() {
        let metric = format!("pressure_{metric}_seconds_total");
        let seconds = float(&reading, &metric, &format!("resource=\"{resource}\"")).expect("a value");
        assert_bracketed(&metric, before[at], (seconds * 1e6).round() as u64, after[at]);
    }
}

#[test]
fn sysctls_equal_the_files() {
    let reading = read("sysctls").expect("every kernel has it");
    assert_eq!(reading.problems, [""; 0]);
    for (at, limit) in ["min", "default", "max"].iter().enumerate() {
        for (file, metric) in [("tcp_rmem", "sysctl_tcp_rmem_bytes"), ("tcp_wmem", "sysctl_tcp_wmem_bytes")] {
            let text = text(&format!("/proc/sys/net/ipv4/{file}"));
            let expected = text.split_whitespace().nth(at).expect("three numbers").parse().ok();
            assert_eq!(integer(&reading, metric, &format!("limit=\"{limit}\"")), expected, "{file}");
        }
    }
    for (file, metric) in [
        ("core/rmem_max", "sysctl_rmem_max_bytes"),
        ("core/netdev_max_backlog", "sysctl_netdev_max_backlog_packets"),
        ("core/netdev_budget", "sysctl_netdev_budget_packets"),
        ("ipv4/tcp_mtu_probing", "sysctl_tcp_mtu_probing"),
    ] {
        let path = format!("/proc/sys/net/{file}");
        let expected = Path::new(&path).exists().then(|| text(&path).trim().parse().expect("a number"));
        assert_eq!(integer(&reading, metric, ""), expected, "{file}");
    }
    let congestion_control = text("/proc/sys/net/ipv4/tcp_congestion_control");
    let subject = reading.blocks[1].subjects.label(0, "congestion_control");
    assert_eq!(subject.as_deref(), Some(congestion_control.trim()));
}

/// Interrupts of each device and CPU, summed from /proc/interrupts by the names that the kernel gives the devices'
/// interrupts in sysfs: the other way round than the source.
fn interrupts_of(link: &Link) -> Vec<u64> {
    let directory = format!("/sys/bus/pci/devices/{}/msi_irqs", link.hardware().pci);
    let irqs: Vec<String> = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|entry| format!("{}:", entry.file_name().display())).collect())
        .unwrap_or_default();
    let table = text("/proc/interrupts");
    let cpus = table.lines().next().expect("a header").split_whitespace().count();
    let mut sums = vec![0; cpus];
    for line in
        table.lines().filter(|line| irqs.iter().any(|irq| line.trim_start().starts_with(irq.as_str())))
    {
        for (sum, word) in sums.iter_mut().zip(line.split_whitespace().skip(1)) {
            *sum += word.parse::<u64>().expect("a count");
        }
    }
    sums
}

#[test]
fn interrupts_equal_the_table() {
    let context = Context::default();
    let links =
        open("links").expect("links").read(&context).expect("links").links.expect("the first reading");
    let links: Vec<Link> = links.into_iter().filter(|link| !link.hardware().pci.is_empty()).collect();
    let before: Vec<Vec<u64>> = links.iter().map(interrupts_of).collect();
    let reading = read("interrupts").expect("every kernel has it");
    let after: Vec<Vec<u64>> = links.iter().map(interrupts_of).collect();
    for (at, link) in links.iter().enumerate() {
        for (cpu, (before, after)) in before[at].iter().zip(&after[at]).enumerate() {
            let labels = format!("device=\"{}\",cpu=\"{cpu}\"", link.name);
            let read = integer(&reading, "link_interrupts_total", &labels).unwrap_or(0);
            assert_bracketed(&labels, *before, read, *after);
        }
    }
    let rows = reading.blocks[0].rows();
    assert!(rows <= after.iter().map(Vec::len).sum(), "{rows} rows");
}

#[test]
fn pcie_equals_the_files_of_the_device() {
    let Some(reading) = read("pcie") else {
        assert!(!Path::new("/sys/bus/pci/devices").exists());
        return;
    };
    let subjects = &reading.blocks[0].subjects;
    for row in 0..subjects.len() {
        let device = subjects.label(row, "device").expect("a device");
        let link = std::fs::canonicalize(format!("/sys/class/net/{device}/device")).expect("hardware");
        let is_virtio = link.file_name().is_some_and(|name| name.to_string_lossy().starts_with("virtio"));
        let width = std::fs::read_to_string(link.join("current_link_width"));
        let width =
            width.ok().and_then(|text| text.trim().parse().ok()).filter(|lanes| (1..=32).contains(lanes));
        let expected = if is_virtio { None } else { width };
        assert_eq!(integer(&reading, "pcie_width", &format!("device=\"{device}\"")), expected, "{device}");
    }
}

#[test]
fn rdma_is_there_if_the_kernel_has_its_class() {
    assert_eq!(read("rdma").is_some(), Path::new("/sys/class/infiniband").exists());
}

#[test]
fn bonds_and_teams_are_those_of_sysfs() {
    let is_one = |name: &std::ffi::OsStr| {
        let device = Path::new("/sys/class/net").join(name);
        let kind = std::fs::read_to_string(device.join("uevent")).unwrap_or_default();
        device.join("bonding").is_dir() || kind.lines().any(|line| line == "DEVTYPE=team")
    };
    let entries = std::fs::read_dir("/sys/class/net").expect("a directory").flatten();
    let expected = entries.filter(|entry| is_one(&entry.file_name())).count();
    let reading = read("bonding").expect("every kernel can be asked");
    assert_eq!((reading.blocks[0].rows(), reading.blocks[1].rows()), (expected, expected));
}
