//! Version: what is started, loaded or marked is the target, and nothing else.

use crate::input::PlanInput;
use crate::plan::{Act, Plan};

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let target = input.target.version;
    let other = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Start { version, .. } | Act::Load { to: version, .. } | Act::MarkStable { version } => {
            (*version != target).then_some((step, *version))
        }
        Act::Snapshot { .. }
        | Act::Drain { .. }
        | Act::Kill { .. }
        | Act::Probe { .. }
        | Act::Notify { .. } => None,
    });
    other.map(|(step, version)| Objection::WrongVersion { step: step.id.clone(), version, target }).collect()
}
