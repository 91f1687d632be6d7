//! The pieces of a scrape: rendered, and compressed when asked, as the client takes them.

use crate::output::exposition::Exposition;
use crate::output::sink::{Sink, CHUNK};

/// Writes a frame piece by piece. A client that does not read costs a frame and two pieces, not a body.
pub struct Scrape<S> {
    exposition: Exposition,
    /// `None` once the body has ended.
    sink: Option<S>,
}

impl<S: Sink> Scrape<S> {
    /// The pieces of an exposition, through a sink.
    pub fn new(exposition: Exposition, sink: S) -> Self {
        Self { exposition, sink: Some(sink) }
    }
}

impl<S: Sink> Iterator for Scrape<S> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let sink = self.sink.as_mut()?;
        while self.exposition.step(sink) {
            if sink.ready() >= CHUNK {
                return Some(sink.take());
            }
        }
        self.sink.take().map(Sink::finish)
    }
}
