//! Redeclared: which replicas a goal declares anew, and which in another way.
//!
//! The former are born on its version, the first that knows them; what the latter did as they were declared before says
//! nothing about how they do now.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::same;
use crate::ids::ReplicaId;
use crate::state::State;

/// What a state declares, by replica.
pub type Declarations = BTreeMap<ReplicaId, Value>;

/// The declared replicas that differ between two states.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redeclared {
    /// Declared now, and not before.
    pub adds: BTreeSet<ReplicaId>,
    /// Declared before and now, in another way.
    pub edits: BTreeSet<ReplicaId>,
}

/// The declarations of a state.
pub fn declarations(state: &State) -> Declarations {
    let replicas = state.0.iter().filter(|(key, _)| key.kind() == "replica");
    replicas.filter_map(|(key, value)| Some((ReplicaId::new(key.name()).ok()?, value.clone()))).collect()
}

/// What changed from one state's declarations to another's.
pub fn redeclared(before: &Declarations, after: &Declarations) -> Redeclared {
    let mut redeclared = Redeclared::default();
    for (replica, now) in after {
        match before.get(replica) {
            None => drop(redeclared.adds.insert(replica.clone())),
            Some(was) if !same(Some(was), Some(now)) => drop(redeclared.edits.insert(replica.clone())),
            Some(_) => {}
        }
    }
    redeclared
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_there_afterwards_is_redeclared() {
        let replica = |name: &str| ReplicaId::new(name).unwrap_or_else(|_| unreachable!("a name"));
        let before = [("a", json!({"x": 1})), ("b", json!({"x": 1})), ("c", json!({"x": 1.0}))];
        let after = [("b", json!({"x": 2})), ("c", json!({"x": 1})), ("d", json!({}))];
        let of = |all: &[(&str, Value)]| all.iter().map(|(name, it)| (replica(name), it.clone())).collect();
        let Redeclared { adds, edits } = redeclared(&of(&before), &of(&after));
        assert_eq!(adds, BTreeSet::from([replica("d")]));
        assert_eq!(edits, BTreeSet::from([replica("b")]));
    }
}
