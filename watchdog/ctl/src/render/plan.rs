//! Plan: what will be, is or was done, step by step, and why.

use std::fmt::Write as _;

use watchdog_proto::admin::{PlanListReply, PlanView, SnapshotsReply, StepView};

use super::Paper;
use super::paint::Tone;
use super::status::refused;
use super::table::{Cell, Table, Worth};
use super::text::{clean, list, paragraph, pretty, sentence};
use super::when::{moment, took};

/// Draws a list of plans.
pub(crate) fn plan_list(reply: &PlanListReply, paper: &Paper) -> String {
    if reply.plans.is_empty() {
        return "No plan has been made yet.\n".to_owned();
    }
    let all = |cell: &dyn Fn(&PlanView) -> Cell| reply.plans.iter().map(cell).collect::<Vec<Cell>>();
    Table::default()
        .column("Plan", Worth::Needed, all(&|it| it.id.as_str().into()))
        .column("Status", Worth::Needed, all(&status))
        .column("Steps", Worth::Useful, all(&|it| progress(it).into()))
        .column("Created", Worth::Useful, all(&|it| moment(&it.created_at).into()))
        .column("Reason", Worth::Sentence, all(&|it| it.reason.as_str().into()))
        .draw(paper)
}

/// Draws one plan, or what would be one.
pub(crate) fn plan(plan: &PlanView, paper: &Paper) -> String {
    let mut drawn = String::new();
    let preview = plan.status == "preview";
    if preview && plan.steps.is_empty() {
        let rest = if plan.refusals.is_empty() {
            "Nothing would be done: all is well."
        } else {
            "Nothing would be done."
        };
        let _ = writeln!(drawn, "{rest}");
    } else {
        drawn += &steps(plan, preview).draw(paper);
    }
    if !plan.reason.is_empty() {
        drawn += &paragraph(&sentence(&plan.reason), "", paper);
    }
    if plan.status == "awaiting_approval" {
        let id = &plan.id;
        let ways =
            format!("It awaits approval: watchdogctl plan approve {id}, or watchdogctl plan reject {id}");
        drawn += &Tone::Unsure.paint(paragraph(&ways, "  ", paper).trim_end(), paper);
        drawn.push('\n');
    }
    drawn + &list("Refused:", &plan.refusals.iter().map(refused).collect::<Vec<_>>(), paper)
}

fn steps(plan: &PlanView, preview: bool) -> Table {
    let title = if preview {
        "What would be done now".to_owned()
    } else {
        format!("Plan {}: {} (epoch {}, {})", plan.id, plan.status, plan.epoch, moment(&plan.created_at))
    };
    moves(Table::titled(title), plan, preview)
}

/// A row for each step; columns that say nothing are left out.
pub(crate) fn moves(table: Table, plan: &PlanView, preview: bool) -> Table {
    let all = |cell: &dyn Fn(&StepView) -> Cell| plan.steps.iter().map(cell).collect::<Vec<Cell>>();
    let state = |it: &StepView| {
        if preview { Cell::default() } else { Cell::toned(&it.status, Tone::of_status(&it.status)) }
    };
    let error = |it: &StepView| Cell::toned(it.error.as_deref().unwrap_or_default(), Tone::Bad);
    let mut number = 0;
    let numbers = plan.steps.iter().map(|_| {
        number += 1;
        Cell::from(number.to_string())
    });
    table
        .column("#", Worth::Needed, numbers.collect())
        .column("Step", Worth::Needed, all(&|it| it.kind.as_str().into()))
        .column("Replica", Worth::Needed, all(&|it| it.replica.as_deref().unwrap_or_default().into()))
        .column("Status", Worth::Needed, all(&state))
        .column("Progress", Worth::Useful, all(&|it| milestone(it).into()))
        .column("Took", Worth::Useful, all(&|it| duration(it).into()))
        .column("Why", Worth::Sentence, all(&|it| it.why.as_str().into()))
        .column("Error", Worth::Sentence, all(&error))
}

/// Draws the pictures that were taken before processes were ended.
pub(crate) fn snapshots(reply: &SnapshotsReply, _paper: &Paper) -> String {
    if reply.snapshots.is_empty() {
        return "No snapshot was taken in this plan.\n".to_owned();
    }
    let mut drawn = String::new();
    for it in &reply.snapshots {
        let (replica, incarnation) = (clean(&it.replica), clean(&it.incarnation));
        let _ = writeln!(drawn, "{replica} ({incarnation}), step {}, {}", clean(&it.step), moment(&it.at));
        drawn += &pretty(&it.snapshot_json, "  ");
    }
    drawn
}

fn status(plan: &PlanView) -> Cell {
    Cell::toned(&plan.status, Tone::of_status(&plan.status))
}

/// How many steps are done, of how many.
fn progress(plan: &PlanView) -> String {
    if plan.steps.is_empty() {
        return String::new();
    }
    let done = plan.steps.iter().filter(|step| step.status == "done").count();
    format!("{done} of {}", plan.steps.len())
}

/// How far a step is that is under way, as its agent last said.
fn milestone(step: &StepView) -> String {
    if step.status == "running" { told(step.percent, step.progress.as_deref()) } else { String::new() }
}

/// `45 %, fetching weights`
pub(super) fn told(percent: Option<u32>, progress: Option<&str>) -> String {
    let percent = percent.map(|percent| format!("{percent} %"));
    let words = percent.into_iter().chain(progress.map(str::to_owned)).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(", ")
}

fn duration(step: &StepView) -> String {
    match (&step.started_at, &step.finished_at) {
        (Some(from), Some(to)) => took(from, to),
        _ => String::new(),
    }
}
