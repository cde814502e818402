//! Ladder: which remedy a replica's own past calls for, and whether the next try is due.
//!
//! ```text
//! load again ──► restart in place ──► (on a candidate) once on stable ──► another allowed host ──► a human
//!      (tries, with growing delays, counted since the last quiet)
//! ```
//!
//! Everything is read from the record, so that a change of leader resets nothing.

use std::collections::BTreeMap;

use crate::blame::Blame;
use crate::condition::serves_on;
use crate::finding::FaultKind;
use crate::history::{Begun, PastHeal};
use crate::ids::{HostId, Time};
use crate::plan::Outcome;
use crate::planner::case::Case;
use crate::planner::hosts;
use crate::policy::Remedy;
use crate::refusal::Reason;
use crate::render;

/// The budget of heals is counted over this much time.
const HOUR_MS: u64 = 3_600_000;

/// A channel that led to nothing is tried again after this long at the most, because asking costs little.
const CHANNEL_DELAY_MAX_MS: u64 = 30_000;

/// An agent that took none of so many loads in a row is not asked to load any more, but started anew with its replica.
const DEAF_AFTER: usize = 5;

/// Where on the ladder a replica stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// Load the right version again.
    Load,
    /// Kill what still runs of it and start it on this host.
    Restart {
        /// The host that it is on, or, when it never ran, the first that may run it.
        on: HostId,
    },
    /// Start it on another host that may run it.
    Relocate {
        /// Which.
        to: HostId,
    },
    /// End the lives that it has too many.
    Kill,
    /// Start it once on the stable version, because it failed on a candidate.
    Trial {
        /// The host that it is on.
        on: HostId,
    },
    /// End it: the log does not declare it any more.
    Stop,
    /// Leave it to a human.
    Quarantine {
        /// Why.
        why: String,
    },
}

/// The rung for a fault of `case`.
///
/// # Errors
///
/// That the next try is not due, or that there is no host for it.
pub fn rung(case: &Case, fault: FaultKind) -> Result<Rung, Reason> {
    channel_is_due(case)?;
    let tried = Tried::count(case);
    if tried.within_hour >= case.input.policy.heals_per_hour {
        if tried.within_hour > 0 && !tried.surely {
            return Err(in_doubt(case, tried.within_hour));
        }
        let why = format!("{} heals within an hour did not keep it healthy", tried.within_hour);
        return Ok(Rung::Quarantine { why });
    }
    let limits = case.input.policy.tries;
    match fault {
        FaultKind::HostGone => Err(Reason::NoRemedy { fault }),
        FaultKind::Undeclared => tried.due(case, tried.stop).map(|()| Rung::Stop),
        FaultKind::Misplaced => move_home(case, &tried),
        FaultKind::Duplicate if tried.kill >= limits.restart.max(1) => Ok(exhausted(case, fault, &tried)),
        FaultKind::Duplicate => tried.due(case, tried.kill).map(|()| Rung::Kill),
        // On a candidate it is tried on the stable version when it dies again.
        FaultKind::Flapping if tried.restart >= limits.restart && case.triable().is_none() => {
            Ok(exhausted(case, fault, &tried))
        }
        FaultKind::Flapping => Err(Reason::Flapping { tries: tried.restart, max: limits.restart }),
        FaultKind::LoadFailed | FaultKind::WrongVersion | FaultKind::StateMismatch if is_deaf(case) => {
            start_somewhere(case, fault, &tried)
        }
        FaultKind::LoadFailed | FaultKind::WrongVersion | FaultKind::StateMismatch
            if tried.load < limits.load =>
        {
            tried.due(case, tried.load).map(|()| Rung::Load)
        }
        FaultKind::LoadFailed | FaultKind::WrongVersion | FaultKind::StateMismatch
            if case.triable().is_some() && holds_stable(case) =>
        {
            let on = case.home().ok_or_else(|| hosts::why_none(case))?;
            Ok(Rung::Trial { on: on.clone() })
        }
        FaultKind::WrongSetup if tried.restart >= limits.restart => Ok(exhausted(case, fault, &tried)),
        FaultKind::LoadFailed
        | FaultKind::WrongVersion
        | FaultKind::StateMismatch
        | FaultKind::WrongSetup
        | FaultKind::Exited
        | FaultKind::Missing
        | FaultKind::Unresponsive
        | FaultKind::Unhealthy => start_somewhere(case, fault, &tried),
    }
}

