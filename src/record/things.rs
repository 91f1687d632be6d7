//! What a frame has beside its tables, part by part: the order of the parts is the format. A part is only ever added behind
//! the last one of its thing.

use super::flat::Fields;
use crate::sample::flow::{Egress, Flow};
use crate::sample::frame::{Outcome, SourceReport};
use crate::sample::guest::{Followed, Hypervisor, Monitor, Process, Wanted};
use crate::sample::link::{Hardware, Link, Role};
use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::{Needed, Outlook, Range, Score};
use crate::sample::thread::{self, Thread};
use crate::sample::verdict::{Part, PhaseVerdict, Verdict};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const LINK_ROLES: [Role; 6] =
    [Role::Physical, Role::Addressed, Role::Carrier, Role::Port, Role::Loopback, Role::Other];
const THREAD_ROLES: [thread::Role; 8] = [
    thread::Role::Main,
    thread::Role::Migration,
    thread::Role::Multifd,
    thread::Role::Compression,
    thread::Role::Vcpu,
    thread::Role::Vhost,
    thread::Role::Softirq,
    thread::Role::Other,
];
const HYPERVISORS: [Hypervisor; 3] = [Hypervisor::Qemu, Hypervisor::CloudHypervisor, Hypervisor::Proxy];

const NO_PART: Part = Part { cause: "", seconds: 0.0, share: 0.0, evidence: String::new() };
const NO_PHASE: PhaseVerdict = PhaseVerdict { phase: "", parts: Vec::new() };
/// A verdict of nothing, to be filled.
pub const NO_VERDICT: Verdict = Verdict { migration: 0, now: None, phases: Vec::new() };
const NO_RANGE: Range = Range { p10: 0.0, p50: 0.0, p90: 0.0 };
const NO_NEED: Needed = Needed { rate: 0.0, downtime_limit: 0.0, throttle: 0.0 };
const NO_SCORE: Score = Score { at: 0.0, total_error: 0.0, pause_error: None };
/// An outlook of nothing.
pub const NO_OUTLOOK: Outlook = Outlook {
    migration: 0,
    copy: None,
    pause: None,
    converging: None,
    at_least: false,
    needed: None,
    scores: Vec::new(),
};
/// A report of nothing.
pub const NO_REPORT: SourceReport =
    SourceReport { source: "", outcome: Outcome::Pending, took: Duration::ZERO };
const NOWHERE: SocketAddr = SocketAddr::new(NO_ADDRESS, 0);
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const NO_EGRESS: Egress = Egress { index: 0, name: String::new(), foreign: false, peer: None, outer: None };

fn part(fields: &mut Fields, part: &Part) -> Part {
    Part {
        cause: fields.word(part.cause),
        seconds: fields.float(part.seconds),
        share: fields.float(part.share),
        evidence: fields.text(&part.evidence),
    }
}

/// What limited a migration.
pub fn verdict(fields: &mut Fields, verdict: &Verdict) -> Verdict {
    let phase = |fields: &mut Fields, phase: &PhaseVerdict| PhaseVerdict {
        phase: fields.word(phase.phase),
        parts: fields.list(&phase.parts, &NO_PART, part),
    };
    Verdict {
        migration: fields.number(verdict.migration),
        now: fields.option(verdict.now.as_ref(), &NO_PART, part),
        phases: fields.list(&verdict.phases, &NO_PHASE, phase),
    }
}

/// How a migration is expected to go on.
pub fn outlook(fields: &mut Fields, outlook: &Outlook) -> Outlook {
    let range = |fields: &mut Fields, range: &Range| Range {
        p10: fields.float(range.p10),
        p50: fields.float(range.p50),
        p90: fields.float(range.p90),
    };
    let needed = |fields: &mut Fields, needed: &Needed| Needed {
        rate: fields.float(needed.rate),
        downtime_limit: fields.float(needed.downtime_limit),
        throttle: fields.float(needed.throttle),
    };
    let score = |fields: &mut Fields, score: &Score| Score {
        at: fields.float(score.at),
        total_error: fields.float(score.total_error),
        pause_error: fields.option(score.pause_error.as_ref(), &0.0, |fields, error| fields.float(*error)),
    };
    Outlook {
        migration: fields.number(outlook.migration),
        copy: fields.option(outlook.copy.as_ref(), &NO_RANGE, range),
        pause: fields.option(outlook.pause.as_ref(), &NO_RANGE, range),
        converging: fields.option(outlook.converging.as_ref(), &false, |fields, flag| fields.flag(*flag)),
        at_least: fields.flag(outlook.at_least),
        needed: fields.option(outlook.needed.as_ref(), &NO_NEED, needed),
        scores: fields.list(&outlook.scores, &NO_SCORE, score),
    }
}

/// How a source did.
pub fn report(fields: &mut Fields, report: &SourceReport) -> SourceReport {
    let source = fields.word(report.source);
    let nothing = Vec::new();
    let (kind, problems, reason, away) = match &report.outcome {
        Outcome::Pending => (0, &nothing, "", Duration::ZERO),
        Outcome::Read => (1, &nothing, "", Duration::ZERO),
        Outcome::Partly(problems) => (2, problems, "", Duration::ZERO),
        Outcome::Absent(reason) => (3, &nothing, reason.as_str(), Duration::ZERO),
        Outcome::Failed(reason) => (4, &nothing, reason.as_str(), Duration::ZERO),
        Outcome::Stuck(away) => (5, &nothing, "", *away),
    };
    let outcome = match fields.number(kind) {
        1 => Outcome::Read,
        2 => Outcome::Partly(fields.list(problems, &String::new(), |fields, text| fields.text(text))),
        3 => Outcome::Absent(fields.text(reason)),
        4 => Outcome::Failed(fields.text(reason)),
        5 => Outcome::Stuck(fields.time(away)),
        _ => Outcome::Pending,
    };
    SourceReport { source, outcome, took: fields.time(report.took) }
}

