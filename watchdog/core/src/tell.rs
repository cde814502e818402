//! Tell: an entry of the record as an event: a kind, whom it is about, and one sentence.

use std::collections::BTreeMap;

use crate::finding::{Source, Subject};
use crate::ids::{PlanId, ReplicaId};
use crate::plan::Outcome;
use crate::record::{Body, Mark};
use crate::refusal::Refusal;
use crate::render;

/// What an entry tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'a> {
    /// The word for it, as in JSON.
    pub kind: &'static str,
    /// Whom it is about.
    pub replica: Option<&'a ReplicaId>,
    /// The plan that it belongs to.
    pub plan: Option<&'a PlanId>,
    /// One sentence.
    pub message: String,
}

/// Tells an entry.
pub fn tell(body: &Body) -> Told<'_> {
    let (kind, message) = words(body);
    Told { kind, replica: replica(body), plan: plan(body), message }
}

fn words(body: &Body) -> (&'static str, String) {
    match body {
        Body::Asked { .. } => ("asked", asked(body)),
        Body::TermOpened { watchdog } => ("term_opened", format!("{watchdog} leads")),
        Body::Resigned { why } => ("resigned", format!("the leader resigned: {why}")),
        Body::Convicted { conviction } => ("convicted", render::conviction(conviction)),
        Body::Cleared { subject, fault } => ("cleared", format!("{subject} is no longer {fault}")),
        Body::PlanRecorded { plan, .. } => ("plan_recorded", render::plan(plan)),
        Body::PlanStatus { plan, status, why } => {
            ("plan_status", format!("plan {plan} is {}: {why}", status.word()))
        }
        Body::Intended { step, agent, .. } => ("step_intended", format!("step {step} goes to {agent}")),
        Body::Closed { step, outcome, error, .. } => {
            ("step_closed", closed(step, *outcome, error.as_deref()))
        }
        Body::SnapshotFiled { replica, incarnation, .. } => {
            ("snapshot_filed", format!("a snapshot of {replica} ({incarnation}) was filed"))
        }
        Body::Died { obituary } => {
            let host = &obituary.host;
            ("died", format!("{} died on {host}: {}", obituary.replica, obituary.status))
        }
        Body::HostSeen { host, address, .. } => ("host_seen", format!("host {host} answers at {address}")),
        Body::Sealed { agent } => ("sealed", format!("{agent} takes no older orders any more")),
        Body::Marked { version, mark, why, .. } => {
            let mark = match mark {
                Mark::Candidate => "on trial",
                Mark::Stable => "stable",
                Mark::Rejected => "rejected",
            };
            ("marked", format!("version {version} is {mark}: {why}"))
        }
        Body::Refused { refusals, standing: 0, .. } if refusals.is_empty() => {
            ("refused", "nothing stands in the way any more".into())
        }
        Body::Refused { refusals, more, over, .. } => ("refused", refused(refusals, more, over)),
        Body::Quarantined { replica, why } => ("quarantined", format!("{replica} is quarantined: {why}")),
        Body::Escalated { message, .. } => ("escalated", format!("a human must look: {message}")),
        Body::Paused { reason, .. } => ("paused", format!("paused: {reason}")),
        Body::Resumed => ("resumed", "resumed".into()),
        Body::Held { target, reason, .. } => ("held", format!("{target} is held: {reason}")),
        Body::Released { target } => ("released", format!("{target} is released")),
        Body::StormReleased { reason } => {
            ("storm_released", format!("the storm guard was overruled: {reason}"))
        }
        Body::GoalDeclared { .. } | Body::GoalBegun { .. } | Body::GoalEnded { .. } | Body::Undone { .. } => {
            of_goals(body)
        }
        Body::Appended { from, to, why } => {
            ("appended", format!("versions {from} to {to} were appended: {why}"))
        }
    }
}

/// An order, as whoever reviews them wants it.
fn asked(body: &Body) -> String {
    let Body::Asked { act, from, proof, claimed, before, after } = body else { return String::new() };
    let claimed = claimed.as_ref().map(|name| format!(", calling themselves {name}")).unwrap_or_default();
    format!("{act}, from {from}, known by {proof}{claimed}: {before} became {after}")
}

