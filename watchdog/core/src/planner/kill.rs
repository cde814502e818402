//! Kill: end the lives that a replica has too many, and keep one.
//!
//! ```text
//! lives ──► keep the newest that is healthy on a host that may run it ──► end each other ──► probe the kept one
//! ```

use crate::condition::{is_healthy_on, is_serving};
use crate::ids::{HostId, Incarnation};
use crate::observation::{Life, Loaded};
use crate::plan::Act;
use crate::refusal::Reason;

use super::case::{Case, newest};
use super::death::{Manner, end};
use super::draft::Draft;
use super::hosts;

/// Plans the end of all lives but one.
///
/// # Errors
///
/// That the agent of a life that must end is not there, or may not be used.
pub fn kill(case: &Case) -> Result<Vec<Draft>, Reason> {
    let Case { input, .. } = case;
    let Some((kept, life)) = keep(case) else {
        return Err(Reason::Outdated { fault: crate::finding::FaultKind::Duplicate });
    };
    let mut steps = Vec::new();
    let mut obstacle = None;
    for (incarnation, other) in case.alive().filter(|(incarnation, _)| *incarnation != kept) {
        match killable(case, &other.host) {
            Ok(()) => {
                let mut end = end(case, (incarnation, &other.host), Some(other), Manner::Graceful);
                for step in &mut end {
                    step.why = format!("{}; {kept} is kept, {}", step.why, why_kept(case, life));
                }
                steps.extend(end);
            }
            Err(reason) => obstacle = Some(reason),
        }
    }
    // One that can't be reached must not protect those that can.
    if let Some(reason) = obstacle.filter(|_| steps.is_empty()) {
        return Err(reason);
    }
    let target = Loaded { version: case.target.version, state_hash: case.target.state_hash };
    let Loaded { version, state_hash } = life.loaded().unwrap_or(target);
    let act = Act::Probe { incarnation: kept, version, state_hash };
    steps.push(Draft::new(&input.policy, act, "the one that is kept must still serve"));
    Ok(steps)
}

fn killable(case: &Case, host: &HostId) -> Result<(), Reason> {
    if case.present(host).is_none() {
        return Err(Reason::Unreachable { host: host.clone() });
    }
    hosts::touchable(case.input, host)
}

/// The life that is kept: the one that serves its clients best, and of equals the newest, because
/// it was started when the older one was given up, and so is the one that was decided on.
fn keep<'a>(case: &Case<'a>) -> Option<(Incarnation, &'a Life)> {
    let worth = |life: &Life| worth(case, life);
    let best = case.alive().map(|(_, life)| worth(life)).max()?;
    newest(case.input, case.replica, |life| life.is_alive() && worth(life) == best)
}

/// How much a life is worth keeping. One whose agent is away can't be ended, so to keep it is no choice.
fn worth(case: &Case, life: &Life) -> (bool, bool, bool, bool) {
    let allowed = case.spec.hosts.contains(&life.host);
    let reachable = case.present(&life.host).is_some();
    let healthy = allowed && is_healthy_on(life, &case.target);
    (allowed && is_serving(life), allowed, reachable, healthy)
}

fn why_kept(case: &Case, life: &Life) -> &'static str {
    match worth(case, life) {
        (true, _, _, true) => "the newest that is healthy where it may run",
        (true, _, _, false) => "the newest that serves where it may run",
        (false, true, ..) => "the newest where it may run, for none serves",
        (false, false, ..) => "the newest, for none is where it may run",
    }
}
