//! Membership: what watchdogs and agents share: records, sessions, election, joining, obituaries, observation.

pub mod environment;
pub mod records;
pub mod tree;
