//! Log view: what the metadata log says now, kept up to date entry by entry.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use watchdog_core::change::{Change, Head, LogEntry};
use watchdog_core::delays::delays_ms;
use watchdog_core::history::History;
use watchdog_core::ids::{GoalId, ReplicaId, Version};
use watchdog_core::input::{Declarations, Target};
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::shared::Shared;
use watchdog_core::state::{Hash, Key, State, digest, hash_of_digests};

/// What the log says at its head, and what replicas should hold.
#[derive(Debug, Clone)]
pub struct LogView {
    /// The newest entry.
    pub head: Head,
    /// The state at the head.
    pub state: State,
    /// What replicas should hold.
    pub target: Target,
    /// What is declared.
    pub replicas: Shared<Declarations>,
    /// The bounds that are in force: those that are declared, no looser than the guard of a rollout.
    pub policy: Policy,
    /// The bounds that are declared at the head.
    declared: Policy,
    /// Why the policy in the log is not used, when it can't be read.
    pub policy_fault: Option<String>,
    /// The delays that follow from the policy.
    pub delays_ms: Vec<u64>,
    /// The hash of the application's state after each append since the stable version (or since the first).
    hashes: BTreeMap<Version, Hash>,
    /// The digests of the application's values at the head.
    digests: BTreeMap<Key, Hash>,
    /// Whether they changed since the last hash.
    moved: bool,
    /// Where the changes of each goal stand, the first and the last, as far as the log was read.
    spans: BTreeMap<GoalId, (Version, Version)>,
}

impl LogView {
    /// An empty log.
    pub fn empty() -> Self {
        let policy = Policy::default();
        let empty_hash = State::default().hash();
        Self {
            head: Head::default(),
            state: State::default(),
            target: Target {
                head: Version(0),
                stable: None,
                version: Version(0),
                state_hash: empty_hash,
                empty_hash,
            },
            replicas: Shared::default(),
            delays_ms: delays_ms(policy.backoff),
            declared: policy.clone(),
            policy,
            policy_fault: None,
            hashes: BTreeMap::new(),
            digests: BTreeMap::new(),
            moved: false,
            spans: BTreeMap::new(),
        }
    }

    /// A log that is first read at `head`, where its state is `state`; older entries are never looked at.
    pub fn starting_at(head: Head, state: State) -> Self {
        let mut view = Self::empty();
        view.digests = state.digests();
        view.hashes.insert(head.version, hash_of_digests(&view.digests));
        (view.head, view.state) = (head, state);
        view.read_declarations();
        view
    }

    /// Takes in new entries, oldest first.
    pub fn extend(&mut self, entries: &[LogEntry]) {
        for (index, entry) in entries.iter().enumerate() {
            self.take(&entry.change);
            // Within one append nobody ever holds a state, so that only the last one needs its hash.
            if entries.get(index + 1).is_none_or(|next| !is_of_one_append(entry, next)) {
                self.note_hash(entry.version);
            }
            self.head = Head { version: entry.version, hash: entry.hash };
            if let Some(goal) = &entry.goal {
                let span = self.spans.entry(goal.clone()).or_insert((entry.version, entry.version));
                span.1 = entry.version;
            }
        }
        if entries.iter().any(|entry| entry.change.key.is_ours()) {
            self.read_declarations();
        }
    }

    fn take(&mut self, change: &Change) {
        let Change { key, after, .. } = change;
        self.state.apply(key, after.as_ref());
        if key.is_ours() {
            return;
        }
        self.moved = true;
        match after {
            Some(value) => drop(self.digests.insert(key.clone(), digest(value))),
            None => drop(self.digests.remove(key)),
        }
    }

    /// Remembers the hash of the application's state; one that did not move need not be computed again.
    fn note_hash(&mut self, version: Version) {
        let last = self.hashes.last_key_value().map_or(self.target.empty_hash, |(_, hash)| *hash);
        let hash = if self.moved { hash_of_digests(&self.digests) } else { last };
        self.hashes.insert(version, hash);
        self.moved = false;
    }

    /// The version that replicas should hold when `stable` was marked last: the newest with the same state.
    fn wanted(&self, stable: Option<Version>) -> (Version, Hash) {
        let hash_at = |version: Version| self.hashes.get(&version).copied().unwrap_or(self.target.empty_hash);
        let Some(stable) = stable else {
            return (self.head.version, hash_at(self.head.version));
        };
        let hash = hash_at(stable);
        let same = self.hashes.range(stable..).rev().find(|(_, other)| **other == hash);
        (same.map_or(stable, |(version, _)| *version), hash)
    }

    /// Where the changes of a goal stand, the first and the last.
    pub fn span_of(&self, goal: &GoalId) -> Option<(Version, Version)> {
        self.spans.get(goal).copied()
    }

    /// Whether a version lies before all that was read, so that nothing is known of its state.
    pub fn is_before(&self, version: Version) -> bool {
        self.hashes.first_key_value().is_some_and(|(first, _)| version < *first)
    }

