//! Wrong setup: a replica runs with another program, other parameters or other probes than the log declares.
//!
//! Healed by a new life, one at a time ([`crate::planner::restart`]).

use crate::condition::is_as_declared;
use crate::finding::{FaultKind, Finding, Source};
use crate::ids::Incarnation;
use crate::observation::Life;
use crate::scene::Case;

/// A finding when its host agent attests another setup; not while the goal that changed it has still to move it.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    case.spec.filter(|spec| !is_as_declared(life, spec))?;
    // Where nothing is stable yet a goal moves nobody.
    let rollout = case.scene.history.rollout.as_ref().filter(|_| case.scene.target.stable.is_some());
    let waits = rollout.is_some_and(|rollout| !rollout.expects(case.replica));
    if waits || case.is_coming_up(incarnation, life) || case.is_being_moved() {
        return None;
    }
    let detail = "it was started with other parameters, another program or other probes than are declared";
    let evidence = case.proven(Source::HostAgent);
    Some(case.finding(FaultKind::WrongSetup, detail.to_owned(), evidence).of_life(incarnation))
}
