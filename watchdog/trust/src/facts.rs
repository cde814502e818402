//! Facts: what a certificate says of itself: who, in which role, for which hosts, until when.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use crate::connection::CertificateIdentity;
use crate::error::TlsError;
use crate::files;

/// What stands in a certificate; whether it is genuine is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it names.
    pub identity: CertificateIdentity,
    /// Who signed it, by the common name.
    pub issuer: String,
    /// From when it holds.
    pub not_before: SystemTime,
    /// Until when it holds.
    pub not_after: SystemTime,
    /// The names and addresses at which its owner may be found.
    pub hosts: Vec<String>,
    /// Whether its owner may sign certificates.
    pub signs: bool,
}

impl CertificateFacts {
    /// The facts of each certificate in a PEM file.
    ///
    /// # Errors
    ///
    /// A [`TlsError`] that names the file.
    pub fn read(path: &Path) -> Result<Vec<Self>, TlsError> {
        let not_x509 = || TlsError::NotX509 { path: path.to_owned() };
        let found = files::certificates("certificate", path)?;
        found.iter().map(|der| Self::of_der(der).ok_or_else(not_x509)).collect()
    }

    pub(crate) fn of_der(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let text = |attribute: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
            attribute.and_then(|attribute| attribute.as_str().ok()).map(str::to_owned)
        };
        let unit = text(subject.iter_organizational_unit().next());
        let identity = CertificateIdentity {
            name: text(subject.iter_common_name().next()).unwrap_or_default(),
            role: unit.and_then(|unit| unit.parse().ok()),
        };
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let hosts = alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(host);
        Some(Self {
            identity,
            issuer: text(certificate.issuer().iter_common_name().next()).unwrap_or_default(),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            hosts: hosts.collect(),
            signs: certificate.is_ca(),
        })
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    if time.timestamp() < 0 { SystemTime::UNIX_EPOCH - seconds } else { SystemTime::UNIX_EPOCH + seconds }
}
