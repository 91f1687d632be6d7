//! How long a connection's answers are under way, and how long it has asked nothing, so that a client that does not
//! read, or does not ask, can be cut off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Watches one connection.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<Mutex<Running>>);

#[derive(Debug)]
struct Running {
    answers: usize,
    /// Since when there are answers under way, or since when there are none.
    since: Instant,
}

impl Default for Running {
    fn default() -> Self {
        Self { answers: 0, since: now() }
    }
}

/// Lives as long as an answer is under way.
pub struct AnswerGuard(Answer);

impl Answer {
    /// An answer begins; it lasts as long as the guard lives.
    pub fn begin(&self) -> AnswerGuard {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.answers += 1;
        if running.answers == 1 {
            running.since = now();
        }
        AnswerGuard(self.clone())
    }

    /// Ends when answers have been under way for longer than `answer`, or none has been asked for longer than `idle`.
    pub async fn overdue(&self, idle: Duration, answer: Duration) {
        loop {
            let left = {
                let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let limit = if running.answers > 0 { answer } else { idle };
                limit.saturating_sub(running.since.elapsed())
            };
            if left.is_zero() {
                return;
            }
            // What is under way may change while it sleeps, and with it the limit: it looks again after the shorter one.
            tokio::time::sleep(left.min(idle).min(answer)).await;
        }
    }
}

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        let mut running = self.0 .0.lock().unwrap_or_else(PoisonError::into_inner);
        running.answers = running.answers.saturating_sub(1);
        if running.answers == 0 {
            running.since = now();
        }
    }
}

fn now() -> Instant {
    Instant::now()
}
