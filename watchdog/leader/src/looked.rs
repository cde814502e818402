//! Looked: how much of a cluster was looked at again.

use std::collections::BTreeSet;

use watchdog_core::ids::ReplicaId;

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Everything.
    All,
    /// These replicas; the others are as they were.
    Only(BTreeSet<ReplicaId>),
    /// Nothing could be seen.
    Nothing,
}

impl Looked {
    /// Whether there may be something that was not there before.
    pub fn is_news(&self) -> bool {
        match self {
            Self::All => true,
            Self::Only(replicas) => !replicas.is_empty(),
            Self::Nothing => false,
        }
    }

    /// Both, for whoever has judged neither.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Only(earlier), Self::Only(later)) => Self::Only(&earlier | &later),
            (looked, Self::Nothing) | (Self::Nothing, looked) => looked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Looked {
        Looked::Only(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    #[test]
    fn what_nobody_judged_is_judged_with_what_came_later() {
        let table = [
            ((only(&["a"]), only(&["b"])), only(&["a", "b"])),
            ((only(&["a"]), Looked::Nothing), only(&["a"])),
            ((Looked::Nothing, only(&["b"])), only(&["b"])),
            ((Looked::All, Looked::Nothing), Looked::All),
            ((only(&["a"]), Looked::All), Looked::All),
            ((Looked::Nothing, Looked::Nothing), Looked::Nothing),
        ];
        for ((earlier, later), both) in table {
            assert_eq!(earlier.clone().and(later.clone()), both, "{earlier:?}, {later:?}");
        }
    }
}
