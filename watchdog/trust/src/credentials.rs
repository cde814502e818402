//! Credentials: the certificates in use; files that were written anew are taken up without a restart.
//!
//! ```text
//! files ──changed?──► read ──fine──► used for every handshake from now on
//!                       └──broken──► the old ones stay, and that is said once
//! ```
//!
//! *Guarantees.* Open connections go on with what they began with. Nobody resumes an older session, so every handshake
//! is judged by the certificates and the time of now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, ServerConfig};

use crate::error::TlsError;
use crate::facts::CertificateFacts;
use crate::files::{Identity, IdentityFiles, Material, TlsFiles};
use crate::role::Role;
use crate::servers::ServersOfRole;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A certificate that ends sooner than this is told of when it is read.
const SHORT: Duration = Duration::from_hours(14 * 24);

/// Whether those who come must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Yes.
    Certified,
    /// No, because they may bring a token; one that is shown must still be good.
    Anybody,
}

/// The certificates in use, of one who listens, connects, or both.
#[derive(Debug)]
pub struct Credentials {
    files: TlsFiles,
    role: Option<Role>,
    clients: Clients,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    loaded: Arc<Loaded>,
    stamp: Stamp,
    /// Files that could not be used when they were last looked at, and whether that has been said.
    broken: Option<(Stamp, bool)>,
}

type Stamp = Vec<Option<(i64, i64, u64, u64)>>;

/// What one reading of the files gave.
#[derive(Debug)]
struct Loaded {
    server: Option<Arc<ServerConfig>>,
    to_agents: Arc<ClientConfig>,
    to_watchdogs: Arc<ClientConfig>,
    facts: Option<CertificateFacts>,
}

impl Credentials {
    /// Reads the files of one that has `role`, where that matters, and lets in `clients`.
    ///
    /// # Errors
    ///
    /// A [`TlsError`] that says which file is wrong, and how to mend it.
    pub fn open(files: TlsFiles, role: Option<Role>, clients: Clients) -> Result<Arc<Self>, TlsError> {
        let stamp = files.stamp();
        let loaded = Arc::new(load(&files, role, clients)?);
        let current = Mutex::new(Current { loaded, stamp, broken: None });
        Ok(Arc::new(Self { files, role, clients, current }))
    }

