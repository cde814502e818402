//! Proto: the messages and services that our processes speak, generated from `proto/*.proto`.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::large_enum_variant,
    clippy::too_many_arguments,
    clippy::allow_attributes,
    reason = "generated; the .proto files hold the documentation"
)]
mod generated {
    /// Host agents and embedded agents.
    pub mod agent {
        tonic::include_proto!("watchdog.agent.v1");
    }
    /// The embedded coordination service.
    pub mod coordination {
        tonic::include_proto!("watchdog.coordination.v1");
    }
    /// What operators and their tools ask a watchdog.
    pub mod admin {
        tonic::include_proto!("watchdog.admin.v1");
    }
}

pub use generated::{admin, agent, coordination};

/// The descriptors of all of the above, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/watchdog.bin"));
