//! What one reading of each source of /proc and /sys costs on this host, in microseconds: `cargo bench --bench
//! proc_sources`. Then for 256 CPUs and for RDMA, from built trees: ordinary files, so without what the kernel needs
//! to write them.

// A bench has to read the clock.
#![allow(clippy::disallowed_methods, reason = "measures time")]
#![allow(clippy::expect_used, reason = "a bench that cannot read has nothing to say")]

use miglink::sample::link::{Hardware, Link, Links};
use miglink::source::contract::{Context, Roots, SourceError};
use miglink::source::SOURCES;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;
const CPUS: usize = 256;
const INTERRUPTS: usize = 64;
/// All interrupts of a large host: those of other NICs, disks and the like.
const TABLE_LINES: usize = 1500;
/// As mlx5 has them; the files that no metric takes cost nothing.
const RDMA_COUNTERS: [&str; 20] = [
    "counters/port_rcv_data",
    "counters/port_xmit_data",
    "counters/port_rcv_packets",
    "counters/port_xmit_packets",
    "counters/port_xmit_wait",
    "counters/port_xmit_discards",
    "counters/port_rcv_errors",
    "counters/symbol_error",
    "counters/link_error_recovery",
    "counters/link_downed",
    "hw_counters/out_of_buffer",
    "hw_counters/out_of_sequence",
    "hw_counters/packet_seq_err",
    "hw_counters/local_ack_timeout_err",
    "hw_counters/rnr_nak_retry_err",
    "hw_counters/np_ecn_marked_roce_packets",
    "hw_counters/np_cnp_sent",
    "hw_counters/rp_cnp_handled",
    "hw_counters/rp_cnp_ignored",
    "hw_counters/roce_slow_restart",
];
const NAMES: [&str; 8] =
    ["softnet", "tcp_counters", "interrupts", "pressure", "sysctls", "pcie", "bonding", "rdma"];

fn main() {
    let host = host_context();
    println!("this host");
    for name in NAMES {
        report(name, &host);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let large = large_context(directory.path(), true);
    println!("{CPUS} CPUs, {INTERRUPTS} interrupts of one link (built tree)");
    report("softnet", &large);
    report("interrupts", &large);
    println!("one RDMA port with {} counters (built tree)", RDMA_COUNTERS.len());
    report("rdma", &large);
    let directory = tempfile::tempdir().expect("a directory");
    println!("the same without /sys/kernel/irq: /proc/interrupts of {TABLE_LINES} lines");
    report("interrupts", &large_context(directory.path(), false));
}

fn report(name: &str, context: &Context) {
    let info = SOURCES.iter().find(|info| info.name == name).expect("a source");
    let mut source = match (info.open)(&context.roots) {
        Ok(source) => source,
        Err(SourceError::Absent(what)) => return println!("  {name:14} absent: {what}"),
        Err(error) => return println!("  {name:14} {error}"),
    };
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(source.read(context).expect("reads"));
            begin.elapsed()
        })
        .collect();
    took.sort_unstable();
    let micros = |duration: Duration| duration.as_nanos() as f64 / 1e3;
    println!("  {name:14} median {:9.1} us, least {:9.1} us", micros(took[ROUNDS / 2]), micros(took[0]));
}

fn host_context() -> Context {
    let mut context = Context::default();
    let mut links = (SOURCES[0].open)(&context.roots).expect("links");
    let found = links.read(&context).expect("links").links.unwrap_or_default();
    let exported = |link| Link { exported: true, ..link };
    context.links = Arc::new(Links::new(1, found.into_iter().map(exported).collect(), None));
    context
}

fn large_context(root: &Path, with_sysfs: bool) -> Context {
    let (proc, sys) = (root.join("proc"), root.join("sys"));
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    let line = |separator: &str| vec!["123456"; CPUS].join(separator);
    let header: String = (0..CPUS).fold(String::new(), |mut out, cpu| {
        write!(out, " CPU{cpu}").expect("a string takes all");
        out
    });
    let counts = line("     ");
    let table = (0..TABLE_LINES).fold(header, |mut out, irq| {
        write!(out, "\n{irq:4}: {counts}  IR-PCI-MSIX-0000:3b:00.0  {irq}-edge  eth0-TxRx-{irq}")
            .expect("a string");
        out
    });
    write(&proc.join("interrupts"), &(table + "\n"));
    let softnet = (0..CPUS).fold(String::new(), |mut out, cpu| {
        let zeros = "00000000 ".repeat(9);
        writeln!(out, "00bc614e 00000000 00000010 {zeros}{cpu:08x} 00000000 00000000").expect("a string");
        out
    });
    write(&proc.join("net/softnet_stat"), &softnet);
    write(&sys.join("devices/system/cpu/possible"), &format!("0-{}\n", CPUS - 1));
    for irq in 0..INTERRUPTS {
        write(&sys.join(format!("bus/pci/devices/0000:3b:00.0/msi_irqs/{irq}")), "msix\n");
        if with_sysfs {
            write(&sys.join(format!("kernel/irq/{irq}/per_cpu_count")), &(line(",") + "\n"));
        }
    }
    let port = sys.join("class/infiniband/mlx5_0/ports/1");
    for (file, text) in
        [("state", "4: ACTIVE\n"), ("phys_state", "5: LinkUp\n"), ("rate", "100 Gb/sec (4X EDR)\n")]
    {
        write(&port.join(file), text);
    }
    for file in RDMA_COUNTERS {
        write(&port.join(file), "123456789\n");
    }
    let pci = String::from("0000:3b:00.0");
    let link = Link {
        key: 1,
        index: 1,
        name: "eth0".into(),
        hardware: Some(Box::new(Hardware { bus_address: pci.clone(), pci, ..Hardware::default() })),
        exported: true,
        ..Link::default()
    };
    let links = Arc::new(Links::new(1, vec![link], None));
    Context { links, roots: Arc::new(Roots { proc, sys }), ..Context::default() }
}
