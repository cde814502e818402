//! Begin: whether what was decided is still begun, when writing it down took long.
//!
//! ```text
//! intent written ──► decided long ago? ──► never begun, planned anew
//!                        │ no
//!                    looked lately? ──no──► look again ──► more disturbed than allowed by now? ──► never begun
//!                        │ yes                                   │ no
//!                        └────────────────► send ◄───────────────┘
//! ```

use std::collections::BTreeSet;

use watchdog_core::blame::Blame;
use watchdog_core::history::OpenPlan;
use watchdog_core::ids::{Epoch, PlanId, ReplicaId, StepId, Time};
use watchdog_core::input::PlanInput;
use watchdog_core::observation::Observation;
use watchdog_core::plan::{Act, Agent, Outcome, PlanStatus, Step};
use watchdog_core::record::{Body, Entry};
use watchdog_core::safety::Budget;

use crate::judge::{Known, input_to_read};

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
pub fn screen(known: &Known<'_>, at: (Epoch, Time), intents: Vec<Intent>) -> Screened {
    let mut screened = Screened::default();
    let mut cluster = None;
    for intent in intents {
        match outlived(known, at, (&intent, &mut cluster)) {
            None => screened.sent.push(intent),
            Some(why) => {
                let never = never(&intent, why);
                screened.never.push((intent, vec![never]));
            }
        }
    }
    close_unbegun(known, &mut screened.never);
    screened
}

/// Closes the plans of which no step was begun, is sent now or may be under way.
fn close_unbegun(known: &Known<'_>, never: &mut [(Intent, Vec<Body>)]) {
    let given_up: BTreeSet<StepId> = never.iter().map(|(intent, _)| intent.step.clone()).collect();
    let plans: BTreeSet<PlanId> = never.iter().map(|(intent, _)| intent.plan.clone()).collect();
    for plan in plans {
        let Some(open) = known.history.open_plans.get(&plan) else { continue };
        let mut steps = open.progress.steps.iter();
        if !steps.all(|(step, it)| it.outcome == Some(Outcome::Never) || given_up.contains(step)) {
            continue;
        }
        if let Some((_, bodies)) = never.iter_mut().rfind(|(intent, _)| intent.plan == plan) {
            let why = "nothing of it was begun in time".to_owned();
            bodies.push(Body::PlanStatus { plan, status: PlanStatus::Superseded, why });
        }
    }
}

/// Why a step is not begun any more, when it is not. `cluster` is filled when the budget is first asked, so that it is
/// counted once for all intents.
fn outlived(
    known: &Known<'_>,
    (epoch, now): (Epoch, Time),
    (intent, cluster): (&Intent, &mut Option<(PlanInput, Budget)>),
) -> Option<String> {
    let age_ms = now.since_ms(intent.at);
    if age_ms > STALE_MS {
        return Some(format!("it was decided {age_ms} ms ago, and is planned anew by what is seen now"));
    }
    let (replica, decided_at) = touched_first(known, intent)?;
    if now.since_ms(decided_at) <= LOOK_AGAIN_MS {
        return None;
    }
    let (input, budget) = cluster.get_or_insert_with(|| {
        let input = input_to_read(known, (epoch, now), Vec::new());
        let budget = Budget::of(&input);
        (input, budget)
    });
    let reason = budget.readmit(replica, input).err()?;
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;
    use watchdog_core::history::History;
    use watchdog_core::ids::Sequence;
    use watchdog_core::plan::Plan;

    use super::*;
    use crate::log_view::LogView;

    const NOW: Time = Time(1_000_000);

    /// Steps, and how many milliseconds ago each was intended.
    type Steps<'a> = &'a [(&'a str, u64)];

    /// A plan that ends `a` after a picture of it, and ends `b`.
    fn plan() -> Plan {
        let kill = |life: &str| json!({"kind": "kill", "host": "h1", "incarnation": life, "grace_ms": 1});
        let a = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";
        let b = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4f";
        let step = |id: &str, replica: &str, act: &serde_json::Value| {
            let optional = act["kind"] == "snapshot";
            json!({"id": id, "replica": replica, "act": act, "why": "", "timeout_ms": 1, "optional": optional})
        };
        let picture = json!({"kind": "snapshot", "host": "h1", "incarnation": a, "budget_ms": 1});
        let steps =
            [step("1-1-1", "a", &picture), step("1-1-2", "a", &kill(a)), step("1-1-3", "b", &kill(b))];
        let plan = json!({
            "id": "1-1", "epoch": 1, "created_at": 0, "reason": "", "convictions": [], "heals": [], "steps": steps,
        });
        serde_json::from_value(plan).unwrap()
    }

    /// The record of `plan`, and of these intents.
    fn record(steps: Steps<'_>) -> Vec<Entry> {
        let recorded = Body::PlanRecorded { plan: plan(), status: PlanStatus::Running };
        let intended = steps.iter().map(|(step, ago)| {
            let (plan, step, replica) = ("1-1".parse().unwrap(), step.parse().unwrap(), None);
            let (agent, instance) = (Agent::Host("h1".parse().unwrap()), Some("one".to_owned()));
            (Body::Intended { plan, step, replica, agent, instance }, NOW.0 - ago)
        });
        let bodies = [(recorded, 0)].into_iter().chain(intended);
        let entry = |(sequence, (body, at))| Entry {
            sequence: Sequence(sequence),
            at: Time(at),
            epoch: Epoch(1),
            by: "w1".to_owned(),
            body,
        };
        (1..).zip(bodies).map(entry).collect()
    }

    /// What is sent, and what the record is told of the others.
    fn screened(steps: Steps<'_>) -> (Vec<String>, Vec<&'static str>) {
        let entries = record(steps);
        let (history, observation) = (History::replay(&entries).into(), Observation::unseen(NOW).into());
        let (cluster, log) = ("demo".parse().unwrap(), LogView::empty());
        let known = Known::of(&cluster, (&history, &observation), &log);
        let Screened { sent, never } = screen(&known, (Epoch(1), NOW), intents(&entries));
        let word = |body: Body| match body {
            Body::Closed { outcome: Outcome::Never, blame: Some(Blame::Ours), .. } => "never, and by us",
            Body::PlanStatus { status: PlanStatus::Superseded, .. } => "the plan is over",
            _ => "something else",
        };
        let told = never.into_iter().flat_map(|(_, bodies)| bodies).map(word).collect();
        (sent.into_iter().map(|intent| intent.step.to_string()).collect(), told)
    }

    #[test]
    fn what_was_decided_long_ago_is_not_begun() {
        let (never, over) = ("never, and by us", "the plan is over");
        let table: [(Steps<'_>, &[&str], &[&str]); 4] = [
            (&[("1-1-1", 10), ("1-1-3", 2_000)], &["1-1-1", "1-1-3"], &[]),
            (&[("1-1-1", 6_000)], &[], &[never, over]),
            (&[("1-1-1", 6_000), ("1-1-3", 6_000)], &[], &[never, never, over]),
            // Another's step is under way, so that the plan goes on.
            (&[("1-1-1", 6_000), ("1-1-3", 10)], &["1-1-3"], &[never]),
        ];
        for (steps, sent, told) in table {
            let (is_sent, is_told) = screened(steps);
            assert_eq!(is_sent, sent, "{steps:?}");
            assert_eq!(is_told, told, "{steps:?}");
        }
    }
}
