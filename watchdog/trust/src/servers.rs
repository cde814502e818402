//! Servers: judges the certificate of a server to whom we connect: its authority, its time, its host, and its role.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::credentials::provider;
use crate::facts::CertificateFacts;
use crate::role::Role;

/// Lets through only servers of one role. Without that an agent could pose as a watchdog at its own address.
#[derive(Debug)]
pub(crate) struct ServersOfRole {
    inner: Arc<WebPkiServerVerifier>,
    role: Role,
}

/// A server with a good certificate that is for something else.
#[derive(thiserror::Error)]
#[error("the certificate of {name:?} is not of the role {wanted}")]
struct NotThatRole {
    name: String,
    wanted: Role,
}

impl fmt::Debug for NotThatRole {
    /// As a sentence: that is how the library shows it to people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ServersOfRole {
    pub(crate) fn new(roots: Arc<RootCertStore>, role: Role) -> Result<Self, Error> {
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        Ok(Self { inner: inner.map_err(|error| Error::General(error.to_string()))?, role })
    }
}

impl ServerCertVerifier for ServersOfRole {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let facts = CertificateFacts::of_der(end_entity).ok_or(CertificateError::BadEncoding)?;
        if facts.identity.role == Some(self.role) {
            return Ok(verified);
        }
        let error = NotThatRole { name: facts.identity.name, wanted: self.role };
        Err(CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
