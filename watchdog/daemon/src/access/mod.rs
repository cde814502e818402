//! Access: who may do what at this daemon, decided for every request before anything else looks at it.
//!
//! ```text
//! request ─► its row in the table ─► open to all ───────────────────────────────────────────────┐
//!                  │                                                                             ▼
//!                  ├─► whose: token, session, certificate? ─► may they? ─► not by another site? ─► not too often? ─► serve
//!                  │      └── 401                               └── 403      └── 403              └── 429
//!                  └─► in no row: 404, whoever asks
//! ```
//!
//! *Guarantees.* What has no row is not served. Nothing here is waited for by a cluster's task: all that is shared with
//! it is counted by atomics. A secret is compared in the same time wherever it differs, and told to nobody.

mod counts;
mod guard;
mod headers;
mod login;
mod origin;
mod proof;
mod rates;
mod refusal;
mod sessions;
mod slots;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use watchdog_trust::{IdentitiesFile, unguessable};

use crate::shutdown::Shutdown;

use counts::Counts;

/// How often the file of identities is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Acts that one identity may order at once, …
const ACTS_AT_ONCE: u32 = 100;
/// … and then one in each of these.
const ACT_EVERY: Duration = Duration::from_millis(100);
/// Refusals that are logged at once, and then one a second; all are counted.
const REFUSALS_LOGGED: u32 = 20;
const REFUSAL_EVERY: Duration = Duration::from_secs(1);
/// Streams that are open at once, of all connections.
pub(crate) const STREAMS_MAX: usize = 512;
/// Requests that are being answered at once, of all connections.
const REQUESTS_MAX: usize = 1_024;
/// Streams and requests of one connection at once.
pub(crate) const CONNECTION_STREAMS_MAX: u32 = 128;
/// How long a page or an act over HTTP may take, the sending of the request included.
const HTTP_DEADLINE: Duration = Duration::from_secs(30);
/// How long an answer over gRPC may take; callers say shorter ones.
const GRPC_DEADLINE: Duration = Duration::from_mins(5);

/// What is told to [`Access::open`].
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// The file of identities.
    pub(crate) identities: Option<PathBuf>,
    /// Where we really listen.
    pub(crate) listening: SocketAddr,
    /// The URL that others are given.
    pub(crate) advertised: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Access {
    identities: Option<IdentitiesFile>,
    /// Nobody beyond this machine can connect.
    loopback: bool,
    /// Our own names, beside any address: what a page of ours is fetched by.
    host: Option<String>,
    sessions: sessions::Sessions,
    /// Tells what our pages send from what others make browsers send, where there is no session.
    secret: String,
    acts: rates::Rates,
    refusals: rates::Rates,
    slots: slots::Slots,
    counts: Counts,
}

impl Access {
    /// Opens the door; reads the identities for the first time.
    pub(crate) fn open(door: &Door) -> anyhow::Result<Arc<Self>> {
        let identities = door.identities.as_deref().map(IdentitiesFile::open).transpose()?;
        let advertised: Option<tonic::transport::Uri> = door.advertised.parse().ok();
        let access = Self {
            loopback: door.listening.ip().is_loopback(),
            host: advertised.and_then(|uri| uri.host().map(str::to_ascii_lowercase)),
            sessions: sessions::Sessions::new(door.listening.port()),
            secret: unguessable().context("ask the system for randomness")?,
            acts: rates::Rates::new(ACTS_AT_ONCE, ACT_EVERY),
            refusals: rates::Rates::new(REFUSALS_LOGGED, REFUSAL_EVERY),
            slots: slots::Slots::new(REQUESTS_MAX, STREAMS_MAX),
            counts: Counts::default(),
            identities,
        };
        if let Some(identities) = &access.identities {
            let count = identities.current().len();
            tracing::info!(count, "authentication is on");
        } else if access.loopback {
            tracing::info!("authentication is off: whoever is on this machine may do everything");
        }
        Ok(Arc::new(access))
    }

    /// Asks every request to `router` who comes, and adds the pages by which people say so.
    pub(crate) fn guard(self: &Arc<Self>, router: Router) -> Router {
        let guard = axum::middleware::from_fn_with_state(Arc::clone(self), guard::guard);
        router.merge(login::router(Arc::clone(self))).layer(guard)
    }

    /// What was let in and what was not, so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Reads the identities again whenever they change, until `shutdown`; then tells what was let in and what was not.
    pub(crate) async fn keep_up(self: Arc<Self>, mut shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.asked() => break,
            }
            if let Some(identities) = &self.identities {
                read_again(identities);
            }
        }
        let counts = self.counts().snapshot();
        tracing::info!(?counts, "requests of this run");
    }
}

fn read_again(identities: &IdentitiesFile) {
    match identities.refresh() {
        Ok(None) => {}
        Ok(Some(count)) => tracing::info!(count, "identities were read again"),
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::error!(error, "the identities can't be read; the old ones stay in force");
        }
    }
}
