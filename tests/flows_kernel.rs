//! Connections of hypervisors on the real kernel: two namespaces, a veth pair between them, and a process that the
//! kernel calls by a hypervisor's name.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use miglink::sample::guest::{Followed, Process};
use miglink::source::contract::{Context, Roots};
use miglink::source::flows;
use miglink::source::transport::sock_diag::tcp_info::Figure;
use miglink::topology::path;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::fake_hypervisor::{hand_over, Fake};
use support::flow_watch::Watch;
use support::{connect, in_namespace, link, run, wait_until, Peer};
use tempfile::{tempdir, TempDir};

/// The other half of these tests: a process that does as it is told.
#[test]
fn fake_hypervisor() {
    support::fake_hypervisor::serve();
}

/// Says it in a line of its own: the harness does not end its own line before it.
fn skipped(why: &str) {
    println!("\n{why}");
}

/// A peer behind `v0`, a fake on either side, a connection from the one here to the one there.
struct Pair {
    here: Fake,
    there: Fake,
    peer: Peer,
    _folder: TempDir,
}

impl Pair {
    fn new(listen: &str, dial: &str) -> Self {
        let (peer, folder) = (Peer::new(), tempdir().expect("a folder"));
        connect("v0", &peer);
        run("ip -6 addr add fd77::1/64 dev v0 nodad");
        peer.run("ip -6 addr add fd77::2/64 dev far nodad");
        let mut pair = Self {
            here: Fake::start(folder.path(), &["-name", "guest=web"]),
            there: Fake::start_in(&peer, folder.path(), &["-incoming", "defer"]),
            peer,
            _folder: folder,
        };
        pair.there.order(&format!("listen {listen}"));
        pair.dial(dial);
        pair
    }

    fn dial(&mut self, address: &str) {
        self.there.begin("accept");
        self.here.order(&format!("connect {address}"));
        self.there.answer();
    }

    fn carry(&mut self, bytes: u64) {
        self.there.begin(&format!("receive {bytes}"));
        self.here.order(&format!("send {bytes}"));
        self.there.answer();
    }
}

#[test]
fn both_ends_are_found_on_a_migration_port() {
    in_namespace("both_ends_are_found_on_a_migration_port", || {
        let mut pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        let mut watch = Watch::new();
        assert!(watch.read().is_empty() && watch.last.blocks.is_empty(), "nobody is followed");
        watch.follow(&[&pair.here, &pair.there]);
        watch.read();
        assert_eq!(watch.last.problems, [] as [String; 0]);
        assert_eq!(watch.flows.len(), 2);
        let links = watch.links.tick();
        let of = |watch: &Watch, owner| {
            watch.flows.iter().find(|flow| flow.owner == Some(owner)).cloned().expect("found")
        };
        let (sent, taken) = (of(&watch, 1), of(&watch, 2));
        assert!(!sent.accepted && taken.accepted);
        assert_eq!((sent.peer, sent.service_port()), (taken.local, 49152));
        assert_eq!(taken.service_port(), 49152);
        let egress = sent.egress.as_ref().expect("a way");
        assert_eq!((egress.name.as_str(), egress.foreign), ("v0", false));
        assert_eq!(egress.index, link(&links, "v0").index);
        let egress = taken.egress.as_ref().expect("a way");
        assert_eq!((egress.name.as_str(), egress.foreign), ("far", true));
        assert_eq!(egress.peer, Some(link(&links, "v0").index));
        pair.carry(3_000_000);
        watch.read();
        let acked = watch.figure(&sent, Figure::BytesAcked);
        assert!((3_000_000..3_000_010).contains(&acked), "{acked}");
        assert_eq!(watch.figure(&taken, Figure::BytesReceived), 3_000_000);
        pair.here.order("close");
        // What is left of the socket until the other side closes too has no figures; the last ones stand.
        wait_until("end", Duration::from_secs(5), || {
            let left = watch.read().iter().find(|flow| flow.key == sent.key).cloned().expect("it is known");
            assert!(watch.figure(&left, Figure::BytesAcked) >= acked);
            left.closed.is_some()
        });
        pair.there.order("close");
        wait_until("end", Duration::from_secs(5), || watch.read().iter().all(|flow| flow.closed.is_some()));
        watch.read();
        assert!(watch.flows.iter().all(|flow| flow.outlived), "both processes live on");
        watch.pass(8);
        assert!(watch.flows.is_empty(), "forgotten");
    });
}

