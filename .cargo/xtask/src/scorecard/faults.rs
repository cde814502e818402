//! Faults: the rows that the real-fault suite measures.

use super::ask::{self, number};
use super::figure::{Figure, spread};
use super::{Family, Size};
use crate::programs::cargo;

pub(super) const FAULTS: Family = Family { name: "real faults", rows: &[10, 11, 17], measure: faults };

fn faults(size: Size) -> anyhow::Result<Vec<Figure>> {
    const PACKAGE: &str = "watchdog-faults";
    let there = cargo().args(["pkgid", "--quiet", "--package", PACKAGE]).output()?.status.success();
    anyhow::ensure!(there, "missing: there is no package {PACKAGE} in this workspace");
    crate::programs::run(cargo().args(["build", "--locked", "--release", "--package", PACKAGE]))?;
    let long: &[&str] = if size == Size::Long { &["--long"] } else { &[] };
    let said = ask::program("release/watchdog-faults", &[&["-o", "json"], long].concat())?;
    let told = said.json()?;
    let (faults, interleavings) = (number(&told, "faults")?, number(&told, "interleavings")?);
    let violations = told["violations"].as_array().map_or(u64::MAX, |them| them.len() as u64);
    let (seen, sent) = (number(&told["control"], "seen")?, number(&told["control"], "sent")?);
    let (acts, ms) = (number(&told["cut_off"], "acts")?, number(&told["cut_off"], "ms")?);
    let sound = said.fine && violations == 0;
    Ok(vec![
        Figure::of(
            10,
            sound && interleavings == 0 && faults >= size.of(60, 5_000),
            format!(
                "{faults} faults, {interleavings} interleavings, {violations} violations; heal {}, false heals {} of {}",
                spread(&told["heal"]),
                number(&told, "false_heals")?,
                number(&told, "heals")?,
            ),
        ),
        Figure::of(11, seen >= size.of(1, 100), format!("{seen} seen of {sent} orders")),
        Figure::of(17, sound && acts == 0 && ms > 0, format!("{acts} in {} s", ms / 1_000)),
    ])
}
