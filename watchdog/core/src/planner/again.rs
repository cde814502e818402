//! Again: when time alone changes the answer, so that nobody has to ask before.

use crate::ids::Time;
use crate::input::PlanInput;
use crate::refusal::{Reason, Refusal, StormAwaits};
use crate::storm::storm;

/// The first moment after now at which one of the refusals ends by itself.
pub fn again_at(refusals: &[Refusal], input: &PlanInput) -> Option<Time> {
    // What one replica of a storm waits for, all do.
    let is_storm = |refusal: &&Refusal| matches!(refusal.reason, Reason::Storm { .. });
    let stormy = refusals.iter().find(is_storm);
    let others = refusals.iter().filter(|refusal| !is_storm(refusal)).chain(stormy);
    let ends = others.filter_map(|refusal| ends_at(&refusal.reason, input));
    ends.filter(|end| *end > input.now).min()
}

/// The moment at which one reason ends by itself.
pub(super) fn ends_at(reason: &Reason, input: &PlanInput) -> Option<Time> {
    match reason {
        Reason::BackingOff { until, .. }
        | Reason::NotBegun { until, .. }
        | Reason::LeaseRunning { until, .. } => Some(*until),
        Reason::Paused { until, .. } => *until,
        Reason::Held { target, .. } => input.history.holds.get(target).and_then(|hold| hold.until),
        Reason::Storm { awaiting: StormAwaits::Lease, .. } => storm(input).map(|storm| storm.lease_until),
        Reason::Storm { awaiting: StormAwaits::Hosts, .. } => storm(input)?.forgets_at,
        Reason::Storm { .. }
        | Reason::Blind { .. }
        | Reason::Quarantined { .. }
        | Reason::WouldDisturb { .. }
        | Reason::Busy { .. }
        | Reason::PlanFull { .. }
        | Reason::PlanOpen { .. }
        | Reason::Unsealed { .. }
        | Reason::Outdated { .. }
        | Reason::Flapping { .. }
        | Reason::NoRemedy { .. }
        | Reason::Unreachable { .. }
        | Reason::NotFenced { .. }
        | Reason::TreeNotGone { .. }
        | Reason::NoHost { .. }
        | Reason::NoStableVersion
        | Reason::NotDeclared
        | Reason::BadDeclaration { .. }
        | Reason::Autonomy { .. }
        | Reason::JournalBehind { .. }
        | Reason::Declined { .. }
        | Reason::RolloutHeld { .. }
        | Reason::RolloutWaits { .. }
        | Reason::Unprovable { .. }
        | Reason::ErrandFailed { .. }
        | Reason::PlaceTaken { .. }
        | Reason::LeftToGoal { .. }
        | Reason::NotWell
        | Reason::Vetoed { .. } => None,
    }
}
