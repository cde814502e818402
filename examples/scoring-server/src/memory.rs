//! Memory: everything that serves at one version, built at once and never changed.

use std::collections::BTreeMap;
use std::time::Instant;

use replica_agent::{Hash, Key, ReplicaId, State, Version};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::{Incident, Model, Rule, What};

/// Why a state can't serve.
#[derive(Debug, thiserror::Error)]
#[error("{key} cannot be used")]
pub(crate) struct BadValue {
    key: Key,
    source: serde_json::Error,
}

/// What serves. Digests are made from the very values that the models and rules are parsed from.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) version: Version,
    pub(crate) state: State,
    pub(crate) digests: BTreeMap<Key, Hash>,
    pub(crate) models: BTreeMap<String, Model>,
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) since: Instant,
}

impl Memory {
    /// Parses a state; kinds that are not ours are held and digested, and not used.
    pub(crate) fn of(version: Version, state: State) -> Result<Self, BadValue> {
        let (mut models, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in &state.0 {
            match key.kind() {
                "model" => drop(models.insert(key.name().to_owned(), parse(key, value)?)),
                "rule" => drop(rules.insert(key.name().to_owned(), parse(key, value)?)),
                _ => (),
            }
        }
        let digests = state.digests();
        Ok(Self { version, state, digests, models, rules, since: Instant::now() })
    }

    /// The incidents that its models hold for `replica`.
    pub(crate) fn incidents<'a>(&'a self, replica: &'a ReplicaId) -> impl Iterator<Item = &'a Incident> {
        let incidents = self.models.values().filter_map(|model| model.incident.as_ref());
        incidents.filter(move |incident| incident.on.contains(replica))
    }

    /// Whether this goes wrong on `replica` by now.
    pub(crate) fn goes_wrong(&self, replica: &ReplicaId, what: What) -> bool {
        let by_now = |incident: &Incident| self.since.elapsed() >= incident.after();
        self.incidents(replica).any(|incident| incident.what == what && by_now(incident))
    }

    /// Something that nobody ordered: other models under another number.
    pub(crate) fn drifted(&self, version: Version) -> Result<Self, BadValue> {
        let mut state = self.state.clone();
        for (_, model) in state.0.iter_mut().filter(|(key, _)| key.kind() == "model") {
            model["bias"] = Value::from(model["bias"].as_f64().unwrap_or_default() + 1.0);
        }
        Self::of(version, state)
    }
}

fn parse<T: DeserializeOwned>(key: &Key, value: &Value) -> Result<T, BadValue> {
    T::deserialize(value).map_err(|source| BadValue { key: key.clone(), source })
}
