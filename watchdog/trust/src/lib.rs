//! Trust: who is at the other end of a connection, and what they may do.
//!
//! ```text
//! accept ──► Connection (address, certificate) ──► + token or cookie ──► Peer (name, role) ──► may they?
//! ```

mod connection;
mod file;
mod identities;
mod mistake;
mod peer;
mod role;
mod token;

pub use connection::{CertificateIdentity, Connection};
pub use file::IdentitiesFile;
pub use identities::{Identities, Identity, NAME_BYTES_MAX};
pub use mistake::{IdentitiesError, Place};
pub use peer::{Peer, Proof};
pub use role::{Role, UnknownRole};
pub use token::{
    NoToken, NoTokenHash, TOKEN_PREFIX, Token, TokenHash, bound_secret, same_secret, unguessable,
};
