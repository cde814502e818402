//! Checks: asks the application again and again how it is, on a thread of its own.
//!
//! ```text
//! every interval, or when asked ──► live, ready, loaded ──► Vitals ──► whoever publishes or looks
//! ```
//!
//! A thread, because an application that hangs must not take the agent with it:
//! the agent then says so ([`Checks::stuck`]) instead of falling silent.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key, hash_of_digests};

use crate::application::Condition;
use crate::held::Held;

/// How long the application may take to answer its own checks before it counts as hanging.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(1);

/// Digesting what is in memory may take this share of the thread's time at most: one part in so many.
const DIGEST_SHARE: u32 = 20;

/// What one round of checks found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) live: Condition,
    pub(crate) ready: Condition,
    pub(crate) digests: Arc<BTreeMap<Key, Hash>>,
    pub(crate) state_hash: Hash,
    pub(crate) version: Option<Version>,
}

impl Vitals {
    pub(crate) fn empty() -> Self {
        let digests = BTreeMap::new();
        Self {
            live: Condition::Good,
            ready: Condition::bad("not checked yet"),
            state_hash: hash_of_digests(&digests),
            digests: Arc::new(digests),
            version: None,
        }
    }
}

/// The way to the checking thread; it ends when the last clone of this is dropped.
#[derive(Clone)]
pub(crate) struct Checks {
    asks: mpsc::Sender<oneshot::Sender<Vitals>>,
    latest: watch::Receiver<Vitals>,
    pulse: Arc<Pulse>,
}

/// When the round that is running began; so a round that never ends shows.
struct Pulse {
    origin: Instant,
    /// Milliseconds after `origin`, plus one; 0 while no round runs.
    began: AtomicU64,
}

impl Pulse {
    fn begin(&self) {
        self.began.store(self.now_ms() + 1, Ordering::Release);
    }

    fn end(&self) {
        self.began.store(0, Ordering::Release);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn running_for(&self) -> Duration {
        match self.began.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            began => Duration::from_millis((self.now_ms() + 1).saturating_sub(began)),
        }
    }
}

impl Checks {
    /// Starts the thread.
    pub(crate) fn start(application: Arc<dyn Held>, interval: Duration) -> std::io::Result<Self> {
        let (asks, asked) = mpsc::channel();
        let (publish, latest) = watch::channel(Vitals::empty());
        let pulse = Arc::new(Pulse { origin: Instant::now(), began: AtomicU64::new(0) });
        let checker = Checker {
            application,
            publish,
            pulse: pulse.clone(),
            digested: Instant::now(),
            digest_cost: Duration::ZERO,
        };
        std::thread::Builder::new()
            .name("replica-agent".to_owned())
            .spawn(move || checker.run(&asked, interval))?;
        Ok(Self { asks, latest, pulse })
    }

    /// Checks now; `None` when the application has not answered in time.
    pub(crate) async fn ask(&self, patience: Duration) -> Option<Vitals> {
        let (sender, receiver) = oneshot::channel();
        self.asks.send(sender).ok()?;
        tokio::time::timeout(patience, receiver).await.ok()?.ok()
    }

    /// What the last round found; its changes can be awaited.
    pub(crate) fn latest(&self) -> watch::Receiver<Vitals> {
        self.latest.clone()
    }

    /// Whether the application hangs in one of its own checks.
    pub(crate) fn stuck(&self) -> bool {
        self.pulse.running_for() > STUCK_AFTER
    }
}

struct Checker {
    application: Arc<dyn Held>,
    publish: watch::Sender<Vitals>,
    pulse: Arc<Pulse>,
    digested: Instant,
    digest_cost: Duration,
}

impl Checker {
    fn run(mut self, asked: &mpsc::Receiver<oneshot::Sender<Vitals>>, interval: Duration) {
        loop {
            let mut waiting = match asked.recv_timeout(interval) {
                Ok(ask) => vec![ask],
                Err(mpsc::RecvTimeoutError::Timeout) => Vec::new(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            waiting.extend(asked.try_iter());
            self.pulse.begin();
            let vitals = self.round(!waiting.is_empty());
            self.pulse.end();
            // Published before it is answered: who was answered never sees older vitals afterwards.
            self.publish.send_if_modified(|latest| {
                let changed = *latest != vitals;
                *latest = vitals.clone();
                changed
            });
            for ask in waiting {
                // Whoever asked may have lost patience.
                let _ = ask.send(vitals.clone());
            }
        }
    }

    fn round(&mut self, asked: bool) -> Vitals {
        let last = self.publish.borrow().clone();
        let digest = asked || self.digested.elapsed() >= self.digest_cost * DIGEST_SHARE;
        let application = &self.application;
        let look = || {
            (
                application.live(),
                application.ready(),
                digest.then(|| timed(|| application.loaded())),
                application.version(),
            )
        };
        let Ok((live, ready, loaded, version)) = catch_unwind(AssertUnwindSafe(look)) else {
            return Vitals { live: Condition::bad("the application panicked in its own checks"), ..last };
        };
        let (digests, state_hash) = match loaded {
            Some((digests, cost)) => {
                self.digested = Instant::now();
                self.digest_cost = cost;
                if digests == *last.digests {
                    (last.digests, last.state_hash)
                } else {
                    let state_hash = hash_of_digests(&digests);
                    (Arc::new(digests), state_hash)
                }
            }
            None => (last.digests, last.state_hash),
        };
        Vitals { live, ready, digests, state_hash, version }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}