    /// Looks at the files every other second until nobody holds these credentials any more.
    pub fn keep_fresh(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(credentials) = weak.upgrade() else { return };
                // A file on a server that is away may take its time.
                if tokio::task::spawn_blocking(move || credentials.refresh()).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Looks at the files once; answers whether they were taken up.
    pub fn refresh(&self) -> bool {
        let stamp = self.files.stamp();
        let known = {
            let current = self.current();
            current.stamp == stamp
                || current.broken.as_ref().is_some_and(|(broken, said)| *said && *broken == stamp)
        };
        if known {
            return false;
        }
        let loaded = load(&self.files, self.role, self.clients);
        let mut current = self.current();
        match loaded {
            Ok(loaded) => {
                let name = loaded.facts.as_ref().map(|facts| facts.identity.name.clone()).unwrap_or_default();
                tracing::info!(name, "new certificates are in use");
                *current = Current { loaded: Arc::new(loaded), stamp, broken: None };
                true
            }
            Err(error) => {
                // Files are written one after another: what does not fit together now may do so in a moment.
                let is_settled = current.broken.as_ref().is_some_and(|(broken, _)| *broken == stamp);
                if is_settled {
                    let error = sentence(&error);
                    tracing::warn!(error, "the new certificates cannot be used; the old ones stay in use");
                }
                current.broken = Some((stamp, is_settled));
                false
            }
        }
    }

    /// What our own certificate says.
    pub fn facts(&self) -> Option<CertificateFacts> {
        self.current().loaded.facts.clone()
    }

    pub(crate) fn server(&self) -> Option<Arc<ServerConfig>> {
        self.current().loaded.server.clone()
    }

    /// How to connect to servers of that role.
    pub(crate) fn client(&self, servers: Servers) -> Arc<ClientConfig> {
        let current = self.current();
        match servers {
            Servers::Agents => current.loaded.to_agents.clone(),
            Servers::Watchdogs => current.loaded.to_watchdogs.clone(),
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To whom connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// To agents, on hosts and in replicas.
    Agents,
    /// To watchdogs.
    Watchdogs,
}

impl Servers {
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Agents => Role::Agent,
            Self::Watchdogs => Role::Watchdog,
        }
    }
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn load(files: &TlsFiles, role: Option<Role>, clients: Clients) -> Result<Loaded, TlsError> {
    let material = Material::read(files)?;
    let server = match (&files.identity, &material.identity) {
        (Some(paths), Some(identity)) => {
            check(files, paths, (&material, identity))?;
            check_role(paths, identity, role)?;
            Some(Arc::new(server(paths, (&material, identity), clients)?))
        }
        _ => None,
    };
    Ok(Loaded {
        server,
        to_agents: client(files, &material, Servers::Agents)?,
        to_watchdogs: client(files, &material, Servers::Watchdogs)?,
        facts: material.identity.map(|identity| identity.facts),
    })
}

/// Whether those who trust our authority accept our certificate.
fn check(files: &TlsFiles, paths: &IdentityFiles, of: (&Material, &Identity)) -> Result<(), TlsError> {
    let (material, identity) = of;
    let verifier = verifier(material, Clients::Certified, &files.ca)?;
    let Some((first, rest)) = identity.chain.split_first() else { return Ok(()) };
    match verifier.verify_client_cert(first, rest, UnixTime::now()) {
        Ok(_) => {}
        // What it is needed for goes on where others still accept it or need it not; so this is said, and no more.
        Err(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => {
            let path = paths.certificate.display();
            tracing::error!(%path, "our certificate does not hold now, so nobody accepts it; issue a new one");
        }
        Err(source) => {
            let (certificate, ca) = (paths.certificate.clone(), files.ca.clone());
            return Err(TlsError::NotOurs { certificate, ca, source });
        }
    }
    let left = identity.facts.not_after.duration_since(SystemTime::now()).unwrap_or_default();
    if left > Duration::ZERO && left < SHORT {
        let (path, days) = (paths.certificate.display(), left.as_secs() / 86_400);
        tracing::warn!(%path, days, "our certificate ends soon; issue a new one and put it in the same place");
    }
    Ok(())
}

fn check_role(paths: &IdentityFiles, identity: &Identity, role: Option<Role>) -> Result<(), TlsError> {
    let found = identity.facts.identity.role;
    match role {
        Some(wanted) if found != Some(wanted) => Err(TlsError::WrongRole {
            path: paths.certificate.clone(),
            name: identity.facts.identity.name.clone(),
            found: found.map_or("none", Role::word),
            wanted,
        }),
        _ => Ok(()),
    }
}

fn verifier(
    material: &Material,
    clients: Clients,
    ca: &std::path::Path,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let builder = WebPkiClientVerifier::builder_with_provider(material.roots.clone(), provider());
    let builder = match clients {
        Clients::Certified => builder,
        Clients::Anybody => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| TlsError::Authority {
        path: ca.to_owned(),
        source: Error::General(error.to_string()),
    })
}

fn server(
    paths: &IdentityFiles,
    of: (&Material, &Identity),
    clients: Clients,
) -> Result<ServerConfig, TlsError> {
    let (material, identity) = of;
    let pair = not_a_pair(paths);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(&pair)?
        .with_client_cert_verifier(verifier(material, clients, &paths.certificate)?);
    let chain = identity.chain.clone();
    let mut config = builder.with_single_cert(chain, identity.key.clone_key()).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(files: &TlsFiles, material: &Material, servers: Servers) -> Result<Arc<ClientConfig>, TlsError> {
    let authority = |source| TlsError::Authority { path: files.ca.clone(), source };
    let verifier = ServersOfRole::new(material.roots.clone(), servers.role()).map_err(authority)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(authority)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&files.identity, &material.identity) {
        (Some(paths), Some(identity)) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(not_a_pair(paths))?,
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn not_a_pair(paths: &IdentityFiles) -> impl Fn(Error) -> TlsError {
    |source| TlsError::NotAPair { certificate: paths.certificate.clone(), key: paths.key.clone(), source }
}

/// An error and its causes as one line.
pub(crate) fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
