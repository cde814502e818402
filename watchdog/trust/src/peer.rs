//! Peer: whoever asks, once it is known who that is.

use std::net::SocketAddr;

use crate::role::Role;

/// Stands in the extensions of every request that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their name, as the certificate or the file of identities has it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How we know.
    pub proof: Proof,
    /// Where they asked from.
    pub from: SocketAddr,
}

/// How we know who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By the certificate of their connection.
    Certificate,
    /// By a bearer token.
    Token,
    /// Not at all: authentication is off, which it can only be on this machine's loopback.
    Loopback,
}

impl Proof {
    /// As it stands in the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Token => "token",
            Self::Loopback => "loopback",
        }
    }
}
