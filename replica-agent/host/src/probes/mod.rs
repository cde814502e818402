//! Probes: asks each replica at short intervals whether it answers, and tells only changes.
//!
//! ```text
//! each interval, or when asked: ask ──in time?──yes──► passing
//!                                        └──no, n times in a row──► failing
//! ```
//!
//! A replica that never answered is not failing but starting, for as long as
//! the configuration says; its own start is the leader's business.

mod announced;
mod ask;
pub(crate) mod http;
mod round;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use watchdog_core::replica::{Probe, ProbeTiming};
use watchdog_membership::records::ProbeState;

use crate::clock;
use crate::supervisor::{AskNow, Kept, Supervisor};
use ask::Prober;
use round::{Count, overall};

/// A second question to a replica that fails already: it had its full time before.
const SECOND_LOOK: Duration = Duration::from_millis(20);
/// How soon after a start the first question is asked.
const FIRST_ROUND: Duration = Duration::from_millis(20);
/// An adopted replica that is older than this has come up long ago.
const ADOPTED_STARTUP: Duration = Duration::from_secs(2);

fn timing(probe: &Probe) -> ProbeTiming {
    match probe {
        Probe::Http { timing, .. }
        | Probe::Tcp { timing, .. }
        | Probe::Command { timing, .. }
        | Probe::Grpc { timing, .. } => *timing,
    }
}

/// Probes a process until it ends.
pub(crate) fn start(supervisor: &Arc<Supervisor>, kept: &Arc<Kept>, watching: &AbortHandle) {
    let declared = kept.life.probes.iter().map(|probe| (Some(probe.clone()), timing(probe)));
    let mut probes: Vec<_> = declared.collect();
    if probes.is_empty() {
        probes.push((None, supervisor.config.probes.timing()));
    }
    let counts = Arc::new(round::Counts::new(probes.len()));
    for (index, (probe, timing)) in probes.into_iter().enumerate() {
        let (asks, asked) = mpsc::channel(8);
        kept.revise(|standing| standing.probers.push(asks));
        let probing = Probing {
            supervisor: supervisor.clone(),
            kept: kept.clone(),
            prober: Prober::new(probe, supervisor, kept),
            timing,
            counts: counts.clone(),
            index,
        };
        let watching = watching.clone();
        tokio::spawn(async move { probing.run(asked, watching).await });
    }
}

/// Probes now, and resolves when the round is over.
pub(crate) async fn look(kept: &Kept) {
    let mut rounds = Vec::new();
    for prober in kept.standing().probers {
        let (answer, round) = oneshot::channel();
        if prober.try_send(answer).is_ok() {
            rounds.push(round);
        }
    }
    for round in rounds {
        // A prober that has gone has no newer evidence.
        let _ = round.await;
    }
}

struct Probing {
    supervisor: Arc<Supervisor>,
    kept: Arc<Kept>,
    prober: Prober,
    timing: ProbeTiming,
    counts: Arc<round::Counts>,
    index: usize,
}

impl Probing {
    async fn run(mut self, mut asked: mpsc::Receiver<AskNow>, watching: AbortHandle) {
        let every = Duration::from_millis(self.timing.interval_ms.max(1));
        let mut ticks = interval_at(Instant::now() + every.min(FIRST_ROUND), every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let kept = self.kept.clone();
        let mut buried = std::pin::pin!(kept.buried());
        loop {
            let mut asks = Vec::new();
            tokio::select! {
                biased;
                _ = &mut buried => return,
                ask = asked.recv() => asks.extend(ask),
                _ = ticks.tick() => {}
            }
            if watching.is_finished() {
                return;
            }
            self.prober.learn().await;
            let began = Instant::now();
            if let Some(answer) = self.question(&mut asked, &mut asks).await {
                self.supervisor.ledger.counters.probed(answer.is_ok(), began.elapsed());
                self.take(answer);
            }
            for ask in asks {
                // Whoever asked may have gone away.
                let _ = ask.send(());
            }
        }
    }

    /// One question. One that fails already had its full time before, so whoever looks again need not wait so long.
    async fn question(
        &mut self,
        asked: &mut mpsc::Receiver<AskNow>,
        asks: &mut Vec<AskNow>,
    ) -> Option<Result<(), String>> {
        let full = Duration::from_millis(self.timing.timeout_ms.max(1));
        let fails = self.kept.standing().probe == ProbeState::Failing;
        let began = Instant::now();
        let mut deadline = began + if fails && !asks.is_empty() { full.min(SECOND_LOOK) } else { full };
        {
            let mut answer = std::pin::pin!(self.prober.ask());
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => return answer,
                    () = sleep_until(deadline) => break,
                    ask = asked.recv(), if fails => {
                        asks.extend(ask);
                        deadline = deadline.min(Instant::now() + SECOND_LOOK);
                    }
                }
            }
        }
        self.prober.give_up();
        Some(Err(format!("no answer within {} ms", began.elapsed().as_millis())))
    }

    fn take(&mut self, answer: Result<(), String>) {
        let startup = Duration::from_millis(self.supervisor.config.probes.startup_ms);
        let startup = if self.kept.adopted { startup.min(ADOPTED_STARTUP) } else { startup };
        let is_up = clock::age(self.kept.body.process.start_ticks) > startup;
        let failures = self.timing.failures.max(1);
        let (probe, mut detail) =
            self.counts.revise(self.index, |count: &mut Count| count.take(answer, failures, is_up));
        // Told at once: it is none of what a start takes time for.
        if let (true, Some(fault)) = (detail.is_empty(), self.prober.fault()) {
            fault.clone_into(&mut detail);
        }
        let changed = self.kept.revise(|standing| {
            standing.round += 1;
            (standing.probe, standing.detail) = (probe, detail);
        });
        if changed {
            self.supervisor.publish(&self.kept);
        }
    }
}

impl round::Counts {
    fn revise(&self, index: usize, revise: impl FnOnce(&mut Count)) -> (ProbeState, String) {
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(index) {
            revise(count);
        }
        overall(&counts)
    }
}
