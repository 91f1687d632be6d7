//! Our own process's metrics, in the registry of the `prometheus` crate: what every Prometheus client exports, and
//! how requests ended.

use super::recorder::metrics::Metrics;
use super::totals::Totals;
use crate::output::exposition::Format;
use hyper::StatusCode;
use procfs::process::Process as Stat;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Histogram, MetricFamily, MetricType};
use prometheus::{Counter, Gauge, IntCounterVec, Opts, Registry};
use std::fmt::Write;

/// The registry and what is counted by hand.
#[derive(Debug, Clone)]
pub struct Process {
    registry: Registry,
    requests: IntCounterVec,
    /// What outlives a migration.
    pub totals: Totals,
}

impl Process {
    /// Registers everything.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let help = "HTTP requests answered, by status code.";
        let requests = IntCounterVec::new(Opts::new("miglink_http_requests_total", help), &["code"])?;
        requests.with_label_values(&["200"]);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(Own::new()?))?;
        let totals = Totals::new(&registry)?;
        Ok(Self { registry, requests, totals })
    }

    /// What the recorder says of itself; shown only if there is one.
    pub fn recording(&self, is_on: bool) -> Result<Metrics, prometheus::Error> {
        let hidden = Registry::new();
        Metrics::new(if is_on { &self.registry } else { &hidden })
    }

    /// Counts an answered request.
    pub fn count_request(&self, status: StatusCode) {
        self.requests.with_label_values(&[status.as_str()]).inc();
    }

    /// All of it as text.
    pub fn text(&self, format: Format) -> String {
        let mut out = String::new();
        for family in self.registry.gather() {
            write_family(&mut out, &family, format);
        }
        out
    }
}

/// The crate's own encoder knows only text 0.0.4, and OpenMetrics names counters' families without `_total`.
fn write_family(out: &mut String, family: &MetricFamily, format: Format) {
    let name = family.name();
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    };
    let title = match format {
        Format::OpenMetrics if kind == "counter" => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    };
    let help = family.help();
    let mut result = writeln!(out, "# HELP {title} {help}\n# TYPE {title} {kind}");
    for metric in family.get_metric() {
        let labels: Vec<_> = metric
            .get_label()
            .iter()
            .map(|label| format!("{}=\"{}\"", label.name(), label.value()))
            .collect();
        result = result.and(match kind {
            "counter" => write_sample(out, name, &labels, metric.get_counter().get_value()),
            "histogram" => write_histogram(out, name, &labels, metric.get_histogram()),
            _ => write_sample(out, name, &labels, metric.get_gauge().get_value()),
        });
    }
    debug_assert!(result.is_ok(), "writing to a String cannot fail");
}

fn write_sample(out: &mut String, name: &str, labels: &[String], value: f64) -> std::fmt::Result {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    writeln!(out, "{name}{labels} {value}")
}

/// Bounds are written with a point, as OpenMetrics wants them: `1.0`, not `1`.
fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &[String],
    histogram: &Histogram,
) -> std::fmt::Result {
    let with_bound = |bound: &str| {
        let mut labels = labels.to_vec();
        labels.push(format!("le=\"{bound}\""));
        labels
    };
    for bucket in histogram.get_bucket() {
        let bound = format!("{:?}", bucket.upper_bound());
        write_sample(out, &format!("{name}_bucket"), &with_bound(&bound), bucket.cumulative_count() as f64)?;
    }
    let count = histogram.get_sample_count() as f64;
    write_sample(out, &format!("{name}_bucket"), &with_bound("+Inf"), count)?;
    write_sample(out, &format!("{name}_sum"), labels, histogram.get_sample_sum())?;
    write_sample(out, &format!("{name}_count"), labels, count)
}

/// The process's own figures, read when gathered.
#[derive(Debug)]
struct Own {
    cpu: Counter,
    resident: Gauge,
    virtual_size: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    start: Gauge,
}

impl Own {
    fn new() -> Result<Self, prometheus::Error> {
        let own = Self {
            cpu: Counter::new("process_cpu_seconds_total", "User and system CPU time spent.")?,
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory.")?,
            virtual_size: Gauge::new("process_virtual_memory_bytes", "Virtual memory.")?,
            open_fds: Gauge::new("process_open_fds", "Open file descriptors.")?,
            max_fds: Gauge::new("process_max_fds", "Most file descriptors that may be open.")?,
            threads: Gauge::new("process_threads", "Threads.")?,
            start: Gauge::new("process_start_time_seconds", "Start of the process since 1970, UTC.")?,
        };
        if let Err(error) = own.read_what_stays() {
            tracing::debug!("cannot read /proc/self: {error}");
        }
        Ok(own)
    }

    /// What does not change while the process lives. The boot time stands in /proc/stat, which is dear on a host with
    /// many CPUs.
    fn read_what_stays(&self) -> procfs::ProcResult<()> {
        let process = Stat::myself()?;
        let started = process.stat()?.starttime as f64 / procfs::ticks_per_second() as f64;
        self.start.set(procfs::boot_time_secs()? as f64 + started);
        if let procfs::process::LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            self.max_fds.set(limit as f64);
        }
        Ok(())
    }

    /// Reads /proc/self; a part that cannot be read keeps its last value.
    fn read(&self) -> procfs::ProcResult<()> {
        let process = Stat::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let seconds = (stat.utime + stat.stime) as f64 / ticks;
        self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        self.resident.set((stat.rss * procfs::page_size()) as f64);
        self.virtual_size.set(stat.vsize as f64);
        self.threads.set(stat.num_threads as f64);
        self.open_fds.set(process.fd_count()? as f64);
        Ok(())
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.resident,
            &self.virtual_size,
            &self.open_fds,
            &self.max_fds,
            &self.threads,
            &self.start,
        ]
    }
}

impl Collector for Own {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Err(error) = self.read() {
            tracing::debug!("cannot read /proc/self: {error}");
        }
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}
