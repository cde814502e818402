//! Blocks: the parts of the view of a cluster, each with the lines that it would fill.

use watchdog_proto::admin::{ClusterStatus, PlanView};

use super::Words;
use crate::live::layout::Wish;
use crate::live::scene::Scene;
use crate::render::{self, EventLines, Grid, Paper, Table, Tone, clean, fit, sentence, wrap};

/// More lines of alarms push what they are about off the screen.
const ALARMS_MAX: usize = 8;
/// Fewer lines of alarms end in the middle of a sentence.
const ALARMS_LEAST: usize = 3;
const GOAL_MAX: usize = 7;
const STEPS_MAX: usize = 8;
const REFUSALS_MAX: usize = 6;
/// Steps that are seen above the one that moves.
const STEPS_BEFORE: usize = 2;

/// Lines that belong together.
#[derive(Debug)]
pub(super) struct Block {
    /// What it asks for.
    pub(super) wish: Wish,
    /// Whether the reader's keys move it.
    pub(super) scrolls: bool,
    /// Lines that stay when it scrolls.
    pub(super) head: Vec<Words>,
    /// All others.
    pub(super) body: Vec<Words>,
    /// Where its window begins when the reader does not move it.
    pub(super) from: From,
}

/// Which part of a block is seen when there is room for a part only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The first lines.
    Top,
    /// The last ones.
    End,
    /// Those around this line.
    Line(usize),
}

impl Block {
    /// One that shows its beginning, at most `most` lines.
    pub(super) fn new(rank: u8, head: Vec<Words>, body: Vec<Words>, most: usize) -> Self {
        let all = (head.len() + body.len()).min(most);
        let least = (head.len() + usize::from(!body.is_empty())).min(all);
        Self { wish: Wish { rank, least, most: all }, scrolls: false, head, body, from: From::Top }
    }

    /// The lines for which there is room, when the reader has scrolled to `at`.
    pub(super) fn seen(&self, room: usize, at: usize) -> Vec<Words> {
        let rest = room.saturating_sub(self.head.len());
        let hidden = self.body.len().saturating_sub(rest);
        let skipped = match self.from {
            From::Top if self.scrolls => at.min(hidden),
            From::Top => 0,
            From::End if self.scrolls => hidden.saturating_sub(at),
            From::End => hidden,
            From::Line(line) => line.saturating_sub(STEPS_BEFORE).min(hidden),
        };
        self.head.iter().take(room).chain(self.body.iter().skip(skipped).take(rest)).cloned().collect()
    }
}

/// The view of a cluster, from top to bottom.
pub(super) fn of_cluster(scene: &Scene, columns: usize, paper: &Paper) -> Vec<Block> {
    let mut blocks = vec![header(scene, columns, paper), alarms(scene, columns, paper)];
    if let Some(goal) = &scene.goal {
        let lines =
            render::goal_lines(goal, paper).into_iter().map(|(tone, line)| vec![(tone, clean(&line))]);
        let mut head: Vec<Words> = lines.collect();
        let body = head.split_off(1);
        blocks.push(Block::new(3, head, body, GOAL_MAX));
    }
    if let Some(status) = scene.ordered() {
        blocks.push(replicas(&status, scene, columns, paper));
        if let Some(plan) = &scene.plan {
            blocks.push(steps(plan, &status, columns));
        }
        if !status.refusals.is_empty() {
            blocks.push(refusals(&status, columns));
        }
    }
    blocks.push(events(scene, columns));
    blocks.push(footer(" q quit   ↑ ↓ PgUp PgDn Home End scroll   u unwell first or by name", columns));
    blocks
}

/// A title in a line across the screen, with a remark at its right end.
pub(super) fn rule(title: &str, remark: &str, columns: usize) -> Words {
    let title = format!("── {} ", clean(title));
    let remark = if remark.is_empty() { String::new() } else { format!(" {remark} ──") };
    let room = columns.saturating_sub(remark.chars().count());
    let long = title.chars().count();
    let line = if long > room { fit(&title, room) } else { title + &"─".repeat(room - long) };
    vec![(Tone::Strong, line + &remark)]
}

/// Sentences broken at the edge, each with its tone.
pub(super) fn paragraphs(sentences: Vec<(Tone, String)>, columns: usize) -> Vec<Words> {
    let broken = |(tone, text): (Tone, String)| {
        let lines = text.lines().flat_map(|line| wrap(&clean(line), columns.max(1))).collect::<Vec<_>>();
        lines.into_iter().map(move |line| vec![(tone, line)])
    };
    sentences.into_iter().flat_map(broken).collect()
}

/// The time stands at the right, so that a picture that does not move any more is seen to be one.
pub(super) fn top(left: &str, columns: usize, paper: &Paper) -> Words {
    let time = humantime::format_rfc3339_seconds(paper.now).to_string();
    let room = columns.saturating_sub(time.len() + 1);
    vec![(Tone::Strong, fit(left, room)), (Tone::Faint, format!(" {time}"))]
}

pub(super) fn footer(keys: &str, columns: usize) -> Block {
    Block::new(0, vec![vec![(Tone::Faint, fit(keys, columns))]], Vec::new(), 1)
}

