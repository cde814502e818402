//! Table: what was measured, beside its goal where it has one.

use std::process::ExitCode;
use std::time::Duration;

/// What a figure should be, and whether it is.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) text: &'static str,
    pub(crate) reached: bool,
}

/// Prints itself as it grows, and remembers what was missed.
pub(crate) struct Table {
    database: &'static str,
    missed: Vec<String>,
}

impl Table {
    pub(crate) fn headed(title: &str) -> Self {
        println!("{title}");
        let table = Self { database: "database", missed: Vec::new() };
        table.line(["figure", "measured", "goal", "verdict"]);
        table
    }

    /// From now on this database is measured.
    pub(crate) fn on(&mut self, database: &'static str) {
        self.database = database;
    }

    /// A figure without a goal.
    pub(crate) fn note(&self, figure: &str, measured: impl AsRef<str>) {
        self.line([figure, measured.as_ref(), "", ""]);
    }

    /// A figure with a goal.
    pub(crate) fn judge(&mut self, figure: &str, measured: &str, goal: Goal) {
        let Goal { text, reached } = goal;
        self.line([figure, measured, text, if reached { "ok" } else { "MISSED" }]);
        if !reached {
            self.missed.push(format!("{}: {figure}: {measured}, goal {text}", self.database));
        }
    }

    fn line(&self, [figure, measured, goal, verdict]: [&str; 4]) {
        println!("{:<11}{figure:<40}{measured:<52}{goal:<10}{verdict}", self.database);
    }

    /// Success if every goal was reached.
    pub(crate) fn verdict(&self) -> ExitCode {
        for missed in &self.missed {
            println!("missed: {missed}");
        }
        if self.missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The duration below which `percent` of them lie.
pub(crate) fn at(took: &[Duration], percent: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}

pub(crate) fn spread(took: &[Duration]) -> String {
    let [median, p95, worst] = [50, 95, 100].map(|percent| micros(at(took, percent)));
    format!("{median} median, {p95} p95, {worst} worst")
}

pub(crate) fn micros(took: Duration) -> String {
    if took < Duration::from_millis(1) { format!("{} µs", took.as_micros()) } else { format!("{took:.1?}") }
}
