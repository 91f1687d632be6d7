//! How long a connection's answers are under way, so that a client that does not take its answer can be cut off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Watches how long a connection's answers take to be taken.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    answers: usize,
    since: Option<Instant>,
}

/// Lives as long as an answer is under way.
pub struct AnswerGuard(Answer);

impl Answer {
    /// An answer begins; it lasts as long as the guard lives.
    pub fn begin(&self) -> AnswerGuard {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.answers += 1;
        running.since.get_or_insert_with(now);
        AnswerGuard(self.clone())
    }

    /// Ends when an answer has been under way for longer than `limit`.
    pub async fn overdue(&self, limit: Duration) {
        loop {
            let since = self.0.lock().unwrap_or_else(PoisonError::into_inner).since;
            let age = since.map_or(Duration::ZERO, |since| since.elapsed());
            if age >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(age).max(Duration::from_millis(100))).await;
        }
    }
}

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        let mut running = self.0 .0.lock().unwrap_or_else(PoisonError::into_inner);
        running.answers = running.answers.saturating_sub(1);
        running.since = (running.answers > 0).then(now);
    }
}

fn now() -> Instant {
    Instant::now()
}
