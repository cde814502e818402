//! Shared: one ensemble per test process, and a directory of its own in it for each test.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

use super::Ensemble;

/// A directory of its own in the ensemble that a whole test process shares.
#[derive(Debug)]
pub struct Chroot {
    /// The ensemble; whoever kills its nodes disturbs other tests, and so starts one of its own instead.
    pub ensemble: &'static Ensemble,
    path: String,
}

impl Chroot {
    /// The path, which starts with a slash and exists.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// All addresses and the path, as `host:port,host:port/path`.
    pub fn connect_string(&self) -> String {
        format!("{}{}", self.ensemble.connect_string(), self.path)
    }

    /// The same as an address of coordination: `zookeeper://host:port,host:port/path`.
    pub fn url(&self) -> String {
        format!("zookeeper://{}", self.connect_string())
    }
}

/// Returns a fresh, empty chroot in an ensemble of three that all tests of this process share.
///
/// # Errors
///
/// If the ensemble does not come up; each later call reports that too.
pub fn shared() -> anyhow::Result<Chroot> {
    static SHARED: LazyLock<Result<Ensemble, String>> =
        LazyLock::new(|| Ensemble::start(3).map_err(|error| format!("{error:#}")));
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let ensemble = SHARED.as_ref().map_err(|error| anyhow::anyhow!("the shared ensemble: {error}"))?;
    let path = format!("/test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    create(&ensemble.connect_string(), &path)?;
    Ok(Chroot { ensemble, path })
}

/// Creates `path`. On a thread of its own, so that callers may be inside an async runtime.
fn create(addresses: &str, path: &str) -> anyhow::Result<()> {
    let created = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let client = zookeeper_client::Client::connect(addresses).await?;
                let options =
                    zookeeper_client::CreateMode::Persistent.with_acls(zookeeper_client::Acls::anyone_all());
                client.create(path, &[], &options).await?;
                anyhow::Ok(())
            })
        });
        work.join()
    });
    match created {
        Ok(result) => result.with_context(|| format!("create {path}")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
