//! One visit to a monitor that others need too: connect, ask, leave at once.

use super::course::{Ask, Outcome};
use super::dialogue::{migration_status, Round, Scope};
use super::queue;
use super::voice::{meaning, Voice};
use crate::sample::migration::{Status, Unavailable, What};
use crate::source::transport::qmp::session::{QmpError, Session};
use std::path::Path;
use std::time::Duration;

/// The longest visit, greeting and answers together.
const WHOLE: Duration = Duration::from_millis(150);

/// More messages than this in one visit are a flood: QEMU sends a handful of events a second.
const MOST_MESSAGES: usize = 256;

/// Visits the monitor; `unix_sockets` is the list of the hypervisor's unix sockets (`/proc/PID/net/unix`).
pub async fn visit(ask: &Ask, unix_sockets: &Path, voice: &Voice) -> Outcome {
    let mut status = None;
    // A knock at a taken monitor would stand in its short queue even after we left, and a client that does not wait
    // would be turned away.
    if ask.look_first && queue::is_taken(unix_sockets, &ask.path) {
        return Outcome { path: ask.path.clone(), status, result: Err(Unavailable::Busy) };
    }
    let result = match tokio::time::timeout(WHOLE, talk(ask, voice, &mut status)).await {
        Ok(result) => result,
        Err(_) => Err(Unavailable::Silent),
    };
    Outcome { path: ask.path.clone(), status, result }
}

async fn talk(ask: &Ask, voice: &Voice, status: &mut Option<Status>) -> Result<(), Unavailable> {
    let mut session = Session::open(&ask.path).await.map_err(|error| meaning(&error))?;
    match tokio::time::timeout(ask.patience, answers(&mut session, ask.scope, voice, status)).await {
        Ok(result) => result,
        Err(_) => Err(Unavailable::Silent),
    }
}

async fn answers(
    session: &mut Session,
    scope: Scope,
    voice: &Voice,
    status: &mut Option<Status>,
) -> Result<(), Unavailable> {
    let failed = |error: QmpError| meaning(&error);
    let mut round = Round::new(0, scope);
    session.send(&round.lines()).await.map_err(failed)?;
    for _ in 0..MOST_MESSAGES {
        match round.take(session.receive().await.map_err(failed)?) {
            Some(What::Unavailable(why)) => return Err(why),
            Some(what) => {
                *status = migration_status(&what).or(*status);
                voice.tell(what);
            }
            None => {}
        }
        if round.is_done() {
            return Ok(());
        }
    }
    Err(Unavailable::Garbage)
}
