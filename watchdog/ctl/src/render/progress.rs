//! Progress: a goal as it goes: a block that is drawn over on a terminal, or a line at each change.

use watchdog_proto::admin::{GoalReplicaView, GoalView};

use super::Paper;
use super::paint::Tone;
use super::plan::told;
use super::text::{clean, clipped, paragraph, sentence};
use super::when::left;

/// The stages of a replica, in the order in which they are shown.
const STAGES: [&str; 5] = ["arrived", "moving", "trial", "failed", "left"];
/// More replicas of one stage are only counted.
const NAMES_TOLD: usize = 8;

/// Draws the block: what the goal is at, and its replicas by stage; no line is wider than the paper.
pub(crate) fn goal_progress(goal: &GoalView, paper: &Paper) -> String {
    goal_lines(goal, paper).into_iter().map(|(tone, line)| painted(tone, &line, paper)).collect()
}

/// The lines of that block.
pub(crate) fn goal_lines(goal: &GoalView, paper: &Paper) -> Vec<(Tone, String)> {
    let countdown = goal.soak_until.as_deref().and_then(|until| left(until, paper));
    let countdown = countdown.map(|left| format!(", {left} left")).unwrap_or_default();
    let mut lines = vec![(Tone::Strong, format!("Goal {}: {}{countdown}", goal.id, stage(goal)))];
    if !detail(goal).is_empty() {
        lines.push((Tone::Plain, format!("  {}", sentence(detail(goal)))));
    }
    for stage in STAGES {
        let told = |it: &GoalReplicaView| match told(it.percent, it.progress.as_deref()) {
            milestone if stage == "moving" && !milestone.is_empty() => {
                format!("{} ({milestone})", it.replica)
            }
            _ => it.replica.clone(),
        };
        if let Some(names) = names(goal, stage, told) {
            lines.push((Tone::of_stage(stage), format!("  {stage:<7}  {names}")));
        }
    }
    lines
}

fn painted(tone: Tone, text: &str, paper: &Paper) -> String {
    tone.paint(clipped(text, paper).trim_end(), paper) + "\n"
}

/// Remembers what was said, to say only what is new.
#[derive(Debug, Default)]
pub(crate) struct GoalLines {
    said: String,
}

impl GoalLines {
    /// The last line again, for whoever would else hear nothing; empty when there was none.
    pub(crate) fn again(&self, paper: &Paper) -> String {
        if self.said.is_empty() {
            return String::new();
        }
        format!("{}  {} (still)\n", humantime::format_rfc3339_millis(paper.now), self.said)
    }

    /// A line, or nothing when neither stage nor replicas have changed.
    pub(crate) fn line(&mut self, goal: &GoalView, paper: &Paper) -> String {
        let by_stage = STAGES.iter().filter_map(|stage| {
            let names = names(goal, stage, |it| it.replica.clone())?;
            Some(format!("{stage} {names}"))
        });
        let mut parts = vec![detail(goal).to_owned()];
        parts.extend(by_stage);
        parts.retain(|part| !part.is_empty());
        let said = clean(&format!("{:<20}  {}", stage(goal), parts.join("; ")));
        if said == self.said {
            return String::new();
        }
        let line = format!("{}  {said}\n", humantime::format_rfc3339_millis(paper.now));
        self.said = said;
        line
    }
}

/// Draws the end of it, when it is a good one.
pub(crate) fn goal_ended(goal: &GoalView, paper: &Paper) -> String {
    if goal.status != "achieved" {
        return String::new();
    }
    let why = if goal.why.is_empty() { String::new() } else { format!(": {}", goal.why) };
    let text = paragraph(&sentence(&format!("Goal {} is achieved{why}", goal.id)), "  ", paper);
    Tone::Good.paint(text.trim_end(), paper) + "\n"
}

/// Says why it was not achieved, and where there is more.
pub(crate) fn goal_failed(goal: &GoalView) -> String {
    let (id, status) = (clean(&goal.id), clean(&goal.status));
    let why = if goal.why.is_empty() { String::new() } else { format!(": {}", clean(&goal.why)) };
    let failure = last_failure(goal);
    format!(
        "goal {id} was {status}{why}{failure}\nmore of it: watchdogctl goal show {id}; watchdogctl events --since 1h"
    )
}

/// Says that it goes on only when somebody does something, what, and with which command.
pub(crate) fn goal_stuck(goal: &GoalView) -> String {
    let (id, failure) = (clean(&goal.id), last_failure(goal));
    let told = goal.awaited.iter().take(NAMES_TOLD);
    let mut lines: Vec<String> =
        told.map(|it| format!("\n  {}: {}", clean(&it.what), clean(&it.command))).collect();
    if goal.awaited.len() > NAMES_TOLD {
        lines.push(format!("\n  and {} more: watchdogctl goal show {id}", goal.awaited.len() - NAMES_TOLD));
    }
    format!(
        "goal {id} is {} and needs a human; it goes on after:{}{failure}",
        clean(&goal.status),
        lines.concat()
    )
}

fn last_failure(goal: &GoalView) -> String {
    let failure = goal.last_failure.as_deref().filter(|failure| !failure.is_empty());
    failure.map(|failure| format!("\nthe last failure: {}", clean(failure))).unwrap_or_default()
}

/// `rolling, soak`
fn stage(goal: &GoalView) -> String {
    let stage = goal.stage.as_deref().map(|stage| format!(", {}", stage.replace('_', " ")));
    format!("{}{}", goal.status, stage.unwrap_or_default())
}

fn detail(goal: &GoalView) -> &str {
    match (goal.stage_detail.as_deref(), goal.status.as_str()) {
        (Some(detail), _) => detail,
        (None, "pending") => "it waits for its turn",
        (None, "rolling") => "",
        (None, _) => &goal.why,
    }
}

/// The replicas of one stage, if any.
fn names(goal: &GoalView, stage: &str, told: impl Fn(&GoalReplicaView) -> String) -> Option<String> {
    let all: Vec<&GoalReplicaView> = goal.replicas.iter().filter(|it| it.stage == stage).collect();
    let more = all.len().saturating_sub(NAMES_TOLD);
    let mut names: Vec<String> = all.into_iter().take(NAMES_TOLD).map(told).collect();
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
