//! Load: moves what is in memory from one version to another, and proves it.
//!
//! ```text
//! what is in memory? ──► from_hash: the ordered difference
//!                   └──► else:      the difference to the whole target
//! prepare (until done, or no progress) ──► commit ──► what is in memory hashes to to_hash?
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinError;
use watchdog_core::difference::Difference;
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key, State, digest};

use crate::application::{Cancelled, LoadError, LoadRequest, Progress};
use crate::checks::{Checks, Vitals};
use crate::held::{Commit, Held};
use crate::order::LoadOrder;
use crate::report::Report;
use crate::status::Status;

/// Why a load failed. Unless it says otherwise, the old version serves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadFailure {
    #[error("the application has not answered its own checks for {} ms; nothing was loaded", patience.as_millis())]
    Silent { patience: Duration },
    #[error(
        "what is in memory hashes to {found}, not to load.from_hash {expected}, and load.state_json is empty; nothing was loaded"
    )]
    NoTarget { found: Hash, expected: Hash },
    #[error("no progress for {} ms after {last:?}; cancelled, nothing was loaded", patience.as_millis())]
    Stalled { patience: Duration, last: String },
    #[error("prepare failed, nothing was loaded: {reason}")]
    Prepare { reason: LoadError },
    #[error("commit failed, the old version serves: {reason}")]
    Commit { reason: LoadError },
    #[error("the application panicked in {stage}")]
    Panicked { stage: &'static str },
    #[error("commit has not ended for {} ms; it may still take effect", patience.as_millis())]
    CommitHangs { patience: Duration },
    #[error("version {to} was committed, but what is in memory hashes to {found}, not to {expected}")]
    Unproven { to: Version, found: Hash, expected: Hash },
    #[error("version {to} was committed, but the application no longer answers its own checks")]
    SilentAfterwards { to: Version },
}

/// Loads, one at a time.
pub(crate) struct Loader {
    pub(crate) application: Arc<dyn Held>,
    pub(crate) checks: Checks,
    pub(crate) status: watch::Sender<Status>,
}

impl Loader {
    /// Loads what is ordered. It returns when nothing of it happens any more; a commit that hangs is reported before.
    pub(crate) async fn load(&self, order: &LoadOrder, report: &Report) -> Result<(), LoadFailure> {
        self.status.send_modify(|status| status.loading = Some(order.to));
        let outcome = self.stages(order, report).await;
        self.status.send_modify(|status| {
            status.loading = None;
            status.frozen = false;
        });
        outcome
    }

    async fn stages(&self, order: &LoadOrder, report: &Report) -> Result<(), LoadFailure> {
        let patience = report.patience();
        let before = self.checks.ask(patience).await.ok_or(LoadFailure::Silent { patience })?;
        let from = before.version.unwrap_or(self.status.borrow().version);
        let difference = difference(&before, order)?;
        let request = LoadRequest { from, to: order.to, difference, to_hash: order.to_hash };

        report.next_stage();
        let commit = self.prepare(request, report).await?;
        watchdog_crash_points::crash_point!("replica.load.prepared");

        // From here on memory may change at any moment; the old version and hash are shown until both are known anew.
        self.status.send_modify(|status| status.frozen = true);
        report.next_stage();
        self.commit(commit, report).await?;
        watchdog_crash_points::crash_point!("replica.load.committed");

        report.next_stage();
        let after = self.checks.ask(patience).await;
        self.status.send_modify(|status| status.version = order.to);
        let after = after.ok_or(LoadFailure::SilentAfterwards { to: order.to })?;
        if after.state_hash == order.to_hash {
            return Ok(());
        }
        Err(LoadFailure::Unproven { to: order.to, found: after.state_hash, expected: order.to_hash })
    }

    async fn prepare(&self, request: LoadRequest, report: &Report) -> Result<Commit, LoadFailure> {
        let (progress, mut milestones) = Progress::new();
        let (cancel, cancelled) = Cancelled::new();
        let application = self.application.clone();
        // A task of its own, so that a panic there ends only the load, and one that never awaits can be left behind.
        let mut work = tokio::spawn(async move { application.prepare(request, progress, cancelled).await });
        loop {
            tokio::select! {
                done = &mut work => return match joined("prepare", done)? {
                    Ok(commit) => Ok(commit),
                    Err(reason) => Err(LoadFailure::Prepare { reason }),
                },
                Ok(()) = milestones.changed() => report.progress(milestones.borrow_and_update().clone()),
                () = tokio::time::sleep_until(report.deadline().into()) => {
                    // The receiver may be gone already, which is what we want.
                    let _ = cancel.send(true);
                    work.abort();
                    let last = report.milestone().message;
                    return Err(LoadFailure::Stalled { patience: report.patience(), last });
                }
            }
        }
    }

