//! Stir: what is other than before, told to those who look on, so that they look again at no more than that.
//!
//! Whoever looks on from time to time is told of everything since its last look at once. What changes by time alone
//! is not told of.

use std::collections::BTreeMap;

use tokio::sync::watch;
use watchdog_core::ids::ReplicaId;
use watchdog_leader::looked::Looked;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Stir {
    told: watch::Sender<Told>,
}

/// What was told, each under the number of its telling.
#[derive(Debug, Default)]
struct Told {
    newest: u64,
    all: u64,
    /// Those told of since.
    replicas: BTreeMap<ReplicaId, u64>,
}

/// One who looks on.
#[derive(Debug)]
pub(crate) struct Onlooker {
    told: watch::Receiver<Told>,
    seen: u64,
}

impl Stir {
    /// Nothing was told yet.
    pub(crate) fn new() -> Self {
        Self { told: watch::Sender::new(Told::default()) }
    }

    /// Tells that there is something new, and which replicas it may be about.
    pub(crate) fn tell(&self, about: &Looked) {
        self.told.send_modify(|told| told.note(about));
    }

    /// Sees whatever is told from now on.
    pub(crate) fn look_on(&self) -> Onlooker {
        let told = self.told.subscribe();
        let seen = told.borrow().newest;
        Onlooker { told, seen }
    }
}

impl Told {
    fn note(&mut self, about: &Looked) {
        self.newest += 1;
        match about {
            Looked::All => {
                self.all = self.newest;
                self.replicas.clear();
            }
            Looked::Only(replicas) => {
                self.replicas.extend(replicas.iter().map(|replica| (replica.clone(), self.newest)));
            }
            Looked::Nothing => {}
        }
    }

    fn since(&self, seen: u64) -> Looked {
        if self.all > seen {
            return Looked::All;
        }
        let newer = self.replicas.iter().filter(|(_, told)| **told > seen);
        Looked::Only(newer.map(|(replica, _)| replica.clone()).collect())
    }
}

impl Onlooker {
    /// Waits until something is told, and answers which replicas that was about since the last time; `None` when
    /// nothing will be told any more.
    pub(crate) async fn changed(&mut self) -> Option<Looked> {
        self.told.changed().await.ok()?;
        let told = self.told.borrow_and_update();
        let news = told.since(self.seen);
        self.seen = told.newest;
        Some(news)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn only(names: &[&str]) -> Looked {
        let names: BTreeSet<ReplicaId> = names.iter().map(|name| ReplicaId::new(*name).unwrap()).collect();
        Looked::Only(names)
    }

    #[tokio::test]
    async fn an_onlooker_is_told_of_all_since_its_last_look_and_of_nothing_twice() {
        let stir = Stir::new();
        stir.tell(&Looked::All);
        let mut onlooker = stir.look_on();
        let rounds = [
            (vec![only(&["a"]), only(&["b"]), Looked::Nothing], only(&["a", "b"])),
            (vec![only(&["b"])], only(&["b"])),
            (vec![Looked::Nothing], only(&[])),
            (vec![only(&["a"]), Looked::All, only(&["b"])], Looked::All),
            (vec![only(&["c"])], only(&["c"])),
        ];
        for (told, seen) in rounds {
            for about in &told {
                stir.tell(about);
            }
            assert_eq!(onlooker.changed().await, Some(seen), "{told:?}");
        }
        drop(stir);
        assert_eq!(onlooker.changed().await, None);
    }
}
