//! Trust: who is at the other end of a connection, and what they may do.
//!
//! ```text
//! accept ──► Connection (address, certificate) ──► + token or cookie ──► Peer (name, role) ──► may they?
//! ```

mod connection;
mod counters;
mod credentials;
mod dialer;
mod error;
mod facts;
mod file;
mod files;
mod gate;
mod identities;
#[cfg(any(feature = "mint", test))]
pub mod mint;
mod mistake;
mod orders;
mod peer;
mod refusal;
mod role;
mod seats;
mod servers;
#[cfg(test)]
mod tests;
mod token;
mod wire;
mod words;

pub use connection::{CertificateIdentity, Connection};
pub use counters::{Cause, Counters, Snapshot};
pub use credentials::{Clients, Credentials, Servers};
pub use dialer::{DialError, Dialer};
pub use error::TlsError;
pub use facts::CertificateFacts;
pub use file::IdentitiesFile;
pub use files::{IdentityFiles, TlsFiles};
pub use gate::{Gate, Incoming, Limits};
pub use identities::{Identities, Identity, NAME_BYTES_MAX};
pub use mistake::IdentitiesError;
pub use orders::Orders;
pub use peer::{Peer, Proof};
pub use role::{Role, UnknownRole};
pub use token::{
    NoToken, NoTokenHash, TOKEN_PREFIX, Token, TokenHash, bound_secret, same_secret, unguessable,
};
pub use wire::Wire;
pub use words::{Place, distance, nearest};
