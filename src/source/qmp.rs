//! QEMU's monitors (QMP): how far migrations are, what they keep to, and, where a monitor is ours, what happens.
//!
//! A monitor serves one client at a time, and other tools need theirs. So a monitor is visited only while its guest
//! moves, for about a millisecond, and one that is taken is left alone. Only a monitor that the configuration gives to
//! us alone is held. Connections live on a thread of their own; a reading collects what they told.

pub mod answers;
mod borrow;
mod course;
pub mod dialogue;
mod hold;
mod inbox;
mod queue;
mod voice;

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use crate::sample::guest::{Hypervisor, Process, Wanted};
use crate::sample::migration::What;
use crate::sample::subject::Key;
use course::{Ask, Course, Outcome};
use dialogue::Scope;
use hold::Holder;
use inbox::Inbox;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use voice::Voice;

/// Migrations as QEMU tells of them.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "qmp",
    help: "Migration progress, limits and events of QEMU by its monitor sockets (QMP).",
    privilege: "write access to the monitor sockets",
    pace: Pace::Migration,
    lane: Lane::Hypervisors,
    deadline: Duration::from_secs(2),
    // What is told becomes migrations, not rows.
    tables: &[],
    open,
};

/// How long a reading waits for answers. What comes later is told by the next reading, with its own time: a slow
/// guest does not hold up the others.
const WAIT: Duration = Duration::from_millis(45);

#[allow(clippy::unnecessary_wraps, reason = "the signature of every source")]
fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let (sender, outcomes) = channel();
    Ok(Box::new(Qmp {
        background: None,
        inbox: Inbox::default(),
        courses: HashMap::new(),
        held: HashMap::new(),
        generation: None,
        sender,
        outcomes,
    }))
}

struct Qmp {
    background: Option<Background>,
    inbox: Inbox,
    courses: HashMap<Key, Course>,
    held: HashMap<(Key, PathBuf), mpsc::Sender<(Scope, Pending)>>,
    generation: Option<u64>,
    sender: Sender<(Key, Outcome)>,
    outcomes: Receiver<(Key, Outcome)>,
}

impl Source for Qmp {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if self.generation != Some(context.followed.generation) {
            self.hold_what_is_ours(context)?;
            self.generation = Some(context.followed.generation);
        }
        self.take_outcomes(context);
        self.courses.retain(|key, _| context.followed.wanted.iter().any(|wanted| wanted.key == *key));
        self.ask_who_is_due(context)?;
        let (told, dropped) = self.inbox.take();
        let mut problems = Vec::new();
        if dropped > 0 {
            problems.push(format!("{dropped} events dropped: they came faster than they were read"));
        }
        // There are no blocks that could change: what is told is the news.
        Ok(Reading { told, problems, ..Reading::unchanged() })
    }
}

impl Qmp {
    /// Opens the monitors that are ours and lets go of those that were.
    fn hold_what_is_ours(&mut self, context: &Context) -> Result<(), SourceError> {
        let processes = context.followed.processes.iter().filter(|process| is_qemu(process));
        let ours = processes.flat_map(|process| {
            let exclusive = process.monitors.iter().filter(|monitor| monitor.exclusive);
            exclusive.map(|monitor| (process.key, monitor.path.clone()))
        });
        let ours: Vec<(Key, PathBuf)> = ours.collect();
        self.held.retain(|door, _| ours.contains(door));
        for door in ours {
            if self.held.contains_key(&door) {
                continue;
            }
            let (sender, questions) = mpsc::channel(1);
            let (voice, outcomes) = (self.voice(context, door.0), self.sender.clone());
            let holder = Holder { path: door.1.clone(), voice, questions, outcomes };
            self.background()?.spawn(hold::hold(holder));
            self.held.insert(door, sender);
        }
        Ok(())
    }

    /// Asks the guests that are due, all at once, and waits a moment for the answers.
    fn ask_who_is_due(&mut self, context: &Context) -> Result<(), SourceError> {
        let (pending, all_done) = channel();
        let mut visits = Vec::new();
        for wanted in &context.followed.wanted {
            visits.extend(self.ask(context, *wanted, &pending));
        }
        if !visits.is_empty() {
            // One task starts the others: one wake of the thread, not one a guest.
            self.background()?
                .spawn(async move { visits.into_iter().for_each(|visit| drop(tokio::spawn(visit.make()))) });
        }
        drop(pending);
        // It ends when the last visit lets go of its sender; nothing is ever sent.
        all_done.recv_timeout(WAIT).ok();
        self.take_outcomes(context);
        Ok(())
    }

    /// Asks a guest if it is due: by the monitor that is held, or by the visit that it gives.
    fn ask(&mut self, context: &Context, wanted: Wanted, pending: &Pending) -> Option<Visit> {
        let process = context.followed.process(wanted.key).filter(|process| is_qemu(process))?;
        let (crowd, voice) = (context.followed.wanted.len(), self.voice(context, wanted.key));
        let course = self.courses.entry(wanted.key).or_default();
        course.follow(process);
        let ask = course.next(context.clock.get(), wanted.paused, crowd)?;
        if ask.held {
            let door = self.held.get(&(wanted.key, ask.path.clone()));
            if door.is_none_or(|door| door.try_send((ask.scope, pending.clone())).is_err()) {
                course.give_up();
            }
            return None;
        }
        let unix_sockets = context.roots.proc.join(process.pid.to_string()).join("net/unix");
        Some(Visit { ask, unix_sockets, voice, outcomes: self.sender.clone(), _pending: pending.clone() })
    }

    fn take_outcomes(&mut self, context: &Context) {
        while let Ok((key, outcome)) = self.outcomes.try_recv() {
            self.take(context, key, &outcome);
        }
    }

    fn take(&mut self, context: &Context, key: Key, outcome: &Outcome) {
        let paused = context.followed.wanted.iter().any(|wanted| wanted.key == key && wanted.paused);
        let Some(course) = self.courses.get_mut(&key) else { return };
        if let Some(why) = course.done(context.clock.get(), paused, outcome) {
            self.voice(context, key).tell(What::Unavailable(why));
        }
    }

    fn voice(&self, context: &Context, key: Key) -> Voice {
        Voice { key, clock: context.clock.clone(), inbox: self.inbox.clone() }
    }

    fn background(&mut self) -> Result<&Handle, SourceError> {
        let background = match self.background.take() {
            Some(background) => background,
            None => Background::start().map_err(|error| SourceError::Io {
                what: "starting the thread of the monitors".into(),
                error,
            })?,
        };
        Ok(&self.background.insert(background).handle)
    }
}

/// Held by everything that a reading waits for.
type Pending = Sender<()>;

/// A visit to a borrowed monitor.
struct Visit {
    ask: Ask,
    unix_sockets: PathBuf,
    voice: Voice,
    outcomes: Sender<(Key, Outcome)>,
    _pending: Pending,
}

impl Visit {
    async fn make(self) {
        let outcome = borrow::visit(&self.ask, &self.unix_sockets, &self.voice).await;
        // Nobody listens any more when the source is closed.
        self.outcomes.send((self.voice.key, outcome)).ok();
    }
}

fn is_qemu(process: &Process) -> bool {
    process.hypervisor == Hypervisor::Qemu
}

/// The thread that the connections live on. It is started with the first connection and ends with the source.
struct Background {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let work = move || {
            // It ends when the sender is dropped; that is what is waited for.
            runtime.block_on(stopped).ok();
        };
        let thread = std::thread::Builder::new().name("qmp".into()).stack_size(512 * 1024).spawn(work)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic of the thread has been reported by its own hook.
        self.thread.take().map(JoinHandle::join);
    }
}
