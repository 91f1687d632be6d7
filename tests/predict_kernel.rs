//! `miglink predict` and `/api/v1/forecast` on the real kernel: namespaces with a shaped link, one of which nothing is known, and
//! one that others use.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use std::io::Write;
use std::process::Command;
use support::exporter::{command, wait_for, Exporter};
use support::{connect, in_namespace, run, Beside, Peer};

const GUEST: [&str; 4] = ["--memory", "1GiB", "--dirty-rate", "1MB/s"];

/// Runs `miglink predict`; gives its exit code, what it said, and its complaints.
fn predict(flags: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_miglink"))
        .arg("predict")
        .args(flags)
        .output()
        .expect("miglink runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The answer for programs, after two seconds of looking.
fn body(flags: &[&str]) -> (Option<i32>, Value) {
    let (code, said, complaints) = predict(&[flags, &["--output", "json", "--for", "2s"]].concat());
    (code, serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{complaints}")))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_shaped_link_carries_its_rate() {
    in_namespace("a_shaped_link_carries_its_rate", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 80mbit burst 32k latency 50ms");
        let (code, found) = body(&GUEST);
        let link = &found["links"][0];
        let capacity = number(&link["capacity_bytes_per_second"]["value"]);
        assert!((9.4e6..1e7).contains(&capacity), "80 Mbit/s less headers: {capacity}");
        assert_eq!(
            (code, &link["device"], &link["limited_by"]),
            (Some(0), &"v0".into(), &"traffic_shaping".into())
        );
        let total = number(&link["forecast"]["total_seconds"]);
        assert!((105.0..130.0).contains(&total), "{total} s for 1 GiB, of which 10 % are dirtied again");
        assert_eq!(link["forecast"]["converges"], Value::Bool(true));
        let (code, found) = body(&["--memory", "1GiB", "--dirty-rate", "30MB/s", "--link", "v0"]);
        assert_eq!((code, &found["links"][0]["forecast"]["total_seconds"]), (Some(1), &Value::Null));
        let (_, said, _) = predict(&[&GUEST[..], &["--for", "2s"]].concat());
        assert!(said.contains("v0    76.5 Mbit/s  traffic_shaping"), "{said}");
        let (_, found) = body(&[&GUEST[..], &["--max-bandwidth", "1MiB/s", "--link", "v0"]].concat());
        assert_eq!(found["links"][0]["limited_by"], Value::from("bandwidth_cap"));
        let first = &found["links"][0]["what_if"][0];
        assert_eq!(first["change"], Value::from("no limit of the hypervisor"), "{found}");
        assert!(number(&first["saves_seconds"]) > 800.0, "{first}");
    });
}

#[test]
fn a_name_of_a_speed_is_no_capacity() {
    in_namespace("a_name_of_a_speed_is_no_capacity", || {
        let peer = Peer::new();
        connect("v0", &peer);
        let (code, said, complaints) = predict(&[&GUEST[..], &["--for", "2s"]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(
            complaints.contains("v0: nobody knows what it carries") && complaints.contains("--bandwidth")
        );
        let given = [&GUEST[..], &["--link", "v0", "--bandwidth", "400Mbit/s"]].concat();
        let (code, found) = body(&given);
        let link = &found["links"][0];
        assert_eq!(
            (code, &link["device"], &link["limited_by"]),
            (Some(0), &"v0".into(), &"bandwidth".into())
        );
        let (code, _, complaints) = predict(&[&GUEST[..], &["--link", "v7", "--for", "2s"]].concat());
        assert_eq!(code, Some(2));
        assert!(complaints.contains("v7 does not exist") && complaints.contains("are: v0"), "{complaints}");
    });
}

#[test]
fn others_leave_what_they_leave() {
    in_namespace("others_leave_what_they_leave", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 400mbit burst 128k latency 50ms");
        // About 7 MB/s of the 48 that pass; the exact rate is the scheduler's.
        let _traffic = Beside::traffic();
        let (_, found) = body(&[&GUEST[..], &["--link", "v0"]].concat());
        let link = &found["links"][0];
        assert_eq!(link["limited_by"], Value::from("link_shared"), "{found}");
        let rows = link["what_if"].as_array().expect("rows");
        assert!(
            rows.iter().any(|row| row["change"].as_str().is_some_and(|is| is.contains("of its own"))),
            "{found}"
        );
    });
}

#[test]
fn impossible_input_is_refused() {
    let refused = |flags: &[&str]| {
        let (code, said, complaints) = predict(flags);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{complaints}");
        complaints
    };
    let with = |more: &[&'static str]| refused(&[&GUEST[..], &["--bandwidth", "1Gbit/s"], more].concat());
    assert!(refused(&[]).contains("--memory"));
    assert!(refused(&["--memory", "0", "--dirty-rate", "1MB/s"]).contains("'0' for '--memory"));
    assert!(refused(&["--memory", "1GiB"]).contains("--dirty-rate is missing"));
    assert!(
        refused(&[&GUEST[..], &["--bandwidth", "0"]].concat()).contains("--bandwidth: the bandwidth is 0")
    );
    assert!(with(&["--working-set", "2GiB"])
        .contains("--working-set: the working set is 2147483648 bytes of 1073741824"));
    assert!(with(&["--downtime-limit", "2001s"])
        .contains("--downtime-limit: the downtime limit is 2001 s; QEMU takes 2000 s"));
    assert!(with(&["--max-bandwidth", "0"]).contains("or unlimited"));
    assert!(with(&["--zero", "120%"]).contains("0% to 100%"));
    assert!(with(&["--compression", "0.5"]).contains("a ratio of 1 or more"));
    assert!(with(&["--channels", "0"]).contains("1 to 255"));
    assert!(with(&["--dirty-window", "1s=1MB"]).contains("cannot be used with"));
}

#[test]
fn the_agent_forecasts_all_the_time() {
    in_namespace("the_agent_forecasts_all_the_time", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("ip link add v1 type veth peer name v2");
        run("ip addr add 10.80.0.1/24 dev v1");
        run("ip link set v1 up");
        run("ip link set v2 up");
        run("tc qdisc add dev v0 root tbf rate 80mbit burst 32k latency 50ms");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let profiles = "forecast:\n  profiles:\n    - {name: small, memory: 1GiB, dirty_rate: 1MB/s}\n    - {name: wild, memory: 1GiB, dirty_rate: 1GB/s}\n";
        file.write_all(profiles.as_bytes()).expect("written");
        let config = format!("--config.file={}", file.path().display());
        let exporter = Exporter::spawn(command().arg(config));
        let capacity = |device| {
            exporter.value(&format!("miglink_link_capacity_bytes_per_second{{device=\"{device}\"}}"))
        };
        wait_for("a capacity", || capacity("v0").is_some());
        assert!(capacity("v0").is_some_and(|rate| (9.4e6..1e7).contains(&rate)) && capacity("v1").is_none());
        let seconds = |profile, phase| {
            let series = "miglink_link_forecast_seconds";
            exporter.value(&format!("{series}{{device=\"v0\",profile=\"{profile}\",phase=\"{phase}\"}}"))
        };
        assert!(seconds("small", "memory_copy").is_some_and(|copy| (100.0..130.0).contains(&copy)));
        assert!(seconds("small", "state_transfer").is_some_and(|pause| pause < 0.4));
        assert_eq!(seconds("wild", "memory_copy"), None, "it never ends");
        let answer = exporter.get("/api/v1/forecast?memory=1GiB&dirty_rate=1MB/s&link=v0");
        let found: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(found["links"][0]["limited_by"], Value::from("traffic_shaping"), "{found}");
        let (copy, told) =
            (number(&found["links"][0]["forecast"]["copy_seconds"]), seconds("small", "memory_copy"));
        assert!(told.is_some_and(|told| (told / copy - 1.0).abs() < 0.01), "{told:?} {copy}");
        let all: Value =
            serde_json::from_str(&exporter.get("/api/v1/forecast?memory=1GiB&dirty_rate=0").text())
                .expect("JSON");
        assert_eq!((&all["links"][0]["device"], &all["links"][1]["forecast"]), (&"v0".into(), &Value::Null));
        for (query, words) in [
            ("", "memory is missing"),
            ("memory=1GiB", "dirty_rate is missing"),
            ("memory=1potato&dirty_rate=0", "memory: '1potato'"),
            ("memory=1GiB&dirty_rate=0&colour=red", "The parameters are"),
            ("memory=1GiB&dirty_rate=0&link=v9", "v9 does not exist"),
        ] {
            let answer = exporter.get(&format!("/api/v1/forecast?{query}"));
            assert!(answer.status == 400 && answer.text().contains(words), "{query}: {}", answer.text());
        }
    });
}

#[test]
fn many_guests_leave() {
    in_namespace("many_guests_leave", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 800mbit burst 256k latency 50ms");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let guests = "- {name: web1, memory: 2GiB, dirty_rate: 1MB/s}\n- {name: db1, memory: 8GiB, dirty_rate: 20MB/s, working_set: 1GiB, zero: 10%}\n";
        file.write_all(guests.as_bytes()).expect("written");
        let path = file.path().display().to_string();
        let (code, found) = body(&["--vms", &path, "--link", "v0", "--parallel", "1"]);
        assert_eq!((code, &found["schedule"][0]["name"]), (Some(0), &Value::from("db1")), "{found}");
        let ends = number(&found["schedule"][0]["ends_seconds"]);
        assert!((number(&found["schedule"][1]["begins_seconds"]) - ends).abs() < 1e-6);
        assert_eq!(found["by_parallel"].as_array().map(Vec::len), Some(2));
        let (code, said, _) = predict(&["--vms", &path, "--bandwidth", "1Gbit/s", "--parallel", "2"]);
        assert!(code == Some(0) && said.contains("2 guests, 2 at a time: "), "{said}");
        file.write_all(b"- {name: x, memory: 1GiB, dirty_rat: 0}\n").expect("written");
        let (code, _, complaints) = predict(&["--vms", &path, "--bandwidth", "1Gbit/s"]);
        assert_eq!(code, Some(2));
        assert!(
            complaints.contains(&format!("{path}:3:27: ")) && complaints.contains("dirty_rat"),
            "{complaints}"
        );
    });
}
