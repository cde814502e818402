//! Tap: a stream to somebody who may read slowly, or not at all: who lags is cut off with a sentence.
//!
//! ```text
//! sender ──► a few items ──► reader
//!    └── full for long: the reader gets what is there, then why it ends
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Whoever takes nothing for so long is cut off.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a stream is written to.
#[derive(Debug)]
pub(crate) struct Tap<T> {
    items: mpsc::Sender<Result<T, Status>>,
    last: Arc<Mutex<Option<Status>>>,
    patience: Duration,
}

/// Nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// A tap, and the stream that comes out of it; `buffered` items wait for the reader.
pub(crate) fn tap<T: Send + 'static>(
    buffered: usize,
    patience: Duration,
) -> (Tap<T>, BoxStream<'static, Result<T, Status>>) {
    let (items, received) = mpsc::channel(buffered);
    let last = Arc::new(Mutex::new(None));
    let told = Arc::clone(&last);
    let end = stream::once(async move { told.lock().unwrap_or_else(PoisonError::into_inner).take() });
    let end = end.filter_map(|status| std::future::ready(status.map(Err)));
    (Tap { items, last, patience }, ReceiverStream::new(received).chain(end).boxed())
}

impl<T> Tap<T> {
    /// Passes an item on; waits for a reader who is slow, but not for ever.
    ///
    /// # Errors
    ///
    /// When the reader has gone, or was cut off.
    pub(crate) async fn send(&self, item: Result<T, Status>) -> Result<(), Gone> {
        match self.items.send_timeout(item, self.patience).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(Gone),
            Err(SendTimeoutError::Timeout(_)) => {
                let patience = humantime::format_duration(self.patience);
                let what = format!(
                    "nothing was read for {patience}, so that this stream ends here; ask again from the last event that you have"
                );
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Status::resource_exhausted(what));
                Err(Gone)
            }
        }
    }

    /// Ready when nobody reads any more.
    pub(crate) async fn closed(&self) {
        self.items.closed().await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[tokio::test]
    async fn who_lags_gets_what_there_is_and_the_reason() {
        let (tap, stream) = tap(2, Duration::ZERO);
        let sent = [tap.send(Ok(1)).await, tap.send(Ok(2)).await, tap.send(Ok(3)).await];
        assert_eq!(sent, [Ok(()), Ok(()), Err(Gone)]);
        drop(tap);
        let heard: Vec<_> = stream.collect().await;
        let [Ok(1), Ok(2), Err(status)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(status.message().contains("ask again from the last event"), "{status}");
    }

    #[tokio::test]
    async fn who_reads_gets_everything_and_who_leaves_is_noticed() {
        let (tap, mut stream) = tap(1, Duration::from_hours(1));
        for number in 0..3 {
            tap.send(Ok(number)).await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), number);
        }
        drop(stream);
        tap.closed().await;
        assert_eq!(tap.send(Ok(9)).await, Err(Gone));
    }
}
