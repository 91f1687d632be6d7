//! A real Prometheus reads the real binary, with the headers that it sends itself: OpenMetrics and gzip.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use support::exporter::{wait_for, Exporter};

struct Prometheus {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts it on a free port, scraping `target` every second.
    fn start(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let scrape = format!("{{job_name: miglink, static_configs: [{{targets: ['{target}']}}]}}");
        let text =
            format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs: [{scrape}]\n");
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, text).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _folder: folder }
    }

    /// The value of an instant query that gives one sample; `None` while it gives none.
    fn value(&self, query: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let path: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let request = format!("GET /api/v1/query?query={path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let json: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
        json["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn prometheus_stores_what_was_served() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        writeln!(std::io::stdout(), "SKIPPED prometheus_stores_what_was_served: prometheus is not installed")
            .unwrap();
        return;
    }
    let exporter = Exporter::start(&[]);
    let prometheus = Prometheus::start(&exporter.address);
    wait_for("a scrape", || prometheus.value("up").is_some());
    // A scrape that Prometheus cannot parse is `up == 0`.
    wait_for("a good scrape", || prometheus.value("up") == Some(1.0));
    // Series may still come (a first peak, a CPU's first interrupt), so the two are compared until they meet.
    let served = || exporter.metrics().lines().filter(|line| !line.starts_with('#')).count() as f64;
    wait_for("a scrape of all that is served", || {
        prometheus.value("scrape_samples_scraped") == Some(served())
    });
    let version = format!("miglink_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(prometheus.value(&version), Some(1.0));
    let age =
        prometheus.value("timestamp(miglink_frame_timestamp_seconds) - miglink_frame_timestamp_seconds");
    assert!(age.unwrap() < 30.0, "the sample is fresh: {age:?} s");
    assert!(
        prometheus.value("min(miglink_source_success)") == Some(1.0),
        "every source of this host answers"
    );
}
