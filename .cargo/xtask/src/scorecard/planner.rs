//! Planner: the rows of its stories and properties.

use super::figure::{Figure, thousands};
use super::{Family, Size, ask};

pub(super) const PLANNER: Family = Family { name: "planner", rows: &[7, 8], measure: planner };

fn planner(size: Size) -> anyhow::Result<Vec<Figure>> {
    let told = ask::test("planning", "stories::", &[])?;
    let stories = told.figure("stories")?;
    let drawn = ask::test("planning", "properties::", &[("WATCHDOG_WORLDS", size.of(10_000, 1_000_000))])?;
    let (worlds, plans) = (drawn.figure("worlds")?, drawn.figure("plans")?);
    let enough = worlds >= size.of(10_000, 1_000_000);
    Ok(vec![
        Figure::of(7, told.fine && stories >= size.of(150, 900), stories.to_string()),
        Figure::of(
            8,
            drawn.fine && enough,
            format!("{} worlds, {} of them with a plan", thousands(worlds), thousands(plans)),
        ),
    ])
}
