//! Undeclared: a replica that we started runs on, although the log does not declare it any more.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::ReplicaId;
use crate::observation::ReplicaSeen;
use crate::scene::{Case, Scene, Scope};

/// Findings on replicas that are seen and not declared. Who was never ordered by us is a stranger, and left alone.
pub(super) fn check(scene: &Scene<'_>, scope: Scope<'_>) -> Vec<Finding> {
    let all = &scene.observation.replicas;
    let is_ours = |(replica, seen): &(&ReplicaId, &ReplicaSeen)| {
        let runs = seen.lives.values().any(crate::observation::Life::is_alive);
        runs && !scene.replicas.contains_key(*replica) && scene.history.lives.contains_key(*replica)
    };
    match scope {
        Scope::All => all.iter().filter(is_ours).filter_map(|(replica, _)| finding(scene, replica)).collect(),
        Scope::Only(some) => {
            let seen = some.iter().filter_map(|replica| all.get_key_value(replica));
            seen.filter(is_ours).filter_map(|(replica, _)| finding(scene, replica)).collect()
        }
    }
}

fn finding(scene: &Scene<'_>, replica: &ReplicaId) -> Option<Finding> {
    let case = Case::of(scene, replica);
    let (incarnation, life) = case.life?;
    let source = if life.process.is_some() { Source::HostAgent } else { Source::Group };
    let detail = format!("it runs on {}, and the log does not declare it any more", life.host);
    Some(case.finding(FaultKind::Undeclared, detail, case.proven(source)).of_life(incarnation))
}
