//! Term: one reign of one leader; everything that it writes to the tree carries its epoch.
//!
//! ```text
//! won ──► mint: multi{check contender, set epoch} ──► confirm … confirm ──► lost ──► step down
//!                                                        │
//!                                      surely_alive: connected, and a fenced write committed in the last half time-out
//! ```
//!
//! *Guarantees.* Epochs grow strictly, also over those that the journal knows.
//! Once another has minted, or our contender is gone, no write of this term
//! commits any more, not even one that a lost connection still holds.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use watchdog_core::ids::{Epoch, Version, WatchdogId};
use watchdog_core::state::Hash;

use crate::election::Contender;
use crate::records::{EpochRecord, FORMAT, Paths, RecordError, decode, encode};
use crate::tree::{Mode, Node, Operation, Refused, Session, Tree, TreeError};

/// Why there is no term, or a write of one was not done.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// A newer epoch was minted, or our contender is gone: this term is over for good.
    #[error("epoch {epoch} is over: another leads or will")]
    Deposed {
        /// Ours.
        epoch: Epoch,
    },
    /// The epoch node holds what this build cannot read; who leads now would be a guess.
    #[error("the epoch cannot be read")]
    Record {
        /// What is wrong with it.
        source: RecordError,
    },
    /// The tree failed, or refused an operation behind the fence (its index is that of the caller).
    #[error("the coordination service did not take a write of epoch {epoch}")]
    Tree {
        /// Ours, or the one that we would have minted.
        epoch: Epoch,
        /// Why.
        source: TreeError,
    },
}

/// Why a leader must stop acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The connection is lost; the session may live. Acting may go on after a confirm and a full look.
    #[error("the connection to the coordination service is lost")]
    Suspended,
    /// No fenced write committed for half the session's time-out. Acting may go on as above.
    #[error("no fenced write was committed for half the session's time-out")]
    Stale,
    /// The session is over.
    #[error("the coordination session is over")]
    Expired,
    /// Another leads, or will.
    #[error("deposed")]
    Deposed,
}

impl Lost {
    /// Whether this term can never act again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Expired | Self::Deposed)
    }
}

/// What we know of our own fence.
#[derive(Debug)]
struct Fence {
    /// The version of the epoch node that our last write left.
    version: i32,
    /// What it holds.
    record: EpochRecord,
    /// A write of ours has an unknown fate, so the version is in doubt.
    doubt: bool,
}

/// A reign.
pub struct Term {
    contender: Contender,
    epoch: Epoch,
    previous: Option<EpochRecord>,
    timeout: Duration,
    /// Held over each fenced write, because each confirm moves the version that the next one checks.
    fence: tokio::sync::Mutex<Fence>,
    /// A copy for those who only look.
    version: Mutex<i32>,
    confirmed: watch::Sender<Instant>,
    deposed: watch::Sender<bool>,
}

impl Term {
    /// Mints the epoch after the highest that the tree or the journal knows.
    ///
    /// The commit also checks that our contender still stands, so that a winner who slept cannot depose its successor.
    ///
    /// # Errors
    ///
    /// After any: withdraw, and contend again.
    pub async fn mint(contender: Contender, journal_term: Epoch) -> Result<Self, TermError> {
        let tree = contender.tree();
        let path = contender.paths().epoch();
        let failed = |source| TermError::Tree { epoch: journal_term.next(), source };
        let asked = Instant::now();
        tree.sync().await.map_err(failed)?;
        let node = tree.read(std::slice::from_ref(&path)).await.map_err(failed)?.pop().flatten();
        let previous: Option<EpochRecord> = match &node {
            Some(node) => Some(decode(&path, &node.data).map_err(|source| TermError::Record { source })?),
            None => None,
        };
        let record = successor(previous.as_ref(), journal_term, &contender.record().watchdog);
        let epoch = record.epoch;
        let check = Operation::Check { path: contender.path().to_owned(), version: None };
        let (write, version) = match &node {
            Some(Node { version, .. }) => {
                (Operation::Set { path, data: encode(&record), version: Some(*version) }, version + 1)
            }
            None => (Operation::Create { path, data: encode(&record), mode: Mode::Persistent }, 0),
        };
        match tree.commit(vec![check, write]).await {
            Ok(_) => {}
            Err(TreeError::Refused { .. }) => return Err(TermError::Deposed { epoch }),
            Err(source) => return Err(TermError::Tree { epoch, source }),
        }
        let timeout = Duration::from_millis(tree.timeout_ms());
        Ok(Self {
            contender,
            epoch,
            previous,
            timeout,
            fence: tokio::sync::Mutex::new(Fence { version, record, doubt: false }),
            version: Mutex::new(version),
            confirmed: watch::Sender::new(asked),
            deposed: watch::Sender::new(false),
        })
    }

