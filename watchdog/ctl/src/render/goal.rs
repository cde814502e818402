//! Goal: what operators declared, what it changes, and how far it is.

use std::fmt::Write as _;

use watchdog_proto::admin::{
    AwaitedView, GoalApplyReply, GoalDiffReply, GoalListReply, GoalReplicaView, GoalView,
};

use super::Paper;
use super::log::difference;
use super::paint::Tone;
use super::status::refused;
use super::table::{Cell, Table, Worth};
use super::text::{clean, list, paragraph, sentence};
use super::when::{moment, until};

/// Draws what a goal would change.
pub(crate) fn goal_diff(reply: &GoalDiffReply, paper: &Paper) -> String {
    let mut drawn: String = reply.lines.iter().map(|line| difference(line, paper)).collect();
    if reply.lines.is_empty() {
        drawn += "No changes: the state is as the goal wants it.\n";
    } else {
        let (added, changed, removed) = (reply.added, reply.changed, reply.removed);
        let _ = writeln!(drawn, "{added} to add, {changed} to change, {removed} to remove.");
    }
    for note in &reply.notes {
        drawn += &paragraph(&sentence(&format!("Note: {note}")), "  ", paper);
    }
    drawn
}

/// Draws what a goal would change, now that the head is another than the operator has seen.
pub(crate) fn goal_moved(reply: &GoalDiffReply, paper: &Paper) -> String {
    let title = format!("The head is {} now; on top of it the goal comes to:", reply.head);
    format!("{}\n{}", Tone::Strong.paint(&title, paper), goal_diff(reply, paper))
}

/// Draws that a goal was declared.
pub(crate) fn goal_applied(reply: &GoalApplyReply, paper: &Paper) -> String {
    let message = if reply.message.is_empty() {
        format!("goal {} is {}", reply.id, reply.status)
    } else {
        reply.message.clone()
    };
    paragraph(&sentence(&message), "", paper)
}

/// Draws a list of goals.
pub(crate) fn goal_list(reply: &GoalListReply, paper: &Paper) -> String {
    if reply.goals.is_empty() {
        return "No goal has been declared yet.\n".to_owned();
    }
    let all = |cell: &dyn Fn(&GoalView) -> Cell| reply.goals.iter().map(cell).collect::<Vec<Cell>>();
    Table::default()
        .column("Goal", Worth::Needed, all(&|it| it.id.as_str().into()))
        .column("Status", Worth::Needed, all(&|it| Cell::toned(&it.status, Tone::of_goal(&it.status))))
        .column("Versions", Worth::Useful, all(&|it| versions(it).into()))
        .column("By", Worth::Useful, all(&|it| it.by.as_str().into()))
        .column("Declared", Worth::Useful, all(&|it| moment(&it.declared_at).into()))
        .column("Asks for", Worth::Sentence, all(&|it| it.gist.as_str().into()))
        .draw(paper)
}

/// The head before its changes, and the last of them.
fn versions(goal: &GoalView) -> String {
    match (goal.base, goal.to) {
        (Some(base), Some(to)) if base + 1 < to => format!("{} to {to}", base + 1),
        (Some(base), Some(to)) if base < to => to.to_string(),
        (_, Some(to)) => to.to_string(),
        _ => String::new(),
    }
}

/// Draws all of one goal.
pub(crate) fn goal(goal: &GoalView, paper: &Paper) -> String {
    let title = format!("Goal {}: {}", clean(&goal.id), clean(&goal.status));
    let mut drawn = Tone::Strong.paint(&title, paper) + "\n";
    for text in [told("Asks for", &goal.gist), told("Reason", &goal.reason)].into_iter().flatten() {
        drawn += &paragraph(&text, "  ", paper);
    }
    drawn += &paragraph(&dates(goal), "  ", paper);
    if let (Some(base), Some(to)) = (goal.base, goal.to) {
        let text = match to.saturating_sub(base) {
            0 => format!("It changes nothing in the log; its candidate is version {to}."),
            1 => format!("Its change is version {to}, on top of {base}."),
            count => format!("Its {count} changes are versions {} to {to}, on top of {base}.", base + 1),
        };
        drawn += &paragraph(&text, "  ", paper);
    }
    if let Some(text) = told("It ended because", &goal.why) {
        let text = paragraph(&text, "  ", paper);
        drawn += &Tone::of_goal(&goal.status).paint(text.trim_end(), paper);
        drawn.push('\n');
    }
    if let Some(text) = goal.last_failure.as_deref().and_then(|failure| told("The last failure", failure)) {
        drawn += &paragraph(&text, "  ", paper);
    }
    if let Some(stage) = stage(goal) {
        drawn += &paragraph(&sentence(&format!("Stage: {stage}")), "  ", paper);
    }
    if goal.soak_until.is_some() {
        let until = until(goal.soak_until.as_deref(), paper);
        drawn += &paragraph(&format!("The soak lasts{until}."), "  ", paper);
    }
    if !goal.replicas.is_empty() {
        drawn += &replicas(&goal.replicas).draw(paper);
    }
    drawn += &list("A human is needed:", &awaited(&goal.awaited), paper);
    drawn + &list("Refused:", &goal.refusals.iter().map(refused).collect::<Vec<_>>(), paper)
}

fn told(what: &str, text: &str) -> Option<String> {
    (!text.is_empty()).then(|| sentence(&format!("{what}: {text}")))
}

fn dates(goal: &GoalView) -> String {
    let mut text = format!("Declared by {} at {}", goal.by, moment(&goal.declared_at));
    for (what, at) in [("begun", &goal.begun_at), ("ended", &goal.ended_at)] {
        if let Some(at) = at {
            let _ = write!(text, ", {what} at {}", moment(at));
        }
    }
    text + "."
}

/// `soak: 1 of 3 replicas hold version 12`
fn stage(goal: &GoalView) -> Option<String> {
    let stage = goal.stage.as_ref()?.replace('_', " ");
    let detail = goal.stage_detail.as_deref().filter(|detail| !detail.is_empty());
    Some(detail.map_or(stage.clone(), |detail| format!("{stage}: {detail}")))
}

fn replicas(replicas: &[GoalReplicaView]) -> Table {
    let all = |cell: &dyn Fn(&GoalReplicaView) -> Cell| replicas.iter().map(cell).collect::<Vec<Cell>>();
    let percent = |it: &GoalReplicaView| it.percent.map(|percent| format!("{percent} %")).unwrap_or_default();
    Table::default()
        .column("Replica", Worth::Needed, all(&|it| it.replica.as_str().into()))
        .column("Stage", Worth::Needed, all(&|it| Cell::toned(&it.stage, Tone::of_stage(&it.stage))))
        .column("Loaded", Worth::Needed, all(&|it| percent(it).into()))
        .column("Progress", Worth::Sentence, all(&|it| progress(it).into()))
}

/// What its agent says, or why the last try failed.
fn progress(replica: &GoalReplicaView) -> String {
    match (replica.progress.as_deref(), replica.failure.as_deref()) {
        (Some(progress), _) => progress.to_owned(),
        (None, Some(failure)) => format!("the last try failed: {failure}"),
        (None, None) => String::new(),
    }
}

/// What only a human can decide, each with its command.
pub(super) fn awaited(all: &[AwaitedView]) -> Vec<String> {
    all.iter().map(|it| format!("{}: {}", it.what, it.command)).collect()
}
