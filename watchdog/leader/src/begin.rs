//! Begin: whether what was decided is still begun, when writing it down took long.
//!
//! ```text
//! intent written ──► decided long ago? ──► never begun, planned anew
//!                        │ no
//!                    looked lately? ──no──► look again ──► more disturbed than allowed by now? ──► never begun
//!                        │ yes                                   │ no
//!                        └────────────────► send ◄───────────────┘
//! ```

use watchdog_core::blame::Blame;
use watchdog_core::history::OpenPlan;
use watchdog_core::ids::{Epoch, Incarnation, PlanId, ReplicaId, StepId, Time};
use watchdog_core::observation::Observation;
use watchdog_core::plan::{Act, Agent, Outcome, PlanStatus, Step};
use watchdog_core::record::{Body, Entry};
use watchdog_core::safety::may_begin;

use crate::judge::{Known, plan_input};

/// What was seen longer ago than this is looked at again before anything is begun that was decided on it.
const LOOK_AGAIN_MS: u64 = 250;

/// What was decided longer ago than this is not begun at all. A journal that takes two seconds can be healed with; one
/// that takes longer says nothing within the time that a leader waits for it.
const STALE_MS: u64 = 5_000;

/// An intent of ours that is in the record: which step, and when it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Of which plan.
    pub plan: PlanId,
    /// Which step.
    pub step: StepId,
    /// Who carries it out.
    pub agent: Agent,
    /// Which instance of it.
    pub instance: String,
    /// When it was decided.
    pub at: Time,
}

/// The steps that `entries` intend and that an agent carries out.
pub fn intents(entries: &[Entry]) -> Vec<Intent> {
    let intents = entries.iter().filter_map(|entry| {
        let Body::Intended { plan, step, agent, instance: Some(instance), .. } = &entry.body else {
            return None;
        };
        let (plan, step, agent, instance) = (plan.clone(), step.clone(), agent.clone(), instance.clone());
        Some(Intent { plan, step, agent, instance, at: entry.at })
    });
    intents.collect()
}

/// Whether to look again before anything is begun.
pub fn is_late(observation: &Observation, now: Time) -> bool {
    now.since_ms(observation.at) > LOOK_AGAIN_MS
}

/// What becomes of intents that are in the record.
#[derive(Debug, Default)]
pub struct Screened {
    /// These are sent.
    pub sent: Vec<Intent>,
    /// These are not, and the record is told so; a plan of which nothing is begun then is over.
    pub never: Vec<(Intent, Vec<Body>)>,
}

/// Tells intents that are still to be begun from those that are not any more.
pub fn screen(known: &Known<'_>, (epoch, now): (Epoch, Time), intents: Vec<Intent>) -> Screened {
    let mut screened = Screened::default();
    for intent in intents {
        match outlived(known, (epoch, now), &intent) {
            None => screened.sent.push(intent),
            Some(why) => {
                let never = never(&intent, why);
                screened.never.push((intent, vec![never]));
            }
        }
    }
    let mut over: Vec<PlanId> = screened.never.iter().map(|(intent, _)| intent.plan.clone()).collect();
    over.dedup();
    over.retain(|plan| is_unbegun(known, plan, &screened));
    for plan in over {
        let last = screened.never.iter_mut().rfind(|(intent, _)| intent.plan == plan);
        let why = "nothing of it was begun in time".to_owned();
        let over = Body::PlanStatus { plan, status: PlanStatus::Superseded, why };
        if let Some((_, bodies)) = last {
            bodies.push(over);
        }
    }
    screened
}

/// Whether no step of a plan was begun, is sent now or may be under way.
fn is_unbegun(known: &Known<'_>, plan: &PlanId, screened: &Screened) -> bool {
    let Some(open) = known.history.open_plans.get(plan) else { return false };
    let is_given_up = |step: &StepId| screened.never.iter().any(|(intent, _)| intent.step == *step);
    open.progress.steps.iter().all(|(step, it)| it.outcome == Some(Outcome::Never) || is_given_up(step))
}

/// Why a step is not begun any more, when it is not.
fn outlived(known: &Known<'_>, (epoch, now): (Epoch, Time), intent: &Intent) -> Option<String> {
    let age_ms = now.since_ms(intent.at);
    if age_ms > STALE_MS {
        return Some(format!("it was decided {age_ms} ms ago, and is planned anew by what is seen now"));
    }
    let (replica, decided_at) = touched_first(known, intent)?;
    if now.since_ms(decided_at) <= LOOK_AGAIN_MS {
        return None;
    }
    let nothing_starts = || Incarnation::from_u128(0);
    let input = plan_input(known, (epoch, now), Vec::new(), (known.history.clone(), nothing_starts));
    let reason = may_begin(replica, &input).err()?;
    Some(format!("since it was decided others have gone down: {reason}"))
}

/// How the record says that it was not begun: by no fault of the replica, the agent or the way to it.
fn never(intent: &Intent, why: String) -> Body {
    let (plan, step) = (intent.plan.clone(), intent.step.clone());
    Body::Closed { plan, step, outcome: Outcome::Never, error: Some(why), blame: Some(Blame::Ours) }
}

/// The replica that this step is the first to touch, when its heal disturbs it; and when that was decided, which may be
/// before a picture of it was taken.
fn touched_first<'a>(known: &Known<'a>, intent: &Intent) -> Option<(&'a ReplicaId, Time)> {
    let OpenPlan { plan, progress, .. } = known.history.open_plans.get(&intent.plan)?;
    let replica = plan.steps.iter().find(|step| step.id == intent.step)?.replica.as_ref()?;
    let before: Vec<&Step> = plan.steps_of(replica).take_while(|step| step.id != intent.step).collect();
    let is_first = before.iter().all(|step| matches!(step.act, Act::Snapshot { .. }));
    let disturbs = plan.heals.iter().any(|heal| heal.disturbs && heal.replica == *replica);
    let begun = before.iter().filter_map(|step| Some(progress.steps.get(&step.id)?.started_at));
    let decided_at = begun.chain([intent.at]).min()?;
    (is_first && disturbs).then_some((replica, decided_at))
}