    /// Our epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What the epoch node said before us: the journal must hold at least that head.
    pub fn previous(&self) -> Option<&EpochRecord> {
        self.previous.as_ref()
    }

    /// Where the records of our cluster stand.
    pub fn paths(&self) -> &Paths {
        self.contender.paths()
    }

    /// The session in which we lead.
    pub fn tree(&self) -> &dyn Tree {
        self.contender.tree().as_ref()
    }

    /// Our place in the row, to withdraw from it.
    pub fn into_contender(self) -> Contender {
        self.contender
    }

    /// The checks that make a commit ours. Use [`Term::commit`], which keeps them in step with confirms; this is for
    /// those who show or test the fence.
    pub fn fence(&self) -> Vec<Operation> {
        let version = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        self.checks(version)
    }

    fn checks(&self, version: i32) -> Vec<Operation> {
        vec![
            Operation::Check { path: self.contender.paths().epoch(), version: Some(version) },
            Operation::Check { path: self.contender.path().to_owned(), version: None },
        ]
    }

    /// Does all of the operations, if we still lead; answers their paths.
    ///
    /// # Errors
    ///
    /// [`TermError::Deposed`] if we don't; a refusal behind the fence keeps the caller's index.
    pub async fn commit(&self, operations: Vec<Operation>) -> Result<Vec<String>, TermError> {
        let mut fence = self.fence.lock().await;
        self.settle(&mut fence).await?;
        let mut fenced = self.checks(fence.version);
        let checks = fenced.len();
        fenced.extend(operations);
        let asked = Instant::now();
        let mut paths = self.tree().commit(fenced).await.map_err(|error| self.judge(error, checks))?;
        self.confirmed.send_replace(asked);
        Ok(paths.split_off(checks.min(paths.len())))
    }

    /// Proves that we still lead, and says what the journal holds; costs a write only when that has changed or the
    /// last fenced write is a quarter of the time-out ago. Call it at every check.
    ///
    /// # Errors
    ///
    /// As [`Term::commit`].
    pub async fn confirm(&self, term: Epoch, head: Version, hash: Hash) -> Result<(), TermError> {
        let mut fence = self.fence.lock().await;
        let record = EpochRecord { term, head, hash, ..fence.record.clone() };
        let fresh = self.confirmed.borrow().elapsed() < self.timeout / 4;
        if fresh && !fence.doubt && record == fence.record && !self.was_suspended() {
            return Ok(());
        }
        self.settle(&mut fence).await?;
        let set = Operation::Set {
            path: self.contender.paths().epoch(),
            data: encode(&record),
            version: Some(fence.version),
        };
        let check = Operation::Check { path: self.contender.path().to_owned(), version: None };
        let asked = Instant::now();
        // In doubt until the answer is here, also if we are dropped meanwhile.
        fence.doubt = true;
        match self.tree().commit(vec![set, check]).await {
            Ok(_) => {
                fence.doubt = false;
                fence.record = record;
                self.moved_to(&mut fence, asked, 1);
                Ok(())
            }
            Err(error) => {
                fence.doubt = matches!(error, TreeError::Unknown { .. });
                Err(self.judge(error, 2))
            }
        }
    }

    /// Confirms in time for as long as this is polled, with what `holds` says that the journal holds, so that whatever
    /// else takes long (a journal that takes two seconds for a commit) does not end the right to act. A right that was
    /// lost all the same does not come back by this: that takes a full look too.
    pub async fn keep_confirmed(&self, holds: impl Fn() -> (Version, Hash)) -> Infallible {
        let mut confirmed = self.confirmed.subscribe();
        let often = self.timeout / 4;
        let is_due = || self.confirmed.borrow().elapsed() >= often;
        loop {
            let due = *confirmed.borrow_and_update() + often;
            tokio::time::sleep_until(due.into()).await;
            while is_due() && self.surely_alive() {
                let (head, hash) = holds();
                if let Err(error) = self.confirm(self.epoch, head, hash).await {
                    // Each check confirms too, and judges this.
                    tracing::debug!(%error, "not confirmed beside a check");
                    tokio::time::sleep(often / 8).await;
                }
            }
            if is_due() {
                // The sender is ours, so that it outlives this.
                let _ = confirmed.changed().await;
            }
        }
    }

