//! Any sequence of signs: the laws hold, nothing panics, and in the end all that began has ended.

use crate::world::{at, Count, World};
use miglink::analysis::migrations::tracker::News;
use miglink::sample::flow::{Egress, Flow};
use miglink::sample::guest::{Hypervisor, Process};
use miglink::sample::migration::{Direction, Event, Guest, Progress, RunState, Speaker, Status, What};
use miglink::sample::subject::Key;
use proptest::prelude::{any, prop_oneof, proptest, Just, ProptestConfig, Strategy};
use proptest::sample::select;
use std::time::Duration;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Sign {
    Process { key: Key, incoming: bool, proxy: bool },
    Gone(Key),
    Open { owner: Option<Key>, port: u16, accepted: bool },
    Pace { flow: usize, sends: u64, receives: u64 },
    Close(usize),
    Told { guest: Guest, what: What, back: Option<u64> },
    Runs(Key, bool),
    Wait(u64),
}

const STATUSES: [Status; 12] = [
    Status::None,
    Status::Setup,
    Status::Active,
    Status::PreSwitchover,
    Status::Device,
    Status::Postcopy,
    Status::PostcopyPaused,
    Status::Cancelling,
    Status::Cancelled,
    Status::Failed,
    Status::Completed,
    Status::Other,
];
const STATES: [RunState; 5] =
    [RunState::Running, RunState::Incoming, RunState::Finishing, RunState::Left, RunState::Stopped];

/// Four processes; the last two have one name.
fn process(key: Key, incoming: bool, proxy: bool) -> Process {
    Process {
        key,
        pid: key as u32,
        name: ["", "web", "db", "twin", "twin"][key as usize].into(),
        uuid: (key == 2).then(|| "u2".to_owned()),
        hypervisor: if proxy { Hypervisor::Proxy } else { Hypervisor::Qemu },
        namespace: 1,
        incoming,
        ..Process::default()
    }
}

fn guests() -> impl Strategy<Value = Guest> {
    let domain = |name: &str, uuid: &str| Guest::Domain { uuid: uuid.into(), name: name.into() };
    let domains = vec![domain("web", "u1"), domain("other", "u2"), domain("twin", "u3"), domain("far", "u4")];
    prop_oneof![(1..6u64).prop_map(Guest::Process), select(domains)]
}

fn progress() -> impl Strategy<Value = Progress> {
    let time = || proptest::option::of((0..4000u64).prop_map(Duration::from_millis));
    let way = select(vec![None, Some(Direction::Outgoing), Some(Direction::Incoming)]);
    let bytes = || proptest::option::of(prop_oneof![9 => 0..500_000_000u64, 1 => any::<u64>()]);
    (select(STATUSES.to_vec()), way, time(), time(), time(), bytes(), bytes()).prop_map(
        |(status, direction, total_time, setup_time, downtime, transferred, remaining)| Progress {
            dirty_pages_per_second: remaining,
            page_size: transferred,
            status,
            direction,
            total_time,
            setup_time,
            downtime,
            transferred,
            remaining,
            ..Progress::default()
        },
    )
}

fn whats() -> impl Strategy<Value = What> {
    let event = prop_oneof![
        select(vec![Event::Stopped, Event::Resumed, Event::Arriving, Event::Left, Event::Failed]),
        select(STATUSES.to_vec()).prop_map(Event::Status),
        (0..9u64).prop_map(Event::Iteration),
        progress().prop_map(|progress| Event::Completed(Box::new(progress))),
    ];
    prop_oneof![
        progress().prop_map(|progress| What::Progress(Box::new(progress))),
        event.prop_map(|event| What::Event { event, wall_ns: None }),
        select(STATES.to_vec()).prop_map(What::Run),
    ]
}

