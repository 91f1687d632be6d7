//! Stories of migrations as text: what is told and seen when, and what must be shown for it. The words are explained in
//! `tests/data/migrations/README.md`.

use crate::shown;
use crate::world::{at, Count, World};
use miglink::analysis::migrations::tracker::News;
use miglink::sample::flow::{Egress, Flow};
use miglink::sample::guest::{Hypervisor, Monitor, Process};
use miglink::sample::migration::{
    Direction, Event, Guest, Progress, RunState, Speaker, Status, Unavailable, What,
};
use miglink::sample::subject::Key;
use std::collections::HashMap;
use std::time::Duration;

/// The words of one line after its time.
pub struct Line<'a> {
    words: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// A word by its place.
    pub fn word(&self, place: usize) -> &'a str {
        self.words.get(place).copied().unwrap_or_else(|| panic!("too few words: {:?}", self.words))
    }

    /// Whether a word stands there alone.
    pub fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// The value of `name=value`.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// All `name=value`.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.words.iter().filter_map(|word| word.split_once('='))
    }

    fn bytes(&self, name: &str) -> Option<u64> {
        self.value(name).map(bytes)
    }

    fn millis(&self, name: &str) -> Option<u64> {
        self.value(name).map(number)
    }

    fn time(&self, name: &str) -> Option<Duration> {
        self.millis(name).map(Duration::from_millis)
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// `512`, `3K`, `64M`, `2G`.
pub fn bytes(text: &str) -> u64 {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    number(digits) << shift
}

/// A story while it is told.
pub struct Story {
    world: World,
    processes: HashMap<String, Key>,
    flows: HashMap<String, Key>,
}

impl Story {
    /// Tells it; gives what was not as it should be, with the line's number.
    pub fn tell(text: &str) -> Vec<String> {
        let mut story = Self { world: World::new(), processes: HashMap::new(), flows: HashMap::new() };
        let mut wrong = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split('#').next().unwrap_or("").split_whitespace().collect();
            let [time, words @ ..] = &words[..] else { continue };
            story.wait(time.parse().unwrap_or_else(|_| panic!("line {}: {time} is no time", number + 1)));
            if let Err(problem) = story.line(&Line { words: words.to_vec() }) {
                wrong.push(format!("line {}: {problem}", number + 1));
            }
        }
        wrong
    }

    fn wait(&mut self, until: u64) {
        assert!(until >= self.world.now, "{until} lies before {}", self.world.now);
        while self.world.now < until {
            self.world.step_to(until);
        }
    }

    fn line(&mut self, line: &Line) -> Result<(), String> {
        match line.word(0) {
            "process" => self.process(line),
            "dies" => self.world.dead.push(self.processes[line.word(1)]),
            "gone" => self.gone(line.word(1)),
            "open" => self.open(line),
            "pace" => self.pace(line),
            "close" => self.world.close(self.flows[line.word(1)]),
            "qmp" => self.progress(line, Speaker::Qmp),
            "libvirt" => self.progress(line, Speaker::Libvirt),
            "event" => self.event(line, Speaker::Qmp),
            "notice" => self.event(line, Speaker::Libvirt),
            "run" => self.run_state(line),
            "busy" => self.tell_of(line, Speaker::Qmp, What::Unavailable(Unavailable::Busy)),
            "guest" => self.guest_runs(line.word(1), line.word(2) == "runs"),
            "keep" => self.world.keep = Duration::from_millis(number(line.word(1))),
            "expect" => return shown::expect(&self.world, line),
            "absent" => return shown::absent(&self.world, line),
            "news" => return shown::news(&self.world.news, line),
            "wanted" => return self.wanted(line),
            other => panic!("{other} is no word of a story"),
        }
        Ok(())
    }

    fn process(&mut self, line: &Line) {
        let key = self.processes.len() as Key + 1;
        let name = line.word(1);
        self.processes.insert(line.value("as").unwrap_or(name).to_owned(), key);
        self.world.processes.push(Process {
            key,
            pid: 1000 + key as u32,
            name: name.to_owned(),
            uuid: line.value("uuid").map(str::to_owned),
            hypervisor: if line.has("proxy") { Hypervisor::Proxy } else { Hypervisor::Qemu },
            incoming: line.has("incoming"),
            monitors: if line.has("monitor") { vec![monitor()] } else { Vec::new() },
            namespace: line.millis("namespace").unwrap_or(1),
            ..Process::default()
        });
        self.world.list();
    }

    fn gone(&mut self, name: &str) {
        let key = self.processes[name];
        self.world.dead.push(key);
        self.world.processes.retain(|process| process.key != key);
        self.world.runs.retain(|running| *running != key);
        self.world.list();
    }

    /// `open FLOW OWNER LOCAL>PEER [accepted] [via=LINK]`.
    fn open(&mut self, line: &Line) {
        let key = self.flows.len() as Key + 1;
        self.flows.insert(line.word(1).to_owned(), key);
        let owner = self.processes.get(line.word(2)).copied();
        assert!(owner.is_some() || line.word(2) == "nobody", "{} does not run", line.word(2));
        let (local, peer) = line.word(3).split_once('>').expect("LOCAL>PEER");
        let via = line.value("via").unwrap_or("eth0");
        let egress =
            Egress { index: if via == "eth1" { 2 } else { 1 }, name: via.into(), ..Egress::default() };
        self.world.flows.push(Flow {
            key,
            namespace: line.millis("namespace").unwrap_or(1),
            local: format!("10.0.0.1:{local}").parse().expect("an address"),
            peer: format!("10.0.0.2:{peer}").parse().expect("an address"),
            owner,
            accepted: line.has("accepted"),
            egress: (via != "nothing").then_some(egress),
            congestion: "cubic".into(),
            opened: at(self.world.now),
            closed: None,
            outlived: false,
        });
        self.world.counts.insert(key, Count::default());
    }

    /// `pace FLOW [sent=BYTES] [received=BYTES] [busy=MS] [sends=BYTES] [receives=BYTES]`: counts are set, and go on at
    /// these rates.
    fn pace(&mut self, line: &Line) {
        let count = self.world.counts.entry(self.flows[line.word(1)]).or_default();
        count.sent = line.bytes("sent").unwrap_or(count.sent);
        count.received = line.bytes("received").unwrap_or(count.received);
        count.busy = line.millis("busy").unwrap_or(count.busy);
        count.sends = line.bytes("sends").unwrap_or(0);
        count.receives = line.bytes("receives").unwrap_or(0);
    }

    fn guest_runs(&mut self, name: &str, runs: bool) {
        let key = self.processes[name];
        self.world.runs.retain(|running| *running != key);
        self.world.running.entry(key).or_default();
        if runs {
            self.world.runs.push(key);
        }
    }

    /// By the monitor a guest is its process, by libvirt its domain.
    fn who(&self, line: &Line, by: Speaker) -> Guest {
        let name = line.word(1);
        match by {
            Speaker::Qmp => Guest::Process(self.processes[name]),
            Speaker::Libvirt => Guest::Domain {
                uuid: line.value("uuid").map_or_else(|| format!("uuid-of-{name}"), str::to_owned),
                name: name.to_owned(),
            },
        }
    }

    fn tell_of(&mut self, line: &Line, by: Speaker, what: What) {
        let guest = self.who(line, by);
        self.world.tell(guest, by, what, line.millis("at"));
    }

    fn progress(&mut self, line: &Line, by: Speaker) {
        self.tell_of(line, by, What::Progress(Box::new(progress(line, line.word(2)))));
    }

    fn event(&mut self, line: &Line, by: Speaker) {
        let event = match line.word(2) {
            "STOP" => Event::Stopped,
            "RESUME" => Event::Resumed,
            "PASS" => Event::Iteration(number(line.word(3))),
            "ARRIVING" => Event::Arriving,
            "COMPLETED" => Event::Completed(Box::new(progress(line, "completed"))),
            "LEFT" => Event::Left,
            "FAILED" => Event::Failed,
            word => Event::Status(status(word)),
        };
        self.tell_of(line, by, What::Event { event, wall_ns: line.millis("at") });
    }

    fn run_state(&mut self, line: &Line) {
        let state = match line.word(2) {
            "running" => RunState::Running,
            "inmigrate" => RunState::Incoming,
            "finish-migrate" => RunState::Finishing,
            "postmigrate" => RunState::Left,
            _ => RunState::Stopped,
        };
        self.tell_of(line, Speaker::Qmp, What::Run(state));
    }

    /// `wanted NAME…`, a name with `!` stands still.
    fn wanted(&self, line: &Line) -> Result<(), String> {
        let name_of =
            |key| self.processes.iter().find(|(_, known)| **known == key).map_or("?", |(name, _)| name);
        let found = self.world.followed.wanted.iter();
        let found: Vec<String> = found
            .map(|guest| format!("{}{}", name_of(guest.key), if guest.paused { "!" } else { "" }))
            .collect();
        let expected = if line.word(1) == "nobody" { &[] } else { &line.words[1..] };
        if found == expected {
            return Ok(());
        }
        Err(format!("{found:?} are wanted"))
    }
}

fn monitor() -> Monitor {
    Monitor { path: "/run/qemu/web.qmp".into(), exclusive: false }
}

fn status(word: &str) -> Status {
    miglink::source::qmp::answers::status(word)
}

fn progress(line: &Line, status_word: &str) -> Progress {
    let direction = match line.value("way") {
        Some("out") => Some(Direction::Outgoing),
        Some("in") => Some(Direction::Incoming),
        _ => None,
    };
    Progress {
        status: status(status_word),
        direction,
        total_time: line.time("total"),
        setup_time: line.time("setup"),
        downtime: line.time("downtime"),
        expected_downtime: line.time("expects"),
        transferred: line.bytes("transferred"),
        remaining: line.bytes("remaining"),
        memory_total: line.bytes("memory"),
        ..Progress::default()
    }
}

/// How many began and ended, and how many bytes were told of.
pub fn count(news: &[News]) -> (usize, usize, u64) {
    news.iter().fold((0, 0, 0), |(began, ended, carried), news| match news {
        News::Began(_) => (began + 1, ended, carried),
        News::Ended(_) => (began, ended + 1, carried),
        News::Carried { bytes, .. } => (began, ended, carried + bytes),
    })
}
