//! `miglink check` on the real kernel: namespaces whose links would slow a migration, each for one cause, and a healthy one. Where
//! it prints a command that mends it, the command is run, and then nothing must be found any more.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use miglink::source::transport::namespace;
use serde_json::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use support::exporter::{wait_for, Exporter};
use support::{connect, in_namespace, run, Beside, Peer};

/// Runs `miglink check`; gives its exit code, what it said, and its complaints.
fn check(flags: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_miglink")).arg("check").args(flags).output().expect("miglink runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// One flag: device, cause, factor, commands.
type Flag = (String, String, f64, Vec<String>);

/// The flags of all links, and the exit code.
fn flags() -> (Option<i32>, Vec<Flag>) {
    let (code, said, complaints) = check(&["--output", "json", "--for", "2s"]);
    let body: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{complaints}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let of_link = |link: &Value| -> Vec<_> {
        let flags = link["flags"].as_array().expect("flags").iter();
        let mend = |flag: &Value| flag["mend"].as_array().expect("commands").iter().map(text).collect();
        let row = |flag: &Value| {
            (
                text(&link["device"]),
                text(&flag["cause"]),
                flag["ratio"].as_f64().expect("a factor"),
                mend(flag),
            )
        };
        flags.map(row).collect()
    };
    (code, body["links"].as_array().expect("links").iter().flat_map(of_link).collect())
}

/// The only flag there is: its link, cause and factor as given. Gives its commands.
fn only(device: &str, cause: &str, factor: std::ops::Range<f64>) -> Vec<String> {
    let (code, found) = flags();
    let [(on, named, ratio, mend)] = &found[..] else { panic!("not {cause} alone: {found:?}") };
    assert_eq!((code, on.as_str(), named.as_str()), (Some(1), device, cause));
    assert!(factor.contains(ratio), "{ratio}");
    mend.clone()
}

/// Runs a command as a person would, and finds nothing any more.
fn mends(command: &str) {
    let done = Command::new("sh").args(["-c", command]).output().expect("sh");
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(flags(), (Some(0), vec![]), "after {command}");
}

#[test]
fn a_healthy_namespace_is_quiet() {
    in_namespace("a_healthy_namespace_is_quiet", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("ip link add br0 type bridge");
        run("ip link add v1 type veth peer name v2");
        run("ip link set v1 master br0");
        for name in ["br0", "v1", "v2"] {
            run(&format!("ip link set {name} up"));
        }
        run("ip addr add 10.80.0.1/24 dev br0");
        run("ip link add vx0 type vxlan id 5 dstport 4789 dev v0 remote 10.77.0.2");
        run("ip addr add 10.81.0.1/24 dev vx0");
        run("ip link set vx0 up");
        run("ping -c 3 -i 0.2 10.77.0.2");
        let (code, said, complaints) = check(&[]);
        assert_eq!((code, complaints.as_str()), (Some(0), ""), "{said}");
        assert_eq!(said, "Nothing was found that would slow a migration: 3 links looked at for 3 s.\n");
        let (code, said, _) = check(&["--verbose", "--for", "2s", "--link", "v0"]);
        assert_eq!(code, Some(0));
        assert!(said.contains("v0  storage_on_link") && said.contains("v0  traffic_shaping"), "{said}");
        let (code, said, complaints) = check(&["--link", "v9", "--for", "2s"]);
        assert_eq!((code, said.as_str()), (Some(2), ""));
        assert!(complaints.contains("v9 does not exist; the links here are: br0, v0, vx0"), "{complaints}");
    });
}

#[test]
fn a_link_that_is_shaped() {
    in_namespace("a_link_that_is_shaped", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 100mbit burst 32k latency 50ms");
        let mend = only("v0", "traffic_shaping", 90.0..96.0);
        let exporter = Exporter::start(&[]);
        let slows = |cause, phase| {
            let series = "miglink_link_slows_migration";
            exporter.value(&format!("{series}{{device=\"v0\",phase=\"{phase}\",cause=\"{cause}\"}}"))
        };
        wait_for("its flag", || slows("traffic_shaping", "memory_copy") == Some(1.0));
        assert_eq!(slows("traffic_shaping", "state_transfer"), Some(1.0));
        assert_eq!(slows("mtu_mismatch", "memory_copy"), Some(0.0));
        wait_for("a second look", || slows("storage_on_link", "memory_copy") == Some(0.0));
        assert_eq!(slows("single_stream", "state_transfer"), None, "a phase that it does not hold in");
        let ratio = exporter.value("miglink_link_slowdown_ratio{device=\"v0\",phase=\"memory_copy\"}");
        assert!(ratio.is_some_and(|ratio| ratio > 90.0), "{ratio:?}");
        let links = exporter.get("/api/v1/links").text();
        assert!(links.contains("\"flags\":[{\"cause\":\"traffic_shaping\""), "{links}");
        assert!(exporter.get("/").text().contains("tc qdisc del dev v0 root"));
        drop(exporter);
        mends(&mend[0]);
    });
}

#[test]
fn a_class_that_is_held_back() {
    in_namespace("a_class_that_is_held_back", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root handle 1: htb default 10");
        run("tc class add dev v0 parent 1: classid 1:10 htb rate 16mbit ceil 80mbit");
        run("ping -c 3 -i 0.2 10.77.0.2");
        let mend = only("v0", "traffic_shaping", 110.0..120.0);
        mends(&mend[0]);
    });
}

