//! Version: a replica is brought to what it should hold, and only what all should hold is marked stable.

use crate::input::PlanInput;
use crate::plan::{Act, Plan};

use super::Objection;
use super::facts::led_to;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let whole = input.history.rollout.as_ref().map_or(input.target.version, |rollout| rollout.to);
    let other = plan.steps.iter().filter_map(|step| {
        let own = step.replica.as_ref().map(|replica| led_to(replica, plan, input).version);
        let (version, target) = match &step.act {
            Act::Start { version, .. } | Act::Load { to: version, .. } => (*version, own?),
            Act::MarkStable { version, .. } => (*version, whole),
            Act::Reject { to: version, .. } => {
                let stable = input.target.stable.filter(|_| plan.steps.len() == 1)?;
                return (*version > stable).then_some((step, *version, stable));
            }
            Act::Snapshot { .. }
            | Act::Drain { .. }
            | Act::Kill { .. }
            | Act::Probe { .. }
            | Act::Notify { .. } => return None,
        };
        (version != target).then_some((step, version, target))
    });
    other
        .map(|(step, version, target)| Objection::WrongVersion { step: step.id.clone(), version, target })
        .collect()
}
