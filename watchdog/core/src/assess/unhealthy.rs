//! Unhealthy: a replica says itself that something is wrong, or stays where it should only pass.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::Incarnation;
use crate::observation::{Health, Life};
use crate::scene::Case;

/// A finding when its own word is bad, or when it starts or drains for longer than anything covers.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let member = life.member.as_ref()?;
    let for_ms = case.now().since_ms(member.since);
    let detail = match member.health {
        Health::Ready => return None,
        // One that a plan asked for shows as the wrong version once its step has timed out.
        Health::Loading => {
            let covered = case.running_plan().is_some() || case.is_ordered();
            if covered || for_ms <= case.scene.policy.timeouts.load_ms {
                return None;
            }
            "it loads for longer than anything covers, and no plan asked for that".to_owned()
        }
        Health::Unhealthy => format!("it says that it is unhealthy: {}", member.detail),
        Health::Starting => {
            if case.is_coming_up(incarnation, life) {
                return None;
            }
            format!("it has not become ready within {} ms", case.start_budget_ms())
        }
        Health::Draining => {
            let covered = case.running_plan().is_some() || for_ms <= case.scene.policy.timeouts.drain_ms;
            if covered || life.process.as_ref().is_some_and(|process| process.stopping) {
                return None;
            }
            "it takes no new work, and no plan asked for that".to_owned()
        }
    };
    Some(case.finding(FaultKind::Unhealthy, detail, case.proven(Source::Replica)).of_life(incarnation))
}