/// Whether what should load on its behalf refuses to, or does not answer, although its host is there.
fn is_deaf(case: &Case) -> bool {
    let heals = case.input.history.heals.get(case.replica).into_iter().flatten().rev();
    let in_vain = heals.filter(|heal| heal.is_over()).take_while(|heal| {
        let loads = matches!(heal.remedy, Remedy::Load | Remedy::Roll) && heal.host.is_none();
        let missed = heal.came_to_nothing();
        loads && missed.is_some_and(|missed| matches!(missed.blame, Blame::Agent | Blame::Channel))
    });
    in_vain.count() >= DEAF_AFTER
}

/// Whether it still serves the stable version well: what it could not load did it no harm.
fn holds_stable(case: &Case) -> bool {
    case.life().is_some_and(|(_, life)| serves_on(life, &case.input.target))
}

/// Takes a replica that runs where it may not to the first host where it may.
fn move_home(case: &Case, tried: &Tried) -> Result<Rung, Reason> {
    let to = hosts::usable(case).into_iter().next().ok_or_else(|| hosts::why_none(case))?;
    let before = tried.relocate.get(to).copied().unwrap_or_default();
    tried.due(case, before).map(|()| Rung::Relocate { to: to.clone() })
}

fn start_somewhere(case: &Case, fault: FaultKind, tried: &Tried) -> Result<Rung, Reason> {
    let limits = case.input.policy.tries;
    let usable = hosts::usable(case);
    let Some(first) = usable.first() else { return Err(hosts::why_none(case)) };
    let home = case.home().filter(|home| case.spec.hosts.contains(home));
    // A replica that never ran, or whose host may run it no longer, is at home on the first that may.
    let in_place = match home {
        Some(home) => usable.contains(&home).then_some(home),
        None => Some(*first),
    };
    if let Some(on) = in_place.filter(|_| case.is_trial_unfinished()) {
        return tried.due(case, tried.trial).map(|()| Rung::Trial { on: on.clone() });
    }
    if let Some(to) = in_place.and_then(|home| elsewhere(case, home, &usable)) {
        return Ok(Rung::Relocate { to: to.clone() });
    }
    if let Some(on) = in_place.filter(|_| tried.restart < limits.restart) {
        return tried.due(case, tried.restart).map(|()| Rung::Restart { on: on.clone() });
    }
    if let Some(on) = in_place.filter(|_| case.triable().is_some()) {
        return tried.due(case, tried.trial).map(|()| Rung::Trial { on: on.clone() });
    }
    for to in usable.into_iter().filter(|host| Some(*host) != home.or(in_place)) {
        let before = tried.relocate.get(to).copied().unwrap_or_default();
        if before < limits.relocate {
            return tried.due(case, before).map(|()| Rung::Relocate { to: to.clone() });
        }
    }
    if in_place.is_none() && tried.total() == 0 {
        return Err(hosts::why_none(case));
    }
    Ok(exhausted(case, fault, tried))
}

/// Why a replica is left alone that may have been touched often, and was not for sure.
fn in_doubt(case: &Case, times: u32) -> Reason {
    let heals = case.input.history.heals.get(case.replica).into_iter().flatten();
    let last = heals.rev().find_map(|heal| Some((heal.at, heal.missed.as_ref()?)));
    let (at, why) = last.map_or((case.input.now, String::new()), |(at, missed)| (at, missed.why.clone()));
    Reason::NotBegun { until: at.plus_ms(HOUR_MS), times, blame: Blame::Channel, why }
}

/// Another host to start it on, when its own was asked in vain for as often as a replica is started in place.
fn elsewhere<'a>(case: &Case, home: &HostId, usable: &[&'a HostId]) -> Option<&'a HostId> {
    let in_vain = |host: &HostId| {
        let heals = case.input.history.heals.get(case.replica).into_iter().flatten().rev();
        let there = heals.filter(|heal| heal.is_over() && heal.host.as_ref() == Some(host));
        there.take_while(|heal| heal.came_to_nothing().is_some()).count()
    };
    let at_home = in_vain(home);
    let others = usable.iter().copied().filter(|host| *host != home);
    let next = others.min_by_key(|host| in_vain(host))?;
    let enough = at_home >= case.input.policy.tries.restart.max(1) as usize;
    (enough && in_vain(next) < at_home).then_some(next)
}

