//! Log view: what the log says at the head that a watchdog knows, and what replicas should hold.

use std::collections::BTreeMap;

use watchdog_core::change::Head;
use watchdog_core::delays::delays_ms;
use watchdog_core::ids::{ReplicaId, Version};
use watchdog_core::input::Target;
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Key;

use crate::journal::Journal;

/// See the module.
#[derive(Debug, Clone)]
pub struct LogView {
    /// The newest entry that was read.
    pub head: Head,
    /// What replicas should hold.
    pub target: Target,
    /// What is declared.
    pub replicas: BTreeMap<ReplicaId, Result<ReplicaSpec, String>>,
    /// The bounds that are in force.
    pub policy: Policy,
    /// The bounds that are declared.
    pub declared: Policy,
    /// The delays that follow from them.
    pub delays_ms: Vec<u64>,
}

impl LogView {
    /// All of the log.
    pub fn of(journal: &Journal) -> Self {
        let empty_hash = journal.hash(Version(0)).unwrap_or_default();
        let target = Target {
            head: Version(0),
            stable: None,
            version: Version(0),
            state_hash: empty_hash,
            empty_hash,
        };
        let policy = Policy::default();
        let mut view = Self {
            head: Head::default(),
            target,
            replicas: BTreeMap::new(),
            declared: policy.clone(),
            delays_ms: delays_ms(policy.backoff),
            policy,
        };
        view.read(journal);
        view
    }

    /// Reads on to the newest entry.
    pub fn read(&mut self, journal: &Journal) {
        if journal.head() == self.head {
            return;
        }
        self.head = journal.head();
        let state = journal.state(self.head.version);
        let declared = state.0.iter().filter(|(key, _)| key.kind() == "replica");
        self.replicas = declared
            .filter_map(|(key, value)| {
                let spec = serde_json::from_value(value.clone()).map_err(|error| error.to_string());
                Some((ReplicaId::new(key.name()).ok()?, spec))
            })
            .collect();
        let declared = Key::new(POLICY_KEY).ok().and_then(|key| state.get(&key).cloned());
        // The last policy that could be read goes on.
        if let Ok(policy) = declared.map(serde_json::from_value::<Policy>).transpose() {
            self.declared = policy.unwrap_or_default();
        }
    }

    /// Derives from the marks what replicas should hold, and within which bounds.
    pub fn aim(&mut self, journal: &Journal, stable: Option<Version>, guard: Option<&Policy>) {
        let empty = self.target.empty_hash;
        let hash_at = |version: Version| journal.hash(version).unwrap_or(empty);
        let head = self.head.version;
        let (version, state_hash) = match stable {
            None => (head, hash_at(head)),
            Some(stable) => {
                let hash = hash_at(stable);
                let mut same = (stable.0..=head.0).rev().map(Version);
                (same.find(|it| journal.hash(*it) == Some(hash)).unwrap_or(stable), hash)
            }
        };
        self.target = Target { head, stable, version, state_hash, empty_hash: empty };
        self.policy = match guard {
            Some(guard) => self.declared.guarded_by(guard, self.replicas.len()),
            None => self.declared.clone(),
        };
        self.delays_ms = delays_ms(self.policy.backoff);
    }
}