#[test]
fn on_an_unusual_port_the_descriptor_gives_it_away() {
    in_namespace("on_an_unusual_port_the_descriptor_gives_it_away", || {
        let mut pair = Pair::new("10.77.0.2:9999", "10.77.0.2:9999");
        let mut watch = Watch::new();
        watch.follow(&[&pair.here]);
        assert_eq!(watch.of_port(9999).owner, Some(1));
        // A second one, with nothing else to draw attention to it: found when descriptors are read again.
        pair.dial("10.77.0.2:9999");
        watch.pass(11);
        assert_eq!(watch.flows.len(), 2);
        assert!(watch.flows.iter().all(|flow| flow.owner == Some(1) && !flow.accepted));
    });
}

#[test]
fn a_beginning_is_seen_before_the_next_list_is_due() {
    in_namespace("a_beginning_is_seen_before_the_next_list_is_due", || {
        let mut pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        let mut watch = Watch::new();
        watch.follow(&[&pair.here]);
        watch.rest();
        assert_eq!(watch.read().len(), 1);
        watch.read();
        assert!(watch.last.unchanged, "nothing was opened in half a second");
        watch.read();
        assert!(!watch.last.unchanged, "what is known is read again every second");
        pair.dial("10.77.0.2:49152");
        assert_eq!(watch.read().len(), 2, "half a second later");
    });
}

#[test]
fn ipv6_and_mapped_addresses_are_as_people_write_them() {
    in_namespace("ipv6_and_mapped_addresses_are_as_people_write_them", || {
        let mut pair = Pair::new("[::]:49152", "10.77.0.2:49152");
        pair.dial("[fd77::2]:49152");
        pair.carry(1000);
        let mut watch = Watch::new();
        watch.follow(&[&pair.here, &pair.there]);
        watch.read();
        watch.read();
        assert_eq!(watch.flows.len(), 4);
        assert!(watch.flows.iter().all(|flow| flow.closed.is_none()), "each can be asked for again");
        let accepted = watch.flows.iter().filter(|flow| flow.accepted);
        let mut locals: Vec<String> = accepted.map(|flow| flow.local.to_string()).collect();
        locals.sort();
        assert_eq!(locals, ["10.77.0.2:49152", "[fd77::2]:49152"]);
        let ways = watch.flows.iter().map(|flow| flow.egress.as_ref().expect("a way").name.as_str());
        assert_eq!(ways.filter(|name| *name == "v0").count(), 2);
        let six = watch.flows.iter().find(|flow| flow.accepted && flow.local.is_ipv6()).cloned();
        assert_eq!(watch.figure(&six.expect("found"), Figure::BytesReceived), 1000);
    });
}

#[test]
fn last_words_tell_of_a_connection_that_nobody_saw() {
    in_namespace("last_words_tell_of_a_connection_that_nobody_saw", || {
        let mut pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        let mut watch = Watch::new();
        watch.follow(&[&pair.here]);
        assert_eq!(watch.read().len(), 1);
        pair.dial("10.77.0.2:49152");
        pair.carry(2 << 20);
        pair.here.order("close");
        pair.there.order("close");
        let heard = |watch: &mut Watch| watch.read().iter().find(|flow| flow.closed.is_some()).cloned();
        let mut found = None;
        wait_until("last words", Duration::from_secs(5), || {
            found = heard(&mut watch);
            found.is_some()
        });
        let flow = found.expect("heard");
        assert_eq!(flow.owner, None, "no descriptor was ever read");
        let acked = watch.figure(&flow, Figure::BytesAcked);
        assert!((2 << 20..(2 << 20) + 5).contains(&acked), "{acked}");
        assert_eq!(flow.egress.expect("a way").name, "v0");
    });
}

