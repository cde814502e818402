//! Mark stable: a version earns it when every declared replica held it, healthy, for the whole soak.
//!
//! ```text
//! every declared replica healthy on it ──► for soak_ms ──► mark (and achieve its goal)
//! ```

use crate::condition::is_healthy_on;
use crate::ids::{GoalId, Time, Version};
use crate::input::{PlanInput, Target};
use crate::plan::Act;

use super::case::{lives, settled_since};
use super::draft::Draft;

/// How far the founding of a cluster is, whose log begins without a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Founding {
    /// It is founded already, or something is not healthy yet.
    NotNow,
    /// All are healthy; the soak ends then.
    Soaking {
        /// When.
        until: Time,
    },
    /// The version has earned its mark.
    Mark(Draft),
}

/// Whether the target version may be marked stable now, although no goal rolls.
pub fn founding(input: &PlanInput) -> Founding {
    let target = &input.target;
    let founded = target.stable.is_some() || input.history.stable.is_some() || target.version == Version(0);
    if founded || input.replicas.is_empty() || !input.history.open_plans.is_empty() {
        return Founding::NotNow;
    }
    let mut since = Time::default();
    for (replica, declared) in &input.replicas {
        let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
        let (Some((_, life)), None) = (alive.next(), alive.next()) else { return Founding::NotNow };
        if declared.is_err() || !is_healthy_on(life, target) {
            return Founding::NotNow;
        }
        since = since.max(settled_since(replica, life, input));
    }
    let until = since.plus_ms(input.policy.soak_ms);
    if input.now < until {
        return Founding::Soaking { until };
    }
    Founding::Mark(mark(input, target, None))
}

/// The step that marks `target` stable.
pub fn mark(input: &PlanInput, target: &Target, goal: Option<&GoalId>) -> Draft {
    let who = match input.replicas.len() {
        1 => "the only replica has".to_owned(),
        many => format!("all {many} replicas have"),
    };
    let why = format!("{who} held it, healthy, for the whole soak");
    let (version, state_hash) = (target.version, target.state_hash);
    Draft::new(&input.policy, Act::MarkStable { version, state_hash, goal: goal.cloned() }, why)
}
