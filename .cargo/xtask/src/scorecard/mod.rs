//! Scorecard: runs every row's own program and prints this build's figures beside their goals.
//!
//! ```text
//! build ─► family by family: run, read its figures ─► table ─► non-zero where one falls short
//! ```

mod agents;
mod ask;
mod crash;
mod faults;
mod figure;
mod identities;
mod inputs;
mod journal;
mod model;
mod planner;
mod rows;
mod simulated;
mod supply;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use figure::{Figure, Verdict};
use rows::{ROWS, Row};

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// A quarter of an hour.
    Quick,
    /// A night.
    Long,
}

impl Size {
    /// The number of the column.
    fn of(self, quick: u64, long: u64) -> u64 {
        if self == Self::Long { long } else { quick }
    }
}

/// Rows that come from the same programs.
struct Family {
    name: &'static str,
    rows: &'static [u8],
    measure: fn(Size) -> anyhow::Result<Vec<Figure>>,
}

const FAMILIES: [&Family; 14] = [
    &simulated::RUNS,
    &simulated::MUTANTS,
    &simulated::REPLAY,
    &simulated::LIVENESS,
    &model::MODEL,
    &planner::PLANNER,
    &journal::JOURNAL,
    &faults::FAULTS,
    &crash::POINTS,
    &crash::STEPS,
    &agents::REUSE,
    &inputs::INPUTS,
    &identities::IDENTITIES,
    &supply::SUPPLY,
];

/// What is asked.
struct Asked {
    size: Size,
    strict: bool,
    only: Vec<u8>,
}

impl Asked {
    fn parse(arguments: &[OsString]) -> anyhow::Result<Self> {
        let mut asked = Self { size: Size::Quick, strict: false, only: Vec::new() };
        let mut words = arguments.iter().map(|word| word.to_str().unwrap_or_default());
        while let Some(word) = words.next() {
            match word {
                "--" => {}
                "--long" => asked.size = Size::Long,
                "--strict" => asked.strict = true,
                "--only" => {
                    let rows = words.next().context("--only needs the numbers of rows, such as 1,13")?;
                    let rows: Result<Vec<u8>, _> = rows.split(',').map(str::parse).collect();
                    asked.only = rows.context("--only needs the numbers of rows, such as 1,13")?;
                }
                _ => anyhow::bail!("cargo scorecard [--long] [--strict] [--only 1,13]; what is {word:?}?"),
            }
        }
        Ok(asked)
    }

    fn wants(&self, row: u8) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }
}

/// A row's figure, and how long its family took.
type Measured = BTreeMap<u8, (Figure, Duration)>;

/// Measures and prints.
///
/// # Errors
///
/// If a figure falls short; with `--strict` also if one can't be measured.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    let asked = Asked::parse(arguments)?;
    let begun = Instant::now();
    eprintln!("── build");
    ask::build()?;
    let mut measured = Measured::new();
    for family in FAMILIES {
        if family.rows.iter().any(|row| asked.wants(*row)) {
            measure(family, asked.size, &mut measured);
        }
    }
    print(&asked, &measured, begun.elapsed());
    let short = measured.values().filter(|(figure, _)| figure.falls_short(asked.strict)).count();
    anyhow::ensure!(short == 0, "{short} figures fall short");
    Ok(())
}

fn measure(family: &Family, size: Size, measured: &mut Measured) {
    let rows: Vec<String> = family.rows.iter().map(ToString::to_string).collect();
    eprintln!("── {}: {} {}", family.name, if rows.len() == 1 { "row" } else { "rows" }, rows.join(", "));
    let begun = Instant::now();
    let figures = (family.measure)(size).unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", family.name);
        let why = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
        family.rows.iter().map(|row| Figure::short(*row, why.clone())).collect()
    });
    let took = begun.elapsed();
    for figure in figures {
        eprintln!("   {:>2}  {}", figure.row, figure.told());
        measured.insert(figure.row, (figure, took));
    }
    // Whoever forgets a row has not measured it.
    for row in family.rows {
        let lost = || (Figure::short(*row, "its program said nothing of it".to_owned()), took);
        measured.entry(*row).or_insert_with(lost);
    }
    eprintln!("   took {:.0} s", took.as_secs_f64());
}

fn print(asked: &Asked, measured: &Measured, took: Duration) {
    println!("\n| # | figure | this build | goal | | took | to beat |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for Row { number, what, quick, long, to_beat } in ROWS {
        let Some((figure, took)) = measured.get(number) else { continue };
        let goal = if asked.size == Size::Long { long } else { quick };
        let mark = match figure.verdict {
            Verdict::Pass => "pass",
            Verdict::Short => "**short**",
            Verdict::Open => "open",
        };
        let took = took.as_secs();
        println!("| {number} | {what} | {} | {goal} | {mark} | {took} s | {to_beat} |", figure.text);
    }
    let count = |verdict| measured.values().filter(|(figure, _)| figure.verdict == verdict).count();
    println!(
        "\n{} rows pass, {} fall short, {} are open; {:.1} minutes",
        count(Verdict::Pass),
        count(Verdict::Short),
        count(Verdict::Open),
        took.as_secs_f64() / 60.0,
    );
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_row_belongs_to_one_family() {
        let mut seen = BTreeSet::new();
        for row in FAMILIES.iter().flat_map(|family| family.rows) {
            assert!(seen.insert(*row), "row {row} is measured twice");
        }
        assert!(ROWS.iter().map(|row| row.number).eq(seen), "each is measured, and there are no others");
    }

    #[test]
    fn a_program_that_fails_leaves_its_rows_short() {
        let broken = Family { name: "broken", rows: &[1, 2], measure: |_| anyhow::bail!("no such program") };
        let silent = Family { name: "silent", rows: &[3], measure: |_| Ok(Vec::new()) };
        let mut measured = Measured::new();
        measure(&broken, Size::Quick, &mut measured);
        measure(&silent, Size::Quick, &mut measured);
        assert_eq!(measured.len(), 3);
        assert!(measured.values().all(|(figure, _)| figure.falls_short(false)));
        assert_eq!(measured.get(&1).unwrap().0.text, "no such program");
    }
}
