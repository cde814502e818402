//! Scorer: the application that the agent looks after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use replica_agent::{
    Application, Cancelled, Condition, Hash, Incarnation, Key, LoadError, LoadRequest, Progress, ReplicaId,
    Version, digest,
};
use serde_json::json;

use crate::memory::{BadValue, Memory};
use crate::model::{Incident, What};

/// How often a slow load tells that it goes on.
const SLOW_STEP: Duration = Duration::from_millis(100);
/// How far a known answer may be off.
const CHECK_TOLERANCE: f64 = 1e-6;

/// The service: what is in memory, and how it behaves.
pub(crate) struct Scorer {
    replica: ReplicaId,
    incarnation: Incarnation,
    memory: RwLock<Option<Arc<Memory>>>,
    draining: AtomicBool,
    lying: AtomicBool,
}

impl Scorer {
    pub(crate) fn new(replica: ReplicaId, incarnation: Incarnation) -> Self {
        Self {
            replica,
            incarnation,
            memory: RwLock::new(None),
            draining: AtomicBool::new(false),
            lying: AtomicBool::new(false),
        }
    }

    pub(crate) fn replica(&self) -> &ReplicaId {
        &self.replica
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What serves now; nothing before the first load.
    pub(crate) fn memory(&self) -> Option<Arc<Memory>> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, memory: Arc<Memory>) {
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }

    /// Whether this goes wrong here by now.
    pub(crate) fn goes_wrong(&self, what: What) -> bool {
        self.memory().is_some_and(|memory| memory.goes_wrong(&self.replica, what))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Holds something else from now on, without anybody having ordered it.
    pub(crate) fn drift(&self, version: Option<Version>) -> Result<(), BadValue> {
        if let Some(memory) = self.memory() {
            self.replace(Arc::new(memory.drifted(version.unwrap_or(memory.version))?));
        }
        Ok(())
    }

    /// Reports digests of what it does not hold, until the next load.
    pub(crate) fn lie(&self) {
        self.lying.store(true, Ordering::Release);
    }

    /// The first model whose known answer is not what it answers.
    fn wrong_answer(&self, memory: &Memory) -> Option<String> {
        let inverted = memory.goes_wrong(&self.replica, What::WrongAnswer);
        memory.models.iter().find_map(|(name, model)| {
            let check = model.check.as_ref()?;
            let score = model.score(&check.features);
            let score = if inverted { 1.0 - score } else { score };
            let wrong = (score - check.score).abs() > CHECK_TOLERANCE;
            wrong.then(|| format!("model {name} answers {score} where {} is known to be right", check.score))
        })
    }
}

/// A memory that could serve.
pub(crate) struct Prepared {
    memory: Memory,
    first: bool,
}

#[replica_agent::async_trait]
impl Application for Scorer {
    type Prepared = Prepared;

    async fn prepare(
        &self,
        load: LoadRequest,
        progress: Progress,
        _cancelled: Cancelled,
    ) -> Result<Prepared, LoadError> {
        let memory = self.memory();
        let mut state = memory.as_ref().map(|memory| memory.state.clone()).unwrap_or_default();
        for (key, value) in &load.difference.0 {
            state.apply(key, value.as_ref());
        }
        progress.report(50, "parsing");
        let next = Memory::of(load.to, state)?;
        for incident in next.incidents(&self.replica) {
            rehearse_in_prepare(incident, &progress).await?;
        }
        Ok(Prepared { memory: next, first: memory.is_none() })
    }

    async fn commit(&self, prepared: Prepared) -> Result<(), LoadError> {
        let Prepared { mut memory, first } = prepared;
        if memory.incidents(&self.replica).any(|incident| incident.what == What::FailCommit) {
            return Err("a rehearsed incident: this commit fails".into());
        }
        memory.since = Instant::now();
        self.lying.store(false, Ordering::Release);
        let memory = Arc::new(memory);
        self.replace(memory.clone());
        for incident in memory.incidents(&self.replica) {
            let crashes = match incident.what {
                What::Crash => true,
                What::CrashAtStart => first,
                _ => false,
            };
            if crashes {
                crash(incident.after());
            }
        }
        Ok(())
    }

    fn loaded(&self) -> BTreeMap<Key, Hash> {
        let Some(memory) = self.memory() else { return BTreeMap::new() };
        let mut digests = memory.digests.clone();
        if self.lying.load(Ordering::Acquire) || memory.goes_wrong(&self.replica, What::Lie) {
            for hash in digests.values_mut() {
                *hash = digest(&json!("a lie"));
            }
        }
        digests
    }

    fn version(&self) -> Option<Version> {
        self.memory().map(|memory| memory.version)
    }

    fn live(&self) -> Condition {
        while self.goes_wrong(What::Hang) {
            std::thread::sleep(SLOW_STEP);
        }
        if self.goes_wrong(What::Unhealthy) {
            return Condition::bad("a rehearsed incident: unhealthy");
        }
        Condition::Good
    }

    fn ready(&self) -> Condition {
        let Some(memory) = self.memory() else { return Condition::bad("nothing is loaded yet") };
        self.wrong_answer(&memory).map_or(Condition::Good, Condition::Bad)
    }

    async fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    async fn undrain(&self) {
        self.draining.store(false, Ordering::Release);
    }
}

async fn rehearse_in_prepare(incident: &Incident, progress: &Progress) -> Result<(), LoadError> {
    match incident.what {
        What::FailLoad => Err("a rehearsed incident: this load fails".into()),
        What::StallLoad => std::future::pending().await,
        What::SlowLoad => {
            let begun = Instant::now();
            while let Some(left) =
                incident.after().checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
            {
                progress.report(60, format!("fetching slowly, {} ms to go", left.as_millis()));
                tokio::time::sleep(left.min(SLOW_STEP)).await;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Aborts the process: at once, or a while after the commit has ended.
fn crash(after: Duration) {
    if after.is_zero() {
        std::process::abort();
    }
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        std::process::abort();
    });
}
