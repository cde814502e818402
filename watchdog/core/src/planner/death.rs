//! Death: makes sure that no life of a replica runs before another is started.
//!
//! ```text
//! each known life ──► obituary, or another boot? ──yes──► nothing to do
//!                          │ no, or exclusive and only the main process is gone ──► Refusal: tree not gone (a human)
//!                     agent there? ──yes──► kill it by name
//!                          │ no
//!                     alive by its own word? ──yes──► Refusal: unreachable
//!                          │ no
//!                     lease surely over? ──no──► Refusal: lease running
//!                          │ yes
//!                     exclusive? ──yes──► Refusal: not fenced (a human)
//!                          │ no
//!                     presumed dead
//! ```

use crate::ids::{HostId, Incarnation, Time};
use crate::observation::{Life, Presence};
use crate::plan::Act;
use crate::refusal::Reason;

use super::case::{Case, lives};
use super::draft::Draft;
use super::hosts;

/// How a life that still runs is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Drained, then asked to leave, then killed when its grace is over.
    Graceful,
    /// Killed at once: a stopped process ignores SIGTERM.
    AtOnce,
}

/// The steps that end every life of the replica that is not proven dead.
///
/// # Errors
///
/// Why a life can neither be ended nor be presumed dead yet.
pub fn bury(case: &Case, manner: Manner) -> Result<Vec<Draft>, Reason> {
    let mut steps = Vec::new();
    for (incarnation, host) in case.known_lives() {
        let life = lives(case.input, case.replica).find(|(id, _)| *id == incarnation).map(|(_, life)| life);
        if is_proven_dead(case, incarnation, host) {
            if may_leave_some(case, incarnation) {
                return Err(Reason::TreeNotGone { host: host.clone() });
            }
            continue;
        }
        if case.present(host).is_some() {
            if !is_history(case, incarnation, host) {
                hosts::touchable(case.input, host)?;
                steps.extend(end(case, (incarnation, host), life, manner));
            }
        } else if life.is_some_and(Life::is_alive) {
            return Err(Reason::Unreachable { host: host.clone() });
        } else {
            presume_dead(case, incarnation, host)?;
        }
    }
    Ok(steps)
}

/// The steps that end one life; one that nobody has seen is killed by name, so that it can't appear late.
pub fn end(
    case: &Case,
    (incarnation, host): (Incarnation, &HostId),
    life: Option<&Life>,
    manner: Manner,
) -> Vec<Draft> {
    let policy = &case.input.policy;
    let host = host.clone();
    let mut steps = Vec::new();
    if life.is_some_and(|life| life.process.is_some()) {
        let act = Act::Snapshot { host: host.clone(), incarnation, budget_ms: policy.snapshot_ms };
        steps.push(Draft::optional(policy, act, "what it looked like goes with it otherwise"));
    }
    let drains = manner == Manner::Graceful && life.is_some_and(|life| life.member.is_some());
    if drains {
        let act = Act::Drain { incarnation };
        steps.push(Draft::optional(policy, act, "it finishes what it has begun before it is ended"));
    }
    let (grace_ms, why) = match (life.is_some_and(Life::is_alive), manner) {
        (true, Manner::Graceful) => {
            (case.spec.grace_ms, "it is asked to leave, and killed when its grace is over")
        }
        (true, Manner::AtOnce) => (0, "it does not answer, so it would ignore a request to leave"),
        (false, _) => (0, "nothing proves that it is dead, so its agent makes sure"),
    };
    steps.push(Draft::new(policy, Act::Kill { host, incarnation, grace_ms }, why));
    steps
}

/// Whether an obituary or another boot of its host proves that this life is over.
pub fn is_proven_dead(case: &Case, incarnation: Incarnation, host: &HostId) -> bool {
    let life = lives(case.input, case.replica).find(|(id, _)| *id == incarnation).map(|(_, life)| life);
    let past = case.input.history.lives.get(case.replica).into_iter().flatten();
    let mut past = past.filter(|past| past.incarnation == incarnation);
    life.is_some_and(|life| life.obituary.is_some())
        || past.any(|past| past.obituary.is_some())
        || (life.is_none_or(|life| life.process.is_none()) && has_rebooted(case, host))
}

/// Whether processes of an exclusive replica's ended life may still run: only its main one is proven gone. Once a
/// newer life was ordered, that was settled.
fn may_leave_some(case: &Case, incarnation: Incarnation) -> bool {
    let seen = lives(case.input, case.replica).filter(|(id, _)| *id == incarnation);
    let past = case.input.history.lives.get(case.replica).into_iter().flatten();
    let past = past.filter(|past| past.incarnation == incarnation);
    let mut proofs = seen
        .filter_map(|(_, life)| life.obituary.as_ref())
        .chain(past.filter_map(|past| past.obituary.as_ref()))
        .peekable();
    let is_told = proofs.peek().is_some();
    case.spec.exclusive
        && is_told
        && !proofs.any(|proof| proof.tree_gone)
        && !case.input.history.is_succeeded(case.replica, incarnation)
}

/// Whether the host was seen in another boot than the one on record.
fn has_rebooted(case: &Case, host: &HostId) -> bool {
    let known = case.input.history.hosts.get(host);
    let seen = case.present(host);
    known.zip(seen).is_some_and(|(known, seen)| known.boot_id != seen.boot_id)
}

/// Whether a newer life was ordered after this one, which happens only when this one's end was established,
/// and its host's complete inventory does not list it. An exclusive replica needs proof of every one.
fn is_history(case: &Case, incarnation: Incarnation, host: &HostId) -> bool {
    let seen = lives(case.input, case.replica).any(|(id, life)| id == incarnation && life.is_alive());
    let listed_all = case.present(host).is_some_and(|host| host.inventory_complete);
    !case.spec.exclusive && !seen && listed_all && case.input.history.is_succeeded(case.replica, incarnation)
}

/// Whether a life on a silent host may be taken for dead.
fn presume_dead(case: &Case, incarnation: Incarnation, host: &HostId) -> Result<(), Reason> {
    let policy = &case.input.policy;
    let lease_ms = if case.spec.exclusive {
        case.spec.lease_ms.saturating_add(policy.timeouts.kill_ms)
    } else {
        policy.lease_ms
    };
    let until =
        silent_since(case, incarnation, host).plus_ms(lease_ms.saturating_add(policy.lease_margin_ms));
    if case.input.now < until {
        return Err(Reason::LeaseRunning { host: host.clone(), until });
    }
    if case.spec.exclusive {
        return Err(Reason::NotFenced { host: host.clone() });
    }
    Ok(())
}

/// Since when neither this life nor its host was seen, by this leader's own first sight of that.
fn silent_since(case: &Case, incarnation: Incarnation, host: &HostId) -> Time {
    let gone = match case.input.observation.hosts.get(host).map(|host| host.presence) {
        Some(Presence::Gone { since }) => Some(since),
        Some(Presence::Present) | None => None,
    };
    let absent = case.input.observation.replicas.get(case.replica).and_then(|seen| seen.absent_since);
    // An older life was not seen when the newer one was ordered, so only its host's silence counts.
    if let (true, Some(gone)) = (case.input.history.is_succeeded(case.replica, incarnation), gone) {
        return gone;
    }
    gone.into_iter().chain(absent).max().unwrap_or(case.input.now)
}
