//! Next: what an open plan asks for now, given what is known of its steps and what is seen.
//!
//! ```text
//! steps of one replica, in order;  replicas side by side
//!   not sent ──► Send        sent ──► wait for its agent        a probe ──► Close by what is seen, or Sleep
//!   failed, and not optional ──► the rest of this replica's steps is skipped
//! all replicas through ──► Finish: done, or failed with the first error
//! ```
//!
//! It keeps nothing: asked again with the same progress it says the same, and what was sent is not sent again.

use std::collections::BTreeMap;

use crate::condition::is_healthy;
use crate::history::{OpenPlan, StepProgress};
use crate::ids::{Incarnation, ReplicaId, StepId, Time};
use crate::observation::{Life, Observation, Sight};
use crate::plan::{Act, Outcome, PlanStatus, Step};
use crate::render;
use crate::state::Hash;

/// What the daemon does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Record the intent of this step, then have it carried out.
    Send(StepId),
    /// Record what became of a step that is decided by looking.
    Close {
        /// Which.
        step: StepId,
        /// What became of it.
        outcome: Outcome,
        /// Why it failed.
        error: Option<String>,
    },
    /// Nothing before then, unless something is seen.
    Sleep {
        /// When.
        until: Time,
    },
    /// Close the plan.
    Finish {
        /// How it ended.
        status: PlanStatus,
        /// Why.
        why: String,
    },
}

/// What the plan asks for now. Empty: wait for an agent, an approval or sight.
pub fn next(open: &OpenPlan, sight: &Observation, now: Time) -> Vec<Command> {
    if open.status != PlanStatus::Running {
        return Vec::new();
    }
    let looks = Looks { open, sight, now };
    let lanes: Vec<Lane> = lanes(&open.plan.steps).into_values().map(|steps| looks.lane(&steps)).collect();
    if let Some(finish) = finish(&lanes) {
        return vec![finish];
    }
    let mut commands = Vec::new();
    let mut until: Option<Time> = None;
    for lane in lanes {
        match lane {
            Lane::Act(command) => commands.push(command),
            Lane::Wait(Some(due)) => until = Some(until.map_or(due, |until| until.min(due))),
            Lane::Wait(None) | Lane::Through | Lane::Broken { .. } => {}
        }
    }
    commands.extend(until.map(|until| Command::Sleep { until }));
    commands
}

/// The steps of each replica, in their order; those of nobody in particular are a lane of their own.
fn lanes(steps: &[Step]) -> BTreeMap<Option<&ReplicaId>, Vec<&Step>> {
    let mut lanes: BTreeMap<Option<&ReplicaId>, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        lanes.entry(step.replica.as_ref()).or_default().push(step);
    }
    lanes
}

/// How far the steps of one replica are.
enum Lane {
    /// Something is to be done.
    Act(Command),
    /// Something is under way; with a moment if time alone may decide it.
    Wait(Option<Time>),
    /// All are done.
    Through,
    /// One failed, and so the rest is skipped.
    Broken {
        /// Which.
        step: StepId,
        /// What went wrong, in one sentence.
        why: String,
    },
}

fn finish(lanes: &[Lane]) -> Option<Command> {
    let mut first: Option<(&StepId, &String)> = None;
    let mut broken = 0;
    for lane in lanes {
        match lane {
            Lane::Act(_) | Lane::Wait(_) => return None,
            Lane::Through => {}
            Lane::Broken { step, why } => {
                broken += 1;
                first = first.or(Some((step, why)));
            }
        }
    }
    Some(match first {
        None => Command::Finish { status: PlanStatus::Done, why: "every step is done".to_owned() },
        Some((step, why)) => {
            let more = if broken > 1 { format!(", and {} more", broken - 1) } else { String::new() };
            Command::Finish { status: PlanStatus::Failed, why: format!("step {step}: {why}{more}") }
        }
    })
}

struct Looks<'a> {
    open: &'a OpenPlan,
    sight: &'a Observation,
    now: Time,
}

