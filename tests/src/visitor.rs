//! Visitor: somebody who speaks TLS with our listeners, as any stranger may, with any certificate or none.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

/// Whose certificate is shown, and how.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Whom the visitor trusts.
    pub ca: PathBuf,
    /// The certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether it speaks TLS 1.2, and nothing newer.
    pub is_old: bool,
}

impl Visitor {
    /// Somebody whose files stand in the directory of the authority, as `watchdogctl certs` and `watchdog dev` put them.
    pub fn citizen(directory: &Path, name: &str) -> Self {
        let file = |end: &str| directory.join(format!("{name}.{end}"));
        Self { identity: Some((file("pem"), file("key"))), ..Self::nobody(directory) }
    }

    /// Somebody without a certificate.
    pub fn nobody(directory: &Path) -> Self {
        Self { ca: directory.join("ca.pem"), identity: None, is_old: false }
    }

    /// Connects to `https://host:port`.
    ///
    /// # Errors
    ///
    /// If the files can't be used or nobody is there; a server that does not like the certificate says so later.
    pub async fn connect(&self, url: &str) -> anyhow::Result<Channel> {
        let uri: Uri = url.parse().context("parse the address")?;
        let authority = uri.authority().context("the address has no host")?.to_string();
        let host = uri.host().unwrap_or_default().to_owned();
        let plug = Plug { tls: TlsConnector::from(Arc::new(self.config()?)), host, authority };
        let endpoint = Endpoint::from_shared(format!("http://{}", plug.authority))?.origin(uri);
        Ok(endpoint.connect_with_connector(plug).await?)
    }

    fn config(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.ca)? {
            roots.add(certificate?)?;
        }
        let version = if self.is_old { &TLS12 } else { &TLS13 };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)?.collect();
                builder.with_client_auth_cert(chain?, PrivateKeyDer::from_pem_file(key)?)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

#[derive(Clone)]
struct Plug {
    tls: TlsConnector,
    host: String,
    authority: String,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TokioIo<TlsStream<TcpStream>>>> + Send>>;

impl Service<Uri> for Plug {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Connecting {
        let Self { tls, host, authority } = self.clone();
        Box::pin(async move {
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(tls.connect(name, stream).await?))
        })
    }
}