/// So many refusals are told in full in one message.
const REFUSALS_TOLD: usize = 20;

fn refused(refusals: &[Refusal], more: &BTreeMap<String, u64>, over: &BTreeMap<String, u64>) -> String {
    let mut words: Vec<String> = refusals.iter().take(REFUSALS_TOLD).map(ToString::to_string).collect();
    let mut untold = more.clone();
    for refusal in refusals.iter().skip(REFUSALS_TOLD) {
        *untold.entry(refusal.reason.word().to_owned()).or_default() += 1;
    }
    words.extend(untold.iter().map(|(kind, count)| format!("and {count} more: {kind}")));
    words.extend(over.iter().map(|(kind, count)| format!("no longer, {count}: {kind}")));
    words.join("; ")
}

fn of_goals(body: &Body) -> (&'static str, String) {
    match body {
        Body::GoalDeclared { goal, spec, .. } => ("goal_declared", format!("goal {goal}: {}", spec.gist())),
        Body::GoalBegun { goal, base, to, .. } if base == to => {
            ("goal_begun", format!("goal {goal} rolls on version {to}"))
        }
        Body::GoalBegun { goal, base, to, .. } => {
            let versions = if base.next() == *to {
                format!("version {to}")
            } else {
                format!("versions {} to {to}", base.next())
            };
            ("goal_begun", format!("goal {goal} rolls: {versions}"))
        }
        Body::GoalEnded { goal, status, why } => ("goal_ended", format!("goal {goal} is {status}: {why}")),
        Body::Undone { goal, to, changes } => {
            let what = goal.as_ref().map_or("what was doubted".to_owned(), |goal| format!("goal {goal}"));
            let how = match changes {
                0 => "leaves nothing to take back".to_owned(),
                changes => format!("is taken back by {}", render::changes(*changes)),
            };
            ("undone", format!("{what} {how}; the head is version {to}"))
        }
        _ => ("goal", String::new()),
    }
}

fn closed(step: &crate::ids::StepId, outcome: Outcome, error: Option<&str>) -> String {
    let fate = match outcome {
        Outcome::Done => "is done",
        Outcome::Failed => "failed",
        Outcome::Never => "was never begun",
        Outcome::Unknown => "has an unknown fate",
    };
    match error {
        Some(error) => format!("step {step} {fate}: {error}"),
        None => format!("step {step} {fate}"),
    }
}

fn replica(body: &Body) -> Option<&ReplicaId> {
    match body {
        Body::Convicted { conviction } => named(&conviction.finding.subject),
        Body::Cleared { subject, .. } | Body::Escalated { subject: Some(subject), .. } => named(subject),
        Body::Intended { replica, .. } => replica.as_ref(),
        Body::SnapshotFiled { replica, .. } | Body::Quarantined { replica, .. } => Some(replica),
        Body::Died { obituary } => Some(&obituary.replica),
        Body::PlanRecorded { plan, .. } => match plan.heals.as_slice() {
            [only] => Some(&only.replica),
            _ => None,
        },
        _ => None,
    }
}

fn named(subject: &Subject) -> Option<&ReplicaId> {
    match subject {
        Subject::Replica(replica) => Some(replica),
        Subject::Host(_) => None,
    }
}

fn plan(body: &Body) -> Option<&PlanId> {
    match body {
        Body::PlanRecorded { plan, .. } => Some(&plan.id),
        Body::PlanStatus { plan, .. }
        | Body::Intended { plan, .. }
        | Body::Closed { plan, .. }
        | Body::SnapshotFiled { plan, .. } => Some(plan),
        _ => None,
    }
}

/// The word for a source of evidence, for people.
pub fn source(source: Source) -> &'static str {
    match source {
        Source::Group => "the group",
        Source::HostAgent => "its host agent",
        Source::Replica => "itself",
        Source::Record => "the record",
    }
}
