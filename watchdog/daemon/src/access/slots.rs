//! Slots: how many requests and streams are open at once; one is free again when the last byte of the answer is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// See the module.
#[derive(Debug)]
pub(super) struct Slots {
    requests: Arc<Semaphore>,
    requests_max: usize,
    streams: Arc<Semaphore>,
    streams_max: usize,
    logins: Arc<Semaphore>,
}

/// Log-ins that are under way at once.
const LOGINS_MAX: usize = 32;

/// A place that is taken until it is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Slots {
    /// All free.
    pub(super) fn new(requests_max: usize, streams_max: usize) -> Self {
        let semaphore = |max| Arc::new(Semaphore::new(max));
        let (requests, streams) = (semaphore(requests_max), semaphore(streams_max));
        Self { requests, requests_max, streams, streams_max, logins: semaphore(LOGINS_MAX) }
    }

    /// A place for a request.
    pub(super) fn request(&self) -> Result<Slot, Refusal> {
        let crowded = Refusal::Crowded { what: "requests", max: self.requests_max };
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| crowded)
    }

    /// A place for a log-in, which a stranger may take.
    pub(super) fn login(&self) -> Result<Slot, Refusal> {
        let crowded = Refusal::Crowded { what: "log-ins", max: LOGINS_MAX };
        Arc::clone(&self.logins).try_acquire_owned().map_err(|_| crowded)
    }

    /// A place for an answer that goes on.
    pub(super) fn stream(&self) -> Result<Slot, Refusal> {
        let crowded = Refusal::Crowded { what: "streams", max: self.streams_max };
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| crowded)
    }
}

/// The same response, which keeps `slot` until its body is gone.
pub(super) fn keeping(slot: Slot, response: Response) -> Response {
    response.map(|inner| Body::new(Kept { inner, _slot: slot }))
}

/// A body that keeps its place.
struct Kept {
    inner: Body,
    _slot: Slot,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_taken_until_the_answer_is_gone() {
        let slots = Slots::new(1, 2);
        let full = |what, max| Some(Refusal::Crowded { what, max });
        let first = slots.request();
        assert!(first.is_ok());
        assert_eq!(slots.request().err(), full("requests", 1));
        drop(first);
        assert!(slots.request().is_ok());

        let open: Vec<_> = (0..2).flat_map(|_| slots.stream()).collect();
        assert_eq!(slots.stream().err(), full("streams", 2));
        let mut answers: Vec<_> =
            open.into_iter().map(|slot| keeping(slot, Response::new(Body::from("x")))).collect();
        assert!(slots.stream().is_err());
        answers.pop();
        assert!(slots.stream().is_ok());
    }
}
