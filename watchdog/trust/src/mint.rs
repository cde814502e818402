//! Mint: makes a private certificate authority, and the certificates that it signs.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::role::Role;

/// Clocks differ; a certificate holds from a little before it was made.
const EARLIER: Duration = Duration::from_mins(5);

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct Minted {
    /// May be shown to anybody.
    pub certificate: String,
    /// May be shown to nobody.
    pub key: String,
}

impl Minted {
    /// Writes both; the key so that nobody else may read it. Files that are there stay as they are.
    ///
    /// # Errors
    ///
    /// Also when one of them is there already; then neither is written.
    pub fn write(&self, certificate: &Path, key: &Path) -> io::Result<()> {
        let there = [certificate, key].into_iter().find(|path| path.symlink_metadata().is_ok());
        if let Some(path) = there {
            let message = format!("{} is there already", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        create(key, 0o600, &self.key)?;
        create(certificate, 0o644, &self.certificate)
    }

    /// Writes both in place of what is there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn replace(&self, certificate: &Path, key: &Path) -> io::Result<()> {
        for (path, mode, text) in [(key, 0o600, &self.key), (certificate, 0o644, &self.certificate)] {
            let new = path.with_extension("new");
            let _ = std::fs::remove_file(&new);
            create(&new, mode, text)?;
            std::fs::rename(&new, path)?;
        }
        Ok(())
    }
}

fn create(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whom a new certificate is for.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// Its common name.
    pub name: &'a str,
    /// Its organizational unit; a certificate of no role of ours may do nothing.
    pub role: Option<Role>,
    /// The addresses and names at which it may be found; people are found nowhere.
    pub hosts: &'a [String],
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}")]
pub struct MintError {
    /// What was tried.
    pub operation: &'static str,
    /// What the library says.
    pub source: rcgen::Error,
}

/// A certificate authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    minted: Minted,
}

impl Authority {
    /// Makes one that holds for so long.
    ///
    /// # Errors
    ///
    /// A [`MintError`]
    pub fn make(name: &str, valid: Duration) -> Result<Self, MintError> {
        let failed = |source| MintError { operation: "make a certificate authority", source };
        let now = SystemTime::now();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (parameters.not_before, parameters.not_after) = ((now - EARLIER).into(), (now + valid).into());
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.self_signed(&key).map_err(failed)?;
        let minted = Minted { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(parameters, key), minted })
    }

    /// Takes up one that was made before, from its PEM.
    ///
    /// # Errors
    ///
    /// A [`MintError`]
    pub fn from_pem(minted: Minted) -> Result<Self, MintError> {
        let key = KeyPair::from_pem(&minted.key);
        let key = key
            .map_err(|source| MintError { operation: "read the key of the certificate authority", source })?;
        let issuer = Issuer::from_ca_cert_pem(&minted.certificate, key);
        let issuer =
            issuer.map_err(|source| MintError { operation: "read the certificate authority", source })?;
        Ok(Self { issuer, minted })
    }

    /// Its own certificate and key.
    pub fn minted(&self) -> &Minted {
        &self.minted
    }

    /// Makes a certificate that holds from now on for so long.
    ///
    /// # Errors
    ///
    /// A [`MintError`]
    pub fn issue(&self, subject: &Subject<'_>, valid: Duration) -> Result<Minted, MintError> {
        let now = SystemTime::now();
        self.issue_for(subject, (now - EARLIER, now + valid))
    }

    /// Makes a certificate that holds between two times.
    ///
    /// # Errors
    ///
    /// A [`MintError`]
    pub fn issue_for(
        &self,
        subject: &Subject<'_>,
        (from, until): (SystemTime, SystemTime),
    ) -> Result<Minted, MintError> {
        let failed = |source| MintError { operation: "make a certificate", source };
        let mut parameters = CertificateParams::new(subject.hosts.to_vec()).map_err(failed)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, subject.name);
        if let Some(role) = subject.role {
            parameters.distinguished_name.push(DnType::OrganizationalUnitName, role.word());
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Watchdogs and agents are on either end of connections.
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !subject.hosts.is_empty() {
            parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        parameters.use_authority_key_identifier_extension = true;
        (parameters.not_before, parameters.not_after) = (from.into(), until.into());
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Minted { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}
