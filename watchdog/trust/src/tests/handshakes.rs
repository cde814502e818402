//! Handshakes: who is let in, who is not, and as what that is counted.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};
use tonic::transport::server::Connected as _;

use super::{Host, PATIENCE, Town, credentials};
use crate::credentials::provider;
use crate::files::Material;
use crate::{Cause, CertificateIdentity, Clients, Gate, Role, TlsFiles};

/// What a client with any certificate, or none, and any version of TLS sees.
async fn ring(
    host: &Host,
    files: &TlsFiles,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<()> {
    let material = Material::read(files).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(material.roots);
    let config = match material.identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(host.address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    // In TLS 1.3 a client hears only afterwards that its certificate was refused.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await?;
    stream.read_exact(&mut [0; 9]).await?;
    Ok(())
}

fn nobody(files: &TlsFiles) -> TlsFiles {
    TlsFiles { ca: files.ca.clone(), identity: None }
}

#[tokio::test]
async fn only_citizens_are_let_in_and_each_stranger_is_counted_as_what_they_are() {
    let (town, abroad) = (Town::new(), Town::new());
    let own = town.citizen("host-a", Role::Agent);
    let host = Host::open(Gate::new(Some(credentials(own.clone(), Clients::Certified)))).await;
    let foreign = TlsFiles { ca: own.ca.clone(), ..abroad.citizen("w1", Role::Watchdog) };

    ring(&host, &town.citizen("w1", Role::Watchdog), &TLS13).await.unwrap();
    assert_eq!(host.counters.snapshot().admitted, 1);
    let table = [
        ("no certificate", nobody(&own), &TLS13, Cause::NoCertificate, 1),
        ("unknown authority", foreign, &TLS13, Cause::UnknownAuthority, 1),
        ("expired", town.dated("old", (-2, -1)), &TLS13, Cause::Expired, 1),
        ("not yet", town.dated("new", (1, 2)), &TLS13, Cause::Expired, 2),
        ("old TLS", town.citizen("w2", Role::Watchdog), &TLS12, Cause::OldProtocol, 1),
    ];
    for (who, files, version, cause, count) in table {
        let seen = tokio::time::timeout(PATIENCE, ring(&host, &files, version)).await.unwrap();
        assert!(seen.is_err(), "{who} was let in");
        host.until(cause, count).await;
    }
    let snapshot = host.counters.snapshot();
    assert_eq!(snapshot.admitted, 1, "nobody else");
    assert_eq!(snapshot.refused.values().sum::<u64>(), 5, "each once: {snapshot:?}");
}

#[tokio::test]
async fn whoever_does_not_speak_tls_gets_nothing() {
    let town = Town::new();
    let own = credentials(town.citizen("host-a", Role::Agent), Clients::Certified);
    let host = Host::open(Gate::new(Some(own))).await;
    let noise: Vec<u8> =
        (0..10_000_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let plain: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (count, said) in (1..).zip([plain, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &noise]) {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        // It may be cut off before it has said all.
        let _ = stream.write_all(said).await;
        let mut heard = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await.unwrap();
        // At most an alert, which says nothing about us.
        assert!(heard.len() <= 7, "{heard:?}");
        host.until(Cause::NotTls, count).await;
    }
    assert_eq!(host.counters.snapshot().admitted, 0);
}

#[tokio::test]
async fn what_is_known_of_the_other_end_is_told() {
    let town = Town::new();
    let own = town.citizen("w1", Role::Watchdog);
    let unnamed = crate::mint::Subject { name: "x", role: None, hosts: &[] };
    let unnamed = town.keep("x", &town.authority.issue(&unnamed, super::DAY).unwrap());
    let known = |name: &str, role| Some(CertificateIdentity { name: name.to_owned(), role });
    let table = [
        (nobody(&own), None),
        (town.citizen("ada", Role::Admin), known("ada", Some(Role::Admin))),
        (unnamed, known("x", None)),
    ];
    let gate = Gate::new(Some(credentials(own.clone(), Clients::Anybody)));
    for (files, expected) in table {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = gate.clone().incoming(listener);
        let client =
            crate::Dialer::new(Some(credentials(files, Clients::Certified)), crate::Servers::Watchdogs);
        let url = format!("https://{address}");
        let connecting =
            tokio::spawn(async move { client.connect(&url, |endpoint| endpoint).await.map(drop) });
        let wire = incoming.next().await.unwrap().unwrap();
        let connection = wire.connect_info();
        assert!(connection.encrypted && connection.from.ip().is_loopback());
        assert_eq!(connection.certificate, expected);
        connecting.abort();
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let wire = Gate::default().incoming(listener).next().await.unwrap().unwrap();
    let connection = wire.connect_info();
    assert_eq!((connection.encrypted, connection.certificate), (false, None), "without TLS");
    assert_eq!(connection.from, stream.local_addr().unwrap());
}