fn exhausted(case: &Case, fault: FaultKind, tried: &Tried) -> Rung {
    let times = render::tries(tried.total());
    let heals = case.input.history.heals.get(case.replica).into_iter().flatten();
    let last = heals.rev().find_map(|heal| heal.missed.as_ref());
    let last = last.map(|missed| format!("; the last: {}", missed.why)).unwrap_or_default();
    let why = format!("{fault} after {times}, and every way to heal {} is used up{last}", case.replica);
    Rung::Quarantine { why }
}

/// What was tried since the last quiet.
#[derive(Debug, Clone, Default)]
struct Tried {
    load: u32,
    restart: u32,
    kill: u32,
    trial: u32,
    stop: u32,
    relocate: BTreeMap<HostId, u32>,
    within_hour: u32,
    /// Whether anything was surely begun of what is remembered.
    surely: bool,
    /// Starts of unknown fate since then: no tries, but the next one waits as after them.
    doubtful: u32,
    last_ended_at: Time,
}

impl Tried {
    fn count(case: &Case) -> Self {
        let heals = since_release(case);
        let mut tried = Self::default();
        // That a goal moved it is no sign that it is ill. To be ended is to be healed only of not being declared.
        let stops = case.is_convicted_of(FaultKind::Undeclared);
        let heals_it =
            |heal: &&PastHeal| heal.remedy != Remedy::Roll && (heal.remedy == Remedy::Stop) == stops;
        // Nor is what was never begun on it.
        let was_begun = |heal: &&PastHeal| heal.begun != Begun::Never;
        let recent = |heal: &&PastHeal| {
            heals_it(heal) && was_begun(heal) && case.input.now.since_ms(heal.at) < HOUR_MS
        };
        tried.within_hour = count(heals.iter().copied().filter(recent).count());
        tried.surely = heals.iter().any(|heal| heal.begun == Begun::Surely);
        for heal in since_quiet(case, &heals) {
            if is_doubtful(heal) {
                tried.doubtful += 1;
                tried.last_ended_at = tried.last_ended_at.max(heal.ended_at.unwrap_or(heal.at));
            }
            if !heal.is_try() {
                continue;
            }
            match heal.remedy {
                // An order to a candidate is the first try there.
                Remedy::Load | Remedy::Roll => tried.load += 1,
                Remedy::Start | Remedy::Restart => tried.restart += 1,
                Remedy::Kill => tried.kill += 1,
                Remedy::Trial => tried.trial += 1,
                Remedy::Stop => tried.stop += 1,
                Remedy::Relocate => {
                    if let Some(host) = &heal.host {
                        *tried.relocate.entry(host.clone()).or_default() += 1;
                    }
                }
                Remedy::MarkStable | Remedy::Quarantine | Remedy::Reject | Remedy::FallBack => {}
            }
            tried.last_ended_at = tried.last_ended_at.max(heal.ended_at.unwrap_or(heal.at));
        }
        tried
    }

    fn total(&self) -> u32 {
        self.load + self.restart + self.kill + self.trial + self.relocate.values().sum::<u32>()
    }

    /// Whether the try after `tries` tries of a rung is due.
    fn due(&self, case: &Case, tries: u32) -> Result<(), Reason> {
        let Some(before) = (tries + self.doubtful).checked_sub(1) else { return Ok(()) };
        let delays = &case.input.delays_ms;
        let delay = delays.get(before as usize).or(delays.last()).copied().unwrap_or_default();
        let until = self.last_ended_at.plus_ms(delay);
        if case.input.now < until {
            return Err(Reason::BackingOff { until, tries });
        }
        Ok(())
    }
}

/// The newest heals of a replica that led to nothing, since one that was begun; the newest first.
fn in_vain<'a>(case: &Case<'a>) -> Vec<&'a PastHeal> {
    let heals = case.input.history.heals.get(case.replica).into_iter().flatten();
    let counts = |heal: &&PastHeal| heal.is_over() && case.input.history.counts(case.replica, heal.at);
    heals.rev().filter(counts).take_while(|heal| heal.came_to_nothing().is_some()).collect()
}

