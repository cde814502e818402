//! Load: bring what a replica holds in memory back to what it should hold, without ending it.
//!
//! ```text
//! it runs, and somebody there can load ──► load the difference ──► probe
//! ```

use crate::ids::Version;
use crate::plan::Act;
use crate::refusal::Reason;

use super::case::Case;
use super::draft::Draft;

/// Plans the load of the target version into the life that runs.
///
/// It is not drained: an agent prepares beside the old state, which serves until the new one takes its place.
///
/// # Errors
///
/// That nobody there can load, or that it no longer runs.
pub fn load(case: &Case) -> Result<Vec<Draft>, Reason> {
    let Case { input, .. } = case;
    let Some((incarnation, life)) = case.life() else {
        let fault = case.fault().unwrap_or(crate::finding::FaultKind::WrongVersion);
        return Err(Reason::Outdated { fault });
    };
    if life.member.is_none() && case.present(&life.host).is_none() {
        return Err(Reason::Unreachable { host: life.host.clone() });
    }
    let to = case.target.version;
    // A version that the log does not have can't be a starting point; the agent then loads the whole state.
    let held = life.loaded().map(|loaded| loaded.version).filter(|version| *version <= input.target.head);
    let from = held.unwrap_or(Version(0));
    let load = Draft::new(&input.policy, Act::Load { incarnation, from, to }, why(from, to));
    let act = Act::Probe { incarnation, version: to, state_hash: case.target.state_hash };
    let probe = Draft::new(&input.policy, act, "healed is who proves by its hash what it holds");
    Ok(vec![load, probe])
}

fn why(from: Version, to: Version) -> String {
    if from == to {
        format!("it says version {to} and holds something else")
    } else if from == Version(0) {
        format!("what it holds is no version of the log; it should hold {to}")
    } else {
        format!("it holds version {from} and should hold {to}")
    }
}
