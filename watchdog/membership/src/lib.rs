//! Membership: what watchdogs and agents share: records, sessions, election, joining, obituaries, observation.
//!
//! ```text
//! election, term      who leads, under which epoch         watchdogs
//! view                what is there, in O(changes)         the leader
//! member              one replica in the group             embedded agents
//! presence            a host and its processes             host agents
//! environment, handover   what a host agent tells a replica that it starts
//! obituary            proofs of death                      host agents, pruned by the leader
//!    └────────────── all written once, over `tree` ◄── zookeeper │ embedded, chosen by `wire::connector`
//! ```

pub mod election;
pub mod embedded;
pub mod environment;
pub mod handover;
pub mod link;
pub mod member;
pub mod obituary;
#[doc(hidden)]
pub mod outside;
pub mod pauses;
pub mod picture;
pub mod places;
pub mod presence;
pub mod records;
pub mod term;
pub mod tree;
pub mod view;
pub mod wire;
pub mod zookeeper;

mod delay;
