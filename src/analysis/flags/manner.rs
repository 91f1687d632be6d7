//! How closely links are looked at: as an agent does all day, or at once by a command.

use std::time::Duration;

/// How the survey goes about.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The length of a part of the history, of which there are thirty.
    pub step: Duration,
    /// Changed links that are judged in one tick at most.
    pub changed: usize,
    /// Judges every link at every tick, and keeps what is fine and what is unknown, too.
    pub all: bool,
}

impl Default for Manner {
    /// An agent's: a link costs about 4 us, so two hundred are less than a thousandth of a core (CHANGELOG.md).
    fn default() -> Self {
        Self { step: Duration::from_secs(10), changed: 200, all: false }
    }
}

impl Manner {
    /// Of a host that is looked at for some seconds: every link at every tick.
    pub fn at_once() -> Self {
        Self { step: Duration::from_secs(1), changed: usize::MAX, all: true }
    }
}
