//! Scenario files: what the contract has is read, what it has not is refused with its place.

use super::fault::{Fault, Side};
use super::{Attachment, Compression, CongestionControl, Link, Scenario, Watch};
use crate::units::{Rate, Span};
use std::path::Path;
use std::time::Duration;

/// All keys of the contract.
const ALL: &str = "\
name: other traffic takes half of the link
vm:      {memory: 256MiB, fill: 240MiB, dirty: 32MiB, dirty_rate: 50MiB/s}
watch:   qmp
count:   2
namespaced: false
migrate: {max_bandwidth: unlimited, downtime_limit: 300ms, multifd: 2, compression: zlib, auto_converge: false, postcopy_after: never}
path:    {rate: 400mbit, mtu: 1500, congestion_control: cubic, router: {rate: 300mbit, queue: 256KiB, delay: 10ms, loss: 0.2%}, second: {rate: 800mbit, used: false}}
dedicated: [mig1]
faults:
  - {kind: competing_traffic, at: 2s, until: 6s, streams: 3, port: 5201}
  - {kind: sysctl, side: destination, set: {net.ipv4.tcp_rmem: \"4096 32768 32768\", net.ipv4.tcp_sack: 0}}
  - {kind: cpu_quota, side: destination, percent: 5}
  - {kind: max_bandwidth, at: 3s, value: unlimited}
  - {kind: busy_monitor}
  - {kind: loss, percent: 0.5%}
  - {kind: small_backlog, packets: 16, at: 1s, until: 3s}
  - {kind: freeze, side: source, at: 2s, until: 3s}
  - {kind: cancel, at: 4s}
  - {kind: kill, who: destination, at: 2s}
stop_after: 40s
expect:  {result: completed, memory_copy: [{from: 2s, causes: [link_shared]}], state_transfer: {causes: [link_shared]}}
";

/// A scenario with one more line, and without the lines that begin as that does.
fn with(line: &str) -> String {
    let base = "name: a\nvm: {memory: 64MiB, dirty: 8MiB}\nwatch: qmp\nexpect: {result: completed}\n";
    let key = line.split(':').next().unwrap();
    let kept = base.lines().filter(|old| old.split(':').next() != Some(key));
    kept.chain([line]).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_whole_contract_is_read() {
    let scenario = Scenario::parse(ALL).unwrap();
    assert_eq!(scenario.vm.dirty_rate, Some(Rate::Bytes(50 << 20)));
    assert_eq!((scenario.watch, scenario.count, scenario.namespaced), (Watch::Qmp, 2, None));
    assert_eq!(scenario.migrate.compression, Compression::Zlib);
    assert_eq!(scenario.migrate.postcopy_after, None);
    assert_eq!(scenario.path.congestion_control, Some(CongestionControl::Cubic));
    assert_eq!((scenario.link(), &scenario.dedicated[..]), (Link::Mig0, &[Link::Mig1][..]));
    assert_eq!(scenario.path.router.unwrap().delay, Some(Span(Duration::from_millis(10))));
    assert_eq!(scenario.faults.len(), 10);
    let Fault::Sysctl { side: Side::Destination, set } = &scenario.faults[1] else { unreachable!() };
    assert_eq!(set["net.ipv4.tcp_sack"].0, "0");
    assert_eq!(scenario.expect.memory_copy[0].causes, ["link_shared"]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let scenario = Scenario::parse(&with("count: 1")).unwrap();
    assert_eq!(scenario.fill().mib(), 48);
    assert_eq!(scenario.path.rate, Rate::Unlimited);
    assert!(scenario.faults.is_empty() && scenario.migrate.multifd == 0);
}

#[test]
fn a_namespace_is_connected_by_bridge_or_route() {
    let read = |word| Scenario::parse(&with(&format!("namespaced: {word}"))).map(|s| s.namespaced);
    assert_eq!(read("true").unwrap(), Some(Attachment::Bridge));
    assert_eq!(read("routed").unwrap(), Some(Attachment::Routed));
    assert!(read("maybe").is_err());
}

#[test]
fn errors_have_their_place_and_the_mend() {
    for (line, place, mend) in [
        ("vm: {memory: 64MiB, drity: 8MiB}", "line 4", "dirty"),
        ("vm: {memory: 64, dirty: 8MiB}", "line 4", "256MiB"),
        ("watch: kvm", "line 4", "libvirt_p2p"),
        ("faults: [{kind: freze}]", "line 5", "freeze"),
        ("faults: [{kind: cancel, att: 2s}]", "line 5", "at"),
        ("faults: [{kind: loss, percent: 101}]", "line 5", "0 to 100"),
        ("migrate: {postcopy_after: soon}", "line 5", "never"),
        ("stop_after: 3", "line 5", "300ms"),
        ("dedicated: [eth0]", "line 5", "mig1"),
        ("path: {second: {speed: 1mbit}}", "line 5", "used"),
    ] {
        let error = format!("{:#}", Scenario::parse(&with(line)).expect_err(line));
        assert!(error.contains(place) && error.contains(mend), "{line}: {error}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (line, mend) in [
        ("vm: {memory: 4MiB, dirty: 2MiB}", "vm.memory"),
        ("vm: {memory: 64MiB, dirty: 60MiB}", "vm.dirty"),
        ("count: 9", "count"),
        ("path: {congestion_control: vegas}", "cubic"),
        ("migrate: {compression: zstd}", "multifd"),
        ("dedicated: [mig1]", "path.second"),
        ("namespaced: true\npath: {second: {}}", "path.second"),
        ("path: {second: {used: true}}\nfaults: [{kind: loss, percent: 1}]", "first link"),
        ("faults: [{kind: freeze, side: source, at: 3s, until: 2s}]", "until"),
        ("faults: [{kind: sysctl, side: source, set: {kernel.panic: 1}}]", "net."),
    ] {
        let error = format!("{:#}", Scenario::parse(&with(line)).expect_err(line));
        assert!(error.contains(mend), "{line}: {error}");
    }
}

#[test]
fn every_file_of_the_project_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 12);
    for file in files {
        Scenario::read(&file).unwrap();
    }
    let error = Scenario::read(Path::new("/nowhere.yaml")).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere.yaml"));
}
