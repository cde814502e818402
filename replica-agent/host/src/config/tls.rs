//! Tls: the files with which connections are encrypted, all given together.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use watchdog_membership::wire;
use watchdog_trust::{Clients, Credentials, Role, TlsFiles};

/// Three files, all of them PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsTable {
    /// Whose signature makes a certificate one of ours.
    pub(crate) ca: Option<PathBuf>,
    /// Our certificate, of the role `agent`.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key.
    pub(crate) key: Option<PathBuf>,
}

impl TlsTable {
    /// The files, when they are given.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles::new(self.ca.clone()?, self.certificate.clone()?, self.key.clone()?))
    }

    /// The files as a replica is told of them.
    pub(crate) fn passed_on(&self) -> Option<wire::Tls> {
        let identity = Some((self.certificate.clone()?, self.key.clone()?));
        Some(wire::Tls { ca: self.ca.clone()?, identity })
    }

    /// All or none; and files that can be used.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let keys = [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)];
        let lacking = keys.iter().find(|(_, path)| path.is_none()).map(|(key, _)| *key);
        let given = keys.iter().find(|(_, path)| path.is_some()).map(|(key, _)| *key);
        match (given, lacking, self.files()) {
            (Some(given), Some(lacking), _) => Err((given, format!("{lacking} must be given too"))),
            (Some(_), None, Some(files)) => {
                match Credentials::open(files, Some(Role::Agent), Clients::Certified) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(("certificate", format!("{:#}", anyhow::Error::new(error)))),
                }
            }
            _ => Ok(()),
        }
    }
}

/// How ZooKeeper is spoken to: an authority is enough where it wants no certificate of ours.
pub(crate) fn coordination(
    (ca, certificate, key): (Option<&Path>, Option<&Path>, Option<&Path>),
) -> Result<Option<wire::Tls>, (&'static str, String)> {
    let identity = match (ca, certificate, key) {
        (None, None, None) => return Ok(None),
        (None, Some(_), _) => return Err(("tls_certificate", "tls_ca must be given too".to_owned())),
        (None, None, Some(_)) => return Err(("tls_key", "tls_ca must be given too".to_owned())),
        (_, Some(certificate), Some(key)) => Some((certificate.to_owned(), key.to_owned())),
        (_, Some(_), None) => return Err(("tls_certificate", "tls_key must be given too".to_owned())),
        (_, None, Some(_)) => return Err(("tls_key", "tls_certificate must be given too".to_owned())),
        (_, None, None) => None,
    };
    Ok(ca.map(|ca| wire::Tls { ca: ca.to_owned(), identity }))
}
