//! Fence: refuses orders of an epoch older than the highest seen, and every order once the lease is over.

use std::time::Duration;

use super::Refused;
use crate::ids::Epoch;

/// The highest epoch of one cluster that an agent has seen, and the lease within which it takes orders.
///
/// Every time is a duration since one fixed instant that the agent chose, by a clock that never goes back.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The highest epoch that was seen, in orders or in the coordination service.
    epoch: Epoch,
    /// The highest that is on disk.
    recorded: Epoch,
    lease: Option<Lease>,
}

/// How long orders are taken without word from the coordination service.
#[derive(Debug, Clone)]
struct Lease {
    lasts: Duration,
    /// When the epoch was last read from the coordination service.
    confirmed: Option<Duration>,
    /// Tells this run of the agent from all others.
    run: String,
    /// Counts the times that the lease was over: what was ordered before may have been given to others since.
    lapses: u64,
}

impl Fence {
    /// That of an agent which takes orders for as long as it runs: it ends when it is told that it is dead.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, recorded: epoch, lease: None }
    }

    /// That of an agent which takes orders only while it had word from the coordination service within the lease. `recorded`
    /// is on disk; `run` tells this run of the agent from all others.
    pub fn leased(lasts: Duration, recorded: Epoch, run: impl Into<String>) -> Self {
        let lease = Some(Lease { lasts, confirmed: None, run: run.into(), lapses: 0 });
        Self { epoch: recorded, recorded, lease }
    }

    /// The highest epoch that was ever seen here.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Learns of an epoch, from whatever source.
    pub fn learn(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    /// The epoch is on disk.
    pub fn recorded(&mut self, epoch: Epoch) {
        self.recorded = self.recorded.max(epoch);
    }

    /// The epoch was read from the coordination service; it was true at this moment at least.
    ///
    /// An epoch lower than the highest seen comes from a service that was set up anew or is behind: it confirms nothing.
    /// Answers whether the lease had been over, so that another session begins.
    pub fn confirm(&mut self, epoch: Epoch, at: Duration) -> bool {
        if epoch < self.epoch {
            return false;
        }
        self.epoch = epoch;
        let Some(lease) = &mut self.lease else { return false };
        let lapsed = lease.confirmed.is_some_and(|before| at.saturating_sub(before) > lease.lasts);
        lease.lapses += u64::from(lapsed);
        lease.confirmed = lease.confirmed.max(Some(at));
        lapsed
    }

    /// When the epoch was last read from the coordination service.
    pub fn confirmed(&self) -> Option<Duration> {
        self.lease.as_ref()?.confirmed
    }

    /// What orders of now must name; empty where there is no lease that could lapse.
    pub fn session(&self) -> String {
        self.lease.as_ref().map_or_else(String::new, |lease| format!("{}-{}", lease.run, lease.lapses))
    }

    /// Takes an epoch in; answers whether it must be recorded before anything is done under it.
    ///
    /// # Errors
    ///
    /// [`Refused::OlderEpoch`]
    pub fn raise(&mut self, epoch: Epoch) -> Result<bool, Refused> {
        if epoch < self.epoch {
            return Err(Refused::OlderEpoch { asked: epoch, seen: self.epoch });
        }
        self.epoch = epoch;
        Ok(epoch > self.recorded)
    }

    /// Takes in the epoch of an order, as [`Fence::raise`] does, and refuses the order when the lease is over, or when it
    /// names an earlier session. An empty session is not compared.
    ///
    /// # Errors
    ///
    /// [`Refused::Unconfirmed`], [`Refused::OlderEpoch`], [`Refused::EarlierSession`]
    pub fn admit(&mut self, (epoch, session): (Epoch, &str), now: Duration) -> Result<bool, Refused> {
        if let Some(lease) = &self.lease {
            let age = lease.confirmed.map(|at| now.saturating_sub(at));
            if age.is_none_or(|age| age > lease.lasts) {
                return Err(Refused::Unconfirmed { lease: lease.lasts, age });
            }
        }
        let newer = self.raise(epoch)?;
        match &self.lease {
            Some(lease) if !session.is_empty() && session != self.session() => {
                Err(Refused::EarlierSession { lease: lease.lasts })
            }
            _ => Ok(newer),
        }
    }
}
