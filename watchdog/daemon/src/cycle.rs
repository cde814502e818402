//! Cycle: one check of one cluster by its leader.
//!
//! ```text
//! observe ──► errands of goals ──► operators ──► assess ──► plan ──► vet ──► record ──► execute
//!    ▲                                                                      │
//!    └─────────── at most every spacing, at least every interval ───────────┘
//! ```

use watchdog_core::ids::Time;

use crate::cluster::judge::{batch, judge};
use crate::cluster::landmarks;
use crate::cluster::lead::{Lead, Stop};

/// Does one check; answers when to look again at the latest.
///
/// # Errors
///
/// A [`Stop`] when this watchdog may not lead any more. A journal that does not
/// answer is no reason to stop: nothing is recorded, so nothing is done.
pub(crate) async fn cycle(lead: &mut Lead) -> Result<Time, Stop> {
    lead.observe().await?;
    lead.check_that_agents_hear_us().await?;
    let Some(now) = lead.catch_up().await? else {
        lead.refuse_operators().await?;
        return Ok(lead.retry_at());
    };
    // Nothing is decided before it is known what is to be left alone.
    if !lead.settle_pauses().await? {
        lead.refuse_operators().await?;
        return Ok(lead.retry_at());
    }
    // What earlier leaders began is ended before an operator decides about it.
    if !lead.run_errands().await? {
        lead.refuse_operators().await?;
        return Ok(lead.retry_at());
    }
    if !lead.obey_operators().await? {
        return Ok(lead.retry_at());
    }
    let news = lead.news(now).await;
    let judged = judge(&mut lead.world.lock(), news);
    watchdog_crash_points::crash_point!("daemon.check.judged");
    let again_at = judged.again_at;
    let Some(entries) = lead.record(batch(judged)).await? else {
        return Ok(lead.retry_at());
    };
    landmarks::pass(&lead.world.lock(), &entries);
    // What is not begun any more is told to the record, and planned anew, at once.
    let again_at = if lead.begin_steps(&entries).await? { again_at } else { Some(now) };
    Ok(lead.again_at(again_at, now))
}
