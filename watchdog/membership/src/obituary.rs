//! Obituary: the proof that an incarnation is dead, which no late registration outlives.
//!
//! ```text
//! declare_dead: create obituary ──► delete member, delete process       a join that comes later is refused by the
//! prune:        fenced delete, once the leader has it in its record     obituary; one that came before is deleted
//! ```
//!
//! Not one commit, because it would fail for a process that died before it
//! registered, and let its late create leave a ghost.

use watchdog_core::ids::Incarnation;

use crate::records::{ObituaryRecord, Paths, decode, encode};
use crate::term::{Term, TermError, is_missing};
use crate::tree::{Mode, Operation, Refused, Tree, TreeError};

/// How many obituaries one commit removes.
const PRUNE_MAX: usize = 200;

/// Declares an incarnation dead. May be repeated; the first obituary of its host stands, and one that another host
/// wrote, which nobody believes, gives way.
///
/// # Errors
///
/// If the tree does not say that all of it is done; repeat it until it does.
pub async fn declare_dead(tree: &dyn Tree, paths: &Paths, record: &ObituaryRecord) -> Result<(), TreeError> {
    let create = Operation::Create {
        path: paths.obituary(record.incarnation),
        data: encode(record),
        mode: Mode::Persistent,
    };
    match tree.commit(vec![create]).await {
        Ok(_) => {}
        Err(TreeError::Refused { reason: Refused::Exists, .. }) => {
            overrule(tree, paths.obituary(record.incarnation), record).await?;
        }
        Err(error) => return Err(error),
    }
    watchdog_crash_points::crash_point!("host.obituary.created");
    let (member, process) = tokio::join!(
        remove(tree, paths.member(&record.replica, record.incarnation)),
        remove(tree, paths.process(&record.replica, record.incarnation)),
    );
    watchdog_crash_points::crash_point!("host.obituary.registered");
    member.and(process)
}

/// Puts the word of the host that knows in the place of another's.
async fn overrule(tree: &dyn Tree, path: String, record: &ObituaryRecord) -> Result<(), TreeError> {
    let Some(node) = tree.read(std::slice::from_ref(&path)).await?.pop().flatten() else { return Ok(()) };
    let stands: Option<ObituaryRecord> = decode(&path, &node.data).ok();
    if stands.is_some_and(|stands| stands.host == record.host) {
        return Ok(());
    }
    let set = Operation::Set { path, data: encode(record), version: Some(node.version) };
    match tree.commit(vec![set]).await {
        // Pruned meanwhile: whoever asks again creates it.
        Err(error) if is_missing(&error) => Ok(()),
        done => done.map(drop),
    }
}

/// Removes obituaries that the leader has in its record. Those that are gone already are fine.
///
/// # Errors
///
/// If we lead no more, or the tree failed.
pub async fn prune(term: &Term, paths: &Paths, incarnations: &[Incarnation]) -> Result<(), TermError> {
    for batch in incarnations.chunks(PRUNE_MAX) {
        let delete = |incarnation: &Incarnation| Operation::Delete {
            path: paths.obituary(*incarnation),
            version: None,
        };
        match term.commit(batch.iter().map(delete).collect()).await {
            Ok(_) => continue,
            Err(TermError::Tree { source, .. }) if is_missing(&source) => {}
            Err(error) => return Err(error),
        }
        for incarnation in batch {
            match term.commit(vec![delete(incarnation)]).await {
                Ok(_) => {}
                Err(TermError::Tree { source, .. }) if is_missing(&source) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Deletes a node that may be gone already.
pub(crate) async fn remove(tree: &dyn Tree, path: String) -> Result<(), TreeError> {
    match tree.commit(vec![Operation::Delete { path, version: None }]).await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
