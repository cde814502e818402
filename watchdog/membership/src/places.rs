//! Places: what a path of the tree stands for.

use watchdog_core::ids::{HostId, Incarnation, ReplicaId};

use crate::records::Paths;

/// What stands at a path of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The fence.
    Epoch,
    /// What is to be left alone.
    Pauses,
    /// A watchdog that would lead; the lowest number leads.
    Contender {
        /// Its turn.
        turn: u64,
    },
    /// A host agent.
    Host(HostId),
    /// A process that a host agent keeps.
    Process(ReplicaId, Incarnation),
    /// A replica in the group.
    Member(ReplicaId, Incarnation),
    /// The proof of a death.
    Obituary(Incarnation),
}

impl Paths {
    /// What stands at `path`; `None` for parents, and for what is not ours.
    pub fn place(&self, path: &str) -> Option<Place> {
        let mut segments = path.strip_prefix(self.root())?.strip_prefix('/')?.split('/');
        let (kind, first, second) = (segments.next()?, segments.next(), segments.next());
        if segments.next().is_some() {
            return None;
        }
        match (kind, first, second) {
            ("epoch", None, None) => Some(Place::Epoch),
            ("pauses", None, None) => Some(Place::Pauses),
            ("contenders", Some(name), None) => turn(name).map(|turn| Place::Contender { turn }),
            ("hosts", Some(host), None) => Some(Place::Host(host.parse().ok()?)),
            ("processes", Some(replica), Some(incarnation)) => {
                Some(Place::Process(replica.parse().ok()?, incarnation.parse().ok()?))
            }
            ("members", Some(replica), Some(incarnation)) => {
                Some(Place::Member(replica.parse().ok()?, incarnation.parse().ok()?))
            }
            ("obituaries", Some(incarnation), None) => Some(Place::Obituary(incarnation.parse().ok()?)),
            _ => None,
        }
    }
}

/// The number at the end of a contender's name.
pub(crate) fn turn(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_understood_as_it_was_made() {
        let paths = Paths::new(&"demo".parse().unwrap());
        let replica: ReplicaId = "demo-a".parse().unwrap();
        let host: HostId = "h1".parse().unwrap();
        let incarnation = Incarnation::from_u128(7);
        let table = [
            (paths.epoch(), Some(Place::Epoch)),
            (paths.pauses(), Some(Place::Pauses)),
            (format!("{}/w1-c0ffee-0000000012", paths.contenders()), Some(Place::Contender { turn: 12 })),
            (paths.host(&host), Some(Place::Host(host))),
            (paths.process(&replica, incarnation), Some(Place::Process(replica.clone(), incarnation))),
            (paths.member(&replica, incarnation), Some(Place::Member(replica, incarnation))),
            (paths.obituary(incarnation), Some(Place::Obituary(incarnation))),
            (paths.members(), None),
            (format!("{}/demo-a", paths.members()), None),
            (format!("{}/demo-a/not-a-uuid", paths.members()), None),
            ("/demo2/epoch".to_owned(), None),
            ("/demo/epoch/x".to_owned(), None),
            ("/demo/contenders/odd".to_owned(), None),
        ];
        for (path, expected) in table {
            assert_eq!(paths.place(&path), expected, "{path}");
        }
    }
}
