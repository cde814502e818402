//! Render: plans, findings and refusals as the sentences that people and scripts read.

use crate::finding::{Conviction, Finding};
use crate::ids::ReplicaId;
use crate::input::Decision;
use crate::plan::{Act, Plan, Step};
use crate::refusal::Refusal;

/// A whole decision, a line for the plan and one for each refusal; empty when there is nothing to do.
pub fn decision(decision: &Decision) -> String {
    let plan = decision.plan.iter().map(plan);
    plan.chain(decision.refusals.iter().map(refusal)).map(|line| line + "\n").collect()
}

/// A plan in one line: `heal 1-1: kill demo-b on h1, start demo-b on h1 with v7, probe demo-b expecting v7`.
///
/// What is done for different replicas, side by side, is separated by semicolons.
pub fn plan(plan: &Plan) -> String {
    let mut text = format!("heal {}: ", plan.id);
    let mut before: Option<&Step> = None;
    for it in &plan.steps {
        if let Some(before) = before {
            text.push_str(if before.replica == it.replica { ", " } else { "; " });
        }
        text.push_str(&step(it));
        before = Some(it);
    }
    text
}

/// A plan in full: its sentence, then a line for each step with its reason.
pub fn plan_in_full(plan: &Plan) -> String {
    let head = format!("plan {} under epoch {}: {}\n", plan.id, plan.epoch, plan.reason);
    let lines = plan.steps.iter().map(|it| {
        let optional = if it.optional { ", if it can" } else { "" };
        format!("  {}  {}{optional}: {}\n", it.id, step(it), it.why)
    });
    std::iter::once(head).chain(lines).collect()
}

/// A step, in a few words.
pub fn step(step: &Step) -> String {
    let whom = step.replica.as_ref().map_or("the cluster", ReplicaId::as_str);
    match &step.act {
        Act::Snapshot { .. } => format!("snapshot {whom}"),
        Act::Drain { .. } => format!("drain {whom}"),
        Act::Kill { host, .. } => format!("kill {whom} on {host}"),
        Act::Start { host, version, .. } => format!("start {whom} on {host} with v{version}"),
        Act::Load { to, .. } => format!("load v{to} on {whom}"),
        Act::Probe { version, .. } => format!("probe {whom} expecting v{version}"),
        Act::MarkStable { version, .. } => format!("mark v{version} stable"),
        Act::Reject { version, to, .. } => format!("reject v{version}, return to v{to}"),
        Act::Notify { quarantine: true, .. } => format!("quarantine {whom}"),
        Act::Notify { message, quarantine: false } => format!("tell a human: {message}"),
    }
}

/// A finding, in one sentence.
pub fn finding(finding: &Finding) -> String {
    format!("{} {}: {}", finding.subject, finding.kind, finding.detail)
}

/// A conviction, in one sentence.
pub fn conviction(conviction: &Conviction) -> String {
    let times = if conviction.strikes == 1 { "strike" } else { "strikes" };
    format!("{} ({} {times})", finding(&conviction.finding), conviction.strikes)
}

/// A refusal, in one sentence.
pub fn refusal(refusal: &Refusal) -> String {
    format!("refuse {refusal}")
}

/// So many changes, in words.
pub fn changes(count: u64) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

/// How often, in words.
pub fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// So many tries, in words.
pub fn tries(count: u32) -> String {
    if count == 1 { "1 try".to_owned() } else { format!("{count} tries") }
}
