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
    held: HashMap<(Key, PathBuf), mpsc::Sender<Scope>>,
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
        while let Ok((key, outcome)) = self.outcomes.try_recv() {
            self.take(context, key, &outcome);
        }
        self.courses.retain(|key, _| context.followed.wanted.iter().any(|wanted| wanted.key == *key));
        let mut asked = Vec::new();
        for wanted in &context.followed.wanted {
            if self.ask(context, *wanted)? {
                asked.push(wanted.key);
            }
        }
        self.wait(context, &asked);
        let (told, dropped) = self.inbox.take();
        let mut problems = Vec::new();
        if dropped > 0 {
            problems.push(format!("{dropped} events dropped: they came faster than they were read"));
        }
        Ok(Reading { told, problems, ..Reading::default() })
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

    /// Asks a guest if it is due; says whether it did.
    fn ask(&mut self, context: &Context, wanted: Wanted) -> Result<bool, SourceError> {
        let process = context.followed.process(wanted.key).filter(|process| is_qemu(process));
        let Some(process) = process else { return Ok(false) };
        let course = self.courses.entry(wanted.key).or_default();
        course.follow(process);
        let Some(ask) = course.next(context.clock.get(), wanted.paused) else { return Ok(false) };
        if ask.held {
            let door = self.held.get(&(wanted.key, ask.path.clone()));
            if door.is_none_or(|door| door.try_send(ask.scope).is_err()) {
                course.give_up();
            }
            return Ok(true);
        }
        let unix_sockets = context.roots.proc.join(process.pid.to_string()).join("net/unix");
        self.visit(context, wanted.key, ask, unix_sockets)?;
        Ok(true)
    }

    fn visit(
        &mut self,
        context: &Context,
        key: Key,
        ask: Ask,
        unix_sockets: PathBuf,
    ) -> Result<(), SourceError> {
        let (voice, sender) = (self.voice(context, key), self.sender.clone());
        self.background()?.spawn(async move {
            let outcome = borrow::visit(&ask, &unix_sockets, &voice).await;
            // Nobody listens any more when the source is closed.
            sender.send((key, outcome)).ok();
        });
        Ok(())
    }

    /// Waits a moment for those who were asked.
    fn wait(&mut self, context: &Context, asked: &[Key]) {
        let start = context.clock.get();
        while asked.iter().any(|key| self.courses.get(key).is_some_and(Course::is_asking)) {
            let left = WAIT.saturating_sub(context.clock.get().since(start));
            let Ok((key, outcome)) = self.outcomes.recv_timeout(left) else { return };
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
