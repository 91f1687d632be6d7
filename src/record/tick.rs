//! What is recorded of one moment: the frame, and what the rules were given beside its tables.

use crate::sample::flow::Flow;
use crate::sample::frame::Frame;
use crate::sample::guest::Followed;
use crate::sample::thread::Thread;
use std::sync::Arc;

/// One moment. Of the frame, what can be computed from the rest is not recorded: `rates`, `flags` and `footings` are empty
/// in what is read back.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// A frame between two ticks, while a migration is followed. Its tables are those of the tick before, and of those that
    /// were read since, the new ones.
    pub fast: bool,
    /// The frame.
    pub frame: Arc<Frame>,
    /// The flows that the rows of the flows' table are.
    pub flows: Arc<Vec<Flow>>,
    /// The threads that the rows of the threads' table are.
    pub threads: Arc<Vec<Thread>>,
    /// The hypervisor processes, and which of their guests were followed.
    pub followed: Arc<Followed>,
}
