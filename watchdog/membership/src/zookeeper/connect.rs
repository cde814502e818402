//! Connect: opens sessions with an ensemble, makes the chroot, shows our credentials.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zookeeper_client::{Acls, Client, Connector, CreateMode, CreateOptions, TlsOptions};

use super::faults;
use super::session::ZooKeeperTree;
use crate::tree::{Connect, Tree, TreeError};
use crate::wire::{Options, Tls};

/// How long one try to open a session may take at least; an ensemble that elects needs about a second.
const OPEN_MIN: Duration = Duration::from_secs(3);

/// Where the ensemble is and how sessions are opened.
#[derive(Debug, Clone)]
pub struct ZooKeeperConfig {
    /// `host:port`, each.
    pub hosts: Vec<String>,
    /// Below which all paths stand; empty, or with a slash at its start. Made as needed.
    pub chroot: String,
    /// Time-out, credentials, encryption.
    pub options: Options,
}

/// Opens sessions with one ensemble.
#[derive(Debug, Clone)]
pub struct ZooKeeper {
    config: Arc<ZooKeeperConfig>,
}

impl ZooKeeper {
    /// Connects to nothing yet.
    pub fn new(config: ZooKeeperConfig) -> Self {
        Self { config: Arc::new(config) }
    }

    fn connector(&self) -> Connector {
        let Options { session_timeout, digest, .. } = &self.config.options;
        let connector = Client::connector()
            .with_session_timeout(*session_timeout)
            // Says `Disconnected` this long after the last word of the server, well before the session can be over.
            .with_connection_timeout(*session_timeout * 35 / 100);
        match digest {
            Some(digest) => connector.with_auth("digest", &digest.to_bytes()),
            None => connector,
        }
    }

    async fn connect(&self) -> Result<Client, TreeError> {
        let hosts = self.config.hosts.join(",");
        match &self.config.options.tls {
            None => self.connector().connect(&hosts).await.map_err(|error| faults::open(&error)),
            Some(tls) => secure(self.connector(), tls, &hosts).await,
        }
    }

    async fn open_session(&self) -> Result<ZooKeeperTree, TreeError> {
        let client = self.connect().await?;
        let owned = self.config.options.digest.is_some();
        let chroot = self.config.chroot.as_str();
        if chroot.is_empty() {
            return Ok(ZooKeeperTree::new(client, owned));
        }
        let there = client
            .check_stat(chroot)
            .await
            .map_err(|error| faults::read("open a session", chroot, &error))?;
        if there.is_none() {
            let made = client.mkdir(chroot, &directory(owned)).await;
            made.map_err(|error| faults::read("make the chroot", chroot, &error))?;
        }
        // It hands the client back when the path is odd, which our url parser has ruled out.
        let client = client.chroot(chroot.to_owned()).map_err(|_| TreeError::Unavailable {
            operation: "enter the chroot",
            source: format!("{chroot} is not a path").into(),
        })?;
        Ok(ZooKeeperTree::new(client, owned))
    }
}

#[async_trait]
impl Connect for ZooKeeper {
    async fn open(&self) -> Result<Arc<dyn Tree>, TreeError> {
        let limit = (self.config.options.session_timeout * 2).max(OPEN_MIN);
        let opened = tokio::time::timeout(limit, self.open_session()).await;
        let tree = opened.map_err(|_| TreeError::Unavailable {
            operation: "open a session",
            source: format!("no session within {} ms", limit.as_millis()).into(),
        })?;
        Ok(Arc::new(tree?))
    }
}

/// How persistent nodes are created: ours alone if we have credentials.
pub(crate) fn directory(owned: bool) -> CreateOptions<'static> {
    options(CreateMode::Persistent, owned)
}

/// How nodes are created.
pub(crate) fn options(mode: CreateMode, owned: bool) -> CreateOptions<'static> {
    mode.with_acls(if owned { Acls::creator_all() } else { Acls::anyone_all() })
}

async fn secure(connector: Connector, tls: &Tls, hosts: &str) -> Result<Client, TreeError> {
    let options = TlsOptions::new().with_pem_ca(&read(&tls.ca)?);
    let options = match &tls.identity {
        Some((certificate, key)) => {
            let (certificate, key) = (read(certificate)?, read(key)?);
            options.and_then(|options| options.with_pem_identity(&certificate, &key))
        }
        None => options,
    };
    let options = options.map_err(|error| faults::open(&error))?;
    connector.with_tls(options).secure_connect(hosts).await.map_err(|error| faults::open(&error))
}

fn read(path: &Path) -> Result<String, TreeError> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display()).into();
    std::fs::read_to_string(path)
        .map_err(|error| TreeError::Unavailable { operation: "open a session", source: unreadable(error) })
}
