//! Proof: who asks, by what they show: a token, a session, a certificate, or their place on this machine.

use std::net::SocketAddr;
use std::time::Instant;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tonic::transport::server::TcpConnectInfo;
use watchdog_trust::{Connection, Identity, Peer, Proof, Role, Token, bound_secret};

use super::Access;
use super::refusal::Refusal;

/// The name of whoever asks while authentication is off and no name is given.
pub(super) const ANYBODY: &str = "anybody on this machine";

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// For the handlers.
    pub(super) peer: Peer,
    /// What a page of ours sends with an act; none when what they show is not shown by a browser by itself.
    pub(super) csrf: Option<String>,
}

/// What is known of the connection: as its acceptor says, or as plain TCP has it.
pub(super) fn connection(parts: &Parts) -> Option<Connection> {
    let plain = || {
        let from = parts.extensions.get::<TcpConnectInfo>()?.remote_addr()?;
        Some(Connection { from, certificate: None, encrypted: false })
    };
    parts.extensions.get::<Connection>().cloned().or_else(plain)
}

impl Access {
    /// Whether whoever connects may do everything: only within this machine, without TLS and without a file.
    pub(super) fn is_off(&self, connection: &Connection) -> bool {
        self.identities.is_none()
            && self.loopback
            && connection.from.ip().is_loopback()
            && !connection.encrypted
    }

    /// Who asks. A token goes before a session, and that before a certificate: it was shown on purpose.
    ///
    /// # Errors
    ///
    /// When nothing is shown, or nothing that is anybody's.
    pub(super) fn caller(&self, parts: &Parts, connection: &Connection) -> Result<Caller, Refusal> {
        let from = connection.from;
        if self.is_off(connection) {
            let peer = Peer { name: ANYBODY.to_owned(), role: Role::Admin, proof: Proof::Loopback, from };
            return Ok(Caller { csrf: Some(bound_secret(&self.secret, "")), peer });
        }
        if let Some(shown) = parts.headers.get(AUTHORIZATION) {
            let token = shown.to_str().ok().and_then(bearer).ok_or(Refusal::BadToken)?;
            let identities = self.identities.as_ref().map(watchdog_trust::IdentitiesFile::current);
            let identity = identities.as_ref().and_then(|all| all.by_token(&token)).cloned();
            let peer = peer(identity.ok_or(Refusal::BadToken)?, Proof::Token, from)?;
            return Ok(Caller { peer, csrf: None });
        }
        let encrypted = connection.encrypted;
        if let Some(session) = self.sessions.of(&parts.headers, encrypted, Instant::now()) {
            let identities = self.identities.as_ref().map(watchdog_trust::IdentitiesFile::current);
            let identity = identities.as_ref().and_then(|all| all.by_token_hash(&session.token)).cloned();
            let peer = peer(identity.ok_or(Refusal::SessionOver)?, Proof::Token, from)?;
            return Ok(Caller { peer, csrf: Some(session.csrf) });
        }
        let Some(certificate) = &connection.certificate else {
            let was_here = self.sessions.is_shown(&parts.headers, encrypted);
            return Err(if was_here { Refusal::SessionOver } else { Refusal::Stranger });
        };
        let identity = match &self.identities {
            Some(file) => file.current().by_certificate(certificate),
            None => watchdog_trust::Identities::default().by_certificate(certificate),
        };
        let csrf = Some(bound_secret(&self.secret, &identity.name));
        Ok(Caller { peer: peer(identity, Proof::Certificate, from)?, csrf })
    }
}

fn peer(identity: Identity, proof: Proof, from: SocketAddr) -> Result<Peer, Refusal> {
    let Identity { name, role, .. } = identity;
    match role {
        Some(role) => Ok(Peer { name, role, proof, from }),
        None => Err(Refusal::NoRole { name }),
    }
}

/// The token of a header `Bearer wdt_…`.
fn bearer(text: &str) -> Option<Token> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().parse().ok()).flatten()
}
