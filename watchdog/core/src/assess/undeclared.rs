//! Undeclared: a replica that we started runs on, although the log does not declare it any more.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::ReplicaId;
use crate::observation::ReplicaSeen;
use crate::scene::{Case, Scene, Scope};

/// Findings on replicas that are seen and not declared. A life that was never ordered by us is a stranger's, and left
/// alone, also when it bears the name of one that we had.
pub(super) fn check(scene: &Scene<'_>, scope: Scope<'_>) -> Vec<Finding> {
    let all = &scene.observation.replicas;
    let undeclared = |(replica, _): &(&ReplicaId, &ReplicaSeen)| !scene.replicas.contains_key(*replica);
    match scope {
        Scope::All => all.iter().filter(undeclared).filter_map(|seen| finding(scene, seen)).collect(),
        Scope::Only(some) => {
            let seen = some.iter().filter_map(|replica| all.get_key_value(replica));
            seen.filter(undeclared).filter_map(|seen| finding(scene, seen)).collect()
        }
    }
}

fn finding(scene: &Scene<'_>, (replica, seen): (&ReplicaId, &ReplicaSeen)) -> Option<Finding> {
    let (incarnation, life) = seen.newest((replica, scene.history), |incarnation, life| {
        life.is_alive() && scene.history.is_ours(replica, incarnation)
    })?;
    let case = Case::of(scene, replica);
    let source = if life.process.is_some() { Source::HostAgent } else { Source::Group };
    let detail = format!("it runs on {}, and the log does not declare it any more", life.host);
    Some(case.finding(FaultKind::Undeclared, detail, case.proven(source)).of_life(incarnation))
}
