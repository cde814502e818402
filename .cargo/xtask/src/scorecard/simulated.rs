//! Simulated: the rows that the simulator measures.

use serde_json::Value;

use super::ask::{self, number};
use super::figure::{Figure, spread, thousands};
use super::{Family, Size};

const SIM: &str = "release/watchdog-sim";

/// Each kind of fault has at least this share of all, in thousandths.
const LEAST_SHARE: u64 = 10;

pub(super) const RUNS: Family = Family { name: "simulated harm", rows: &[1, 2, 18, 19], measure: runs };
pub(super) const MUTANTS: Family = Family { name: "mutants", rows: &[3], measure: mutants };
pub(super) const REPLAY: Family = Family { name: "replay", rows: &[4], measure: replay };
pub(super) const LIVENESS: Family = Family { name: "permanent faults", rows: &[5], measure: liveness };

fn runs(size: Size) -> anyhow::Result<Vec<Figure>> {
    // A seed is about 17 minutes and 165 faults.
    let seeds = format!("0..{}", size.of(7_400, 305_000));
    let said = ask::program(SIM, &["run", "--seeds", &seeds, "-o", "json"])?;
    let told = said.json()?;
    let hours = told["hours"].as_f64().unwrap_or(0.0);
    let violations = number(&told, "violations")?;
    let known = known(&told);
    let enough = hours >= if size == Size::Long { 40_000.0 } else { 2_000.0 };
    let flapping =
        ask::program(SIM, &["run", "--seeds", "0..20", "--minutes", "1440", "--flapping", "-o", "json"])?;
    let policy = "the audits `backoff`, `loops`, `parallel` and `budget`";
    Ok(vec![
        Figure::of(
            1,
            enough && violations + known == 0,
            format!("{hours:.0} hours, {violations} violations, known mistakes {known} times"),
        ),
        faults(&told, size)?,
        Figure::of(18, enough && violations == 0, format!("≤ policy in {hours:.0} hours, by {policy}")),
        Figure::of(
            19,
            flapping.fine,
            format!("{}; in 20 days of flapping {}", times(&told)?, false_heals(&flapping.json()?)?),
        ),
    ])
}

/// How often something was broken in a way that is known and not mended yet; that it is known makes it no better.
fn known(told: &Value) -> u64 {
    let counts = told["known"].as_object().into_iter().flatten();
    counts.filter_map(|(_, count)| count.as_u64()).sum()
}

fn faults(told: &Value, size: Size) -> anyhow::Result<Figure> {
    let total = number(told, "faults")?;
    let counts = told["kinds"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64());
    let counts: Vec<u64> = counts.collect();
    let least = counts.iter().min().copied().unwrap_or(0) * 1_000 / total.max(1);
    let holds = total >= size.of(1_000_000, 50_000_000) && counts.len() >= 12 && least >= LEAST_SHARE;
    let text =
        format!("{} of {} kinds, the rarest {}.{} %", thousands(total), counts.len(), least / 10, least % 10);
    Ok(Figure::of(2, holds, text))
}

fn times(told: &Value) -> anyhow::Result<String> {
    let [detection, decision, heal] = ["detection", "decision", "heal"].map(|name| spread(&told[name]));
    Ok(format!("detection {detection}; decision {decision}; heal {heal}; {}", false_heals(told)?))
}

fn false_heals(told: &Value) -> anyhow::Result<String> {
    let (heals, needless) = (number(told, "heals")?, number(told, "false_heals")?);
    let moved = number(told, "out_of_touch")?;
    let (needless, heals, moved) = (thousands(needless), thousands(heals), thousands(moved));
    Ok(format!("false heals {needless} of {heals}, and {moved} of replicas on hosts out of touch"))
}

fn mutants(size: Size) -> anyhow::Result<Vec<Figure>> {
    let kills = size.of(1, 50);
    let said = ask::program(
        SIM,
        &["mutants", "--seeds", &size.of(1_000, 40_000).to_string(), "--kills", &kills.to_string()],
    )?;
    let mut names: Vec<&str> = said
        .text
        .lines()
        .filter(|line| line.contains(" killed by "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.dedup();
    let wrong = said.text.lines().filter(|line| line.contains("NOT BY ITS OWN AUDIT")).count();
    let holds = said.fine && wrong == 0 && names.len() >= 25;
    let often = if kills == 1 { String::new() } else { format!(", {kills} times each") };
    let text = format!("{} of {}{often}", names.len() - wrong.min(names.len()), names.len());
    Ok(vec![Figure::of(3, holds, text)])
}

fn replay(size: Size) -> anyhow::Result<Vec<Figure>> {
    let count = size.of(100, 10_000);
    let seeds = format!("0..{count}");
    let arguments = ["traces", "--seeds", &seeds, "--minutes", "5"];
    let (first, second) = (ask::program(SIM, &arguments)?, ask::program(SIM, &arguments)?);
    let same = first.text.lines().zip(second.text.lines()).filter(|(one, other)| one == other).count() as u64;
    let distinct: std::collections::BTreeSet<&str> =
        first.text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let holds = first.fine && second.fine && same == count && distinct.len() as u64 == count;
    Ok(vec![Figure::of(4, holds, format!("{} of {} seeds", thousands(same), thousands(count)))])
}

fn liveness(size: Size) -> anyhow::Result<Vec<Figure>> {
    // The kinds of what is broken for ever take turns.
    const KINDS: u64 = 6;
    let each = size.of(500, 50_000);
    let seeds = format!("0..{}", KINDS * each);
    let said =
        ask::program(SIM, &["run", "--mode", "liveness", "--seeds", &seeds, "--minutes", "5", "-o", "json"])?;
    let told = said.json()?;
    let (rest, runs, violations) =
        (number(&told, "converged")?, number(&told, "runs")?, number(&told, "violations")?);
    let known = known(&told);
    let holds = violations + known == 0 && rest == runs && runs == KINDS * each;
    let text = format!(
        "{KINDS} kinds × {each}: {} of {} came to rest, known mistakes {known} times",
        thousands(rest),
        thousands(runs)
    );
    Ok(vec![Figure::of(5, holds, text)])
}
