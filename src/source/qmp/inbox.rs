//! What the connections told and the source has not yet read: bounded, the oldest events go first.

use crate::sample::migration::{Told, What};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Things told that wait at most. A hundred guests tell about 400 things between two readings.
pub const MOST: usize = 1024;

/// A queue that many connections fill and one reader empties.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    told: VecDeque<Told>,
    dropped: u64,
}

impl Inbox {
    /// Puts one in. If it is full, the oldest event of the same guest makes room, so that one guest's flood costs no
    /// other guest anything; without one, the oldest event, or the oldest of all.
    pub fn put(&self, told: Told) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if content.told.len() >= MOST {
            let is_event = |other: &Told| matches!(other.what, What::Event { .. });
            let own = content.told.iter().position(|other| is_event(other) && other.guest == told.guest);
            let oldest = own.or_else(|| content.told.iter().position(is_event));
            content.told.remove(oldest.unwrap_or(0));
            content.dropped += 1;
        }
        content.told.push_back(told);
    }

    /// Takes all, and how many were dropped since the last time.
    pub fn take(&self) -> (Vec<Told>, u64) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut content.told).into(), std::mem::take(&mut content.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::{Inbox, MOST};
    use crate::sample::migration::{Event, Guest, RunState, Speaker, Told, What};
    use crate::sample::monotonic::Monotonic;

    fn told(key: u64, what: What) -> Told {
        Told { guest: Guest::Process(key), by: Speaker::Qmp, at: Monotonic::default(), what }
    }

    #[test]
    fn a_flood_of_events_pushes_out_events() {
        let inbox = Inbox::default();
        inbox.put(told(1, What::Run(RunState::Running)));
        inbox.put(told(2, What::Event { event: Event::Stopped, wall_ns: None }));
        for pass in 0..5000 {
            inbox.put(told(1, What::Event { event: Event::Iteration(pass), wall_ns: None }));
        }
        let (all, dropped) = inbox.take();
        assert_eq!((all.len(), dropped), (MOST, 5002 - MOST as u64));
        assert_eq!(all[0].what, What::Run(RunState::Running));
        assert_eq!(all[1].guest, Guest::Process(2));
        assert_eq!(all[MOST - 1].what, What::Event { event: Event::Iteration(4999), wall_ns: None });
        assert_eq!(inbox.take(), (Vec::new(), 0));
    }
}
