//! Tests: a town with an authority, citizens and strangers, and a gate at which they all ring.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod dialing;
mod files;
mod floods;
mod handshakes;
mod reloading;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;

use crate::mint::{Authority, Minted, Subject};
use crate::orders::Orders;
use crate::{Cause, Clients, Counters, Credentials, Gate, Role, TlsFiles};

const DAY: Duration = Duration::from_hours(24);
/// Nothing in these tests takes so long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with the files of an authority.
struct Town {
    directory: TempDir,
    authority: Authority,
}

impl Town {
    fn new() -> Self {
        let town = Self {
            directory: tempfile::tempdir().unwrap(),
            authority: Authority::make("test authority", DAY).unwrap(),
        };
        town.keep("ca", town.authority.minted());
        town
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.directory.path().join(file)
    }

    fn keep(&self, name: &str, minted: &Minted) -> TlsFiles {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        minted.replace(&certificate, &key).unwrap();
        TlsFiles::new(self.path("ca.pem"), certificate, key)
    }

    /// Somebody of ours, found on this machine.
    fn citizen(&self, name: &str, role: Role) -> TlsFiles {
        let hosts = ["127.0.0.1".to_owned()];
        let subject = Subject { name, role: Some(role), hosts: &hosts };
        self.keep(name, &self.authority.issue(&subject, DAY).unwrap())
    }

    /// Somebody of ours whose certificate holds from and until so many days from now.
    fn dated(&self, name: &str, days: (i32, i32)) -> TlsFiles {
        let now = SystemTime::now();
        let time = |days: i32| {
            if days < 0 { now - DAY * days.unsigned_abs() } else { now + DAY * days.unsigned_abs() }
        };
        let subject = Subject { name, role: Some(Role::Watchdog), hosts: &[] };
        self.keep(name, &self.authority.issue_for(&subject, (time(days.0), time(days.1))).unwrap())
    }
}

fn credentials(files: TlsFiles, clients: Clients) -> Arc<Credentials> {
    Credentials::open(files, None, clients).unwrap()
}

/// A server at its gate; it ends on drop.
struct Host {
    address: SocketAddr,
    counters: Arc<Counters>,
    serving: JoinHandle<()>,
}

impl Host {
    /// Serves gRPC's health service, as if it were an agent that takes orders.
    async fn open(gate: Gate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counters = gate.counters.clone();
        let (_, health) = tonic_health::server::health_reporter();
        let health = Orders::new(health, counters.clone(), &[("Watch", Role::Agent)]);
        let serving = Server::builder().add_service(health).serve_with_incoming(gate.incoming(listener));
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, counters, serving }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn refused(&self, cause: Cause) -> u64 {
        self.counters.snapshot().refused[&cause]
    }

    /// Waits for a count: a client sees its connection end a moment before that is counted.
    async fn until(&self, cause: Cause, count: u64) {
        let began = Instant::now();
        while self.refused(cause) < count {
            assert!(began.elapsed() < PATIENCE, "{cause:?} stays at {}", self.refused(cause));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
