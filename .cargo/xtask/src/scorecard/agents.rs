//! Agents: the row of process numbers that are used again.

use super::figure::{Figure, thousands};
use super::{Family, Size, ask};

pub(super) const REUSE: Family = Family { name: "reused process numbers", rows: &[16], measure: reuse };

fn reuse(size: Size) -> anyhow::Result<Vec<Figure>> {
    let wanted = size.of(200, 10_000);
    let said = ask::test("reuse", "reused", &[("WATCHDOG_REUSED", wanted)])?;
    let (reused, killed) = (said.figure("reused")?, said.figure("strangers_killed")?);
    let control = said.figure("control_killed")?;
    let holds = said.fine && reused >= wanted && killed == 0 && control > 0;
    let text =
        format!("{killed} of {}; a plain kill by number hit the stranger {control} times", thousands(reused));
    Ok(vec![Figure::of(16, holds, text)])
}
