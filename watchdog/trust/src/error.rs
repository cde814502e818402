//! Error: what is wrong with the files of certificates, and how to mend it.

use std::path::PathBuf;

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

use crate::role::Role;

/// Why connections can't be encrypted with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A file holds broken PEM.
    #[error("the {what} {} is not PEM", path.display())]
    NotPem {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the reader stumbled over.
        source: pem::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what}: there is no line -----BEGIN {label}-----", path.display())]
    Empty {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What its first line should say.
        label: &'static str,
    },
    /// A certificate that is none.
    #[error("the certificate {} is not an X.509 certificate", path.display())]
    NotX509 {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate authority that signs nothing.
    #[error("{} holds no certificate authority that could be used", path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// Everybody on this machine could be us.
    #[error(
        "the key {0} can be read by others (mode {mode:03o}); take that from them: chmod 600 {0}", path.display()
    )]
    KeyOpen {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Certificate and key are not of one pair.
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    NotAPair {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What the library says.
        source: rustls::Error,
    },
    /// Nobody would accept our certificate.
    #[error(
        "the certificate {} would be accepted by nobody who trusts {}; issue one from that authority: watchdogctl certs issue",
        certificate.display(), ca.display()
    )]
    NotOurs {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the authority.
        ca: PathBuf,
        /// What the library says.
        source: rustls::Error,
    },
    /// The certificate is somebody else's.
    #[error(
        "the certificate {} names {name:?} with the role {found}; here one with the role {wanted} is needed: watchdogctl certs issue --help",
        path.display()
    )]
    WrongRole {
        /// The file with the certificate.
        path: PathBuf,
        /// Whom it names.
        name: String,
        /// In which role; `none` for one that is not ours.
        found: &'static str,
        /// Which it should be.
        wanted: Role,
    },
    /// Whoever listens must say who it is.
    #[error("a listener needs a certificate and its key")]
    NoIdentity,
}
