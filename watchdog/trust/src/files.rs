//! Files: reads a certificate authority, a certificate and its key, and says which of them is wrong and how to mend it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::TlsError;
use crate::facts::CertificateFacts;

/// Where the certificates of one end of our connections stand, all of them PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whose signature makes a certificate one of ours; several while authorities are exchanged.
    pub ca: PathBuf,
    /// Who we are; somebody with a token may go without.
    pub identity: Option<IdentityFiles>,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// Our certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its key, which nobody else may read.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The files of one who has a certificate.
    pub fn new(ca: impl Into<PathBuf>, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let identity = IdentityFiles { certificate: certificate.into(), key: key.into() };
        Self { ca: ca.into(), identity: Some(identity) }
    }

    /// What tells that a file has been written anew; `None` for one that is not there.
    pub(crate) fn stamp(&self) -> Vec<Option<(i64, i64, u64, u64)>> {
        let identity = self.identity.iter().flat_map(|identity| [&identity.certificate, &identity.key]);
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
        };
        std::iter::once(&self.ca).chain(identity).map(stamp).collect()
    }
}

/// What stands in the files.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) identity: Option<Identity>,
}

/// Our certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) facts: CertificateFacts,
}

impl Material {
    /// Reads them all.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("certificate authority", &files.ca)? {
            let unusable = |source| TlsError::Authority { path: files.ca.clone(), source };
            roots.add(certificate).map_err(unusable)?;
        }
        let identity = files.identity.as_ref().map(Identity::read).transpose()?;
        Ok(Self { roots: Arc::new(roots), identity })
    }
}

impl Identity {
    fn read(files: &IdentityFiles) -> Result<Self, TlsError> {
        let chain = certificates("certificate", &files.certificate)?;
        let facts = chain.first().and_then(|first| CertificateFacts::of_der(first));
        let facts = facts.ok_or_else(|| TlsError::NotX509 { path: files.certificate.clone() })?;
        Ok(Self { chain, key: key(&files.key)?, facts })
    }
}

/// The certificates in a file: at least one.
///
/// # Errors
///
/// A [`TlsError`] that names the file.
pub(crate) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(what, path)?;
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|source| TlsError::NotPem { what, path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::Empty { what, path: path.to_owned(), label: "CERTIFICATE" });
    }
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read("key", path)?;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode()) & 0o777;
    // A group may be let in on purpose: that of the service.
    if mode & 0o007 != 0 {
        return Err(TlsError::KeyOpen { path: path.to_owned(), mode });
    }
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => {
            Err(TlsError::Empty { what: "key", path: path.to_owned(), label: "PRIVATE KEY" })
        }
        Err(source) => Err(TlsError::NotPem { what: "key", path: path.to_owned(), source }),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.to_owned(), source })
}
