//! Witness: the linter's own, small fold of the record: what was begun for sure, and on which replica.
//!
//! The planner counts tries from heals and plans; this counts agents' answers alone, so that one mistake in the former does
//! not also blind whoever checks it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::finding::Subject;
use crate::ids::{PlanId, ReplicaId, StepId, Time};
use crate::plan::{Act, Outcome, Plan};
use crate::record::{Body, Entry};
use crate::state::Hash;

/// What agents have begun for sure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Witness {
    /// Steps whose fate is not told yet.
    planned: BTreeMap<StepId, Planned>,
    /// Replicas on which an act was begun since they were last released from a quarantine or a blame.
    pub acted: BTreeSet<ReplicaId>,
    /// By the hash of a state: replicas of which an order to it was begun.
    pub reached: BTreeMap<Hash, BTreeSet<ReplicaId>>,
    /// Hashes of states on which a replica was started and seen well.
    pub started_well: BTreeSet<Hash>,
    /// Replicas that were seen well after an act since they were declared.
    pub arrived: BTreeSet<ReplicaId>,
    /// Starts that were begun since the replica was last released, or the newest goal begun.
    pub starts: BTreeMap<ReplicaId, u32>,
    /// For how long at the most it was well since then, until it died, was found ill or was started again, in milliseconds.
    lasted_ms: BTreeMap<ReplicaId, u64>,
    /// Since when it is well, as far as was looked.
    well_since: BTreeMap<ReplicaId, Time>,
}

/// A step as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    plan: PlanId,
    replica: ReplicaId,
    kind: Kind,
    /// What the replica should hold in the end.
    aim: Option<Hash>,
    /// Whether the replica is started in the same plan.
    anew: bool,
    intended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Start,
    Load,
    End,
    Look,
}

impl Witness {
    /// Hears the next entry of the record.
    pub(crate) fn hear(&mut self, entry: &Entry) {
        match &entry.body {
            Body::PlanRecorded { plan, status } if status.is_open() => self.plan(plan),
            Body::PlanStatus { plan, status, .. } if !status.is_open() => {
                self.planned.retain(|_, step| step.intended || step.plan != *plan);
            }
            Body::Intended { step, .. } => {
                if let Some(step) = self.planned.get_mut(step) {
                    step.intended = true;
                }
            }
            Body::Closed { step, outcome, .. } => self.close(step, *outcome, entry.at),
            Body::Died { obituary } => self.was_well_until(&obituary.replica, entry.at),
            Body::Convicted { conviction } => {
                if let Subject::Replica(replica) = &conviction.finding.subject {
                    self.was_well_until(replica, conviction.since.min(entry.at));
                }
            }
            Body::GoalBegun { state_hash, adds, .. } => {
                self.reached.retain(|hash, _| hash == state_hash);
                // What an earlier goal made of a replica says nothing of this one's version.
                self.starts.clear();
                self.lasted_ms.clear();
                self.well_since.clear();
                self.arrived.retain(|replica| !adds.contains(replica));
            }
            _ => {}
        }
    }

    /// A human has looked after a replica: what was done to it before is held against it no more. The end of a hold is no
    /// such release.
    pub(crate) fn release(&mut self, replica: &ReplicaId) {
        self.acted.remove(replica);
        self.starts.remove(replica);
        self.lasted_ms.remove(replica);
        self.well_since.remove(replica);
    }

    /// For how long at the most a replica was well since the newest goal began, in milliseconds.
    pub(super) fn longest_well_ms(&self, replica: &ReplicaId, now: Time) -> u64 {
        let still_ms = self.well_since.get(replica).map_or(0, |since| now.since_ms(*since));
        self.lasted_ms.get(replica).copied().unwrap_or_default().max(still_ms)
    }

    fn was_well_until(&mut self, replica: &ReplicaId, at: Time) {
        if let Some(since) = self.well_since.remove(replica) {
            let longest = self.lasted_ms.entry(replica.clone()).or_default();
            *longest = at.since_ms(since).max(*longest);
        }
    }

    fn plan(&mut self, plan: &Plan) {
        for step in &plan.steps {
            let Some(replica) = &step.replica else { continue };
            let kind = match step.act {
                Act::Start { .. } => Kind::Start,
                Act::Load { .. } => Kind::Load,
                Act::Drain { .. } | Act::Kill { .. } => Kind::End,
                Act::Probe { .. } => Kind::Look,
                Act::Snapshot { .. } | Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. } => {
                    continue;
                }
            };
            let own = plan.steps.iter().filter(|other| other.replica == step.replica);
            let aim = own.rev().find_map(|other| match other.act {
                Act::Probe { state_hash, .. } => Some(state_hash),
                _ => None,
            });
            let own = plan.steps.iter().filter(|other| other.replica == step.replica);
            let anew = own.into_iter().any(|other| matches!(other.act, Act::Start { .. }));
            let (plan, replica) = (plan.id.clone(), replica.clone());
            let planned = Planned { plan, replica, kind, aim, anew, intended: false };
            self.planned.insert(step.id.clone(), planned);
        }
    }

    fn close(&mut self, step: &StepId, outcome: Outcome, at: Time) {
        let Some(Planned { replica, kind, aim, anew, .. }) = self.planned.remove(step) else { return };
        // What was never begun, or may not have been, proves nothing.
        if !matches!(outcome, Outcome::Done | Outcome::Failed) {
            return;
        }
        match kind {
            Kind::Look if outcome == Outcome::Done => {
                self.well_since.entry(replica.clone()).or_insert(at);
                self.arrived.insert(replica);
                self.started_well.extend(aim.filter(|_| anew));
            }
            Kind::Look => {}
            Kind::End => drop(self.acted.insert(replica)),
            Kind::Start | Kind::Load => {
                if kind == Kind::Start {
                    self.was_well_until(&replica, at);
                    *self.starts.entry(replica.clone()).or_default() += 1;
                }
                if let Some(aim) = aim {
                    self.reached.entry(aim).or_default().insert(replica.clone());
                }
                self.acted.insert(replica);
            }
        }
    }
}