#[test]
fn a_connection_that_is_handed_over_is_found() {
    in_namespace("a_connection_that_is_handed_over_is_found", || {
        let mut pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        pair.here.order("close");
        pair.there.order("close");
        let mut watch = Watch::new();
        watch.follow(&[&pair.here]);
        pair.there.begin("accept");
        let made = TcpStream::connect("10.77.0.2:49152").expect("connected");
        pair.there.answer();
        let port = made.local_addr().expect("local").port();
        let open = |watch: &mut Watch| {
            watch
                .read()
                .iter()
                .filter(|flow| flow.local.port() == port)
                .map(|flow| flow.owner)
                .collect::<Vec<_>>()
        };
        assert_eq!((open(&mut watch), open(&mut watch)), (vec![], vec![]), "it is nobody's that is followed");
        let folder = tempdir().expect("a folder");
        let place = folder.path().join("give");
        pair.here.begin(&format!("take {}", place.display()));
        assert_eq!(pair.here.answer(), "waits");
        hand_over(&place, &made);
        drop(made);
        pair.here.answer();
        assert_eq!(open(&mut watch), [Some(1)]);
    });
}

/// A pod's namespace behind this one, and a far host that it talks to through this one.
fn pod_and_far(folder: &Path, bridged: bool) -> (Peer, Peer, Fake, Fake) {
    let (pod, far) = (Peer::new(), Peer::new());
    for (name, peer) in [("pod0", &pod), ("wire0", &far)] {
        run(&format!("ip link add {name} type veth peer name eth0 netns {}", peer.pid()));
        run(&format!("ip link set {name} up"));
        peer.run("ip link set eth0 up");
    }
    pod.run("ip addr add 10.80.0.2/24 dev eth0");
    if bridged {
        run("ip link add br0 type bridge");
        run("ip link set pod0 master br0");
        run("ip link set wire0 master br0");
        run("ip link set br0 up");
        run("ip addr add 10.80.0.1/24 dev br0");
        far.run("ip addr add 10.80.0.3/24 dev eth0");
    } else {
        run("ip addr add 10.80.0.1/24 dev pod0");
        run("ip addr add 10.81.0.1/24 dev wire0");
        run("sysctl -q -w net.ipv4.ip_forward=1");
        pod.run("ip route add default via 10.80.0.1");
        far.run("ip addr add 10.81.0.3/24 dev eth0");
        far.run("ip route add default via 10.81.0.1");
    }
    let mut listening = Fake::start_in(&far, folder, &["-incoming", "defer"]);
    let mut calling = Fake::start_in(&pod, folder, &["-name", "guest=web"]);
    listening.order("listen 0.0.0.0:49152");
    listening.begin("accept");
    calling.order(if bridged { "connect 10.80.0.3:49152" } else { "connect 10.81.0.3:49152" });
    listening.answer();
    (pod, far, calling, listening)
}

