//! Restart: end what still runs of a replica and start it again on the same host.
//!
//! ```text
//! does it answer? ──yes──► snapshot ──► drain ──► kill, with its grace ──► start ──► probe
//!        │ no
//!        └──► snapshot ──► kill at once ──► start ──► probe
//! ```

use crate::finding::FaultKind;
use crate::ids::HostId;
use crate::refusal::Reason;

use super::case::Case;
use super::death::{Manner, bury};
use super::draft::Draft;
use super::start::begin;

/// Plans a new life on `host` in the place of the one that runs there.
///
/// # Errors
///
/// Why the old life can't be ended.
pub fn restart(case: &Case, host: &HostId) -> Result<Vec<Draft>, Reason> {
    let mut steps = bury(case, manner(case))?;
    steps.extend(begin(case, host)?);
    Ok(steps)
}

/// How a life that is at fault is ended: who does not answer would ignore a request.
pub fn manner(case: &Case) -> Manner {
    if case.is_convicted_of(FaultKind::Unresponsive) { Manner::AtOnce } else { Manner::Graceful }
}
