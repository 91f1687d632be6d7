//! The real binary as a user and a scraper meet it: routes, formats, signals, and what it says when it cannot start.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use support::exporter::{command, value, wait_for, Exporter};

/// Starts it with flags that it must refuse; gives its exit code and what it said.
fn refusal(flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_miglink")).args(flags).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn promtool_finds_nothing_to_say() {
    let exporter = Exporter::start(&[]);
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("SKIPPED promtool_finds_nothing_to_say: promtool is not installed");
        return;
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(exporter.metrics().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.trim()), (Some(0), ""));
}

#[test]
fn a_scrape_comes_in_the_form_that_was_asked() {
    let exporter = Exporter::start(&[]);
    let plain = exporter.get("/metrics");
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{}", plain.head);
    assert!(!plain.text().contains("# EOF"));
    let open = exporter.get_with("/metrics", "Accept: application/openmetrics-text; version=1.0.0");
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.text().ends_with("# EOF\n"));
    let packed = exporter.get_with("/metrics?collect[]=links", "Accept-Encoding: gzip");
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, exporter.get("/metrics?collect[]=links").text());
    let head = exporter.ask("HEAD /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn sources_are_chosen_by_the_query() {
    let exporter = Exporter::start(&[]);
    let families = |path: &str| {
        let text = exporter.get(path).text();
        (
            text.contains("miglink_link_up"),
            text.contains("miglink_build_info"),
            text.contains("process_cpu_seconds"),
        )
    };
    assert_eq!(families("/metrics"), (true, true, true));
    assert_eq!(families("/metrics?collect[]=links&collect[]=self"), (true, true, false));
    assert_eq!(families("/metrics?exclude%5B%5D=links"), (false, true, true));
    let both = exporter.get("/metrics?collect[]=links&exclude[]=self");
    assert_eq!((both.status, both.text().contains("not both")), (400, true));
    let unknown = exporter.get("/metrics?collect[]=lynx");
    assert!(
        unknown.status == 400 && unknown.text().contains("lynx") && unknown.text().contains("link_counters")
    );
}

#[test]
fn routes_answer_as_prometheus_users_expect() {
    let exporter = Exporter::start(&["--web.telemetry-path=/other"]);
    let post = |path: &str| {
        exporter.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    for (path, status) in [
        ("/-/healthy", 200),
        ("/-/ready", 200),
        ("/other", 200),
        ("/", 200),
        ("/metrics", 404),
        ("/../etc/passwd", 404),
    ] {
        assert_eq!(exporter.get(path).status, status, "{path}");
    }
    assert_eq!((post("/other").status, post("/-/reload").status), (405, 403));
    let page = exporter.get("/");
    assert!(page.head.contains("text/html") && page.head.contains("default-src 'none'"), "{}", page.head);
    for (path, kind) in
        [("live.css", "text/css"), ("live.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        assert!(page.text().contains(&format!("\"page/{path}\"")), "{path}");
        let file = exporter.get(&format!("/page/{path}"));
        assert!(
            file.status == 200 && file.head.contains(kind) && file.head.contains("nosniff"),
            "{}",
            file.head
        );
    }
}

#[test]
fn programs_read_json() {
    let exporter = Exporter::start(&[]);
    let read = |path: &str| {
        let answer = exporter.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()
    };
    let migrations = read("/api/v1/migrations");
    assert!(migrations["migrations"].is_array() && migrations["timestamp_seconds"].is_f64(), "{migrations}");
    let (links, metrics) = (read("/api/v1/links"), exporter.metrics());
    let links = links["links"].as_array().unwrap();
    let shown = metrics.lines().filter(|line| line.starts_with("miglink_link_up{")).count();
    assert_eq!(links.len(), shown, "the links of the metrics");
    for link in links {
        let mtu = format!("miglink_link_mtu_bytes{{device={}}}", link["device"]);
        assert_eq!(link["link_mtu_bytes"].as_f64(), value(&metrics, &mtu), "{link}");
        assert!(link["kind"].is_string() && link.get("link_info").is_none(), "{link}");
    }
    for path in ["/api/v1/migrations", "/api/v1/links"] {
        let post =
            format!("POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(exporter.ask(&post).status, 405, "{path}");
        let head = exporter.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    assert_eq!(exporter.get("/api/v1/nothing").status, 404);
}

#[test]
fn it_says_why_it_cannot_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refusal(&["--web.listen-address", &address]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&address) && said.contains("in use") && said.contains("--web.listen-address"),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("miglink.yaml");
    std::fs::write(&file, "links:\n  exclude: []\n  includ: [eth0]\n").unwrap();
    let (code, said) = refusal(&["--config.file", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("miglink.yaml") && said.contains("line 3") && said.contains("includ"), "{said}");
    let (code, said) = refusal(&["config", "check", file.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("line 3"), "{said}");
    let (code, said) = refusal(&["--config.file", "/no/such/file"]);
    assert!(code == Some(1) && said.contains("/no/such/file") && said.contains("No such file"), "{said}");
    let (code, said) = refusal(&["--web.telemetry-path", "metrics"]);
    assert!(code == Some(2) && said.contains("slash"), "{said}");
}

#[test]
fn it_stops_cleanly() {
    for signal in ["TERM", "INT"] {
        let exporter = Exporter::start(&[]);
        // A connection that is kept open must not hold the stop up.
        let mut kept = TcpStream::connect(&exporter.address).unwrap();
        kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        kept.read_exact(&mut [0; 15]).unwrap();
        exporter.signal(signal);
        let (code, log) = exporter.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped") && !log.contains("cut off"), "{log}");
    }
}

#[test]
fn a_broken_configuration_changes_nothing_and_a_good_one_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("miglink.yaml");
    std::fs::write(&file, "links: {include: [lo]}\n").unwrap();
    let exporter =
        Exporter::spawn(command().args(["--web.enable-lifecycle", "--config.file", file.to_str().unwrap()]));
    let shows_loopback = || value(&exporter.metrics(), "miglink_link_up{device=\"lo\"}").is_some();
    assert!(shows_loopback());
    std::fs::write(&file, "links: {include: [").unwrap();
    exporter.signal("HUP");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(shows_loopback(), "the old configuration stays");
    std::fs::write(&file, "links: {exclude: [lo]}\n").unwrap();
    let reload =
        exporter.ask("POST /-/reload HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(reload.status, 200);
    wait_for("the new configuration", || !shows_loopback());
    exporter.signal("TERM");
    let (_, log) = exporter.end();
    assert!(log.contains("the old configuration stays") && log.contains("configuration reloaded"), "{log}");
}

#[test]
fn a_request_line_that_is_no_http_harms_nobody() {
    let exporter = Exporter::start(&[]);
    for nonsense in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}hello\r\n\r\n",
        &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40_000)),
    ] {
        let mut stream = TcpStream::connect(&exporter.address).unwrap();
        // The server may close while we still write.
        stream.write_all(nonsense.as_bytes()).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        stream.read_to_end(&mut Vec::new()).ok();
    }
    assert_eq!(exporter.get("/-/healthy").status, 200);
}

#[test]
fn a_host_without_proc_and_sys_still_has_its_counters() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let exporter = Exporter::spawn(command().args(["--path.procfs", path, "--path.sysfs", path]));
    let text = exporter.metrics();
    assert_eq!(value(&text, "miglink_source_success{source=\"link_counters\"}"), Some(1.0), "{text}");
}