    /// Derives from what the record says what replicas should hold, and within which bounds.
    pub fn aim(&mut self, history: &History) {
        let stable = history.stable;
        let (version, state_hash) = self.wanted(stable);
        let target = &mut self.target;
        (target.head, target.stable) = (self.head.version, stable);
        (target.version, target.state_hash) = (version, state_hash);
        self.enforce(history.guard());
    }

    /// Brings the bounds into force, no looser than `guard`.
    fn enforce(&mut self, guard: Option<&Policy>) {
        self.policy = match guard {
            Some(guard) => self.declared.guarded_by(guard, self.replicas.len()),
            None => self.declared.clone(),
        };
        self.delays_ms = delays_ms(self.policy.backoff);
    }

    /// Whether the hash of the application's state at `version` is known.
    pub fn hash_at(&self, version: Version) -> Option<Hash> {
        self.hashes.get(&version).copied()
    }

    /// The application's state at `version`, when it is the head's; nothing needs to be read then.
    pub fn application_at(&self, version: Version) -> Option<State> {
        let hash = self.hash_at(version)?;
        (Some(hash) == self.hash_at(self.head.version)).then(|| self.state.application())
    }

    fn read_declarations(&mut self) {
        let declared = self.state.0.iter().filter(|(key, _)| key.kind() == "replica");
        let declared =
            declared.filter_map(|(key, value)| Some((ReplicaId::new(key.name()).ok()?, parse(value))));
        self.replicas = declared.collect();
        // The key is a constant that parses; without it the default stands.
        let declared = Key::new(POLICY_KEY).ok().and_then(|key| self.state.get(&key).cloned());
        match declared.map(|value| parse::<Policy>(&value)).transpose() {
            Ok(policy) => {
                self.declared = policy.unwrap_or_default();
                self.policy_fault = None;
            }
            // The last policy that could be read goes on; a broken one must not loosen a bound.
            Err(fault) => self.policy_fault = Some(fault),
        }
        // A guard is brought in by whoever knows of one, before anything is decided.
        self.enforce(None);
    }
}

/// Whether two entries that follow each other were surely appended together.
fn is_of_one_append(entry: &LogEntry, next: &LogEntry) -> bool {
    entry.goal.is_some() && (&entry.goal, entry.at, entry.epoch) == (&next.goal, next.at, next.epoch)
}

fn parse<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| error.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};
    use watchdog_core::ids::{Epoch, Time};

    use super::*;

    fn entry(version: u64, key: &str, after: Value) -> LogEntry {
        LogEntry {
            version: Version(version),
            at: Time(0),
            epoch: Epoch(1),
            author: "test".into(),
            goal: None,
            change: Change { key: key.parse().unwrap(), before: None, after: Some(after) },
            previous: Hash::default(),
            hash: Hash::default(),
        }
    }

    #[test]
    fn stability_is_inherited_by_an_equal_state() {
        let mut log = LogView::empty();
        log.extend(&[
            entry(1, "model/m", json!(1)),
            entry(2, "replica/a", json!({"hosts": ["h1"], "program": "p"})),
            entry(3, "model/m", json!(2)),
            entry(4, "model/m", json!(1)),
            entry(5, "model/m", json!(3)),
        ]);
        let table = [(None, 5), (Some(1), 4), (Some(3), 3), (Some(4), 4)];
        for (stable, wanted) in table {
            assert_eq!(log.wanted(stable.map(Version)).0, Version(wanted), "stable {stable:?}");
        }
    }

    #[test]
    fn a_broken_policy_loosens_nothing() {
        let mut log = LogView::empty();
        log.extend(&[entry(1, POLICY_KEY, json!({"strikes": 7}))]);
        log.extend(&[entry(2, POLICY_KEY, json!({"strikes": "many"}))]);
        assert_eq!(log.policy.strikes, 7);
        assert!(log.policy_fault.is_some());
    }
    #[test]
    fn a_goal_of_many_keys_is_hashed_once_and_right() {
        let mut log = LogView::empty();
        let goal: GoalId = "g".parse().unwrap();
        let mut entries: Vec<LogEntry> =
            (1..=9).map(|version| entry(version, &format!("model/m-{version}"), json!(version))).collect();
        entries.push(entry(10, "policy/healing", json!({"strikes": 9})));
        for entry in &mut entries {
            entry.goal = Some(goal.clone());
        }
        log.extend(&entries);
        assert_eq!(log.span_of(&goal), Some((Version(1), Version(10))));
        assert_eq!(log.hash_at(Version(5)), None);
        assert_eq!(log.hash_at(Version(10)), Some(log.state.hash()));
        log.extend(&[entry(11, "model/m-1", Value::Null)]);
        assert_eq!(log.hash_at(Version(11)), Some(log.state.hash()));
        let guard = Policy { strikes: 20, ..Policy::default() };
        log.enforce(Some(&guard));
        assert_eq!(log.policy.strikes, 20);
        log.enforce(None);
        assert_eq!(log.policy.strikes, 9);
    }
}