#[test]
fn buffers_that_are_too_small() {
    in_namespace("buffers_that_are_too_small", || {
        let peer = Peer::new();
        connect("v0", &peer);
        for (name, cause, factor) in
            [("tcp_wmem", "send_buffer", 9.0..10.0), ("tcp_rmem", "receive_window", 7.0..15.0)]
        {
            let path = format!("/proc/sys/net/ipv4/{name}");
            std::fs::write(&path, "4096 16384 16384").expect("a sysctl");
            let mend = only("v0", cause, factor);
            mends(&mend[0]);
        }
        std::fs::write("/proc/sys/net/ipv4/tcp_window_scaling", "0").expect("a sysctl");
        let mend = only("v0", "receive_window", 1.5..2.0);
        mends(&mend[0]);
    });
}

#[test]
fn frames_that_do_not_fit() {
    in_namespace("frames_that_do_not_fit", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("ip link add vx0 type vxlan id 5 dstport 4789 dev v0 remote 10.77.0.2");
        run("ip link set vx0 up");
        run("ip link add br0 type bridge");
        run("ip link set vx0 master br0");
        run("ip link set br0 up");
        run("ip addr add 10.80.0.1/24 dev br0");
        assert_eq!(flags(), (Some(0), vec![]));
        run("ip link set dev br0 mtu 9000");
        let mend = only("br0", "mtu_mismatch", 99.0..101.0);
        mends(&mend[1]);
        run("ip link set dev v0 mtu 1400");
        let mend = only("vx0", "mtu_mismatch", 1.9..2.1);
        mends(&mend[0]);
    });
}

#[test]
fn a_link_that_others_use() {
    in_namespace("a_link_that_others_use", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 40mbit burst 32k latency 50ms");
        let _traffic = Beside::traffic();
        let (code, found) = flags();
        let shared = found.iter().find(|(_, cause, ..)| cause == "link_shared");
        assert!(shared.is_some_and(|(device, _, ratio, _)| device == "v0" && *ratio > 1.5), "{found:?}");
        assert_eq!((code, found.len()), (Some(1), 2), "and it is shaped: {found:?}");
    });
}

#[test]
fn a_link_that_storage_uses() {
    in_namespace("a_link_that_storage_uses", || {
        let peer = Peer::new();
        connect("v0", &peer);
        run("tc qdisc add dev v0 root tbf rate 80mbit burst 32k latency 50ms");
        let place = format!("/proc/{}/ns/net", peer.pid());
        let listen = || TcpListener::bind("10.77.0.2:3260");
        let target = namespace::inside(Path::new(&place), listen).expect("the peer").expect("a port");
        let mut initiator = TcpStream::connect("10.77.0.2:3260").expect("connected");
        let (mut disk, _) = target.accept().expect("accepted");
        let of_storage =
            |found: &[Flag]| found.iter().find(|(_, cause, ..)| cause == "storage_on_link").cloned();
        let (_, found) = flags();
        assert_eq!(of_storage(&found), None, "it is idle: {found:?}");
        let (_, said, _) = check(&["--verbose", "--for", "2s", "--link", "v0"]);
        assert!(said.contains("1 connection of iSCSI received 0 MB/s and sent 0 MB/s"), "{said}");

        // Reading ends with the connection.
        std::thread::spawn(move || std::io::copy(&mut disk, &mut std::io::sink()));
        let writes = Beside::repeat(move || initiator.write_all(&[7; 8192]).expect("taken"));
        let (code, found) = flags();
        let (device, _, ratio, _) = of_storage(&found).expect("a flag");
        assert_eq!((code, device.as_str(), found.len()), (Some(1), "v0", 2), "and it is shaped: {found:?}");
        assert!((1.5..2.1).contains(&ratio), "an even share is the least: {ratio}");
        let exporter = Exporter::start(&[]);
        let series =
            "miglink_link_slows_migration{device=\"v0\",phase=\"memory_copy\",cause=\"storage_on_link\"}";
        wait_for("its flag", || exporter.value(series) == Some(1.0));
        assert!(exporter.get("/api/v1/links").text().contains("1 connection of iSCSI"));
        drop((exporter, writes));
        let (_, said, _) = check(&["--verbose", "--for", "2s", "--link", "v0"]);
        assert!(said.contains("no storage connection leaves by this link"), "{said}");
    });
}

#[test]
fn causes_are_explained() {
    let explain = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_miglink")).arg("explain").args(flags).output();
        let output = output.expect("miglink runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, all, _) = explain(&[]);
    assert!(code == Some(0) && all.lines().count() >= 24, "{all}");
    let (code, said, _) = explain(&["pause_frames"]);
    assert!(
        code == Some(0)
            && said.starts_with("pause_frames\n")
            && said.contains("Before a migration: miglink check"),
        "{said}"
    );
    let (_, json, _) = explain(&["pause_frames", "--output", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["flag"], &json["cause"]), (&Value::Bool(true), &Value::from("pause_frames")));
    let (code, said, complaints) = explain(&["pause_fames"]);
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(complaints.contains("did you mean pause_frames?"), "{complaints}");
}
