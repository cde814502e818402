//! Journal: the rows of the journal: its model, kills during writes, and disks that refuse.

use super::figure::{Figure, thousands};
use super::{Family, Size, ask};

pub(super) const JOURNAL: Family = Family { name: "journal", rows: &[9, 12, 15], measure: journal };

fn journal(size: Size) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![model(size)?, kills(size)?, disks(size)?])
}

fn model(size: Size) -> anyhow::Result<Figure> {
    let operations = size.of(2_000, 200_000);
    let said = ask::test("journal", "model::", &[("WATCHDOG_OPERATIONS", operations)])?;
    let (sqlite, postgres) = (said.figure("model_sqlite")?, said.figure("model_postgres")?);
    let holds = said.fine && sqlite.min(postgres) >= operations;
    Ok(Figure::of(
        9,
        holds,
        format!("SQLite {}, PostgreSQL {} operations", thousands(sqlite), thousands(postgres)),
    ))
}

fn kills(size: Size) -> anyhow::Result<Figure> {
    let kills = size.of(300, 50_000);
    // Half of them on each database.
    let said = ask::test("journal", "kill::", &[("WATCHDOG_KILLS", kills.div_ceil(2))])?;
    let (sqlite, postgres) = (said.figure("kills_sqlite")?, said.figure("kills_postgres")?);
    let unheard = said.figure("unheard_sqlite")? + said.figure("unheard_postgres")?;
    let holds = said.fine && sqlite + postgres >= kills;
    let text = format!(
        "0 lost: SQLite {}, PostgreSQL {} kills; {} entries were there of which nobody was told",
        thousands(sqlite),
        thousands(postgres),
        thousands(unheard)
    );
    Ok(if holds { Figure::of(12, true, text) } else { Figure::short(12, "see the test `kill`".to_owned()) })
}

fn disks(size: Size) -> anyhow::Result<Figure> {
    let writes = size.of(50, 200);
    let said = ask::test("journal", "refused::", &[("WATCHDOG_WRITES", writes)])?;
    let (full, broken) = (said.figure("full")?, said.figure("broken")?);
    let agent = ask::test("refused", "whatever_write", &[("WATCHDOG_WRITES", writes)])?;
    let ledger = agent.figure("ledger")?;
    let holds = said.fine && agent.fine && full.min(broken).min(ledger) >= writes;
    let text =
        format!("journal: full at each of {full}, EIO at each of {broken}; ledger: both at each of {ledger}");
    Ok(Figure::of(15, holds, text))
}
