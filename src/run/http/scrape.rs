//! The body of a scrape: rendered, and compressed when asked, as the client takes it.

use super::answer::AnswerGuard;
use crate::output::exposition::Exposition;
use crate::output::sink::{Sink, CHUNK};
use hyper::body::{Body, Bytes, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// Writes a frame chunk by chunk. A client that does not read costs a frame and two chunks, not a body.
pub struct Scrape<S> {
    exposition: Exposition,
    /// `None` once the body has ended.
    sink: Option<S>,
    _permit: OwnedSemaphorePermit,
    _guard: AnswerGuard,
}

impl<S: Sink + Unpin> Scrape<S> {
    /// A body that holds its permit until it is sent or given up.
    pub fn new(exposition: Exposition, sink: S, permit: OwnedSemaphorePermit, guard: AnswerGuard) -> Self {
        Self { exposition, sink: Some(sink), _permit: permit, _guard: guard }
    }

    fn chunk(&mut self) -> Option<Vec<u8>> {
        let sink = self.sink.as_mut()?;
        while self.exposition.step(sink) {
            if sink.ready() >= CHUNK {
                return Some(sink.take());
            }
        }
        self.sink.take().map(Sink::finish)
    }
}

impl<S: Sink + Unpin> Body for Scrape<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().chunk().map(|bytes| Ok(Frame::data(Bytes::from(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.sink.is_none()
    }
}
