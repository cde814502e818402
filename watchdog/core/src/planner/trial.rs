//! Trial: start who failed on a candidate once on the stable version, to tell a bad version from a bad host.
//!
//! ```text
//! serves on the stable version all the same? ──yes──► probe
//!        │ no
//!        └──► snapshot ──► kill what still runs ──► start on stable ──► probe
//! ```

use crate::condition::serves_on;
use crate::ids::HostId;
use crate::plan::Act;
use crate::refusal::Reason;

use super::case::Case;
use super::death::bury;
use super::draft::Draft;
use super::restart::manner;
use super::start::begin;

/// Plans the try on `host`; the case's target is the stable version.
///
/// # Errors
///
/// Why the old life can't be ended.
pub fn trial(case: &Case, host: &HostId) -> Result<Vec<Draft>, Reason> {
    if let Some((incarnation, life)) = case.life()
        && serves_on(life, &case.target)
        && case.alive().count() == 1
    {
        let (version, state_hash) = (case.target.version, case.target.state_hash);
        let act = Act::Probe { incarnation, version, state_hash };
        let why = "it could not load the candidate, and still serves the stable version";
        return Ok(vec![Draft::new(&case.input.policy, act, why)]);
    }
    let mut steps = bury(case, manner(case))?;
    let [mut start, probe] = begin(case, host)?;
    "on the stable version, to tell whether the candidate or the host is at fault".clone_into(&mut start.why);
    steps.extend([start, probe]);
    Ok(steps)
}
