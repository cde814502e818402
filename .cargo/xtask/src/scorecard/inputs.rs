//! Inputs: the rows of what anybody may send.

use anyhow::Context as _;

use super::figure::{Figure, thousands};
use super::{Family, Size, ask};

const FUZZ: &str = "release/watchdog-fuzz";

pub(super) const INPUTS: Family = Family { name: "inputs", rows: &[20, 21], measure: inputs };

fn inputs(size: Size) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![fuzz(size)?, bad()?])
}

fn fuzz(size: Size) -> anyhow::Result<Figure> {
    // Of each target, of which there are more than twenty.
    let each = size.of(170_000, 50_000_000).to_string();
    let said = ask::program(FUZZ, &["--executions", &each, "--jobs", "2"])?;
    // "N executions of T targets, F found"
    let line = said.text.lines().find(|line| line.contains(" executions of ") && line.ends_with(" found"));
    let words: Vec<&str> = line.context("it does not say how often")?.split(' ').collect();
    let number =
        |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).context("no number");
    let (executions, targets, found) = (number(0)?, number(3)?, number(5)?);
    let holds = said.fine && executions >= size.of(3_000_000, 1_000_000_000) && targets >= 8 && found == 0;
    Ok(Figure::of(20, holds, format!("{} of {targets} targets, {found} found", thousands(executions))))
}

fn bad() -> anyhow::Result<Figure> {
    let said = ask::program(FUZZ, &["--bad-inputs"])?;
    // "N bad inputs, F not told"
    let line =
        said.text.lines().find(|line| line.ends_with(" not told")).context("it does not say how many")?;
    let words: Vec<&str> = line.split(' ').collect();
    let number =
        |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).context("no number");
    let (cases, faults) = (number(0)?, number(3)?);
    Ok(Figure::of(
        21,
        said.fine && cases >= 500 && faults == 0,
        format!("{cases}, {faults} of them not told clearly"),
    ))
}