    async fn commit(&self, commit: Commit, report: &Report) -> Result<(), LoadFailure> {
        let patience = report.patience();
        let mut work = tokio::spawn(async move { commit().await });
        let done = if let Ok(done) = tokio::time::timeout(patience, &mut work).await {
            done
        } else {
            // Somebody waits for an answer; and what is in memory meanwhile shall be seen as it is.
            self.status.send_modify(|status| status.frozen = false);
            report.finish(self.told(&Err(LoadFailure::CommitHangs { patience })));
            work.await
        };
        match joined("commit", done)? {
            Ok(()) => Ok(()),
            Err(reason) => {
                // So that `told` speaks of what is in memory now; an answer that never comes changes nothing.
                let _ = self.checks.ask(patience).await;
                Err(LoadFailure::Commit { reason })
            }
        }
    }

    /// The result of a load, with what is in memory now.
    pub(crate) fn told(&self, outcome: &Result<(), LoadFailure>) -> watchdog_proto::agent::StepResult {
        let vitals = self.checks.latest().borrow().clone();
        watchdog_proto::agent::StepResult {
            error: outcome.as_ref().err().map_or_else(String::new, ToString::to_string),
            version: Some(vitals.version.unwrap_or(self.status.borrow().version).0),
            state_hash: Some(vitals.state_hash.to_string()),
            ..Default::default()
        }
    }
}

fn joined<T>(stage: &'static str, done: Result<T, JoinError>) -> Result<T, LoadFailure> {
    done.map_err(|_| LoadFailure::Panicked { stage })
}

/// What to put and to remove: as ordered, if memory is as the order believes, else all that separates it from the target.
fn difference(memory: &Vitals, order: &LoadOrder) -> Result<Difference, LoadFailure> {
    if memory.state_hash == order.from_hash {
        return Ok(order.difference.clone());
    }
    match &order.target {
        Some(target) => Ok(difference_to(&memory.digests, target)),
        None => Err(LoadFailure::NoTarget { found: memory.state_hash, expected: order.from_hash }),
    }
}

fn difference_to(memory: &BTreeMap<Key, Hash>, target: &State) -> Difference {
    let put = target.0.iter().filter(|(key, value)| memory.get(key) != Some(&digest(value)));
    let put = put.map(|(key, value)| (key.clone(), Some(value.clone())));
    let remove = memory.keys().filter(|key| !target.0.contains_key(key)).map(|key| (key.clone(), None));
    Difference(put.chain(remove).collect())
}

/// The order behind a start: everything, from nothing.
pub(crate) fn initial(version: Version, state: &State) -> LoadOrder {
    let state = state.application();
    let nothing = State::default();
    LoadOrder {
        from: Version(0),
        to: version,
        difference: nothing.difference(&state),
        from_hash: nothing.hash(),
        to_hash: state.hash(),
        target: Some(state),
    }
}

/// Waits for something that must end within the order's patience.
pub(crate) async fn within<F: Future>(report: &Report, work: F) -> Result<F::Output, Duration> {
    let begun = Instant::now();
    tokio::time::timeout_at(report.deadline().into(), work).await.map_err(|_| begun.elapsed())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn state(entries: &[(&str, Value)]) -> State {
        State(entries.iter().map(|(key, value)| (key.parse().unwrap(), value.clone())).collect())
    }

    fn memory(state: &State) -> Vitals {
        Vitals { digests: Arc::new(state.digests()), state_hash: state.hash(), ..Vitals::empty() }
    }

    #[test]
    fn memory_decides_what_is_loaded_not_the_order() {
        let old = state(&[("model/m", json!(1)), ("rule/r", json!("x"))]);
        let new = state(&[("model/m", json!(2)), ("rule/r", json!("x"))]);
        let drifted = state(&[("model/m", json!(1)), ("model/stray", json!(9))]);
        let order = LoadOrder {
            from: Version(1),
            to: Version(2),
            difference: old.difference(&new),
            from_hash: old.hash(),
            to_hash: new.hash(),
            target: Some(new.clone()),
        };
        let table = [
            ("as believed", &old, old.difference(&new)),
            ("drifted", &drifted, drifted.difference(&new)),
            ("there already", &new, Difference::default()),
        ];
        for (story, held, expected) in table {
            assert_eq!(difference(&memory(held), &order).unwrap(), expected, "{story}");
        }
        let order = LoadOrder { target: None, ..order };
        assert!(matches!(difference(&memory(&drifted), &order), Err(LoadFailure::NoTarget { .. })));
    }

    #[test]
    fn a_start_loads_the_applications_kinds_only() {
        let state = state(&[("model/m", json!(1)), ("replica/a", json!({}))]);
        let order = initial(Version(3), &state);
        assert_eq!(order.to_hash, state.hash());
        assert_eq!(order.difference.0.len(), 1);
    }
}
