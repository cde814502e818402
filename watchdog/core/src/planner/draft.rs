//! Draft: a step before it has a number, with the time-out that policy gives to its act.

use crate::ids::{PlanId, ReplicaId};
use crate::plan::{Act, Step};
use crate::policy::Policy;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What is done.
    pub act: Act,
    /// Why, in one sentence.
    pub why: String,
    /// How long it may go without progress, in milliseconds.
    pub timeout_ms: u64,
    /// Whether the heal goes on when it fails.
    pub optional: bool,
}

impl Draft {
    /// A step without which the heal has failed.
    pub fn new(policy: &Policy, act: Act, why: impl Into<String>) -> Self {
        Self { timeout_ms: timeout_ms(policy, &act), act, why: why.into(), optional: false }
    }

    /// A step that must not stop the heal.
    pub fn optional(policy: &Policy, act: Act, why: impl Into<String>) -> Self {
        Self { optional: true, ..Self::new(policy, act, why) }
    }

    /// The step at `index` (from 0) of `plan`.
    pub fn numbered(self, plan: &PlanId, index: usize, replica: Option<&ReplicaId>) -> Step {
        Step {
            id: plan.step(index),
            replica: replica.cloned(),
            act: self.act,
            why: self.why,
            timeout_ms: self.timeout_ms,
            optional: self.optional,
        }
    }
}

fn timeout_ms(policy: &Policy, act: &Act) -> u64 {
    let timeouts = &policy.timeouts;
    match act {
        // The picture has its own bound; the rest is the way there and back.
        Act::Snapshot { budget_ms, .. } => budget_ms.saturating_add(timeouts.seal_ms),
        Act::Drain { .. } => timeouts.drain_ms,
        Act::Kill { grace_ms, .. } => grace_ms.saturating_add(timeouts.kill_ms),
        Act::Start { .. } => timeouts.start_ms,
        Act::Load { .. } => timeouts.load_ms,
        Act::Probe { .. } => timeouts.probe_ms,
        Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. } => timeouts.seal_ms,
    }
}
