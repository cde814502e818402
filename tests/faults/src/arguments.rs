//! Arguments: what may be asked of the program.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Faults of one seed.
const FAULTS: usize = 64;
/// Seeds of the long run: more than 5,000 faults.
const SEEDS_LONG: u64 = 80;
/// Two sessions, and a little.
const CUT_OFF: Duration = Duration::from_secs(6);
const CUT_OFF_LONG: Duration = Duration::from_hours(1);
/// Stale orders of the positive control.
const CONTROL: usize = 8;
const CONTROL_LONG: usize = 150;

/// Breaks a real cluster on purpose, again and again, and checks that what must not happen never does.
///
/// Three ZooKeeper nodes, three watchdogs, three hosts and PostgreSQL run in network namespaces of their own, which
/// only root can make. Nothing of it is left afterwards, however this program ends. Exits with 1 when something was
/// violated, and then keeps the logs.
#[derive(Debug, Clone, Parser)]
#[command(name = "watchdog-faults", version)]
pub struct Arguments {
    /// Which seeds to run, `A..B` without B; the same seed makes the same schedule.
    #[arg(long, value_parser = range, value_name = "A..B")]
    pub seeds: Option<Range<u64>>,
    /// How many faults each seed makes.
    #[arg(long, default_value_t = FAULTS)]
    pub faults: usize,
    /// Go on with the next seeds until so many minutes have passed.
    #[arg(long, value_name = "M")]
    pub minutes: Option<u64>,
    /// The long run: 80 seeds, 150 stale acts in the control, an hour cut off from ZooKeeper.
    #[arg(long)]
    pub long: bool,
    /// For how long all are cut off from ZooKeeper after the last seed's faults (after each one's, without --long); 0s
    /// leaves it out.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub cut_off: Option<Duration>,
    /// How many stale orders the positive control sends; 0 leaves it out.
    #[arg(long, value_name = "N")]
    pub control: Option<usize>,
    /// How the numbers are printed at the end.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Keep the logs also when all went well.
    #[arg(long)]
    pub keep: bool,
    /// End with 0 where it can't be done, for want of root or of a kernel that lets us.
    #[arg(long)]
    pub may_be_impossible: bool,
    /// Where the run goes on, inside of the namespaces.
    #[arg(long, hide = true, value_name = "DIR")]
    pub inside: Option<PathBuf>,
    /// Where our programs are.
    #[arg(long, hide = true, value_name = "DIR")]
    pub programs: Option<PathBuf>,
    /// Which part of the suite goes on inside.
    #[arg(long, hide = true, value_enum, default_value_t = Part::Seed)]
    pub part: Part,
}

/// What is run in namespaces of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// One seed.
    Seed,
    /// The positive control.
    Control,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table.
    Table,
    /// One object.
    Json,
}

impl Arguments {
    /// The seeds to run.
    pub fn seeds(&self) -> Range<u64> {
        let all = if self.long { 1..SEEDS_LONG + 1 } else { 1..2 };
        self.seeds.clone().unwrap_or(all)
    }

    /// How many stale orders the control sends.
    pub fn control(&self) -> usize {
        self.control.unwrap_or(if self.long { CONTROL_LONG } else { CONTROL })
    }

    /// For how long all are cut off after a seed's faults.
    pub fn cut_off(&self, is_last: bool) -> Duration {
        let usual = if self.long && is_last { CUT_OFF_LONG } else { CUT_OFF };
        self.cut_off.unwrap_or(usual)
    }
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
    let (from, to) = text.split_once("..").ok_or("a range is written A..B")?;
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("there is no seed in {text}")) } else { Ok(range) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_seeds() {
        assert_eq!(range("3..7").unwrap(), 3..7);
        assert!(range("7..3").is_err() && range("7").is_err() && range("a..b").is_err());
    }

    #[test]
    fn the_long_run_reaches_its_figures() {
        let long = Arguments::parse_from(["watchdog-faults", "--long"]);
        let faults = long.seeds().count() * long.faults;
        assert!(faults >= 5_000 && long.control() >= 100, "{faults}");
        assert_eq!(long.cut_off(true), CUT_OFF_LONG);
    }
}
