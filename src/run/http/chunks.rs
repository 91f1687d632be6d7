//! A body that is made piece by piece, as the client takes it.

use super::answer::AnswerGuard;
use hyper::body::{Body, Bytes, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// What an iterator gives, one piece after the other.
pub struct Chunks<I> {
    pieces: I,
    _permit: OwnedSemaphorePermit,
    _guard: AnswerGuard,
}

impl<I> Chunks<I> {
    /// A body that holds its permit until it is sent or given up.
    pub fn new(pieces: I, permit: OwnedSemaphorePermit, guard: AnswerGuard) -> Self {
        Self { pieces, _permit: permit, _guard: guard }
    }
}

impl<I: Iterator<Item = Vec<u8>> + Unpin> Body for Chunks<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().pieces.next().map(|bytes| Ok(Frame::data(Bytes::from(bytes)))))
    }
}
