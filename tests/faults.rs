//! Faults of a host, made real: a file that never answers, files that are missing or garbage, a user without rights,
//! clients that do not behave. None ends the process, each is said.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::exporter::{command, value, wait_for, Exporter};

fn success(text: &str, source: &str) -> Option<f64> {
    value(text, &format!("miglink_source_success{{source=\"{source}\"}}"))
}

/// A /proc of our own with links to the real files, so that single ones can be replaced.
fn proc_with(folder: &Path, replace: impl Fn(&Path)) {
    let proc = folder.join("proc");
    for part in ["net", "pressure"] {
        fs::create_dir_all(proc.join(part)).unwrap();
    }
    for file in [
        "net/softnet_stat",
        "net/netstat",
        "net/snmp",
        "pressure/cpu",
        "pressure/memory",
        "pressure/io",
        "interrupts",
    ] {
        std::os::unix::fs::symlink(Path::new("/proc").join(file), proc.join(file)).unwrap();
    }
    std::os::unix::fs::symlink("/proc/sys", proc.join("sys")).unwrap();
    replace(&proc);
}

fn start_on(folder: &Path) -> Exporter {
    let proc = folder.join("proc");
    Exporter::spawn(command().args(["--path.procfs", proc.to_str().unwrap()]))
}

#[test]
fn a_source_that_hangs_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    // Reading a pipe that nobody writes to blocks in the kernel, as a hanging driver does.
    proc_with(folder.path(), |proc| {
        fs::remove_file(proc.join("net/softnet_stat")).unwrap();
        assert!(Command::new("mkfifo").arg(proc.join("net/softnet_stat")).status().unwrap().success());
    });
    let exporter = start_on(folder.path());
    wait_for("the hang to be noticed", || success(&exporter.metrics(), "softnet") == Some(0.0));
    let text = exporter.metrics();
    assert_eq!(success(&text, "link_counters"), Some(1.0), "the others of its lane go on");
    assert!(!text.contains("miglink_softnet_processed_total"));
    let before = value(&text, "miglink_frame_timestamp_seconds").unwrap();
    wait_for("the next frame", || exporter.value("miglink_frame_timestamp_seconds").unwrap() > before);
    assert!(exporter.get("/").text().contains("stuck"));
    // When the pipe answers after all, its source is heard again.
    let real = fs::read_to_string("/proc/net/softnet_stat").unwrap();
    fs::write(folder.path().join("proc/net/softnet_stat"), real).unwrap();
    wait_for("its return", || {
        success(&exporter.metrics(), "softnet") != Some(0.0) || exporter.get("/").text().contains("failed")
    });
    exporter.signal("TERM");
    let (code, log) = exporter.end();
    assert_eq!(code, Some(0), "a hanging thread does not hold the stop up");
    assert!(log.contains("softnet") && log.contains("has not answered"), "{log}");
}

#[test]
fn missing_and_garbled_files_are_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    proc_with(folder.path(), |proc| {
        for file in ["net/softnet_stat", "net/netstat", "pressure/cpu", "pressure/memory", "pressure/io"] {
            fs::remove_file(proc.join(file)).unwrap();
        }
        fs::write(proc.join("net/softnet_stat"), "zzz\u{0}\n12").unwrap();
        fs::write(proc.join("net/netstat"), "TcpExt: A B\nTcpExt: 1\n").unwrap();
    });
    let exporter = start_on(folder.path());
    let text = exporter.metrics();
    assert_eq!(success(&text, "softnet"), Some(0.0), "{text}");
    assert_eq!(success(&text, "pressure"), None, "what is not there neither succeeds nor fails");
    assert_eq!(success(&text, "link_counters"), Some(1.0));
    exporter.signal("TERM");
    let (_, log) = exporter.end();
    assert!(log.contains("softnet_stat") && log.contains("line 1"), "{log}");
}

#[test]
fn a_user_without_rights_still_gets_the_links() {
    if !rustix::process::geteuid().is_root() {
        writeln!(
            std::io::stdout(),
            "SKIPPED a_user_without_rights_still_gets_the_links: needs root to drop rights"
        )
        .unwrap();
        return;
    }
    // The build's folder may be closed to others.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = folder.path().join("miglink");
    fs::copy(env!("CARGO_BIN_EXE_miglink"), &binary).unwrap();
    let drop_rights = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ];
    let mut setpriv = Command::new("setpriv");
    setpriv.args(drop_rights).arg(&binary).args(["--web.listen-address=127.0.0.1:0", "--no-storage"]);
    let exporter = Exporter::spawn(&mut setpriv);
    let text = exporter.metrics();
    assert_eq!(success(&text, "link_counters"), Some(1.0), "{text}");
    assert_eq!(success(&text, "links"), Some(1.0));
    assert!(text.contains("miglink_sysctl_"), "{text}");
}

#[test]
fn a_client_that_does_not_read_costs_nothing() {
    let exporter = Exporter::start(&[]);
    let mut lazy = Vec::new();
    for _ in 0..30 {
        let mut stream = TcpStream::connect(&exporter.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lazy\r\n\r\n").unwrap();
        lazy.push(stream);
    }
    for _ in 0..50 {
        let mut slow = TcpStream::connect(&exporter.address).unwrap();
        slow.write_all(b"GET /metr").unwrap();
        lazy.push(slow);
    }
    assert_eq!(exporter.get("/metrics").status, 200);
    drop(lazy);
    assert_eq!(exporter.get("/-/healthy").status, 200);
}

#[test]
fn more_connections_than_allowed_wait_their_turn() {
    let exporter = Exporter::start(&[]);
    let held: Vec<_> = (0..256).map(|_| TcpStream::connect(&exporter.address).unwrap()).collect();
    let mut late = TcpStream::connect(&exporter.address).unwrap();
    late.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: late\r\nConnection: close\r\n\r\n").unwrap();
    late.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(late.read(&mut [0; 1]).is_err(), "all places are taken");
    drop(held);
    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
