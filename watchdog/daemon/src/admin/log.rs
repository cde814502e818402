//! Log: the metadata log, as operators read it.

use tonic::{Code, Status};
use watchdog_core::change::LogEntry;
use watchdog_core::ids::Version;
use watchdog_core::record::Mark;
use watchdog_core::state::canonical;
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::MetadataLog;
use watchdog_proto::admin as wire;

use crate::clock::rfc3339;
use crate::cluster::Handle;
use crate::cluster::books::Batches as _;

/// Entries in a list when the asker says no number.
const ENTRIES_DEFAULT: u32 = 50;
/// Entries in a list at most.
const ENTRIES_MAX: u32 = 1_000;

/// What a failure of the journal means to who asked.
pub(crate) fn journal(error: &JournalError) -> Status {
    let code = match error {
        JournalError::NoSuchVersion { .. } => Code::NotFound,
        JournalError::CorruptLog { .. }
        | JournalError::CorruptRecord { .. }
        | JournalError::CorruptInput { .. } => Code::DataLoss,
        JournalError::Unavailable { .. } => Code::Unavailable,
        JournalError::Full { .. } => Code::ResourceExhausted,
        JournalError::Fenced { .. }
        | JournalError::HeadMoved { .. }
        | JournalError::Misfit { .. }
        | JournalError::Schema { .. }
        | JournalError::Address { .. } => Code::FailedPrecondition,
        JournalError::Unstorable { .. } => Code::InvalidArgument,
    };
    Status::new(code, error.to_string())
}

/// A page of the log, oldest first; from 0 is the newest page.
pub(crate) async fn list(
    handle: &Handle,
    request: &wire::LogListRequest,
) -> Result<wire::LogListReply, Status> {
    let (cluster, head, stable) = known(handle);
    let limit = if request.limit == 0 { ENTRIES_DEFAULT } else { request.limit.min(ENTRIES_MAX) };
    let newest_page = head.0.saturating_add(1).saturating_sub(u64::from(limit)).max(1);
    let from = if request.from == 0 { newest_page } else { request.from };
    // This watchdog may not have read the newest entries yet, so the journal is asked before anything is refused. One
    // behind the end is where the next page begins.
    if from > head.0.saturating_add(1) {
        let head = handle.journal.head(&cluster).await.map_err(|error| journal(&error))?.version;
        if from > head.0.saturating_add(1) {
            return Err(journal(&JournalError::NoSuchVersion { version: Version(from), head }));
        }
    }
    let entries = MetadataLog::entries(&*handle.journal, &cluster, Version(from), limit)
        .await
        .map_err(|error| journal(&error))?;
    let entries = entries.iter().map(|entry| view(handle, entry)).collect();
    Ok(wire::LogListReply { entries, head: head.0, stable: stable.map(|version| version.0) })
}

/// One entry.
pub(crate) async fn show(handle: &Handle, version: u64) -> Result<wire::LogEntry, Status> {
    let (cluster, head, _) = known(handle);
    let version = Version(version);
    let entry = handle.journal.log_entry(&cluster, version).await.map_err(|error| journal(&error))?;
    let entry = entry.ok_or_else(|| journal(&JournalError::NoSuchVersion { version, head }))?;
    Ok(view(handle, &entry))
}

/// The net difference of two versions.
pub(crate) async fn diff(handle: &Handle, (a, b): (u64, u64)) -> Result<wire::LogDiffReply, Status> {
    let (cluster, ..) = known(handle);
    let before = handle.journal.state(&cluster, Version(a)).await.map_err(|error| journal(&error))?;
    let after = handle.journal.state(&cluster, Version(b)).await.map_err(|error| journal(&error))?;
    let mut reply = wire::LogDiffReply::default();
    for (key, value) in before.difference(&after).0 {
        let old = before.get(&key);
        let (operation, count) = match (old, &value) {
            (None, _) => ("add", &mut reply.added),
            (Some(_), Some(_)) => ("change", &mut reply.changed),
            (Some(_), None) => ("remove", &mut reply.removed),
        };
        *count += 1;
        reply.lines.push(wire::DiffLine {
            operation: operation.to_owned(),
            key: key.to_string(),
            before_json: old.map(canonical),
            after_json: value.as_ref().map(canonical),
        });
    }
    Ok(reply)
}

/// The whole state at a version, or at the head.
pub(crate) async fn state(handle: &Handle, version: Option<u64>) -> Result<wire::LogStateReply, Status> {
    let (cluster, head, _) = known(handle);
    let version = version.map_or(head, Version);
    let state = handle.journal.state(&cluster, version).await.map_err(|error| journal(&error))?;
    let state_json = serde_json::to_string(&state).map_err(|error| Status::internal(error.to_string()))?;
    Ok(wire::LogStateReply { version: version.0, state_hash: state.hash().to_string(), state_json })
}

/// Reads everything and proves the chain.
pub(crate) async fn verify(handle: &Handle) -> Result<wire::LogVerifyReply, Status> {
    let (cluster, ..) = known(handle);
    let found = handle.journal.verify(&cluster).await.map_err(|error| journal(&error))?;
    let message = match &found.broken {
        None => format!("{} entries, the chain is whole", found.entries),
        Some((version, what)) => format!("broken at version {version}: {what}"),
    };
    Ok(wire::LogVerifyReply {
        ok: found.broken.is_none(),
        entries: found.entries,
        broken_version: found.broken.map(|(version, _)| version.0),
        message,
    })
}

fn known(handle: &Handle) -> (watchdog_core::ids::ClusterId, Version, Option<Version>) {
    let world = handle.world.lock();
    let target = &world.log.target;
    // The newest version with the stable state, as everywhere.
    (world.cluster.clone(), target.head, target.stable.map(|_| target.version))
}

fn view(handle: &Handle, entry: &LogEntry) -> wire::LogEntry {
    let mark = handle.world.lock().history.marks.get(&entry.version).copied();
    let change = &entry.change;
    wire::LogEntry {
        version: entry.version.0,
        at: rfc3339(entry.at),
        epoch: entry.epoch.0,
        author: entry.author.clone(),
        goal: entry.goal.as_ref().map(ToString::to_string),
        key: change.key.to_string(),
        operation: if change.after.is_some() { "put" } else { "delete" }.to_owned(),
        before_json: change.before.as_ref().map(canonical),
        after_json: change.after.as_ref().map(canonical),
        hash: entry.hash.to_string(),
        mark: mark.map(|mark| {
            match mark {
                Mark::Stable => "stable",
                Mark::Rejected => "rejected",
                Mark::Candidate => "candidate",
            }
            .to_owned()
        }),
    }
}
