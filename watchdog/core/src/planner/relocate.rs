//! Relocate: start a replica on another host that may run it.
//!
//! ```text
//! old host there? ──yes──► snapshot ──► drain ──► kill ──► start elsewhere ──► probe
//!        │ no
//!        └──► lease surely over? ──no──► Refusal
//!                     │ yes, and not exclusive
//!                     └──► start elsewhere ──► probe
//! ```

use crate::ids::HostId;
use crate::refusal::Reason;

use super::case::Case;
use super::death::bury;
use super::draft::Draft;
use super::restart::manner;
use super::start::begin;

/// Plans a new life on `to`.
///
/// # Errors
///
/// Why the old life may still run.
pub fn relocate(case: &Case, to: &HostId) -> Result<Vec<Draft>, Reason> {
    let mut steps = bury(case, manner(case))?;
    steps.extend(begin(case, to)?);
    Ok(steps)
}
