//! Assess: what is wrong, as findings; one check a file.
//!
//! ```text
//! no life is there ─► fate ─► exited │ missing         (or unknown: neither)
//! a life is there  ─► duplicate │ unresponsive │ unhealthy │ load_failed │ wrong_version │ state_mismatch
//!                     │ wrong_setup │ misplaced
//! either           ─► flapping
//! not declared     ─► undeclared
//! hosts            ─► host_gone
//! ```
//!
//! *Guarantees.* Time alone never makes a finding about a replica that is settled, so the
//! caller need only assess those that changed and those that the strike book calls suspects.
//! A blind observer finds nothing and acquits nobody.

mod duplicate;
mod exited;
mod flapping;
mod host_gone;
mod load_failed;
mod misplaced;
mod missing;
mod state_mismatch;
mod undeclared;
mod unhealthy;
mod unresponsive;
mod wrong_setup;
mod wrong_version;

use std::collections::BTreeMap;

use crate::fate::{Fate, fate};
use crate::finding::{Finding, Source, Subject};
use crate::ids::{Incarnation, ReplicaId};
use crate::observation::{Health, Life, Probed, Sight};
use crate::scene::{Case, each_case};
pub use crate::scene::{Scene, Scope};

pub(crate) use self::unresponsive::zombie;

/// What one check found, and where it looked.
#[derive(Debug)]
pub struct Check<'a> {
    /// The faults, by replica and kind, those of hosts last.
    pub findings: Vec<Finding>,
    /// Where it looked; what lies outside is neither convicted nor acquitted.
    pub looked: Looked<'a>,
}

/// Where a check looked.
#[derive(Debug)]
pub struct Looked<'a> {
    /// `None` when the observer was blind.
    scope: Option<Scope<'a>>,
    /// Replicas that could not be seen, or not fully.
    dim: BTreeMap<&'a ReplicaId, Dim>,
    /// Replicas that time alone may make a finding of.
    restless: Vec<&'a ReplicaId>,
}

/// How much of a replica could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dim {
    /// All of it.
    Unknown,
    /// What the probes of this life say.
    Unprobed(Incarnation),
}

impl<'a> Looked<'a> {
    /// A check that could not see.
    pub fn blind() -> Self {
        Self { scope: None, dim: BTreeMap::new(), restless: Vec::new() }
    }

    /// Whether a fault of this kind would have been found again if it were still there.
    pub fn acquits(&self, finding: &Finding) -> bool {
        match &finding.subject {
            Subject::Host(_) => self.scope.is_some(),
            Subject::Replica(replica) => {
                self.at(replica)
                    && match self.dim.get(replica) {
                        None => true,
                        Some(Dim::Unknown) => false,
                        Some(Dim::Unprobed(life)) => {
                            finding.evidence.source != Source::HostAgent || finding.incarnation != Some(*life)
                        }
                    }
            }
        }
    }

    /// Whether the check looked at this replica.
    pub fn at(&self, replica: &ReplicaId) -> bool {
        match self.scope {
            None => false,
            Some(Scope::All) => true,
            Some(Scope::Only(some)) => some.contains(replica),
        }
    }

    /// Replicas that were looked at and must be again, although nothing is found yet.
    pub fn restless(&self) -> impl Iterator<Item = &'a ReplicaId> {
        self.restless.iter().copied()
    }
}

/// Finds what is wrong with the replicas in `scope`, and with all hosts.
pub fn assess(scene: &Scene<'_>, scope: Scope<'_>) -> Vec<Finding> {
    check(scene, scope).findings
}

/// The same, together with where it looked: what the strike book needs.
pub fn check<'a>(scene: &'a Scene<'a>, scope: Scope<'a>) -> Check<'a> {
    let mut check = Check { findings: Vec::new(), looked: Looked::blind() };
    if matches!(scene.observation.sight, Sight::Blind { .. }) {
        return check;
    }
    check.looked.scope = Some(scope);
    each_case(scene, scope, |case| examine(case, &mut check));
    check.findings.extend(undeclared::check(scene, scope));
    check.findings.extend(host_gone::check(scene));
    check
}

/// The checks, in the order of their faults' kinds.
fn examine<'a>(case: &Case<'a>, check: &mut Check<'a>) {
    let findings = &mut check.findings;
    if let Some((incarnation, life)) = case.life {
        findings.extend(duplicate::check(case));
        findings.extend(unresponsive::check(case, incarnation, life));
        findings.extend(unhealthy::check(case, incarnation, life));
        findings.extend(load_failed::check(case, incarnation, life));
        findings.extend(wrong_version::check(case, incarnation, life));
        findings.extend(state_mismatch::check(case, incarnation, life));
        findings.extend(wrong_setup::check(case, incarnation, life));
        findings.extend(misplaced::check(case, incarnation, life));
        // What a running plan excuses is looked at again when the plan has ended.
        if !is_settled(case, life) || case.running_plan().is_some() {
            check.looked.restless.push(case.replica);
        }
        if is_unprobed(life) {
            check.looked.dim.insert(case.replica, Dim::Unprobed(incarnation));
        }
    } else {
        let fate = fate(case);
        findings.extend(exited::check(case, &fate));
        findings.extend(missing::check(case, &fate));
        findings.extend(unresponsive::check_leftovers(case));
        check.looked.restless.push(case.replica);
        if fate == Fate::Unknown {
            check.looked.dim.insert(case.replica, Dim::Unknown);
        }
    }
    check.findings.extend(flapping::check(case));
}

/// Whether time alone can't make a finding of a life that runs.
fn is_settled(case: &Case<'_>, life: &Life) -> bool {
    let stopping = life.process.as_ref().is_some_and(|process| process.stopping);
    let by_own_word = life.member.as_ref().is_some_and(|member| member.health == Health::Ready);
    let by_probe = life.member.is_none()
        && !case.seen.embeds
        && life.process.as_ref().is_some_and(|process| process.probe == Probed::Passing);
    !stopping && (by_own_word || by_probe)
}

/// Whether nobody says what the probes of a life say.
fn is_unprobed(life: &Life) -> bool {
    life.process.as_ref().is_none_or(|process| process.probe == Probed::Unknown)
}
