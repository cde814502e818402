//! Group: keeps this replica in the cluster's group, and hears there of newer epochs and of its own death.
//!
//! *On connection loss.* Nothing stops: the application serves what it has, and the group is joined again when it can be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use watchdog_membership::environment::Environment;
use watchdog_membership::member::{Joined, keep_joined};
use watchdog_membership::records::{EpochRecord, MemberRecord, Paths};
use watchdog_membership::tree::{BoxError, Connect};
use watchdog_membership::wire::{self, DigestError};

use crate::error::AgentError;
use crate::server::Server;

/// The exit code of a replica that was declared dead while it lived.
pub const DECLARED_DEAD: i32 = 86;

/// How long leaving may take; after that the session ends by itself.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// What an application does just before it exits because it was declared dead.
pub(crate) type DeathHook = Box<dyn FnOnce() + Send + Sync>;

/// The way into the group that the environment names, if any.
pub(crate) fn connector(environment: &Environment) -> Result<Option<Arc<dyn Connect>>, AgentError> {
    let Some(url) = &environment.coordination else { return Ok(None) };
    let error = |source| AgentError::Coordination { url: url.clone(), source };
    let digest = match &environment.coordination_auth_file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| error(source.into()))?;
            Some(text.parse().map_err(|source: DigestError| error(BoxError::from(source)))?)
        }
    };
    let session_timeout = Duration::from_millis(environment.session_timeout_ms);
    let options = wire::Options { session_timeout, digest, tls: environment.coordination_tls.clone() };
    wire::connector(url, options).map(Some).map_err(|source| error(source.into()))
}

/// Membership of the group. Dropping it ends it as a crash would; [leaving](Self::leave) tells the group.
pub(crate) struct Group {
    joined: Joined,
    listener: JoinHandle<()>,
}

impl Group {
    /// Joins, and joins again whenever the session is lost.
    pub(crate) fn join(
        connect: Arc<dyn Connect>,
        server: Arc<Server>,
        record: watch::Receiver<MemberRecord>,
        hook: DeathHook,
    ) -> Self {
        let joined = keep_joined(connect, Paths::new(&server.us.cluster), record, || die(hook));
        let listener = tokio::spawn(listen(server, joined.link().epoch_seen()));
        Self { joined, listener }
    }

    /// Leaves at once, so that nobody waits for the session to time out.
    pub(crate) async fn leave(self) {
        self.listener.abort();
        if tokio::time::timeout(LEAVE_PATIENCE, self.joined.leave()).await.is_err() {
            tracing::warn!("left the group without an answer; the session will time out");
        }
    }
}

/// Learns of each epoch as soon as it is minted, so that an old leader's orders are refused before the new one speaks.
async fn listen(server: Arc<Server>, mut epochs: watch::Receiver<Option<EpochRecord>>) {
    loop {
        let seen = epochs.borrow_and_update().as_ref().map(|record| record.epoch);
        if let Some(epoch) = seen {
            server.learn(epoch);
        }
        if epochs.changed().await.is_err() {
            return;
        }
    }
}

fn die(hook: DeathHook) {
    tracing::error!(
        exit = DECLARED_DEAD,
        "declared dead while alive; somebody may run in our place, so we end"
    );
    hook();
    std::process::exit(DECLARED_DEAD)
}
