//! Outside: the readers of what comes from outside, for whoever tests them with bad input.
//!
//! No part of the library's contract.

use tonic::Status;
use watchdog_core::ids::Incarnation;
use watchdog_proto::agent::ActRequest;

use crate::identity::{self, Identity};
use crate::order::Order;

/// Reads an order as the embedded agent of replica `demo-a` of cluster `demo` does, in the given life of it.
///
/// # Errors
///
/// What the watchdog is answered.
pub fn order(request: ActRequest, incarnation: Incarnation) -> Result<String, Status> {
    let name = |error: watchdog_core::ids::NameError| Status::internal(error.to_string());
    let us = Identity {
        cluster: "demo".parse().map_err(name)?,
        replica: "demo-a".parse().map_err(name)?,
        host: "h1".parse().map_err(name)?,
        incarnation,
        pid: 7,
        start_ticks: 70,
        boot_id: "boot".to_owned(),
    };
    Ok(format!("{:?}", Order::parse(request, &us)?))
}

/// Reads when the process was started from `/proc/self/stat`.
pub fn start_ticks(stat: &str) -> Option<u64> {
    identity::start_ticks(stat)
}
