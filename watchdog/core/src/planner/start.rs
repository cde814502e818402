//! Start: give life to a replica that is proven dead or was never started.
//!
//! ```text
//! every other life dead, or killed first ──no──► Refusal
//!                     │ yes
//!                     ▼
//!              start ──► probe
//! ```

use crate::ids::HostId;
use crate::plan::Act;
use crate::refusal::Reason;

use super::case::Case;
use super::death::{Manner, bury};
use super::draft::Draft;

/// Plans a new life on `host`.
///
/// # Errors
///
/// Why another life of it may still run.
pub fn start(case: &Case, host: &HostId) -> Result<Vec<Draft>, Reason> {
    let mut steps = bury(case, Manner::AtOnce)?;
    steps.extend(begin(case, host)?);
    Ok(steps)
}

/// The steps that start it with the state that it should hold, and see it healthy.
///
/// # Errors
///
/// [`Reason::Busy`] when as many starts are planned as there are incarnations.
pub fn begin(case: &Case, host: &HostId) -> Result<[Draft; 2], Reason> {
    let Case { input, .. } = case;
    let planned = input.fresh.len();
    let incarnation = case.fresh.ok_or(Reason::Busy { healing: planned, max: planned })?;
    let version = case.target.version;
    let act = Act::Start { host: host.clone(), incarnation, version };
    let start = Draft::new(&input.policy, act, "nothing else of it runs then");
    let act = Act::Probe { incarnation, version, state_hash: case.target.state_hash };
    let probe = Draft::new(&input.policy, act, "healed is who is seen healthy, not who was ordered to be");
    Ok([start, probe])
}
