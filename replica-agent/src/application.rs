//! Application: what an application server implements, so that it can be kept on the right version.
//!
//! ```text
//! prepare (may be long, no effect) ──► commit (atomic) ──► loaded (what is in memory, proves it)
//!     │ error, stall                       │ error
//!     └──► the old state serves ◄──────────┘
//! ```

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use tokio::sync::watch;
use watchdog_core::difference::Difference;
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key};

/// A server whose state is loaded version by version.
///
/// [`loaded`](Self::loaded), [`live`](Self::live) and [`ready`](Self::ready) are asked many times a second, on a
/// thread of the agent's own, so they may lock but should not compute much.
#[async_trait]
pub trait Application: Send + Sync + 'static {
    /// What [`prepare`](Self::prepare) hands to [`commit`](Self::commit).
    type Prepared: Send + 'static;

    /// Fetches and validates what the next version needs, beside the state that serves.
    ///
    /// It has no effect that anybody could see. It may take long if it reports progress; without any for as long as the
    /// order allows it is cancelled: `cancelled` resolves and this future is dropped.
    async fn prepare(
        &self,
        request: LoadRequest,
        progress: Progress,
        cancelled: Cancelled,
    ) -> Result<Self::Prepared, LoadError>;

    /// Puts what was prepared in the place of what serves.
    ///
    /// All or nothing: on an error the old state still serves. Who can't promise that ends the process instead.
    async fn commit(&self, prepared: Self::Prepared) -> Result<(), LoadError>;

    /// The digest of each value that is in memory *now*.
    ///
    /// The state hash follows from it, so make it from what serves ([`digest`](crate::digest) of each value, kept beside
    /// it when it was put there, or made again here), never from what was ordered: who repeats what he was told proves nothing.
    fn loaded(&self) -> BTreeMap<Key, Hash>;

    /// The version that is in memory, if the application keeps count itself; `None` leaves that to the agent.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Whether it works at all. Bad, or no answer within a second, and somebody will restart it.
    fn live(&self) -> Condition {
        Condition::Good
    }

    /// Whether it can serve.
    fn ready(&self) -> Condition {
        Condition::Good
    }

    /// Takes no new work from now on, and returns once what was under way is done.
    async fn drain(&self) {}

    /// Takes work again.
    async fn undrain(&self) {}
}

/// From where to where the state shall move.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadRequest {
    /// The version that is in memory; 0 is the empty state of a process that just began.
    pub from: Version,
    /// The version that shall be.
    pub to: Version,
    /// What to put and what to remove. Empty when only the number changes, because both versions hold the same.
    pub difference: Difference,
    /// What the digests of all values must hash to afterwards.
    pub to_hash: Hash,
}

/// How an application feels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All is well.
    Good,
    /// Something is wrong, told to people in a sentence.
    Bad(String),
}

impl Condition {
    /// [`Condition::Bad`], for this reason.
    pub fn bad(reason: impl Into<String>) -> Self {
        Self::Bad(reason.into())
    }
}

/// Why a version could not be loaded. Made by `?` from any error, or `.into()` from a sentence.
pub struct LoadError(Box<dyn std::error::Error + Send + Sync>);

// Like `anyhow::Error`, it is not itself an `Error`, so that `?` can make it from all that are.
impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for LoadError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::error::sentence(self.0.as_ref()))
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far a load has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Milestone {
    pub(crate) message: String,
    pub(crate) percent: u32,
    /// Distinguishes two reports of the same, as each shows that work goes on.
    pub(crate) count: u64,
}

/// Where [`Application::prepare`] tells how far it is; the order's patience starts anew with each report.
#[derive(Debug, Clone)]
pub struct Progress(watch::Sender<Milestone>);

impl Progress {
    pub(crate) fn new() -> (Self, watch::Receiver<Milestone>) {
        let (sender, receiver) = watch::channel(Milestone::default());
        (Self(sender), receiver)
    }

    /// Reports that `percent` of the work is done, and what is being done now.
    pub fn report(&self, percent: u32, message: impl Into<String>) {
        let message = message.into();
        self.0.send_modify(|milestone| {
            *milestone = Milestone { message, percent: percent.min(100), count: milestone.count + 1 };
        });
    }
}

/// Tells [`Application::prepare`] that nobody waits for it any more.
#[derive(Debug, Clone)]
pub struct Cancelled(watch::Receiver<bool>);

impl Cancelled {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether to stop; for loops that never await.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Resolves when it is time to stop.
    pub async fn cancelled(&mut self) {
        // An error means that the order itself is gone, which is the same.
        let _ = self.0.wait_for(|cancelled| *cancelled).await;
    }
}
