//! Run: one seed: builds the stage, lets everybody at it, waits for rest, cuts all off from ZooKeeper, and judges.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::customer::Customer;
use crate::fault::schedule;
use crate::history::History;
use crate::nemesis::{Act, Nemesis};
use crate::net::{EACH, Node, run as run_quietly};
use crate::operator::Operator;
use crate::severed::Severed;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::time::{ms, now_ms};
use crate::witness::Witness;

/// How long a cluster may take to come to rest after the last fault.
const REST_PATIENCE: Duration = Duration::from_mins(1);

/// What to run.
#[derive(Debug, Clone)]
pub struct Order {
    /// The seed of the schedule and of the goals.
    pub seed: u64,
    /// How many faults.
    pub faults: usize,
    /// For how long all are cut off from ZooKeeper at the end; zero leaves that out.
    pub cut_off: Duration,
}

/// Runs it in `root`, with the programs in `programs`; `tell` hears how it goes.
///
/// # Errors
///
/// If the stage itself fails, which says nothing about the product.
pub fn run(root: &Path, programs: &Path, order: &Order, tell: impl Fn(&str)) -> anyhow::Result<Tally> {
    let begun = Instant::now();
    tell("starts ZooKeeper, PostgreSQL, watchdogs and host agents");
    let mut stage = Stage::open(root, programs, "replica-agent").context("build the stage")?;
    let witness = Witness::begin();
    let customer = Customer::begin(&stage.site);
    let operator = Operator::begin(&stage.site, programs.to_owned(), order.seed);
    let schedule = schedule(order.seed, order.faults, stage.faketime.is_some());

    let mut nemesis = Nemesis::new(&mut stage, &witness);
    let mut done = 0;
    nemesis.carry_out(&schedule, |act| {
        done += 1;
        tell(&format!("fault {done} of {}: {} ({})", schedule.len(), act.kind.word(), said(act)));
    })?;
    let healing = Instant::now();
    let (acts, fallen) = (std::mem::take(&mut nemesis.acts), std::mem::take(&mut nemesis.fallen));
    let declared = operator.end();

    tell("the faults are over; waits for rest");
    let rest = stage.until_at_rest(REST_PATIENCE);
    let rest_ms = ms(healing.elapsed());
    let (cut_off, again) = match (&rest, order.cut_off.is_zero()) {
        (Ok(_), false) => {
            tell("cuts everybody off from ZooKeeper");
            let severed = Severed::begin(&stage, &witness, &customer)?;
            let mut cut = severed.last(order.cut_off)?;
            let again = stage.until_at_rest(REST_PATIENCE).map(drop);
            // Nor may the return be taken for the death of many.
            cut.died = severed.dead(cut.lasted_ms);
            (Some(cut), again)
        }
        _ => (None, Ok(())),
    };

    tell("reads the record, the ledgers and the logs");
    let mut history = History::read(&stage).context("read what was written down")?;
    (history.acts, history.fallen, history.declared) = (acts, fallen, declared);
    (history.lives, history.customer) = (witness.all(), customer.experience());
    history.cut_off = cut_off;
    history.still_open = rest.map(drop).and(again).err().map(|error| format!("{error:#}"));
    let mut tally = Tally::of(&history);
    (tally.seeds, tally.rest_ms) = (vec![order.seed], vec![rest_ms]);
    tally.seconds = begun.elapsed().as_secs_f64();
    if stage.faketime.is_none() {
        tally.notes.push("no clock steps: libfaketime is not installed".to_owned());
    }
    write_acts(root, &history.acts)?;
    keep_disks(&stage, root)?;
    Ok(tally)
}

fn said(act: &Act) -> String {
    match &act.reply {
        Some(reply) => format!("{}: {reply:?}", act.target),
        None => act.target.clone(),
    }
}

/// For whoever reads the logs: what was done, and when.
fn write_acts(root: &Path, acts: &[Act]) -> anyhow::Result<()> {
    let lines = acts.iter().map(|act| {
        let to = act.to_ms.unwrap_or_else(now_ms);
        format!(
            "{} {to} {} {} {}\n",
            act.from_ms,
            act.kind.word(),
            said(act),
            act.incarnation.as_deref().unwrap_or("")
        )
    });
    std::fs::write(root.join("faults.txt"), lines.collect::<String>()).context("write the faults down")
}

/// The small disks go with the namespaces; what the agents wrote on them stays for whoever looks into it.
fn keep_disks(stage: &Stage, root: &Path) -> anyhow::Result<()> {
    let kept = root.join("agents");
    std::fs::create_dir_all(&kept).context("make a directory for what agents wrote")?;
    for index in 0..EACH {
        run_quietly(Command::new("cp").arg("-a").arg(stage.site.disk(Node::Host(index))).arg(&kept))?;
    }
    let record =
        stage.sql("SELECT sequence, at_ms, epoch, written_by, body FROM record ORDER BY sequence")?;
    std::fs::write(root.join("record.txt"), record).context("write the record down")
}
