//! Replies: our records as messages.

use watchdog_core::ids::StepId;
use watchdog_membership::records::ObituaryRecord;
use watchdog_proto::agent::{Obituary, ProcessReport, SealedStep, StepResult};

use crate::desk::StepFate;
use crate::ledger::Outcome;

/// An obituary.
pub(super) fn obituary_reply(record: &ObituaryRecord) -> Obituary {
    Obituary {
        replica: record.replica.to_string(),
        incarnation: record.incarnation.to_string(),
        host: record.host.to_string(),
        status: record.status.clone(),
        tree_gone: record.tree_gone,
        at_ms: record.at_ms,
    }
}

/// The result of a step.
pub(super) fn result_reply(outcome: &Outcome) -> StepResult {
    let process = outcome.process.as_ref().map(|(replica, incarnation, key)| ProcessReport {
        replica: replica.to_string(),
        incarnation: incarnation.to_string(),
        pid: key.pid,
        start_ticks: key.start_ticks,
        boot_id: key.boot_id.clone(),
        phase: "running".into(),
        probe: "none".into(),
        ..ProcessReport::default()
    });
    StepResult {
        error: outcome.error.clone(),
        process,
        obituary: outcome.obituary.as_ref().map(obituary_reply),
        version: outcome.loaded.as_ref().map(|loaded| loaded.version.0),
        state_hash: outcome.loaded.as_ref().map(|loaded| loaded.state_hash.to_string()),
        snapshot_json: outcome.snapshot.clone(),
        code: outcome.fault.as_ref().map_or_else(String::new, |fault| fault.code.clone()),
        blame: outcome.fault.as_ref().map_or_else(String::new, |fault| fault.blame.to_string()),
    }
}

/// What became of a step.
pub(super) fn sealed_reply(step: &StepId, fate: StepFate) -> SealedStep {
    let (fate, result, running_ms) = match fate {
        // The picture stays with the step that took it: many of them would not fit into one answer.
        StepFate::Done(outcome) => {
            ("done", Some(StepResult { snapshot_json: None, ..result_reply(&outcome) }), 0)
        }
        StepFate::Never => ("never", None, 0),
        StepFate::Running(left) => ("running", None, u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        StepFate::Lost => ("lost", None, 0),
    };
    SealedStep { step: step.to_string(), fate: fate.into(), result, running_ms }
}
