//! Stop: end a replica that the log does not declare any more.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::refusal::Reason;
use crate::replica::ReplicaSpec;

use super::case::Case;
use super::death::{Manner, bury};
use super::draft::Draft;

/// What stands in the place of a declaration that is gone: it may live nowhere, and gets the usual grace.
pub static UNDECLARED: LazyLock<ReplicaSpec> = LazyLock::new(|| ReplicaSpec {
    hosts: Vec::new(),
    program: String::new(),
    parameters: BTreeMap::new(),
    probes: Vec::new(),
    exclusive: false,
    lease_ms: 10_000,
    grace_ms: 5_000,
    live_load: false,
    tags: BTreeMap::new(),
});

/// Plans the end of all its lives, each with its grace.
///
/// # Errors
///
/// That the agent of one of them is not there, or may not be used.
pub fn stop(case: &Case) -> Result<Vec<Draft>, Reason> {
    let mut steps = bury(case, Manner::Graceful)?;
    for step in &mut steps {
        step.why = format!("the log does not declare it any more; {}", step.why);
    }
    if steps.is_empty() { Err(Reason::NotDeclared) } else { Ok(steps) }
}
