//! Landmarks: the crash points between what a check has written and what is done about it, by what was written.

use watchdog_core::ids::{PlanId, StepId};
use watchdog_core::plan::Act;
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_crash_points::crash_point;

use crate::cluster::world::World;

/// Passes the points of these entries, none of which has had an effect outside the journal yet.
pub(crate) fn pass(world: &World, entries: &[Entry]) {
    for entry in entries {
        match &entry.body {
            Body::Convicted { .. } => crash_point!("daemon.conviction.committed"),
            Body::PlanRecorded { .. } => crash_point!("daemon.plan.committed"),
            Body::Intended { plan, step, .. } => intended(world, plan, step),
            Body::Closed { .. } => crash_point!("daemon.result.committed"),
            Body::Died { .. } => crash_point!("daemon.death.committed"),
            Body::Sealed { .. } => crash_point!("daemon.seal.committed"),
            Body::Marked { mark: Mark::Stable, .. } => crash_point!("daemon.step.mark_stable"),
            Body::Marked { mark: Mark::Rejected, .. } => crash_point!("daemon.step.reject"),
            Body::Escalated { .. } => crash_point!("daemon.step.notify"),
            _ => {}
        }
    }
}

/// The leader's own steps but probes are done by being written, and so are passed above.
fn intended(world: &World, plan: &PlanId, id: &StepId) {
    // The plan may have ended with the same entries.
    let mut steps = world.plans.get(plan).into_iter().flat_map(|story| &story.plan.steps);
    match steps.find(|step| step.id == *id).map(|step| &step.act) {
        Some(Act::Snapshot { .. }) => crash_point!("daemon.step.snapshot"),
        Some(Act::Drain { .. }) => crash_point!("daemon.step.drain"),
        Some(Act::Kill { .. }) => crash_point!("daemon.step.kill"),
        Some(Act::Start { .. }) => crash_point!("daemon.step.start"),
        Some(Act::Probe { .. }) => crash_point!("daemon.step.probe"),
        Some(Act::Load { .. }) => crash_point!("daemon.step.load"),
        Some(Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. }) | None => {}
    }
}
