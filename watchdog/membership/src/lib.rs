//! Membership: what watchdogs and agents share: records, sessions, election, joining, obituaries, observation.

pub mod records;
pub mod tree;
