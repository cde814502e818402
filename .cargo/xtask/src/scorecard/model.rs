//! Model: the row of the protocol's model.

use anyhow::Context as _;

use super::figure::{Figure, thousands};
use super::{Family, Size, ask};

pub(super) const MODEL: Family = Family { name: "model of the protocol", rows: &[6], measure: model };

fn model(size: Size) -> anyhow::Result<Vec<Figure>> {
    let long: &[&str] = if size == Size::Long { &["--long"] } else { &[] };
    let said = ask::program("release/examples/model", long)?;
    let line = said.text.lines().find(|line| line.contains("states exhausted"));
    let line = line.context("it does not say how many states there were")?;
    let states: u64 = line.split(' ').next().and_then(|word| word.parse().ok()).context("no number")?;
    let caught = line.rsplit(", ").next().unwrap_or_default();
    let holds = said.fine && states >= size.of(3_000_000, 20_000_000);
    Ok(vec![Figure::of(6, holds, format!("{}; {caught}", thousands(states)))])
}
