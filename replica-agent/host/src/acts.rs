//! Acts: what each kind of order checks, records and does.

use std::sync::Arc;
use std::time::Duration;

use watchdog_core::ids::{ClusterId, Incarnation, ReplicaId};

use watchdog_membership::handover::StateFile;

use crate::config::Program;
use crate::fault::{self, Blame, Blamed, Fault};
use crate::ledger::{Entry, LedgerError, Life, Outcome};
use crate::load;
use crate::refusal::Refusal;
use crate::server::order::{Act, Order};
use crate::snapshot;
use crate::supervisor::{Supervisor, with_causes};

/// How long an act may take at most, by its own limits.
pub(crate) fn longest(act: &Act) -> Duration {
    match act {
        Act::Start(_) => Duration::from_secs(15),
        Act::Kill(_, _, grace) => *grace + Duration::from_secs(15),
        Act::Snapshot(_, _, budget) => *budget + Duration::from_secs(1),
        Act::Load(_) => load::PATIENCE,
    }
}

/// Whether the act makes sense now; the caller keeps others off the replica meanwhile.
///
/// # Errors
///
/// Nothing was done.
pub(crate) fn check(supervisor: &Supervisor, order: &Order, act: &Act) -> Result<(), Refusal> {
    let (replica, incarnation) = act.whom();
    let kept = supervisor.find(incarnation);
    if let Some(kept) = &kept
        && (kept.life.replica != *replica || kept.life.cluster != order.cluster)
    {
        let reason = format!("{incarnation} is a life of {}/{}", kept.life.cluster, kept.life.replica);
        return Err(Refusal::field("incarnation", reason));
    }
    let dead = supervisor.ledger.read(|book| book.dead.get(&incarnation).map(|dead| dead.obituary.clone()));
    match act {
        Act::Start(start) if start.0.lease_ms.is_some() && !supervisor.takes_exclusive() => {
            Err(Refusal::NoCgroup { replica: replica.clone() })
        }
        Act::Start(_) => {
            let others = supervisor.of_cluster(&order.cluster);
            if let Some(alive) = others.into_iter().find(|other| other.life.replica == *replica) {
                let (incarnation, pid) = (alive.life.incarnation, alive.body.process.pid);
                return Err(Refusal::Alive { replica: replica.clone(), incarnation, pid });
            }
            match dead {
                Some(obituary) => Err(Refusal::Dead { incarnation, status: obituary.status }),
                None => Ok(()),
            }
        }
        Act::Kill(..) => match dead {
            Some(obituary) if obituary.replica != *replica => Err(Refusal::field(
                "kill.incarnation",
                format!("{incarnation} was a life of {}", obituary.replica),
            )),
            _ => Ok(()),
        },
        Act::Snapshot(..) if kept.is_none() && dead.is_none() => Err(unknown(incarnation)),
        Act::Load(_) if kept.is_none() => Err(unknown(incarnation)),
        Act::Load(_) => load::check(supervisor, kept.as_deref()),
        Act::Snapshot(..) => Ok(()),
    }
}

fn unknown(incarnation: Incarnation) -> Refusal {
    let reason = format!("no process of incarnation {incarnation} is here");
    Refusal::NotFound { field: "incarnation", reason }
}

/// Does it. `begun` is recorded before anything else, together with what the act itself must record; a start looks once
/// more whether it `may`, because a machine that was stopped meanwhile finds its lease over.
pub(crate) async fn run(
    supervisor: &Arc<Supervisor>,
    order: &Order,
    act: Act,
    (begun, may): (Vec<Entry>, impl Fn() -> Result<(), Refusal>),
) -> Outcome {
    let (replica, incarnation) = act.whom();
    let beginning = Entry::Begun {
        cluster: order.cluster.clone(),
        step: order.step.clone(),
        replica: replica.clone(),
        incarnation,
        act: act.kind(),
    };
    match act {
        Act::Start(start) => {
            let mut entries = begun;
            entries.extend([beginning, Entry::Intended { life: start.0.clone() }]);
            run_start(supervisor, *start, (entries, may)).await
        }
        Act::Kill(replica, incarnation, grace) => {
            let mut entries = begun;
            entries.push(beginning);
            if let Err(error) = supervisor.ledger.record_order(entries).await {
                return unrecorded(error);
            }
            run_kill(supervisor, &order.cluster, (replica, incarnation, grace)).await
        }
        Act::Snapshot(replica, incarnation, budget) => {
            // It has no effect, so only a new epoch must be on disk first.
            if let (false, Err(error)) = (begun.is_empty(), supervisor.ledger.record_order(begun).await) {
                return unrecorded(error);
            }
            let taken = snapshot::take(supervisor, &order.cluster, (replica, incarnation), budget).await;
            watchdog_crash_points::crash_point!("host.snapshot.taken");
            snapshot::file(supervisor, (&order.cluster, &order.step), &taken).await;
            watchdog_crash_points::crash_point!("host.snapshot.filed");
            Outcome { snapshot: Some(taken), ..Outcome::default() }
        }
        Act::Load(order) => {
            let mut entries = begun;
            entries.push(beginning);
            if let Err(error) = supervisor.ledger.record_order(entries).await {
                return unrecorded(error);
            }
            match load::run(supervisor, *order).await {
                Ok(loaded) => Outcome { loaded: Some(loaded), ..Outcome::default() },
                Err(error) => failed(supervisor, &error),
            }
        }
    }
}