/// Whether what led to nothing before, through no fault of the replica or the version, may be tried again.
///
/// # Errors
///
/// [`Reason::NotBegun`], with what was in the way.
pub(crate) fn channel_is_due(case: &Case) -> Result<(), Reason> {
    let idle = in_vain(case);
    let Some((last, missed)) = idle.first().and_then(|last| Some((last, last.came_to_nothing()?))) else {
        return Ok(());
    };
    let delays = &case.input.delays_ms;
    let delay = delays.get(idle.len() - 1).or(delays.last()).copied().unwrap_or_default();
    let until = last.ended_at.unwrap_or(last.at).plus_ms(delay.min(CHANNEL_DELAY_MAX_MS));
    if case.input.now < until {
        let (blame, why) = (missed.blame, missed.why.clone());
        return Err(Reason::NotBegun { until, times: count(idle.len()), blame, why });
    }
    Ok(())
}

/// Heals after the last quarantine and the last release: whoever released it has given it a fresh start.
fn since_release<'a>(case: &Case<'a>) -> Vec<&'a PastHeal> {
    let history = &case.input.history;
    let heals = history.heals.get(case.replica).into_iter().flatten();
    let heals: Vec<&PastHeal> =
        heals.filter(|heal| !history.was_released_since(case.replica, heal.at)).collect();
    let quarantined = heals.iter().rposition(|heal| heal.remedy == Remedy::Quarantine);
    heals[quarantined.map_or(0, |at| at + 1)..].to_vec()
}

/// Heals, whether tries or not, after the last one that worked and was followed by quiet.
///
/// A heal that a newer leader superseded, or an operator stopped, was no try, nor was one of which nothing was begun, or
/// that failed by another's fault; but it was ill when any of them was planned, so that none of them belongs to a quiet.
/// A flapping replica never had quiet; on a candidate it must last for a soak, so that what fails there now and then fails.
fn since_quiet<'a>(case: &Case, heals: &[&'a PastHeal]) -> Vec<&'a PastHeal> {
    let counts = |heal: &&&PastHeal| case.input.history.counts(case.replica, heal.at);
    let ill: Vec<&PastHeal> =
        heals.iter().filter(counts).filter(|heal| tells_of_illness(heal)).copied().collect();
    let flaps = case.is_convicted_of(FaultKind::Flapping);
    let quiet_after = |at: &usize| ill[*at].is_try() && is_quiet_after(case, ill[*at], ill.get(at + 1));
    let forgotten = (0..ill.len()).filter(|_| !flaps).rfind(quiet_after).map_or(0, |at| at + 1);
    ill[forgotten..].to_vec()
}

/// Whether a start ended with an unknown outcome: its process may have been forked.
fn is_doubtful(heal: &PastHeal) -> bool {
    let missed = heal.came_to_nothing().filter(|_| heal.host.is_some());
    missed.is_some_and(|missed| missed.outcome == Outcome::Unknown)
}

/// Whether a heal says that its replica was ill when it was planned. An order to a candidate does not, but it is a try there.
fn tells_of_illness(heal: &PastHeal) -> bool {
    heal.is_try() || is_doubtful(heal) || heal.remedy != Remedy::Roll
}

/// Whether a heal worked, and it was long until the next was called for, or until what is wrong now was seen.
fn is_quiet_after(case: &Case, heal: &PastHeal, next: Option<&&PastHeal>) -> bool {
    let soak_ms = case.blamable().map_or(0, |rollout| rollout.pace.soak_ms);
    let next = next.map_or_else(|| case.since(), |heal| heal.since);
    let lasted_ms = next.since_ms(heal.ended_at.unwrap_or(next));
    heal.worked() && lasted_ms >= case.input.policy.quiet_ms.max(soak_ms)
}

/// Whether it was well at any time since `at`, and not only for the moment that a probe takes.
pub(crate) fn was_well_since(case: &Case, at: Time) -> bool {
    let heals = case.input.history.heals.get(case.replica).into_iter().flatten();
    let heals: Vec<&PastHeal> = heals.filter(|heal| heal.at >= at).collect();
    (0..heals.len()).any(|index| is_quiet_after(case, heals[index], heals.get(index + 1)))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
