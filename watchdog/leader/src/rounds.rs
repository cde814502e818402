//! Rounds: which host agents are asked to look again at what is suspect, and what they say of the probes there.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::{HostId, Incarnation, ReplicaId};
use watchdog_core::observation::{HostSeen, Obituary, Observation, Probed};

/// Which host agents are asked to look again, and at which of the suspects.
pub fn to_ask<'a>(
    observation: &'a Observation,
    suspects: &'a BTreeSet<ReplicaId>,
) -> BTreeMap<&'a HostId, (&'a HostSeen, BTreeSet<&'a ReplicaId>)> {
    let mut asked = BTreeMap::new();
    for replica in suspects {
        let lives = observation.replicas.get(replica).into_iter().flat_map(|seen| seen.lives.values());
        // Who is proven dead need not be looked at: an obituary does not change.
        for life in lives.filter(|life| life.is_alive()) {
            let host = observation.hosts.get(&life.host).filter(|seen| seen.is_present());
            if let Some(seen) = host {
                asked.entry(&life.host).or_insert_with(|| (seen, BTreeSet::new())).1.insert(replica);
            }
        }
    }
    asked
}

/// What a host agent said of a process when it was asked just now; newer than what it has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Of which replica.
    pub replica: ReplicaId,
    /// Of which life.
    pub incarnation: Incarnation,
    /// The number of its newest round of probes.
    pub round: u64,
    /// What they found; `None` when it says that in a word that we don't know.
    pub probe: Option<Probed>,
    /// Why they fail.
    pub detail: String,
}

impl Reported {
    /// Puts it in the place of what the agent has published.
    pub(crate) fn correct(&self, observation: &mut Observation) {
        let now = observation.at;
        let seen = observation.replicas.get_mut(&self.replica);
        let Some(life) = seen.and_then(|seen| seen.lives.get_mut(&self.incarnation)) else { return };
        let Some(process) = life.process.as_mut() else { return };
        process.round = self.round.max(process.round);
        process.detail.clone_from(&self.detail);
        if let Some(probe) = self.probe.filter(|probe| *probe != process.probe) {
            (process.probe, process.since, life.steady_since) = (probe, now, now);
        }
    }
}

/// The newest rounds of probes that host agents told of, by life.
#[derive(Debug, Default)]
pub(crate) struct Rounds(BTreeMap<Incarnation, u64>);

impl Rounds {
    /// One more was told of.
    pub(crate) fn note(&mut self, report: &Reported) {
        let round = self.0.entry(report.incarnation).or_default();
        *round = report.round.max(*round);
    }

    /// The newest of a life.
    pub(crate) fn newest(&self, incarnation: Incarnation) -> u64 {
        self.0.get(&incarnation).copied().unwrap_or_default()
    }

    /// The dead are not asked any more.
    pub(crate) fn forget(&mut self, dead: &BTreeMap<Incarnation, Obituary>) {
        self.0.retain(|incarnation, _| !dead.contains_key(incarnation));
    }
}
