//! Trial: one kill at one point, and the way back to rest.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use watchdog_tests::story::runs;
use watchdog_tests::wait_for;

use crate::audit::Audit;
use crate::points::{Point, Visits};
use crate::stage::Stage;

/// How long a visit may take from its provocation.
const VISIT_PATIENCE: Duration = Duration::from_secs(12);
/// How often it is provoked before it counts as never visited: a race may have gone the other way.
const PROVOKED_MAX: usize = 3;
/// How long the kernel may take over a kill.
const DEATH_PATIENCE: Duration = Duration::from_secs(5);

/// Kills once at `point`; `time` says which time it is.
///
/// # Errors
///
/// If the point is not visited, the cluster does not come to rest, or an audit fails.
pub fn kill_at(
    point: &Point,
    time: u64,
    (stage, audit): (&mut Stage, &mut Audit),
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let skipped = match point.visits {
        Visits::Few => 0,
        Visits::Many => time % 7,
    };
    point.by.prepare(stage)?;
    stage.arm(point.name, skipped)?;
    let mut killed = None;
    for _ in 0..PROVOKED_MAX {
        let afterwards = point.by.act(stage)?;
        killed = wait_for("a visit", VISIT_PATIENCE, || stage.take_killed(point.name)).ok();
        // Not to be reached again, by whoever mends what was provoked.
        if killed.is_some() {
            afterwards(stage)?;
            break;
        }
        afterwards(stage)?;
        stage.until_at_rest().context("after a provocation that led to no visit")?;
    }
    stage.disarm(point.name);
    let pid = killed.with_context(|| format!("{} was provoked and never visited", point.name))?;
    wait_for("the end of the killed process", DEATH_PATIENCE, || (!runs(pid)).then_some(()))?;
    stage.until_at_rest()?;
    audit.hold(stage).with_context(|| stage.story.tail())?;
    Ok(started.elapsed())
}
