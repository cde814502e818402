//! Crash: the rows of deaths at named points.

use super::ask::{self, number};
use super::figure::Figure;
use super::{Family, Size};

/// In the profile `dev`: a release build has no points.
const PROGRAM: &str = "debug/watchdog-crash";

pub(super) const POINTS: Family = Family { name: "crash points", rows: &[13], measure: points };
pub(super) const STEPS: Family = Family { name: "deaths at plan steps", rows: &[14], measure: steps };

/// The kinds of steps that a plan can have.
const KINDS: u64 = 9;

fn points(size: Size) -> anyhow::Result<Vec<Figure>> {
    let times = size.of(3, 100);
    let said = ask::program(PROGRAM, &["--times", &times.to_string(), "-o", "json"])?;
    let told = said.json()?;
    let (points, passed, kills) =
        (number(&told, "points")?, number(&told, "passed")?, number(&told, "kills")?);
    let holds = said.fine && passed == points && points >= 42 && kills >= points * times;
    let back = told["median_s"].as_f64().unwrap_or(0.0);
    let text = format!("{passed} of {points}, {kills} kills; at rest again after {back:.1} s (median)");
    Ok(vec![Figure::of(13, holds, text)])
}

fn steps(size: Size) -> anyhow::Result<Vec<Figure>> {
    let times = size.of(3, 50);
    let said = ask::program(PROGRAM, &["--steps", "--times", &times.to_string(), "-o", "json"])?;
    let told = said.json()?;
    let (points, passed, kills) =
        (number(&told, "points")?, number(&told, "passed")?, number(&told, "kills")?);
    let holds = said.fine && passed == points && points == KINDS && kills >= points * times;
    Ok(vec![Figure::of(14, holds, format!("{passed} of {points} kinds, {kills} kills"))])
}
