//! Command: what can be asked of the simulator, and its answers as text.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use crate::figures::{Figures, ratio};
use crate::mutant::Safeguard;
use crate::nemesis::FLAPPING;
use crate::run::{Mode, Order, PERMANENT_KINDS, run};
use crate::shrink::shrink;

/// How it is used.
const USAGE: &str = "usage:
  watchdog-sim --seed N [--mode liveness] [--mutant WORD] [--minutes M] [--strict] [--story]
  watchdog-sim run --seeds A..B [--mode liveness] [--mutant WORD] [--minutes M] [--flapping] [--strict] [-o json]
  watchdog-sim traces --seeds A..B [--mode liveness] [--minutes M]
  watchdog-sim mutants [--seeds N] [--only WORD] [--kills K]";

/// A day of flapping at the usual pace would end in quarantine within the hour, and then nothing is healed wrongly.
const FLAPPING_RARER: u64 = 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// One seed, and its story.
    Seed(Asked, u64),
    /// Many seeds, and their figures.
    Run(Asked, Range<u64>, Form),
    /// Many seeds, and the trace of each.
    Traces(Asked, Range<u64>),
    /// Each mutant until it is killed so often, within so many seeds.
    Mutants(Option<Safeguard>, u64, usize),
}

/// How figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Which harm is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Any.
    All,
    /// Only such as comes and goes by itself.
    Flapping,
}

/// How it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    liveness: bool,
    mutant: Option<Safeguard>,
    minutes: u64,
    weather: Weather,
    story: bool,
    strict: bool,
}

impl Asked {
    /// Fifteen minutes of harm in safety mode.
    fn of(mutant: Option<Safeguard>) -> Self {
        Self { liveness: false, mutant, minutes: 15, weather: Weather::All, story: false, strict: false }
    }

    /// The order for one seed.
    fn order(&self, seed: u64) -> Order {
        let mode = if self.liveness { Mode::Liveness(seed % PERMANENT_KINDS) } else { Mode::Safety };
        let harm_ms = self.minutes * 60_000;
        let (kinds, rarer) = match self.weather {
            Weather::All => (self.mutant.map_or(&[][..], Safeguard::kinds), 1),
            Weather::Flapping => (&FLAPPING[..], FLAPPING_RARER),
        };
        Order {
            mode,
            mutant: self.mutant,
            kinds,
            rarer,
            harm_ms,
            tells: self.story,
            strict: self.strict,
            ..Order::of(seed)
        }
    }
}

impl Command {
    /// Reads the words of a command line.
    ///
    /// # Errors
    ///
    /// How it is used.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut asked = Asked::of(None);
        let (mut seed, mut seeds, mut verb, mut kills) = (None, None, "", 1);
        let mut form = Form::Table;
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word {
                "run" | "mutants" | "traces" => verb = word,
                "-o" => form = if value()? == "json" { Form::Json } else { Form::Table },
                "--kills" => kills = number(value()?)?,
                "--seed" => seed = Some(number(value()?)?),
                "--seeds" => seeds = Some(range(value()?)?),
                "--minutes" => asked.minutes = number(value()?)?,
                "--mode" => asked.liveness = value()? == "liveness",
                "--story" => asked.story = true,
                "--flapping" => asked.weather = Weather::Flapping,
                "--strict" => asked.strict = true,
                "--mutant" | "--only" => {
                    let word = value()?;
                    let named = Safeguard::named(word);
                    asked.mutant = Some(named.ok_or_else(|| format!("there is no mutant {word:?}"))?);
                }
                _ => return Err(format!("what is {word:?}?\n{USAGE}")),
            }
        }
        match (verb, seed, seeds) {
            ("run", None, Some(seeds)) => Ok(Self::Run(asked, seeds, form)),
            ("traces", None, Some(seeds)) => Ok(Self::Traces(asked, seeds)),
            ("mutants", None, seeds) => {
                let kills = usize::try_from(kills).unwrap_or(usize::MAX);
                Ok(Self::Mutants(asked.mutant, seeds.map_or(400, |seeds| seeds.end), kills))
            }
            ("", Some(seed), None) => Ok(Self::Seed(asked, seed)),
            _ => Err(USAGE.to_owned()),
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}\n{USAGE}"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => Ok(0..number(text)?),
    }
}

