//! Why: one replica explained, from the verdict down to its evidence.

use std::fmt::Write as _;

use watchdog_proto::admin::{FindingView, Verdict};

use super::Paper;
use super::goal::awaited;
use super::paint::Tone;
use super::status::refused;
use super::table::{Cell, Table, Worth};
use super::text::{clean, list, paragraph, sentence};
use super::when::moment;

/// Draws a verdict.
pub(crate) fn why(verdict: &Verdict, paper: &Paper) -> String {
    let state = Tone::of_state(&verdict.state).paint(&clean(&verdict.state), paper);
    let mut drawn = format!("{} is {state}.\n", clean(&verdict.replica));
    if !verdict.verdict.is_empty() {
        drawn += &paragraph(&sentence(&verdict.verdict), "", paper);
    }
    if !verdict.findings.is_empty() {
        drawn += &findings(&verdict.findings).draw(paper);
    }
    let plan = verdict.plan.as_ref().map(|plan| format!(" (plan {plan})")).unwrap_or_default();
    if verdict.doing.is_empty() && verdict.plan.is_some() {
        let _ = writeln!(drawn, "Being dealt with{}.", clean(&plan));
    }
    drawn += &list(&format!("Doing{}:", clean(&plan)), &verdict.doing, paper);
    drawn += &list("Refused:", &verdict.refusals.iter().map(refused).collect::<Vec<_>>(), paper);
    drawn += &list("To decide:", &awaited(&verdict.offers), paper);
    drawn + &list("Before, newest first:", &verdict.history, paper)
}

fn findings(findings: &[FindingView]) -> Table {
    let all = |cell: &dyn Fn(&FindingView) -> Cell| findings.iter().map(cell).collect::<Vec<Cell>>();
    let strikes = |it: &FindingView| {
        let tone = if it.convicted { Tone::Bad } else { Tone::Unsure };
        let verdict = if it.convicted { ", convicted" } else { "" };
        Cell::toned(format!("{} of {}{verdict}", it.strikes, it.needed), tone)
    };
    Table::default()
        .column("Finding", Worth::Needed, all(&|it| it.fault.as_str().into()))
        .column("Strikes", Worth::Needed, all(&strikes))
        .column("Seen", Worth::Useful, all(&|it| moment(&it.at).into()))
        .column("By", Worth::Useful, all(&|it| it.source.as_str().into()))
        .column("Detail", Worth::Sentence, all(&|it| it.detail.as_str().into()))
}