fn index(fields: &mut Fields, index: Option<&u32>) -> Option<u32> {
    fields.option(index, &0, |fields, index| fields.small(*index))
}

fn address(fields: &mut Fields, address: &SocketAddr) -> SocketAddr {
    fields.text(&address.to_string()).parse().unwrap_or(NOWHERE)
}

/// A flow.
pub fn flow(fields: &mut Fields, flow: &Flow) -> Flow {
    let egress = |fields: &mut Fields, egress: &Egress| Egress {
        index: fields.small(egress.index),
        name: fields.text(&egress.name),
        foreign: fields.flag(egress.foreign),
        peer: index(fields, egress.peer.as_ref()),
        outer: index(fields, egress.outer.as_ref()),
    };
    Flow {
        key: fields.number(flow.key),
        namespace: fields.number(flow.namespace),
        local: address(fields, &flow.local),
        peer: address(fields, &flow.peer),
        owner: fields.option(flow.owner.as_ref(), &0, |fields, key| fields.number(*key)),
        accepted: fields.flag(flow.accepted),
        egress: fields.option(flow.egress.as_ref(), &NO_EGRESS, egress),
        congestion: fields.text(&flow.congestion),
        opened: Monotonic(fields.time(flow.opened.0)),
        closed: fields
            .option(flow.closed.as_ref(), &Monotonic::default(), |fields, at| Monotonic(fields.time(at.0))),
        outlived: fields.flag(flow.outlived),
    }
}

/// A flow of nothing.
pub const NO_FLOW: Flow = Flow {
    key: 0,
    namespace: 0,
    local: NOWHERE,
    peer: NOWHERE,
    owner: None,
    accepted: false,
    egress: None,
    congestion: String::new(),
    opened: Monotonic(Duration::ZERO),
    closed: None,
    outlived: false,
};

/// A thread.
pub fn thread(fields: &mut Fields, thread: &Thread) -> Thread {
    Thread {
        key: fields.number(thread.key),
        process: fields.option(thread.process.as_ref(), &0, |fields, key| fields.number(*key)),
        tid: fields.small(thread.tid),
        role: fields.one_of(thread.role, &THREAD_ROLES),
        name: fields.text(&thread.name).into(),
    }
}

/// A thread of nothing.
pub fn no_thread() -> Thread {
    Thread { key: 0, process: None, tid: 0, role: thread::Role::Other, name: "".into() }
}

fn process(fields: &mut Fields, process: &Process) -> Process {
    let monitor = |fields: &mut Fields, monitor: &Monitor| Monitor {
        path: fields.text(&monitor.path.to_string_lossy()).into(),
        exclusive: fields.flag(monitor.exclusive),
    };
    let no_monitor = Monitor { path: std::path::PathBuf::new(), exclusive: false };
    Process {
        key: fields.number(process.key),
        pid: fields.small(process.pid),
        start_ticks: fields.number(process.start_ticks),
        hypervisor: fields.one_of(process.hypervisor, &HYPERVISORS),
        name: fields.text(&process.name),
        uuid: fields.option(process.uuid.as_ref(), &String::new(), |fields, uuid| fields.text(uuid)),
        memory: fields.option(process.memory.as_ref(), &0, |fields, bytes| fields.number(*bytes)),
        namespace: fields.number(process.namespace),
        incoming: fields.flag(process.incoming),
        monitors: fields.list(&process.monitors, &no_monitor, monitor),
    }
}

/// The hypervisor processes, and which of their guests are followed.
pub fn followed(fields: &mut Fields, followed: &Followed) -> Followed {
    let wanted = |fields: &mut Fields, wanted: &Wanted| Wanted {
        key: fields.number(wanted.key),
        paused: fields.flag(wanted.paused),
    };
    Followed {
        generation: fields.number(followed.generation),
        processes: fields.list(&followed.processes, &Process::default(), process),
        wanted: fields.list(&followed.wanted, &Wanted { key: 0, paused: false }, wanted),
        links: fields.list(&followed.links, &0, |fields, index| fields.small(*index)),
    }
}

/// A link.
pub fn link(fields: &mut Fields, link: &Link) -> Link {
    let hardware = |fields: &mut Fields, hardware: &Hardware| Hardware {
        driver: fields.text(&hardware.driver),
        bus_address: fields.text(&hardware.bus_address),
        pci: fields.text(&hardware.pci),
        port_name: fields.text(&hardware.port_name),
    };
    let ip = |fields: &mut Fields, ip: &IpAddr| fields.text(&ip.to_string()).parse().unwrap_or(NO_ADDRESS);
    Link {
        key: fields.number(link.key),
        index: fields.small(link.index),
        name: fields.text(&link.name),
        kind: Cow::Owned(fields.text(&link.kind)),
        hardware: fields.option(link.hardware.as_deref(), &Hardware::default(), hardware).map(Box::new),
        master: index(fields, link.master.as_ref()),
        lower: index(fields, link.lower.as_ref()),
        addresses: fields.list(&link.addresses, &NO_ADDRESS, ip),
        mtu: fields.small(link.mtu),
        admin_up: fields.flag(link.admin_up),
        oper_up: fields.flag(link.oper_up),
        carrier: fields.option(link.carrier.as_ref(), &false, |fields, flag| fields.flag(*flag)),
        carrier_changes: fields.option(link.carrier_changes.as_ref(), &0, |fields, n| fields.number(*n)),
        role: fields.one_of(link.role, &LINK_ROLES),
        exported: fields.flag(link.exported),
    }
}