    /// Whether we may act: the session is connected, and a fenced write committed in the last half of its time-out.
    pub fn surely_alive(&self) -> bool {
        self.reason_to_stop().is_none()
    }

    /// Why we may not act, if so.
    pub fn reason_to_stop(&self) -> Option<Lost> {
        if *self.deposed.borrow() {
            return Some(Lost::Deposed);
        }
        match *self.tree().session().borrow() {
            Session::Expired => Some(Lost::Expired),
            Session::Suspended => Some(Lost::Suspended),
            Session::Connected if self.confirmed.borrow().elapsed() >= self.timeout / 2 => Some(Lost::Stale),
            Session::Connected => None,
        }
    }

    /// Resolves as soon as we may not act any more.
    pub async fn lost(&self) -> Lost {
        let (mut session, mut deposed) = (self.tree().session(), self.deposed.subscribe());
        loop {
            session.mark_unchanged();
            deposed.mark_unchanged();
            if let Some(lost) = self.reason_to_stop() {
                return lost;
            }
            let stale_at = *self.confirmed.borrow() + self.timeout / 2;
            tokio::select! {
                // The adapter ends its channel only with the session.
                changed = session.changed() => if changed.is_err() { return Lost::Expired; },
                _ = deposed.changed() => {}
                () = tokio::time::sleep_until(stale_at.into()) => {}
            }
        }
    }

    fn was_suspended(&self) -> bool {
        *self.tree().session().borrow() != Session::Connected
    }

    fn moved_to(&self, fence: &mut Fence, asked: Instant, by: i32) {
        fence.version += by;
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = fence.version;
        self.confirmed.send_replace(asked);
    }

    /// Looks where our write of unknown fate has left the version.
    async fn settle(&self, fence: &mut Fence) -> Result<(), TermError> {
        if !fence.doubt {
            return Ok(());
        }
        let path = self.contender.paths().epoch();
        let failed = |source| TermError::Tree { epoch: self.epoch, source };
        self.tree().sync().await.map_err(failed)?;
        let node = self.tree().read(std::slice::from_ref(&path)).await.map_err(failed)?.pop().flatten();
        let Some(node) = node else { return Err(self.deposed()) };
        let record: EpochRecord = decode(&path, &node.data).map_err(|source| TermError::Record { source })?;
        if record.epoch != self.epoch {
            return Err(self.deposed());
        }
        let by = node.version - fence.version;
        // Only reading it proves nothing about the quorum, so this does not count as a confirmation.
        let confirmed = *self.confirmed.borrow();
        self.moved_to(fence, confirmed, by);
        fence.record = record;
        fence.doubt = false;
        Ok(())
    }

    /// A refusal of one of the `checks` first operations means that we are deposed.
    fn judge(&self, error: TreeError, checks: usize) -> TermError {
        match error {
            TreeError::Refused { index, .. } if index < checks => self.deposed(),
            TreeError::Refused { index, path, reason } => {
                let source = TreeError::Refused { index: index - checks, path, reason };
                TermError::Tree { epoch: self.epoch, source }
            }
            source => TermError::Tree { epoch: self.epoch, source },
        }
    }

    fn deposed(&self) -> TermError {
        self.deposed.send_replace(true);
        TermError::Deposed { epoch: self.epoch }
    }
}

/// The record that comes after `previous`: a new epoch, and what is known of the journal.
fn successor(previous: Option<&EpochRecord>, journal_term: Epoch, leader: &WatchdogId) -> EpochRecord {
    let highest = previous.map_or(journal_term, |previous| previous.epoch.max(journal_term));
    let (term, head, hash) =
        previous.map_or_else(Default::default, |previous| (previous.term, previous.head, previous.hash));
    EpochRecord { format: FORMAT, epoch: highest.next(), leader: leader.clone(), term, head, hash }
}

/// Whether a refusal says that the node is not there (any more).
pub(crate) fn is_missing(error: &TreeError) -> bool {
    matches!(error.refused(), Some((_, Refused::Missing)))
}
