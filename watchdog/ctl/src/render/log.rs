//! Log: changes, differences, states and proofs of the metadata log.

use std::fmt::Write as _;

use serde_json::Value;
use watchdog_proto::admin::{DiffLine, LogDiffReply, LogEntry, LogListReply, LogStateReply, LogVerifyReply};

use super::Paper;
use super::paint::Tone;
use super::table::{Cell, Table, Worth};
use super::text::{clean, paragraph, pretty, sentence};
use super::when::moment;

/// Draws a page of the log.
pub(crate) fn log_list(reply: &LogListReply, paper: &Paper) -> String {
    if reply.head == 0 {
        return "The log is empty: no goal has been applied yet.\n".to_owned();
    }
    let stable =
        reply.stable.map_or_else(|| "nothing stable".to_owned(), |stable| format!("stable {stable}"));
    let all = |cell: &dyn Fn(&LogEntry) -> Cell| reply.entries.iter().map(cell).collect::<Vec<Cell>>();
    let mark = |it: &LogEntry| {
        let mark = it.mark.as_deref().unwrap_or_default();
        Cell::toned(mark, Tone::of_mark(mark))
    };
    Table::titled(format!("Log (head {}, {stable})", reply.head))
        .column("Version", Worth::Needed, all(&|it| it.version.to_string().into()))
        .column("At", Worth::Useful, all(&|it| moment(&it.at).into()))
        .column("Change", Worth::Needed, all(&|it| it.operation.as_str().into()))
        .column("Key", Worth::Needed, all(&|it| it.key.as_str().into()))
        .column("Mark", Worth::Needed, all(&mark))
        .column("Goal", Worth::Useful, all(&|it| it.goal.as_deref().unwrap_or_default().into()))
        .column("Author", Worth::Useful, all(&|it| it.author.as_str().into()))
        .draw(paper)
}

/// Draws one change, with the value before and after.
pub(crate) fn log_entry(entry: &LogEntry, paper: &Paper) -> String {
    let mark = entry.mark.as_deref().map(|mark| format!(", {mark}")).unwrap_or_default();
    let goal = entry.goal.as_deref().map(|goal| format!(" for goal {goal}")).unwrap_or_default();
    let head = format!("Version {}{mark}: {} {}", entry.version, entry.operation, entry.key);
    let origin = format!("by {}{goal} at {} in epoch {}", entry.author, moment(&entry.at), entry.epoch);
    let mut drawn = Tone::Strong.paint(&clean(&head), paper) + "\n";
    let _ = writeln!(drawn, "{}\nhash {}", clean(&origin), clean(&entry.hash));
    for (name, value) in [("before", &entry.before_json), ("after", &entry.after_json)] {
        let value =
            value.as_ref().map_or(" nothing\n".to_owned(), |json| format!("\n{}", pretty(json, "  ")));
        let _ = write!(drawn, "{name}:{value}");
    }
    drawn
}

/// Draws a net difference, a line for each key and then what changed in it.
pub(crate) fn log_diff(reply: &LogDiffReply, paper: &Paper) -> String {
    if reply.lines.is_empty() {
        return "No difference: both states are the same.\n".to_owned();
    }
    let lines: String = reply.lines.iter().map(|line| difference(line, paper)).collect();
    format!("{lines}{} added, {} changed, {} removed.\n", reply.added, reply.changed, reply.removed)
}

/// One key: its sign, and below it what goes and what comes.
pub(super) fn difference(line: &DiffLine, paper: &Paper) -> String {
    let before = line.before_json.as_deref();
    let after = line.after_json.as_deref();
    let sign = match (before, after) {
        (None, _) => "+",
        (_, None) => "-",
        _ => "~",
    };
    let mut drawn = Tone::Strong.paint(&format!("{sign} {}", clean(&line.key)), paper) + "\n";
    for (sign, tone, json) in [("-", Tone::Bad, before), ("+", Tone::Good, after)] {
        for text in json.map(|json| pretty(json, "")).unwrap_or_default().lines() {
            drawn += &tone.paint(&format!("  {sign} {text}"), paper);
            drawn.push('\n');
        }
    }
    drawn
}

/// Draws a whole state, a line for each key.
pub(crate) fn log_state(reply: &LogStateReply, paper: &Paper) -> String {
    let title = format!("Version {}, state hash {}", reply.version, clean(&reply.state_hash));
    let mut drawn = Tone::Strong.paint(&title, paper) + "\n";
    match serde_json::from_str::<Value>(&reply.state_json) {
        Ok(Value::Object(state)) if state.is_empty() => drawn += "The state is empty.\n",
        Ok(Value::Object(state)) => {
            for (key, value) in state {
                let _ = writeln!(drawn, "{} = {}", clean(&key), clean(&value.to_string()));
            }
        }
        _ => drawn += &pretty(&reply.state_json, ""),
    }
    drawn
}

/// Draws what the verification found.
pub(crate) fn log_verify(reply: &LogVerifyReply, paper: &Paper) -> String {
    let tone = if reply.ok { Tone::Good } else { Tone::Bad };
    let verdict = match (reply.ok, reply.broken_version) {
        (true, _) => format!("The log is whole: {} entries verified.", reply.entries),
        (false, Some(version)) => format!("The log is broken at version {version}."),
        (false, None) => "The log is broken.".to_owned(),
    };
    let mut drawn = tone.paint(&verdict, paper) + "\n";
    if !reply.message.is_empty() {
        drawn += &paragraph(&sentence(&reply.message), "", paper);
    }
    drawn
}