/// Deletes devices. The kernel takes down a namespace, and with it the other end of a pair, some time after its last process.
fn gone(devices: &[&str]) {
    for device in devices {
        let path = format!("/sys/class/net/{device}");
        for _ in 0..500 {
            if !std::path::Path::new(&path).exists() {
                break;
            }
            support::try_run(&format!("ip link del {device}"));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(!std::path::Path::new(&path).exists(), "{device} is still there");
    }
}

#[test]
fn from_a_pod_over_a_bridge_or_routed_to_the_wire() {
    in_namespace("from_a_pod_over_a_bridge_or_routed_to_the_wire", || {
        for (bridged, device) in [(false, "wire0"), (true, "br0")] {
            let folder = tempdir().expect("a folder");
            let (pod, far, calling, listening) = pod_and_far(folder.path(), bridged);
            let mut watch = Watch::new();
            watch.follow(&[&calling]);
            let flow = watch.of_port(49152);
            let links = watch.links.tick();
            let egress = flow.egress.expect("a way");
            assert_eq!((egress.name.as_str(), egress.foreign), ("eth0", true));
            assert_eq!(egress.peer, Some(link(&links, "pod0").index));
            assert_eq!(egress.outer, Some(link(&links, device).index));
            let path = path::of(&egress, &links);
            assert_eq!((path.device.as_str(), path.wire.as_str()), (device, "wire0"));
            drop((calling, listening, pod, far));
            gone(&["pod0", "wire0"]);
        }
    });
}

#[test]
fn a_namespace_that_vanishes_takes_its_flows_along() {
    in_namespace("a_namespace_that_vanishes_takes_its_flows_along", || {
        let mut pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        let mut watch = Watch::new();
        watch.follow(&[&pair.here, &pair.there]);
        assert_eq!(watch.read().len(), 2);
        pair.there.kill();
        pair.there.reap();
        drop(pair.peer);
        run("ip link del v0");
        pair.here.kill();
        pair.here.reap();
        // Their farewells are never answered: the sockets stay for a minute, with nobody behind them.
        watch.read();
        watch.followed = Arc::new(Followed { generation: 99, ..Followed::default() });
        assert!(watch.read().iter().all(|flow| flow.closed.is_some()));
        (0..8).for_each(|_| assert!(watch.read().iter().all(|flow| !flow.outlived)));
        assert!(watch.flows.is_empty() && watch.last.problems.is_empty());
        let gone = Process { key: 1, pid: pair.there.pid(), namespace: 4, ..Process::default() };
        watch.followed = Arc::new(Followed { generation: 100, processes: vec![gone], ..Followed::default() });
        watch.read();
        assert!(watch.flows.is_empty());
    });
}

/// The unprivileged half of the next test.
const POOR: &str = "MIGLINK_TEST_POOR";

#[test]
fn without_privileges_it_says_what_it_lacks() {
    if let Some(pids) = std::env::var_os(POOR) {
        return read_unprivileged(&pids.to_string_lossy());
    }
    in_namespace("without_privileges_it_says_what_it_lacks", || {
        if !rustix::process::geteuid().is_root() || !support::try_run("setpriv --reuid=65534 true") {
            skipped("SKIPPED without_privileges_it_says_what_it_lacks: needs root and setpriv");
            return;
        }
        let pair = Pair::new("10.77.0.2:49152", "10.77.0.2:49152");
        // Where the tests are built nobody else may look.
        let folder = tempdir().expect("a folder");
        run(&format!("chmod 755 {}", folder.path().display()));
        let program = folder.path().join("test");
        std::fs::copy(std::env::current_exe().expect("a path"), &program).expect("copied");
        let output = std::process::Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
            ])
            .arg(&program)
            .args(["--exact", "without_privileges_it_says_what_it_lacks", "--nocapture"])
            .env(POOR, format!("{} {}", pair.here.pid(), pair.there.pid()))
            .output()
            .expect("setpriv");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text} {output:?}");
        text.lines().filter(|line| line.starts_with("SKIPPED")).for_each(skipped);
    });
}

fn read_unprivileged(pids: &str) {
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().expect("a pid")).collect();
    let own = std::fs::metadata("/proc/self/ns/net").expect("our namespace").ino();
    let process =
        |key: usize, namespace| Process { key: key as u64, pid: pids[key], namespace, ..Process::default() };
    let followed =
        Followed { generation: 1, processes: vec![process(0, own), process(1, 77)], ..Followed::default() };
    let context = Context { followed: Arc::new(followed), ..Context::default() };
    let mut source = (flows::SOURCE.open)(&Roots::default()).expect("a source");
    let reading = source.read(&context).expect("the rest stands");
    let says = |what: &str| reading.problems.iter().any(|problem| problem.contains(what));
    assert!(says("CAP_SYS_PTRACE") && says("CAP_SYS_ADMIN"), "{:?}", reading.problems);
    assert!(reading.flows.is_none_or(|flows| flows.is_empty()));
}
