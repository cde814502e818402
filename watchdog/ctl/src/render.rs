//! Render: answers drawn for people, as pure functions of the answer and the paper.

mod event;
mod goal;
#[cfg(test)]
pub(crate) mod golden;
mod log;
mod paint;
mod plan;
mod progress;
mod replay;
mod status;
mod table;
mod text;
mod when;
mod why;

use std::time::SystemTime;

use watchdog_proto::admin::{Done, LeaderReply};

pub(crate) use self::event::EventLines;
pub(crate) use self::goal::{goal, goal_applied, goal_diff, goal_list, goal_moved};
pub(crate) use self::log::{log_diff, log_entry, log_list, log_state, log_verify};
pub(crate) use self::paint::Tone;
pub(crate) use self::plan::{moves, plan, plan_list, snapshots};
pub(crate) use self::progress::{GoalLines, goal_ended, goal_failed, goal_lines, goal_progress, goal_stuck};
pub(crate) use self::replay::{Replayed, replayed};
pub(crate) use self::status::{alarms, facts, refused, replicas, status, watchdogs};
pub(crate) use self::table::{Grid, Table};
pub(crate) use self::text::{clean, fit, sentence, wrap};
pub(crate) use self::when::age;
pub(crate) use self::why::why;

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paper {
    /// Columns; `None` when nobody has to fit it on a screen.
    pub(crate) width: Option<usize>,
    /// Whether tones are coloured.
    pub(crate) colour: bool,
    /// What "3m ago" counts from.
    pub(crate) now: SystemTime,
}

/// An order that was carried out.
pub(crate) fn done(done: &Done, paper: &Paper) -> String {
    let message = if done.message.is_empty() { "done" } else { &done.message };
    text::paragraph(message, "", paper)
}

/// Who leads.
pub(crate) fn leader(reply: &LeaderReply, paper: &Paper) -> String {
    let sentence = match &reply.leader {
        Some(leader) => {
            format!("{} leads {} at {} in epoch {}", leader.id, reply.cluster, leader.address, leader.epoch)
        }
        None => format!("nobody leads {}", reply.cluster),
    };
    text::paragraph(&sentence, "", paper)
}
