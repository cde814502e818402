//! Refusal: from what the handshake says to the cause that people count.

use std::io;

use tokio_rustls::rustls::{CertificateError, Error};

use crate::counters::Cause;

/// Why a handshake failed.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    let tls = error.get_ref().and_then(|source| source.downcast_ref::<Error>());
    match tls {
        Some(Error::NoCertificatesPresented) => Cause::NoCertificate,
        Some(Error::InvalidCertificate(certificate)) => of_certificate(certificate),
        Some(Error::PeerIncompatible(_)) => Cause::OldProtocol,
        Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }) => Cause::NotTls,
        _ => Cause::Broken,
    }
}

fn of_certificate(error: &CertificateError) -> Cause {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Cause::UnknownAuthority,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Cause::Expired,
        _ => Cause::BadCertificate,
    }
}
