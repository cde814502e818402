//! Pauses: orders to leave a cluster or parts of it alone, kept where they outlive the journal.
//!
//! ```text
//! pause:  keep here ──► record in the journal        resume: record in the journal ──► keep here without it
//! ```
//!
//! The journal is the story; this is the copy of what must not be lost with it. A crash between the two writes leaves
//! more here than there, and the next leader records it again: a pause too many is ended by a command, one too few
//! heals what somebody is working on.
//!
//! *Guarantees.* Every write is fenced like those of the term: a leader that is over keeps and ends nothing here.

use crate::records::{PausesRecord, RecordError, decode, encode};
use crate::term::{Term, TermError, is_missing};
use crate::tree::{Mode, Operation, TreeError};

/// Why what is kept can't be told.
#[derive(Debug, thiserror::Error)]
pub enum PausesError {
    /// It is there, and this build can't read it: nobody knows what is paused.
    #[error("what is paused can't be read")]
    Record {
        /// What is wrong with it.
        source: RecordError,
    },
    /// The coordination service did not answer.
    #[error("what is paused was not answered")]
    Tree {
        /// Why.
        source: TreeError,
    },
}

/// Reads what is kept, as it stands when this is called; nothing is kept where nothing was ever paused.
///
/// # Errors
///
/// When it can't be read, which is not the same as nothing.
pub async fn kept(term: &Term) -> Result<PausesRecord, PausesError> {
    let path = term.paths().pauses();
    let failed = |source| PausesError::Tree { source };
    term.tree().sync().await.map_err(failed)?;
    let node = term.tree().read(std::slice::from_ref(&path)).await.map_err(failed)?.pop().flatten();
    let Some(node) = node else { return Ok(PausesRecord::default()) };
    decode(&path, &node.data).map_err(|source| PausesError::Record { source })
}

/// Keeps `record` in the place of what was kept. May be repeated.
///
/// # Errors
///
/// As [`Term::commit`]; of one of unknown fate it is not known which of the two is kept.
pub async fn keep(term: &Term, record: &PausesRecord) -> Result<(), TermError> {
    let (path, data) = (term.paths().pauses(), encode(record));
    let set = Operation::Set { path: path.clone(), data: data.clone(), version: None };
    match term.commit(vec![set]).await {
        Err(TermError::Tree { source, .. }) if is_missing(&source) => {}
        done => return done.map(drop),
    }
    let create = Operation::Create { path, data, mode: Mode::Persistent };
    term.commit(vec![create]).await.map(drop)
}
