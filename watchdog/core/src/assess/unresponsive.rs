//! Unresponsive: one side says that a replica runs and the other that it does not answer.

use crate::fate::Word;
use crate::finding::{Evidence, FaultKind, Finding, Proof, Source};
use crate::ids::Incarnation;
use crate::observation::{Life, Probed, ProcessSeen};
use crate::scene::Case;

/// A finding when its probes fail, when it does not end although it was told to, or when it is a zombie.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let process = life.process.as_ref()?;
    let finding =
        |detail, evidence| Some(case.finding(FaultKind::Unresponsive, detail, evidence).of_life(incarnation));
    if process.stopping {
        let overdue = is_overdue(case, process);
        let detail = || format!("process {} was told to end and did not", process.pid);
        return overdue.then(detail).and_then(|detail| finding(detail, case.proven(Source::HostAgent)));
    }
    if process.probe == Probed::Failing {
        if case.is_coming_up(incarnation, life) {
            return None;
        }
        let detail = format!("process {} runs, but its probe fails: {}", process.pid, process.detail);
        return finding(detail, of_round(case, process));
    }
    // By silence, because a session is also lost by a replica that serves well and can't reach the group.
    zombie(case, incarnation, life).and_then(|detail| finding(detail, case.silence()))
}

/// Why a life whose process runs counts as a zombie.
///
/// A program that embeds the agent must be in the group. Of one that was never in it we ask a passing
/// probe instead, unless there is neither a probe nor a need for one.
pub(crate) fn zombie(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<String> {
    let process = life.process.as_ref().filter(|_| life.member.is_none())?;
    let (why, since) = if case.seen.embeds {
        let left_at = case.seen.memberless_since.unwrap_or(process.since);
        ("has left the group", left_at.max(process.since))
    } else {
        let has_probe = case.spec.is_none_or(|spec| !spec.probes.is_empty());
        let is_mute = process.probe == Probed::Unknown && (has_probe || process.loaded.is_none());
        if !is_mute {
            return None;
        }
        ("neither a probe nor itself says that it works", process.since)
    };
    let long = case.now().since_ms(since) > case.scene.policy.timeouts.start_ms;
    let is_zombie = long && !case.is_being_started(incarnation);
    is_zombie.then(|| format!("process {} runs, but {why}", process.pid))
}

/// A finding when the main process of the newest life is dead, but its session lives on and so may its children.
pub(super) fn check_leftovers(case: &Case<'_>) -> Option<Finding> {
    let (incarnation, life) = case.seen.newest((case.replica, case.scene.history), |_, _| true)?;
    let obituary = life.obituary.as_ref()?;
    let lingers = life.member.is_some() && life.process.is_none() && !obituary.tree_gone;
    if !lingers || !matches!(Word::of(case.scene, &life.host), Word::Knows) {
        return None;
    }
    let detail = format!("its main process is dead ({}), but its session lives on", obituary.status);
    Some(case.finding(FaultKind::Unresponsive, detail, case.proven(Source::Group)).of_life(incarnation))
}

/// Whether it has had its grace, and the time that a kill takes.
fn is_overdue(case: &Case<'_>, process: &ProcessSeen) -> bool {
    let grace_ms = case.spec.map_or(0, |spec| spec.grace_ms);
    let allowed_ms = grace_ms.saturating_add(case.scene.policy.timeouts.kill_ms);
    case.now().since_ms(process.since) > allowed_ms
}

fn of_round(case: &Case<'_>, process: &ProcessSeen) -> Evidence {
    Evidence { source: Source::HostAgent, proof: Proof::Proven, at: case.now(), look: process.round }
}