impl Looks<'_> {
    fn lane(&self, steps: &[&Step]) -> Lane {
        for step in steps {
            let Some(progress) = self.open.progress.steps.get(&step.id) else { return self.send(step) };
            match progress.outcome {
                None => return self.under_way(step, progress),
                Some(Outcome::Done) => {}
                Some(Outcome::Failed | Outcome::Never | Outcome::Unknown) if step.optional => {}
                Some(outcome) => {
                    return Lane::Broken { step: step.id.clone(), why: failure(step, outcome, progress) };
                }
            }
        }
        Lane::Through
    }

    fn send(&self, step: &Step) -> Lane {
        match self.sight.sight {
            Sight::Clear => Lane::Act(Command::Send(step.id.clone())),
            // Who can't see may be led by someone else already.
            Sight::Blind { .. } => Lane::Wait(None),
        }
    }

    fn under_way(&self, step: &Step, progress: &StepProgress) -> Lane {
        if matches!(self.sight.sight, Sight::Blind { .. }) {
            return Lane::Wait(None);
        }
        let close = |outcome, error| Lane::Act(Command::Close { step: step.id.clone(), outcome, error });
        let (incarnation, state_hash) = match step.act {
            Act::Probe { incarnation, state_hash, .. } => (incarnation, state_hash),
            // The dead answer nobody: what they were asked is over with them.
            Act::Load { incarnation, .. } | Act::Drain { incarnation } => {
                let died = self.obituary(step.replica.as_ref(), incarnation);
                return died.map_or(Lane::Wait(None), |why| close(Outcome::Failed, Some(why)));
            }
            Act::Snapshot { .. }
            | Act::Kill { .. }
            | Act::Start { .. }
            | Act::MarkStable { .. }
            | Act::Reject { .. }
            | Act::Notify { .. } => return Lane::Wait(None),
        };
        let due = progress.started_at.plus_ms(step.timeout_ms);
        match self.verdict(step.replica.as_ref(), incarnation, state_hash) {
            Verdict::Healthy => close(Outcome::Done, None),
            Verdict::Dead(error) => close(Outcome::Failed, Some(error)),
            Verdict::NotYet(why) if self.now >= due => {
                close(Outcome::Failed, Some(format!("not healthy within {} ms: {why}", step.timeout_ms)))
            }
            Verdict::NotYet(_) => Lane::Wait(Some(due)),
        }
    }

    fn obituary(&self, replica: Option<&ReplicaId>, incarnation: Incarnation) -> Option<String> {
        let seen = replica.and_then(|replica| self.sight.replicas.get(replica))?;
        let obituary = seen.lives.get(&incarnation)?.obituary.as_ref()?;
        Some(format!("it died: {}", obituary.status))
    }

    fn verdict(&self, replica: Option<&ReplicaId>, incarnation: Incarnation, hash: Hash) -> Verdict {
        let seen = replica.and_then(|replica| self.sight.replicas.get(replica));
        let Some(life) = seen.and_then(|seen| seen.lives.get(&incarnation)) else {
            return Verdict::NotYet("it is not seen".to_owned());
        };
        if let Some(why) = self.obituary(replica, incarnation) {
            return Verdict::Dead(why);
        }
        if !is_healthy(life) {
            return Verdict::NotYet(complaint(life));
        }
        // A program that takes no state has nothing that could be wrong.
        match life.loaded().filter(|loaded| loaded.state_hash != hash) {
            None => Verdict::Healthy,
            Some(loaded) => Verdict::NotYet(format!(
                "it says version {} and holds {} instead of {}",
                loaded.version,
                loaded.state_hash.short(),
                hash.short()
            )),
        }
    }
}

enum Verdict {
    Healthy,
    Dead(String),
    NotYet(String),
}

fn complaint(life: &Life) -> String {
    let probe = life.process.as_ref().map(|process| process.detail.as_str());
    let own = life.member.as_ref().map(|member| member.detail.as_str());
    let told = own.into_iter().chain(probe).find(|detail| !detail.is_empty());
    told.unwrap_or("it does not say why").to_owned()
}

/// What went wrong with a step, in one sentence that ends in the cause.
pub(crate) fn failure(step: &Step, outcome: Outcome, progress: &StepProgress) -> String {
    let what = render::step(step);
    match (outcome, &progress.error) {
        (Outcome::Never, None) => format!("{what}: was never begun, and never will be"),
        (Outcome::Never, Some(error)) => format!("{what}: was never begun: {error}"),
        (Outcome::Unknown, None) => format!("{what}: nobody knows what became of it"),
        (Outcome::Unknown, Some(error)) => format!("{what}: nobody knows what became of it: {error}"),
        (Outcome::Done | Outcome::Failed, Some(error)) => format!("{what}: {error}"),
        (Outcome::Done | Outcome::Failed, None) => format!("{what}: failed without a word"),
    }
}
