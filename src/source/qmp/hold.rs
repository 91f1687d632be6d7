//! A monitor that the configuration gives to us alone: held open, listened to, asked when the guest is followed, and
//! opened again when it closed.

use super::course::{Outcome, FIRST_BACKOFF, LONGEST_BACKOFF};
use super::dialogue::{migration_status, what_happened, Round, Scope};
use super::voice::{meaning, Voice};
use crate::sample::migration::{Status, Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::transport::qmp::message::Message;
use crate::source::transport::qmp::session::{QmpError, Session};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// QEMU does not answer while it saves the devices' state; a monitor that is ours may be waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a monitor may send in a second: QEMU sends a handful of lines.
const MOST_BYTES: u64 = 2 * 1024 * 1024;
const MOST_LINES: u64 = 1000;

/// How long a monitor that sends more is not read.
const REST: Duration = Duration::from_secs(1);

/// A held monitor.
pub struct Holder {
    /// Where it is.
    pub path: PathBuf,
    /// Speaks of its guest.
    pub voice: Voice,
    /// What it is to be asked, and what to let go of when that is done. The monitor is let go of when this is closed.
    pub questions: Receiver<(Scope, Sender<()>)>,
    /// How each round went.
    pub outcomes: Sender<(Key, Outcome)>,
}

/// Why a session ended.
enum End {
    Failed(Unavailable),
    LetGo,
}

impl From<QmpError> for End {
    fn from(error: QmpError) -> Self {
        Self::Failed(meaning(&error))
    }
}

/// The life of a held monitor.
pub async fn hold(mut holder: Holder) {
    let (mut told, mut backoff) = (None, FIRST_BACKOFF);
    loop {
        let mut connected = false;
        let End::Failed(why) = holder.serve(&mut connected).await else { return };
        if connected {
            (told, backoff) = (None, FIRST_BACKOFF);
        }
        if told != Some(why) {
            told = Some(why);
            holder.voice.tell(What::Unavailable(why));
        }
        if tokio::time::timeout(backoff, holder.refuse_all(why)).await.is_ok() {
            return;
        }
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

impl Holder {
    /// Serves one connection until its end. After the first answers it counts as connected.
    async fn serve(&mut self, connected: &mut bool) -> End {
        match self.session(connected).await {
            Ok(()) => End::LetGo,
            Err(end) => end,
        }
    }

    async fn session(&mut self, connected: &mut bool) -> Result<(), End> {
        let mut session = Session::open(&self.path).await?;
        let mut load = Load::new(self.voice.clock.get());
        // Also tells that it is there (again), and of a migration that is already on.
        let all = Scope { negotiate: true, progress: true, limits: true };
        self.ask(&mut session, &mut load, all, 0).await?;
        *connected = true;
        for number in 1.. {
            let (scope, pending) = loop {
                tokio::select! {
                    message = session.receive() => {
                        self.hear(message?);
                        load.rest_if_flooded(self.voice.clock.get(), &session).await;
                    }
                    question = self.questions.recv() => match question {
                        Some(question) => break question,
                        None => return Ok(()),
                    },
                }
            };
            let answered = self.ask(&mut session, &mut load, scope, number).await;
            let (status, result) = match &answered {
                Ok(status) => (*status, Ok(())),
                Err(End::Failed(why)) => (None, Err(*why)),
                Err(End::LetGo) => return Ok(()),
            };
            self.report(status, result);
            drop(pending);
            answered?;
        }
        Ok(())
    }

    fn hear(&self, message: Message) {
        if let Message::Event(event) = message {
            if let Some(what) = what_happened(&event) {
                self.voice.tell(what);
            }
        }
    }

    /// One round; gives the migration's status if it was told.
    async fn ask(
        &self,
        session: &mut Session,
        load: &mut Load,
        scope: Scope,
        number: u64,
    ) -> Result<Option<Status>, End> {
        let mut round = Round::new(number, scope);
        let mut status = None;
        let answers = async {
            session.send(&round.lines()).await?;
            while !round.is_done() {
                match round.take(session.receive().await?) {
                    Some(What::Unavailable(why)) => return Err(End::Failed(why)),
                    Some(what) => {
                        status = migration_status(&what).or(status);
                        self.voice.tell(what);
                    }
                    None => {}
                }
                load.rest_if_flooded(self.voice.clock.get(), session).await;
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, answers).await {
            Ok(answered) => answered.map(|()| status),
            Err(_) => Err(End::Failed(Unavailable::Silent)),
        }
    }

    /// Answers every question with why there is no answer; ends when it is let go of.
    async fn refuse_all(&mut self, why: Unavailable) {
        while self.questions.recv().await.is_some() {
            self.report(None, Err(why));
        }
    }

    fn report(&self, status: Option<Status>, result: Result<(), Unavailable>) {
        // Nobody listens any more when the source is closed; then this task ends with it.
        self.outcomes.send((self.voice.key, Outcome { path: self.path.clone(), status, result })).ok();
    }
}

/// What came within the last second: who sends more than a hypervisor has to say is read slowly.
struct Load {
    since: Monotonic,
    bytes: u64,
    lines: u64,
}

impl Load {
    fn new(now: Monotonic) -> Self {
        Self { since: now, bytes: 0, lines: 0 }
    }

    async fn rest_if_flooded(&mut self, now: Monotonic, session: &Session) {
        self.lines += 1;
        if now.since(self.since) >= REST {
            *self = Self { since: now, bytes: session.received(), lines: 0 };
        } else if self.lines > MOST_LINES || session.received() - self.bytes > MOST_BYTES {
            tokio::time::sleep(REST).await;
            *self = Self { since: now, bytes: session.received(), lines: 0 };
        }
    }
}
