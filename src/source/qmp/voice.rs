//! How a connection speaks of its guest, and what its failures mean.

use super::inbox::Inbox;
use crate::sample::migration::{Guest, Speaker, Told, Unavailable, What};
use crate::sample::subject::Key;
use crate::source::contract::Now;
use crate::source::transport::qmp::session::QmpError;
use std::io::ErrorKind;

/// Tells things of one guest.
#[derive(Debug, Clone)]
pub struct Voice {
    /// The guest's process.
    pub key: Key,
    /// What arrives is stamped by it.
    pub clock: Now,
    /// Where it is told.
    pub inbox: Inbox,
}

impl Voice {
    /// Tells it now.
    pub fn tell(&self, what: What) {
        let (guest, at) = (Guest::Process(self.key), self.clock.get());
        self.inbox.put(Told { guest, by: Speaker::Qmp, at, what });
    }
}

/// What a failed session means. A refused connection is a socket whose listener has gone; a monitor that is held by
/// another client lets connect, until its queue is full (EAGAIN).
pub fn meaning(error: &QmpError) -> Unavailable {
    match error {
        QmpError::NoGreeting => Unavailable::Busy,
        QmpError::Closed => Unavailable::Gone,
        QmpError::Garbage => Unavailable::Garbage,
        QmpError::Io(error) => match error.kind() {
            ErrorKind::WouldBlock => Unavailable::Busy,
            ErrorKind::PermissionDenied => Unavailable::Denied,
            _ => Unavailable::Gone,
        },
    }
}