/// Does it, and says what came of it.
pub fn carry_out(command: &Command, out: &mut impl Write) -> ExitCode {
    // Whoever does not read on does not want to know.
    let mut say = |text: &str| drop(writeln!(out, "{text}"));
    let fine = match command {
        Command::Seed(asked, seed) => one(asked, *seed, &mut say),
        Command::Run(asked, seeds, form) => many((asked, *form), seeds.clone(), &mut say),
        Command::Traces(asked, seeds) => traces(asked, seeds.clone(), &mut say),
        Command::Mutants(only, bound, kills) => mutants(*only, (*bound, *kills), &mut say),
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(asked: &Asked, seed: u64, say: &mut impl FnMut(&str)) -> bool {
    let order = asked.order(seed);
    let outcome = run(&order);
    if asked.story {
        say(&outcome.story.told(usize::MAX));
    }
    say(&format!("trace {:016x}", outcome.trace));
    let Some(violation) = &outcome.violation else {
        say(&format!("seed {seed}: nothing is broken\n{}", outcome.figures.table()));
        return true;
    };
    say(&format!("seed {seed} breaks {}: {}", violation.audit, violation.what));
    let (faults, least) = shrink(&order, &outcome);
    say("\nthe least harm that does:");
    for fault in faults {
        say(&fault.to_string());
    }
    say("\nthe story:");
    say(&least.story.told(60));
    if let Some(violation) = least.violation {
        let at = crate::nemesis::millis(violation.at);
        say(&format!("{at:>9.3} s  broken: {}: {}", violation.audit, violation.what));
    }
    false
}

fn many((asked, form): (&Asked, Form), seeds: Range<u64>, say: &mut impl FnMut(&str)) -> bool {
    let begun = clock();
    let mut all = Figures::default();
    let mut violations = 0_u64;
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        let outcome = run(&asked.order(seed));
        if let Some(violation) = &outcome.violation {
            violations += 1;
            if violations <= 40 && form == Form::Table {
                say(&format!("seed {seed} breaks {}: {}", violation.audit, violation.what));
            }
        }
        for known in outcome.figures.known.keys() {
            first.entry(*known).or_insert(seed);
        }
        all.absorb(outcome.figures);
    }
    let took_ms = clock() - begun;
    if form == Form::Json {
        say(&all.json(violations).to_string());
        return violations == 0;
    }
    say(&all.table());
    for (known, seed) in first {
        say(&format!("known mistake        {known}: first with --seed {seed} --strict"));
    }
    say(&format!("violations           {violations}"));
    let speed = ratio(all.simulated_ms, took_ms.max(1));
    say(&format!(
        "wall time            {:.1} s, {speed:.0} simulated seconds a second",
        ratio(took_ms, 1_000)
    ));
    violations == 0
}

/// The hash of each run, so that another process, machine or build can be compared with this one.
fn traces(asked: &Asked, seeds: Range<u64>, say: &mut impl FnMut(&str)) -> bool {
    seeds.for_each(|seed| say(&format!("{seed} {:016x}", run(&asked.order(seed)).trace)));
    true
}

fn mutants(only: Option<Safeguard>, (bound, kills): (u64, usize), say: &mut impl FnMut(&str)) -> bool {
    let mut fine = true;
    for mutant in Safeguard::ALL.iter().filter(|it| only.is_none_or(|only| only == **it)) {
        let mut next = 0;
        let mut right = true;
        for _ in 0..kills.max(1) {
            let killed = kill_within(*mutant, next..bound.max(next));
            next = killed.as_ref().map_or(next, |(seed, _)| seed + 1);
            right = say_killed(*mutant, killed.as_ref(), say);
            fine &= right;
            if !right {
                break;
            }
        }
        if kills > 1 && right {
            say(&format!("{:<26} killed {kills} times within {next} seeds", mutant.word()));
        }
    }
    fine
}

/// Says who has killed a mutant; answers whether it was the audit that belongs to it.
fn say_killed(mutant: Safeguard, killed: Option<&(u64, String)>, say: &mut impl FnMut(&str)) -> bool {
    let (seed, by) = match killed {
        Some((seed, by)) => (seed.to_string(), by.as_str()),
        None => ("-".to_owned(), "nobody"),
    };
    let right = by == mutant.audit();
    let word = if right { "" } else { "   NOT BY ITS OWN AUDIT: " };
    let wanted = if right { "" } else { mutant.audit() };
    say(&format!("{:<26} killed by {by:<14} with seed {seed:>4}{word}{wanted}", mutant.word()));
    right
}

/// The first of these seeds that notices that a safeguard is gone, and which audit did.
pub fn kill_within(mutant: Safeguard, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let asked = Asked { liveness: mutant.audit() == "converges", ..Asked::of(Some(mutant)) };
        let violation = run(&asked.order(seed)).violation?;
        Some((seed, violation.audit.to_owned()))
    })
}

/// Wall-clock milliseconds, only to say how long it took.
#[expect(clippy::disallowed_methods, reason = "no run depends on it")]
fn clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
