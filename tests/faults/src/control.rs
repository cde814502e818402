//! Control: with the fence of the host agents open, the same orders have effect, and the checks must see it.
//!
//! A checker that can't see what it is there for proves nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::checks::interleaving;
use crate::customer::Customer;
use crate::fault::{Kind, Planned};
use crate::history::History;
use crate::nemesis::Nemesis;
use crate::programs::UNFENCED;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::witness::Witness;

/// Between two orders, so that the heals of one leave a newer epoch's act behind.
const PACE: Duration = Duration::from_millis(1_200);
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs it until so many stale acts were tried; answers what the checks made of it.
///
/// # Errors
///
/// If the stage can't be built, or the checks saw nothing.
pub fn run(root: &Path, programs: &Path, acts: usize) -> anyhow::Result<Tally> {
    let mut stage = Stage::open(root, programs, UNFENCED).context("build the stage of the control")?;
    let witness = Witness::begin();
    let customer = Customer::begin(&stage.site);
    let again = |kind, draw| Planned { after: PACE, lasts: Duration::from_millis(500), kind, draw };
    // A second term, so that there is an older one; then orders to kill, which an even draw makes.
    let orders = (0..acts as u64).map(|number| again(Kind::StaleOrder, number * 512));
    let schedule: Vec<Planned> = [again(Kind::KillLeader, 0)].into_iter().chain(orders).collect();
    let mut nemesis = Nemesis::new(&mut stage, &witness);
    nemesis.carry_out(&schedule, |_| ())?;
    let acts = std::mem::take(&mut nemesis.acts);
    stage.until_at_rest(PATIENCE).context("the control's cluster did not heal what stale orders did")?;
    let mut history = History::read(&stage)?;
    (history.acts, history.lives, history.customer) = (acts, witness.all(), customer.experience());
    let seen = interleaving::check(&history);
    anyhow::ensure!(
        !seen.is_empty(),
        "the checks saw no stale act although {} stale orders reached agents without a fence",
        history.acts.iter().filter(|act| act.reply.is_some()).count()
    );
    Ok(Tally::of(&history))
}
