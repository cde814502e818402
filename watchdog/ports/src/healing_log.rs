//! Healing log: terms, and the append-only record that is written under them.
//!
//! *Guarantees.* Opening a term fences every older one: a write under an older
//! term is refused, also when it began earlier, because each fenced
//! transaction *begins* by claiming the term row. An append is durable when it is
//! acknowledged; asked again with the same request id it answers the same entries.
//! What plans were computed from is kept beside the record for the newest plans
//! only: it explains them, and nothing is decided by it.

use async_trait::async_trait;
use uuid::Uuid;
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, WatchdogId};
use watchdog_core::record::{Body, Entry};

use crate::journal_error::{JournalError, storable};

/// Entries to write.
#[derive(Debug, Clone)]
pub struct Write {
    /// In whose record.
    pub cluster: ClusterId,
    /// Under which leader.
    pub epoch: Epoch,
    /// Identifies the request, so that it can be asked again.
    pub request: Uuid,
    /// When.
    pub at: Time,
    /// Who: a watchdog, or the operator that asked for it.
    pub by: String,
    /// What, at least one, in order.
    pub bodies: Vec<Body>,
    /// What the plans among them were computed from; kept as long as
    /// [`PLAN_INPUTS_MAX`] allows.
    pub inputs: Vec<PlanInputRecord>,
}

impl Write {
    /// Refuses what not every database can hold; every adapter asks this first, so that all refuse alike.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unstorable`].
    pub fn check(&self) -> Result<(), JournalError> {
        storable("by", &self.by)?;
        self.inputs.iter().try_for_each(|input| storable("core_version", &input.core_version))
    }
}

/// The exact input that a plan was computed from, to compute it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanInputRecord {
    /// The plan.
    pub plan: PlanId,
    /// The core that computed it; another one may decide otherwise.
    pub core_version: String,
    /// The input, a JSON text; it comes back byte for byte.
    pub input: String,
}

/// A page of the record ends with the entry that brings it to so many bytes, as JSON: old entries may be large.
pub const PAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How many plan inputs a cluster keeps; older ones are dropped as newer ones are written.
pub const PLAN_INPUTS_MAX: u64 = 500;

/// See the module.
#[async_trait]
pub trait HealingLog: Send + Sync {
    /// The highest term that was ever opened; 0 when none was.
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError>;

    /// Opens a term and writes [`Body::TermOpened`]; refused when a term as high or higher is open,
    /// unless the same watchdog opened just this one (its answer was lost).
    #[expect(clippy::too_many_arguments, reason = "each is another thing, of a type of its own")]
    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError>;

    /// Writes entries and plan inputs, all or none; answers the entries with their places.
    async fn write(&self, write: Write) -> Result<Vec<Entry>, JournalError>;

    /// At most `limit` entries after `after` and about [`PAGE_BYTES_MAX`], oldest first; at least one if there is one, so
    /// that only an empty page is the last.
    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError>;

    /// What `plan` was computed from, as it was written last; `None` when it never was, or is no longer kept.
    async fn plan_input(
        &self,
        cluster: &ClusterId,
        plan: &PlanId,
    ) -> Result<Option<PlanInputRecord>, JournalError>;
}
