//! Secrecy: what the configuration must say before anything leaves this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;
use watchdog_membership::wire;
use watchdog_trust::{Clients, Credentials, Role, TlsFiles};

use super::TlsTable;
use super::rules::Broken;

impl TlsTable {
    /// All three keys or none; and files that can be used.
    pub(super) fn checked(self) -> Result<Option<TlsFiles>, Broken> {
        let Some((ca, certificate, key)) =
            together([self.ca, self.certificate, self.key], ["ca", "certificate", "key"])?
        else {
            return Ok(None);
        };
        let place = certificate.span();
        let files = TlsFiles::new(ca.into_inner(), certificate.into_inner(), key.into_inner());
        match Credentials::open(files.clone(), Some(Role::Watchdog), Clients::Anybody) {
            Ok(_) => Ok(Some(files)),
            Err(error) => Err((place, format!("{:#}", anyhow::Error::new(error)))),
        }
    }
}

/// How ZooKeeper is spoken to: an authority is enough where it wants no certificate of ours.
pub(super) fn coordination(
    url: &Spanned<String>,
    keys: [Option<Spanned<PathBuf>>; 3],
) -> Result<Option<wire::Tls>, Broken> {
    let [ca, certificate, key] = keys;
    let Some(place) = [&ca, &certificate, &key].into_iter().flatten().map(Spanned::span).next() else {
        return Ok(None);
    };
    if url.get_ref().starts_with("embedded:") {
        return Err((
            place,
            "the embedded service never leaves this machine; leave the tls_ keys out".to_owned(),
        ));
    }
    let (ca, identity) = match (ca, certificate, key) {
        (Some(ca), None, None) => (ca, None),
        (ca, certificate, key) => {
            let names = ["tls_ca", "tls_certificate", "tls_key"];
            let Some((ca, certificate, key)) = together([ca, certificate, key], names)? else {
                return Ok(None);
            };
            (ca, Some((certificate.into_inner(), key.into_inner())))
        }
    };
    let files = std::iter::once(ca.get_ref()).chain(identity.iter().flat_map(|(it, key)| [it, key]));
    for file in files {
        let unreadable = |error| (place.clone(), format!("cannot read {}: {error}", file.display()));
        std::fs::read(file).map_err(unreadable)?;
    }
    Ok(Some(wire::Tls { ca: ca.into_inner(), identity }))
}

type Three = (Spanned<PathBuf>, Spanned<PathBuf>, Spanned<PathBuf>);

fn together(keys: [Option<Spanned<PathBuf>>; 3], names: [&'static str; 3]) -> Result<Option<Three>, Broken> {
    let place = keys.iter().flatten().map(Spanned::span).next();
    let lacking: Vec<&str> =
        keys.iter().zip(names).filter(|(key, _)| key.is_none()).map(|(_, name)| name).collect();
    match (keys, place) {
        ([Some(ca), Some(certificate), Some(key)], _) => Ok(Some((ca, certificate, key))),
        (_, Some(place)) => Err((place, format!("{} must be given too", lacking.join(" and ")))),
        (_, None) => Ok(None),
    }
}

/// Without TLS nobody beyond this machine may reach us.
fn loopback(listen: SocketAddr) -> Result<(), String> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{listen} is reachable from other machines and TLS is not configured; listen on 127.0.0.1:{}, or give ca, certificate and key in a table [tls] (`watchdogctl certs init --help` makes them)",
        listen.port()
    ))
}

/// Where we may listen, with or without TLS, and with or without an address to tell others.
pub(super) fn listen(listen: SocketAddr, is_encrypted: bool, has_address: bool) -> Result<(), String> {
    if !is_encrypted {
        return loopback(listen);
    }
    if listen.ip().is_unspecified() && !has_address {
        return Err(format!(
            "{listen} is no address that others could be told; give the one at which they reach us: address = \"https://HOST:{}\"",
            listen.port()
        ));
    }
    Ok(())
}

/// Whether others can reach us at `address`.
pub(super) fn reachable(address: &str, is_encrypted: bool) -> Result<(), String> {
    let (wanted, other) = if is_encrypted { ("https", "http") } else { ("http", "https") };
    let expected = || format!("{address:?} is not a URL of ours; expected {wanted}://HOST:PORT");
    let uri: tonic::transport::Uri = address.parse().map_err(|_| expected())?;
    if uri.scheme_str() == Some(other) {
        return Err(if is_encrypted {
            format!("{address:?} is not encrypted, and [tls] is configured; use https://")
        } else {
            format!("{address:?} asks for TLS, which is not configured; use http://, or add a table [tls]")
        });
    }
    let bare = uri.path() == "/" && uri.query().is_none() && !address.ends_with('/');
    if uri.scheme_str() != Some(wanted) || uri.host().is_none() || !bare {
        return Err(expected());
    }
    match uri.port_u16() {
        Some(0) => Err("port 0 cannot be reached; leave `address` out to advertise the real port".to_owned()),
        Some(_) => Ok(()),
        None => Err(format!("{address:?} lacks the port; expected {wanted}://HOST:PORT")),
    }
}
