//! Endpoint: where spans are sent, as a configuration or the environment says.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The standard's variable; it goes before a configuration, so that one run can be traced.
pub const VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The gRPC port of an OTLP collector on this machine: `http://127.0.0.1:4317`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// An address to which no span is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is none of a collector.
    #[error("{text:?} is not the address of a collector; expected http://127.0.0.1:PORT, usually 4317")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// It leads elsewhere, and spans would go there readable by everybody.
    #[error(
        "{text} leads away from this machine without TLS; run a collector here, which passes spans on by TLS, and give its address, such as http://127.0.0.1:4317"
    )]
    Elsewhere {
        /// What was given.
        text: String,
    },
}

impl Endpoint {
    /// What the environment says, or else `configured`.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] when the environment names none that could be used.
    pub fn choose(configured: Option<Self>) -> Result<Option<Self>, EndpointError> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.trim().parse().map(Some),
            _ => Ok(configured),
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed { text: text.to_owned() };
        let elsewhere = || EndpointError::Elsewhere { text: text.to_owned() };
        if text.starts_with("https://") {
            return Err(elsewhere());
        }
        let host = text.strip_prefix("http://").ok_or_else(malformed)?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let (name, port) = host.rsplit_once(':').ok_or_else(malformed)?;
        port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(malformed)?;
        let is_loopback = name == "localhost"
            || host.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback())
            || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if name.is_empty() || name.contains(['/', '@', '?', '#']) {
            return Err(malformed());
        }
        is_loopback.then(|| Self(format!("http://{host}"))).ok_or_else(elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stay_on_this_machine() {
        let table = [
            ("http://127.0.0.1:4317", Some("http://127.0.0.1:4317")),
            ("http://localhost:4317/", Some("http://localhost:4317")),
            ("http://[::1]:4317", Some("http://[::1]:4317")),
            ("http://10.0.0.1:4317", None),
            ("http://127.0.0.1", None),
            ("http://127.0.0.1:0", None),
            ("http://user:word@127.0.0.1:4317", None),
            ("https://127.0.0.1:4317", None),
            ("127.0.0.1:4317", None),
            ("", None),
        ];
        for (text, expected) in table {
            let read = text.parse::<Endpoint>().ok();
            assert_eq!(read.as_ref().map(Endpoint::as_str), expected, "{text}");
        }
    }
}
