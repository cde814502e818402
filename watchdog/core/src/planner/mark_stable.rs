//! Mark stable: found a cluster on the first version that every replica held, healthy, for the whole soak.
//!
//! ```text
//! nothing stable yet ──► every declared replica healthy on the target ──► for soak_ms ──► mark
//! ```

use crate::condition::is_healthy_on;
use crate::ids::{Time, Version};
use crate::input::PlanInput;
use crate::observation::Life;
use crate::plan::Act;

use super::case::lives;
use super::draft::Draft;

/// How far the founding of the cluster is.
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

/// Whether the target version may be marked stable now.
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
        since = since.max(healthy_since(life));
    }
    let until = since.plus_ms(input.policy.soak_ms);
    if input.now < until {
        return Founding::Soaking { until };
    }
    let why = format!("all {} replicas have held it, healthy, for the whole soak", input.replicas.len());
    Founding::Mark(Draft::new(&input.policy, Act::MarkStable { version: target.version }, why))
}

fn healthy_since(life: &Life) -> Time {
    let own = life.member.as_ref().map(|member| member.since);
    own.max(life.process.as_ref().map(|process| process.since)).unwrap_or_default()
}
