//! Connection: what the transport knows of whoever is at its other end.

use std::net::SocketAddr;

use crate::role::Role;

/// Stands in the extensions of every request that came over one of our listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where it came from.
    pub from: SocketAddr,
    /// Whom its certificate names; none without TLS, and none where the client showed no certificate.
    pub certificate: Option<CertificateIdentity>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Whom a certificate names that our certificate authority has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The common name of its subject.
    pub name: String,
    /// The role that its subject's organizational unit names; none where it names none of ours.
    pub role: Option<Role>,
}
