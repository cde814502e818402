//! Judge: runs one judgement of the leader on what is known, and keeps its findings for `why` and the metrics.

use std::collections::BTreeMap;
use std::mem::take;

use uuid::Uuid;
use watchdog_core::finding::{Finding, Subject};
use watchdog_core::ids::{Incarnation, PlanId, ReplicaId};
use watchdog_core::input::{Decision, PlanInput};
use watchdog_core::refusal::Reason;
use watchdog_leader::judge::{self, Judged, Means, Memory, News};
use watchdog_leader::looked::Looked;
use watchdog_ports::healing_log::PlanInputRecord;

use crate::cluster::books::Batch;
use crate::cluster::world::World;

/// Names for new lives, from this machine's clock and chance.
struct Mint;

impl Means for Mint {
    fn mint(&mut self) -> Incarnation {
        Incarnation::from_u128(Uuid::now_v7().as_u128())
    }

    fn decide(&mut self, input: &PlanInput) -> Decision {
        let decision = judge::decide(input);
        for refusal in decision.refusals.iter().filter(|it| matches!(it.reason, Reason::Vetoed { .. })) {
            tracing::error!(%refusal, "plan vetoed by the linter");
        }
        decision
    }
}

/// Judges what is seen; changes nothing outside `world`.
pub(crate) fn judge(world: &mut World, news: News) -> Judged {
    let (mut strikes, mut refusals) = (take(&mut world.strikes), take(&mut world.refusals));
    let mut memory = Memory { strikes: &mut strikes, refusals: &mut refusals };
    let mut judged = judge::judge(&world.known(), news, &mut memory, &mut Mint);
    world.tally.check(&judged.findings, strikes.take_struck());
    (world.strikes, world.refusals) = (strikes, refusals);
    file(&mut world.findings, take(&mut judged.findings), &judged.looked);
    judged
}

/// The entries to write, with the plan's input as JSON. It is made here, outside the lock on the world, because it may be
/// large.
pub(crate) fn batch(judged: Judged) -> Batch {
    Batch { bodies: judged.bodies, inputs: judged.planned.and_then(kept).into_iter().collect() }
}

/// Keeps the newest findings by replica, for those who ask why.
fn file(kept: &mut BTreeMap<ReplicaId, Vec<Finding>>, findings: Vec<Finding>, looked: &Looked) {
    match looked {
        Looked::All => kept.clear(),
        Looked::Only(replicas) => kept.retain(|replica, _| !replicas.contains(replica)),
        Looked::Nothing => return,
    }
    for finding in findings {
        if let Subject::Replica(replica) = &finding.subject {
            kept.entry(replica.clone()).or_default().push(finding);
        }
    }
}

/// The exact input of a plan, to compute it again from.
fn kept((plan, mut input): (PlanId, PlanInput)) -> Option<PlanInputRecord> {
    // No plan depends on what waits, and it may be large.
    if !input.history.pending.is_empty() {
        input.history.pending.clear();
    }
    // Maps with names for keys and plain values: it can't fail, and a plan is worth more than its explanation.
    let input = serde_json::to_string(&input).ok()?;
    Some(PlanInputRecord { plan, core_version: watchdog_core::VERSION.to_owned(), input })
}