/// Ends a life whose end is recorded as begun.
async fn run_kill(
    supervisor: &Arc<Supervisor>,
    cluster: &ClusterId,
    (replica, incarnation, grace): (ReplicaId, Incarnation, Duration),
) -> Outcome {
    let known = supervisor.ledger.read(|book| book.dead.get(&incarnation).map(|dead| dead.obituary.clone()));
    watchdog_crash_points::crash_point!("host.kill.recorded");
    let kept = supervisor.find(incarnation);
    let is_exclusive = kept.as_ref().is_some_and(|kept| kept.life.lease_ms.is_some());
    let ended = match (kept, known) {
        (Some(kept), _) => supervisor.end(&kept, grace).await,
        (None, Some(obituary)) => Ok(obituary),
        (None, None) => supervisor.end_unknown(cluster, replica, incarnation).await,
    };
    watchdog_crash_points::crash_point!("host.kill.proven");
    match ended {
        // An order that goes on from here would start another beside what is left.
        Ok(obituary) if is_exclusive && !obituary.tree_gone => {
            let error =
                "its main process is dead, and without a control group nothing proves that all of it is";
            Outcome {
                obituary: Some(obituary),
                ..Outcome::failed(error, Fault::new("tree_not_gone", Blame::Host))
            }
        }
        Ok(obituary) => Outcome { obituary: Some(obituary), ..Outcome::default() },
        Err(error) => failed(supervisor, &error),
    }
}

/// What a start brings.
type StartOrder = (Life, Program, StateFile);

async fn run_start(
    supervisor: &Arc<Supervisor>,
    (life, program, state): StartOrder,
    (mut entries, may): (Vec<Entry>, impl Fn() -> Result<(), Refusal>),
) -> Outcome {
    let launcher = match supervisor.launcher(&life).await {
        Ok(launcher) => launcher,
        Err(error) => return fail_start(supervisor, &life, failed(supervisor, &error)).await,
    };
    entries.push(launcher.entry(&life));
    let preparing = supervisor.clone();
    let (ordered, loads) = (life.clone(), program.load.is_some());
    let prepare = tokio::task::spawn_blocking(move || {
        let prepared = preparing.prepare(&ordered, &program, &state);
        let launch = prepared.map_err(|error| Box::new(failed(&preparing, &error)))?;
        load::render_first(&program, &state).map_err(|error| Box::new(failed(&preparing, &error)))?;
        Ok(launch)
    });
    // The two syncs run side by side: neither counts before the other.
    let (recorded, prepared) = tokio::join!(supervisor.ledger.record_order(entries), prepare);
    let broken =
        || Outcome::failed("the thread that prepares starts failed", Fault::new("task", Blame::Agent));
    let prepared = prepared.unwrap_or_else(|_| Err(Box::new(broken())));
    let prepared = recorded.map_err(|error| Box::new(unrecorded(error))).and(prepared);
    let may = |launch| may().map(|()| launch).map_err(|refusal| Box::new(refused(&refusal)));
    let prepared = prepared.and_then(may);
    let launch = match prepared {
        Ok(launch) => launch,
        Err(error) => {
            launcher.discard().await;
            return fail_start(supervisor, &life, *error).await;
        }
    };
    watchdog_crash_points::crash_point!("host.start.recorded");
    let process = Some((life.replica.clone(), life.incarnation, launcher.key().clone()));
    match supervisor.launch(life.clone(), launcher, &launch).await {
        Ok(kept) => {
            if loads {
                load::note_loaded(supervisor, &kept, life.version, life.state_hash);
            }
            Outcome { process, ..Outcome::default() }
        }
        Err(error) => fail_start(supervisor, &life, failed(supervisor, &error)).await,
    }
}

/// Nothing of it runs, and by this it never will.
async fn fail_start(supervisor: &Supervisor, life: &Life, failed: Outcome) -> Outcome {
    supervisor.unprepare(life);
    let obituary = supervisor.obituary((life.replica.clone(), life.incarnation), "never started", true);
    if let Err(error) = supervisor.declare(&life.cluster, obituary).await {
        tracing::error!(%error, "a start that failed could not be recorded");
    }
    failed
}

/// How much of an error is answered; what a program says of itself has no bound.
const ERROR_CHARACTERS_MAX: usize = 2_000;

/// What did not work, with its cause and whose it is.
fn failed(supervisor: &Supervisor, error: &impl Blamed) -> Outcome {
    let fault = error.fault();
    let mut told = with_causes(error);
    if fault.code == fault::NO_SPACE && !told.starts_with("no space") {
        told = format!("no space on host {}: {told}", supervisor.config.host);
    }
    Outcome::failed(told.chars().take(ERROR_CHARACTERS_MAX).collect::<String>(), fault)
}

fn unrecorded(error: LedgerError) -> Outcome {
    refused(&Refusal::from(error))
}

fn refused(refusal: &Refusal) -> Outcome {
    Outcome::failed(refusal.to_string(), refusal.fault())
}
