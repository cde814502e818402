//! Trust: who is at the other end of a connection, and what they may do.
//!
//! ```text
//! accept ──► Connection (address, certificate) ──► + token or cookie ──► Peer (name, role) ──► may they?
//! ```

mod connection;
mod peer;
mod role;

pub use connection::{CertificateIdentity, Connection};
pub use peer::{Peer, Proof};
pub use role::{Role, UnknownRole};
