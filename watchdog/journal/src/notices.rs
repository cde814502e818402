//! Notices: what PostgreSQL says beside its answer while it commits.
//!
//! A COMMIT whose wait for a synchronous standby was cancelled is answered like any other. Only a warning tells
//! them apart, in the server's own language, and the driver hands warnings to `tracing` alone. So a commit is
//! polled under a subscriber of ours, which listens for nothing else.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// The target under which the driver tells of them.
const TARGET: &str = "sqlx::postgres::notice";

/// Made once: each new subscriber makes all the others be asked anew.
static LISTENER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Listener));

thread_local! {
    /// The warning that came in this poll.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; answers also the first warning that the server gave meanwhile.
pub(crate) async fn listening<T>(work: impl Future<Output = T>) -> (T, Option<String>) {
    let mut work = pin!(work);
    let mut warning = None;
    let done = std::future::poll_fn(|context| {
        let polled = dispatcher::with_default(&LISTENER, || work.as_mut().poll(context));
        let heard = HEARD.take();
        if warning.is_none() {
            warning = heard;
        }
        match polled {
            Poll::Ready(done) => Poll::Ready((done, warning.take())),
            Poll::Pending => Poll::Pending,
        }
    });
    done.await
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = Said(String::new());
        event.record(&mut said);
        HEARD.with_borrow_mut(|heard| {
            heard.get_or_insert(said.0);
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event.
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String can't fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
