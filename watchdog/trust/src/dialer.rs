//! Dialer: makes gRPC connections, each handshake with the certificates of that moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::credentials::{Credentials, Servers};

/// Connects to servers of one role.
#[derive(Debug, Clone)]
pub struct Dialer {
    credentials: Option<Arc<Credentials>>,
    servers: Servers,
}

/// Why a URL can't be dialed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// It is none of ours.
    #[error("{url} is not an address: expected http://HOST:PORT or https://HOST:PORT")]
    BadUrl {
        /// The text.
        url: String,
    },
    /// It asks for TLS, and we have no authority to judge the certificate by.
    #[error("{url} speaks TLS, and no certificate authority is configured here")]
    NoAuthority {
        /// The text.
        url: String,
    },
    /// It would go in the open, where everything else is encrypted.
    #[error("{url} is not encrypted, and TLS is on here: who listens there needs certificates too")]
    Unencrypted {
        /// The text.
        url: String,
    },
}

impl Dialer {
    /// Dials `servers` with these certificates; without any, only what is not encrypted.
    pub fn new(credentials: Option<Arc<Credentials>>, servers: Servers) -> Self {
        Self { credentials, servers }
    }

    /// A channel to `url` that connects when it is first used, and again when it has to; `tune` sets its time-outs.
    ///
    /// # Errors
    ///
    /// A [`DialError`] when nothing of ours can be there.
    pub fn channel(&self, url: &str, tune: impl FnOnce(Endpoint) -> Endpoint) -> Result<Channel, DialError> {
        let (endpoint, plug) = self.endpoint(url)?;
        Ok(tune(endpoint).connect_with_connector_lazy(plug))
    }

    /// The same, connected now.
    ///
    /// # Errors
    ///
    /// A [`DialError`], or what came in the way of connecting.
    pub async fn connect(
        &self,
        url: &str,
        tune: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Result<Channel, Box<dyn std::error::Error + Send + Sync>> {
        let (endpoint, plug) = self.endpoint(url)?;
        Ok(tune(endpoint).connect_with_connector(plug).await?)
    }

    fn endpoint(&self, url: &str) -> Result<(Endpoint, Plug), DialError> {
        let bad = || DialError::BadUrl { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let tls = match (&self.credentials, encrypted) {
            (Some(credentials), true) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
                Some(Tls { credentials: credentials.clone(), servers: self.servers, name })
            }
            (None, true) => return Err(DialError::NoAuthority { url: url.to_owned() }),
            (Some(_), false) => return Err(DialError::Unencrypted { url: url.to_owned() }),
            (None, false) => None,
        };
        // The encryption is the plug's business: for the channel the address is a plain one.
        let authority = uri.authority().ok_or_else(bad)?;
        let plain = Endpoint::from_shared(format!("http://{authority}")).map_err(|_| bad())?;
        Ok((plain.origin(uri), Plug { host, port, tls }))
    }
}

/// Connects to one server, again and again.
#[derive(Debug, Clone)]
struct Plug {
    host: String,
    port: u16,
    tls: Option<Tls>,
}

#[derive(Debug, Clone)]
struct Tls {
    credentials: Arc<Credentials>,
    servers: Servers,
    name: ServerName<'static>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

type Line = TokioIo<Box<dyn Duplex>>;
type Connecting = Pin<Box<dyn Future<Output = io::Result<Line>> + Send>>;

impl Service<Uri> for Plug {
    type Response = Line;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Connecting {
        let Self { host, port, tls } = self.clone();
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            // Without this small questions wait for the other side's delayed acknowledgement.
            stream.set_nodelay(true)?;
            let Some(Tls { credentials, servers, name }) = tls else {
                return Ok(TokioIo::new(Box::new(stream) as Box<dyn Duplex>));
            };
            let connector = TlsConnector::from(credentials.client(servers));
            let stream = connector.connect(name, stream).await?;
            Ok(TokioIo::new(Box::new(stream) as Box<dyn Duplex>))
        })
    }
}