fn signs() -> impl Strategy<Value = Sign> {
    let ports = select(vec![49152u16, 49153, 60000, 7000, 3260, 10809, 5900]);
    let rates = || select(vec![0u64, 1 << 10, 1 << 20, 1 << 27, 1 << 30]);
    let told = (guests(), whats(), proptest::option::of(0..2000u64));
    prop_oneof![
        1 => (1..5u64, any::<bool>(), 0..9u8)
            .prop_map(|(key, incoming, proxy)| Sign::Process { key, incoming, proxy: proxy == 0 }),
        1 => (1..5u64).prop_map(Sign::Gone),
        3 => (proptest::option::weighted(0.9, 1..5u64), ports, any::<bool>())
            .prop_map(|(owner, port, accepted)| Sign::Open { owner, port, accepted }),
        3 => (0..12usize, rates(), rates())
            .prop_map(|(flow, sends, receives)| Sign::Pace { flow, sends, receives }),
        2 => (0..12usize).prop_map(Sign::Close),
        6 => told.prop_map(|(guest, what, back)| Sign::Told { guest, what, back }),
        1 => (1..5u64, any::<bool>()).prop_map(|(key, runs)| Sign::Runs(key, runs)),
        3 => prop_oneof![Just(1), 1..40u64, 100..300u64].prop_map(Sign::Wait),
    ]
}

fn happen(world: &mut World, opened: &mut u64, sign: Sign) {
    match sign {
        Sign::Process { key, incoming, proxy } => {
            world.processes.retain(|process| process.key != key);
            world.processes.push(process(key, incoming, proxy));
            world.list();
        }
        Sign::Gone(key) => {
            world.processes.retain(|process| process.key != key);
            world.list();
        }
        Sign::Open { owner, port, accepted } => {
            *opened += 1;
            let (here, there) = if accepted { (port, 40000) } else { (40000, port) };
            world.flows.push(Flow {
                key: *opened,
                namespace: 1,
                local: ([10, 0, 0, 1], here).into(),
                peer: ([10, 0, 0, 2], there).into(),
                owner,
                accepted,
                egress: Some(Egress { index: 1, name: "eth0".into(), ..Egress::default() }),
                congestion: String::new(),
                opened: at(world.now),
                closed: None,
                outlived: false,
            });
            world.counts.insert(*opened, Count::default());
        }
        Sign::Pace { flow, sends, receives } => {
            let open = world.flows.iter().filter(|flow| flow.closed.is_none());
            if let Some(count) =
                open.map(|flow| flow.key).nth(flow).and_then(|key| world.counts.get_mut(&key))
            {
                (count.sends, count.receives) = (sends, receives);
            }
        }
        Sign::Close(flow) => {
            if let Some(key) = world.flows.get(flow).map(|flow| flow.key) {
                world.close(key);
            }
        }
        Sign::Told { guest, what, back } => {
            let own = back.map(|back| world.now.saturating_sub(back));
            let own = own.filter(|_| matches!(what, What::Event { .. }));
            world.tell(guest, Speaker::Qmp, what, own);
        }
        Sign::Runs(key, runs) => {
            world.runs.retain(|running| *running != key);
            world.runs.extend(runs.then_some(key));
        }
        Sign::Wait(steps) => (0..steps).for_each(|_| world.step()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_laws_hold_for_any_signs(signs in proptest::collection::vec(signs(), 1..60), keep in 0..20u64) {
        let mut world = World::new();
        world.keep = Duration::from_secs(keep);
        let mut opened = 0;
        for key in 1..3 {
            world.processes.push(process(key, key == 2, false));
        }
        world.list();
        for sign in signs {
            happen(&mut world, &mut opened, sign);
        }
        // All connections and processes end: so must all migrations, but those that only a manager tells of.
        let left: Vec<Key> = world.flows.iter().map(|flow| flow.key).collect();
        left.into_iter().for_each(|key| world.close(key));
        world.processes.clear();
        world.list();
        (0..350).for_each(|_| world.step());
        let process = |news: &&News| matches!(news, News::Began(migration) if migration.process.is_some());
        let began = world.news.iter().filter(process).count();
        let ended = world.news.iter().filter(|news| matches!(news, News::Ended(_))).count();
        assert!(ended >= began, "{began} began in processes, {ended} ended");
    }
}