fn header(scene: &Scene, columns: usize, paper: &Paper) -> Block {
    let facts = scene.status.as_ref().map(render::facts).unwrap_or_default();
    let words = std::iter::once(scene.cluster.clone()).chain(facts).collect::<Vec<_>>();
    Block::new(0, vec![top(&clean(&words.join("   ")), columns, paper)], Vec::new(), 1)
}

fn alarms(scene: &Scene, columns: usize, paper: &Paper) -> Block {
    let mut alarms = Vec::new();
    match (&scene.status_lost, scene.seen) {
        (Some(why), Some(seen)) => {
            let seen = humantime::format_rfc3339_seconds(seen).to_string();
            let old = render::age(&seen, paper);
            let text = format!("Connection lost; what is shown is {old} old, and asked for again: {why}");
            alarms.push((Tone::Bad, text));
        }
        (Some(why), None) => alarms.push((Tone::Bad, format!("Asked for again: {why}"))),
        (None, None) => alarms.push((Tone::Faint, "Asking …".to_owned())),
        (None, Some(_)) => {}
    }
    if let (Some(why), None) = (&scene.record_lost, &scene.status_lost) {
        alarms.push((Tone::Unsure, format!("The record is not told for the moment: {why}")));
    }
    if let Some(status) = &scene.status {
        alarms.extend(render::alarms(status, paper));
    }
    let mut block = Block::new(1, Vec::new(), paragraphs(alarms, columns), ALARMS_MAX);
    block.wish.least = block.wish.most.min(ALARMS_LEAST);
    block
}

fn replicas(status: &ClusterStatus, scene: &Scene, columns: usize, paper: &Paper) -> Block {
    let Grid { names, rows } = render::replicas(Table::default(), status, paper).grid(columns);
    let total = rows.len();
    let order = if scene.unwell_first { "unwell first" } else { "by name" };
    let page = scene.scroll.page;
    let seen = match total {
        0 => String::new(),
        // What fits is not counted; before the first drawing nobody knows what fits.
        _ if page == 0 || total <= page => order.to_owned(),
        _ => {
            let from = scene.scroll.at.min(total.saturating_sub(page));
            format!("{}-{} of {total}, {order}", from + 1, (from + page).min(total))
        }
    };
    let names = names.join("  ");
    let head = vec![rule(&counts(status), &seen, columns), vec![(Tone::Strong, names)]];
    let body = rows.into_iter().map(spaced).collect();
    Block { scrolls: true, ..Block::new(2, head, body, usize::MAX) }
}

/// `297 healthy, 2 exited, 1 loading`
fn counts(status: &ClusterStatus) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for replica in &status.replicas {
        match counts.iter_mut().find(|(state, _)| *state == replica.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((&replica.state, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if words.is_empty() { "Replicas".to_owned() } else { format!("Replicas: {}", words.join(", ")) }
}

fn steps(plan: &PlanView, status: &ClusterStatus, columns: usize) -> Block {
    let open = status.plan.as_ref() == Some(&plan.id);
    let which = if open { "Plan" } else { "Last plan" };
    let title = format!("{which} {}: {}", plan.id, plan.status.replace('_', " "));
    let mut head = vec![rule(&title, "", columns)];
    if !plan.reason.is_empty() {
        head.push(vec![(Tone::Plain, fit(&sentence(&plan.reason), columns))]);
    }
    if plan.status == "awaiting_approval" {
        let text = format!("watchdogctl plan approve {0}, or watchdogctl plan reject {0}", clean(&plan.id));
        head.push(vec![(Tone::Unsure, text)]);
    }
    let rows = render::moves(Table::default(), plan, false).grid(columns).rows;
    let moving = plan.steps.iter().position(|step| step.status != "done").unwrap_or(plan.steps.len());
    let block = Block::new(4, head, rows.into_iter().map(spaced).collect(), STEPS_MAX);
    Block { from: From::Line(moving), ..block }
}

fn refusals(status: &ClusterStatus, columns: usize) -> Block {
    let refused = status.refusals.iter().map(|it| (Tone::Bad, sentence(&render::refused(it)))).collect();
    Block::new(5, vec![rule("Refused", "", columns)], paragraphs(refused, columns), REFUSALS_MAX)
}

fn events(scene: &Scene, columns: usize) -> Block {
    let watchdogs = scene.status.as_ref().and_then(render::watchdogs).unwrap_or_default();
    let head = vec![rule("Events", &clean(watchdogs.trim_end_matches('.')), columns)];
    let mut lines = EventLines::default();
    let body = scene.events.iter().rev().take(100).rev().map(|event| lines.words(event).into()).collect();
    Block { from: From::End, ..Block::new(6, head, body, usize::MAX) }
}

/// Columns with gaps between them.
fn spaced(words: Words) -> Words {
    let gap = || (Tone::Plain, "  ".to_owned());
    words
        .into_iter()
        .enumerate()
        .flat_map(|(at, word)| (at > 0).then(gap).into_iter().chain([word]))
        .collect()
}
