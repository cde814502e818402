//! Announced: where a replica says that it listens.
//!
//! ```text
//! its address file ──absent, and adopted──► its record in the group ──none──► unknown
//! ```
//!
//! A replica writes its file once, so one that we adopt can't write it again when it was lost with our directory. What
//! we lost is no fault of it.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use watchdog_membership::handover::Addresses;
use watchdog_membership::records::{MemberRecord, Paths, decode};

use crate::guest_files::{ReadFault, Reader};
use crate::ledger::Life;
use crate::supervisor::{Kept, Supervisor};

/// What it says of itself fits into this many bytes.
const ADDRESSES_BYTES_MAX: u64 = 64 * 1024;
/// The group is asked no more often than this; the replica may join it later than we come.
const GROUP_EVERY: Duration = Duration::from_secs(1);
/// Longer than a coordination service takes that works.
const GROUP_PATIENCE: Duration = Duration::from_millis(200);

/// What is known of where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// By its own word.
    At(Addresses),
    /// It has not said so yet.
    NotYet,
    /// What it says can't be taken, which no wait can mend.
    Fault(String),
    /// The host agent can't find out: its disk does not answer, or the file was lost and the group lacks the replica.
    Unknown,
}

/// Finds out where one replica listens.
pub(super) struct Announced {
    life: Life,
    is_adopted: bool,
    file: Reader,
    group_asked: Option<Instant>,
    place: Place,
}

impl Announced {
    /// Nothing is known yet.
    pub(super) fn new(supervisor: &Supervisor, kept: &Kept) -> Self {
        let path = supervisor.dirs.address(kept.life.incarnation);
        let root = supervisor.dirs.root();
        let beneath = path.strip_prefix(root).unwrap_or(Path::new("")).to_owned();
        Self {
            life: kept.life.clone(),
            is_adopted: kept.adopted,
            file: Reader::new(root.to_owned(), beneath, ADDRESSES_BYTES_MAX),
            group_asked: None,
            place: Place::NotYet,
        }
    }

    /// As last found out.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Finds out, unless it is known; within a bounded time.
    pub(super) async fn learn(&mut self, supervisor: &Supervisor) {
        if matches!(self.place, Place::At(_)) {
            return;
        }
        self.place = match self.file.read().await {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(addresses) => Place::At(addresses),
                Err(error) => fault(&format!("is not readable as addresses: {error}")),
            },
            Err(ReadFault::Absent) if self.is_adopted => self.ask_group(supervisor).await,
            // It is still coming up, or has no embedded agent.
            Err(ReadFault::Absent) => Place::NotYet,
            Err(ReadFault::Hangs | ReadFault::Io(_)) => Place::Unknown,
            Err(theirs @ (ReadFault::Link | ReadFault::Kind { .. } | ReadFault::TooLarge { .. })) => {
                fault(&theirs.to_string())
            }
        };
    }

    async fn ask_group(&mut self, supervisor: &Supervisor) -> Place {
        if self.group_asked.is_some_and(|asked| asked.elapsed() < GROUP_EVERY) {
            return Place::Unknown;
        }
        self.group_asked = Some(Instant::now());
        let Life { cluster, replica, incarnation, .. } = &self.life;
        let Some(tree) = supervisor.link(cluster).and_then(|link| link.tree()) else { return Place::Unknown };
        let path = Paths::new(cluster).member(replica, *incarnation);
        let read = timeout(GROUP_PATIENCE, tree.read(std::slice::from_ref(&path))).await;
        let node = read.ok().and_then(Result::ok).and_then(|mut nodes| nodes.pop()?);
        match node.map(|node| decode::<MemberRecord>(&path, &node.data)) {
            Some(Ok(MemberRecord { address, service, .. })) => {
                tracing::info!(%replica, %incarnation, address, "its address file is gone; the group says where it listens");
                Place::At(Addresses { agent: address, service })
            }
            // The leader judges what stands in the group.
            Some(Err(_)) | None => Place::Unknown,
        }
    }
}

fn fault(what: &str) -> Place {
    Place::Fault(format!("its address file {what}"))
}
