//! Migrations as libvirt tells them, by the remote protocol on its read-only unix socket: job statistics, events,
//! and the end of it. It answers any user on most systems, and nothing that is asked takes a lock on a guest that
//! is being received.
//!
//! A background thread keeps the connections and hears events when they come; a reading only collects what it
//! heard, so a daemon that hangs holds up nobody.

use super::contract::{Context, Doors, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use crate::sample::guest::Followed;
use crate::sample::monotonic::Monotonic;
use board::Board;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch as channel;

mod board;
mod daemon;
mod guest;
mod places;
mod watch;
mod words;

/// libvirt daemons.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "libvirt",
    help: "Migrations of libvirt's guests: job statistics and events, by its read-only socket.",
    privilege: "",
    pace: Pace::Migration,
    lane: Lane::Hypervisors,
    deadline: Duration::from_secs(2),
    tables: &[],
    open,
};

/// What the background thread is asked to do.
#[derive(Debug, Clone, Default)]
struct Orders {
    followed: Arc<Followed>,
    doors: Arc<Doors>,
}

#[allow(clippy::unnecessary_wraps, reason = "the signature of every source")]
fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Libvirt { thread: None, looked: None }))
}

/// The source: a thread from the first reading on at which there is a daemon to speak to. When the source is dropped, so
/// are the orders, and the thread ends.
struct Libvirt {
    thread: Option<Thread>,
    /// When there was no daemon.
    looked: Option<Monotonic>,
}

struct Thread {
    orders: channel::Sender<Orders>,
    board: Board,
}

impl Source for Libvirt {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none if is_expected(&mut self.looked, context) => none.insert(Thread::start(context)?),
            None => return Err(absent()),
        };
        thread.order(context);
        let taken = thread.board.take();
        if taken.absent && taken.told.is_empty() && taken.problems.is_empty() {
            return Err(absent());
        }
        // There are no blocks that could change: what is told is the news.
        Ok(Reading { told: taken.told, problems: taken.problems, ..Reading::unchanged() })
    }
}

fn absent() -> SourceError {
    SourceError::Absent(format!("no libvirt socket {}", places::USUAL.join(" or ")))
}

/// Whether there may be a daemon: the configuration says so, or one has its socket in a usual place, which is looked at
/// as often as the thread would.
fn is_expected(looked: &mut Option<Monotonic>, context: &Context) -> bool {
    if !context.doors.libvirt.is_empty() {
        return true;
    }
    if looked.is_some_and(|at| context.now.since(at) < places::LOOK_EVERY) {
        return false;
    }
    *looked = Some(context.now);
    places::USUAL.iter().any(|path| Path::new(path).exists())
}

impl Thread {
    fn start(context: &Context) -> Result<Self, SourceError> {
        let failed = |error| SourceError::Io { what: "starting libvirt's thread".into(), error };
        let orders = Orders { followed: Arc::clone(&context.followed), doors: Arc::clone(&context.doors) };
        let (sender, receiver) = channel::channel(orders);
        let (board, clock) = (Board::default(), context.clock.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let watching = places::watch_all(receiver, clock, board.clone());
        std::thread::Builder::new()
            .name("libvirt".into())
            .spawn(move || tokio::task::LocalSet::new().block_on(&runtime, watching))
            .map_err(failed)?;
        Ok(Self { orders: sender, board })
    }

    /// Passes on what has changed.
    fn order(&self, context: &Context) {
        self.orders.send_if_modified(|orders| {
            let same = *orders.followed == *context.followed && *orders.doors == *context.doors;
            if !same {
                orders.followed = Arc::clone(&context.followed);
                orders.doors = Arc::clone(&context.doors);
            }
            !same
        });
    }
}
