//! Misplaced: a replica runs on a host where it may not live, or may not any more.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::Incarnation;
use crate::observation::Life;
use crate::scene::Case;

/// A finding when its declaration does not name the host that it is on.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let spec = case.spec.filter(|spec| !spec.hosts.contains(&life.host))?;
    let may: Vec<&str> = spec.hosts.iter().map(crate::ids::HostId::as_str).collect();
    let detail = format!("it runs on {} and may live on {}", life.host, may.join(", "));
    let source = if life.process.is_some() { Source::HostAgent } else { Source::Group };
    Some(case.finding(FaultKind::Misplaced, detail, case.proven(source)).of_life(incarnation))
}
