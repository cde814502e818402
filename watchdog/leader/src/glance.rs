//! Glance: turns what stands in the group into the observation that decisions are made of, at the cost of what changed.
//!
//! ```text
//! what moved, and what is suspect ─► only those replicas are read again ─► observation
//! what host agents answered just now ─► newer rounds of their probes ───────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::history::{History, PastHost};
use watchdog_core::hosts::of_concern;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Sequence, Time, Version};
use watchdog_core::observation::{
    Flashes, HostSeen, Life, Obituary, Observation, Presence, ReplicaSeen, Sight,
};

use crate::log_view::LogView;
use crate::looked::Looked;
use crate::obituaries::{Burials, disbelieve_forged};
use crate::rounds::{Reported, Rounds};

/// What stands in the group, in the words of the core; read by whoever drives the leader.
pub trait Group {
    /// The hosts whose agents are there.
    fn hosts(&self) -> Vec<(HostId, HostSeen)>;

    /// The replicas of which a member or a process stands.
    fn replicas(&self) -> Vec<ReplicaId>;

    /// The number of the last reading of a replica's nodes.
    fn reading(&self, replica: &ReplicaId) -> u64;

    /// What stands about each life of a replica. A life is on the host that its process or itself names; one of which
    /// nothing but an obituary stands, on that one's.
    fn lives(&self, replica: &ReplicaId) -> BTreeMap<Incarnation, Life>;
}

/// What one look brought, besides what stands in the group.
#[derive(Debug, Clone, Default)]
pub struct Glance {
    /// Of these replicas something came, changed or went since the last one.
    pub moved: BTreeSet<ReplicaId>,
    /// The same of hosts.
    pub hosts_moved: bool,
    /// These were read again, moved or not.
    pub suspects: BTreeSet<ReplicaId>,
    /// What host agents said of these.
    pub reported: Vec<Reported>,
    /// What came and went since the last one; its silence begins anew.
    pub flashes: Flashes,
    /// Anything may have come and gone unseen.
    pub unwatched: bool,
}

/// What an observer remembers from one look to the next, besides the observation.
#[derive(Debug, Default)]
pub struct Eyes {
    /// The head of the log, and the last entry that moved what somebody should hold, when all were last looked at.
    aimed_at: Option<(Version, Sequence)>,
    rounds: Rounds,
    burials: Burials,
}

impl Eyes {
    /// Counts anew from now on: what was measured by others' time, before our term, or before the clock was set is not
    /// known.
    pub fn begin_anew(&mut self) {
        self.aimed_at = None;
    }

    /// Whether the next look is the first, or the first after a time in which nothing could be seen. Silence is counted
    /// from our own sight of it, and what happened meanwhile is not known.
    pub fn is_fresh(&self, observation: &Observation) -> bool {
        self.aimed_at.is_none() || observation.sight != Sight::Clear
    }

    /// Takes in what was seen at `observation.at`.
    pub fn take_in(
        &mut self,
        observation: &mut Observation,
        (history, log): (&History, &LogView),
        (glance, group): (&Glance, &impl Group),
    ) -> Looked {
        let fresh = self.is_fresh(observation) || glance.unwatched;
        let flashes = &glance.flashes;
        observation.sight = Sight::Clear;
        if fresh {
            observation.watched_since = observation.at;
        }
        let hosts_moved = fresh || glance.hosts_moved || !flashes.hosts.is_empty();
        if hosts_moved {
            let anew = |host: &HostId| fresh || flashes.hosts.contains(host);
            see_hosts(observation, (history, log), (group.hosts(), anew));
        }
        for replica in flashes.members.union(&flashes.processes) {
            if let Some(seen) = observation.replicas.get_mut(replica) {
                seen.absent_since = None;
                seen.memberless_since = seen.memberless_since.filter(|_| !flashes.members.contains(replica));
            }
        }
        glance.reported.iter().for_each(|report| self.rounds.note(report));
        let aimed = (log.head.version, history.aimed_at);
        let all = hosts_moved || self.aimed_at != Some(aimed);
        let mut changed = &glance.moved | &glance.suspects;
        changed.extend(flashes.members.union(&flashes.processes).cloned());
        if all {
            changed.extend(log.replicas.keys().cloned());
            // Also those that are not declared any more.
            changed.extend(observation.replicas.keys().cloned());
        }
        if fresh {
            changed.extend(group.replicas());
        }
        for replica in &changed {
            self.see(observation, (history, log), (replica, group, fresh));
        }
        for report in &glance.reported {
            report.correct(observation);
        }
        self.aimed_at = Some(aimed);
        if all { Looked::All } else { Looked::Only(changed) }
    }

    fn see(
        &self,
        observation: &mut Observation,
        (history, log): (&History, &LogView),
        (replica, group, fresh): (&ReplicaId, &impl Group, bool),
    ) {
        let now = observation.at;
        let mut lives = group.lives(replica);
        disbelieve_forged(&mut lives, history);
        for (incarnation, life) in &mut lives {
            if let Some(process) = &mut life.process {
                process.round = self.rounds.newest(*incarnation);
            }
        }
        let mut seen = ReplicaSeen { look: group.reading(replica), lives, ..ReplicaSeen::default() };
        let before = observation.replicas.get_mut(replica);
        if let Some(before) = before.filter(|_| fresh) {
            before.unwatched();
        }
        seen.carry_over(observation.replicas.get(replica), now);
        if log.replicas.contains_key(replica) || !seen.lives.is_empty() {
            observation.replicas.insert(replica.clone(), seen);
        } else {
            observation.replicas.remove(replica);
        }
    }

    /// Of the obituaries that stand, those that are to be removed from the group.
    pub fn outlived(
        &mut self,
        standing: &BTreeMap<Incarnation, Obituary>,
        at: (&History, Time),
    ) -> Vec<Incarnation> {
        self.rounds.forget(standing);
        self.burials.outlived(standing, at)
    }
}

/// Hosts that are there, and those that were: by this observer's sight or by the record.
fn see_hosts(
    observation: &mut Observation,
    (history, log): (&History, &LogView),
    (present, anew): (Vec<(HostId, HostSeen)>, impl Fn(&HostId) -> bool),
) {
    let now = observation.at;
    let past = history.hosts.iter().map(|(host, past)| (host.clone(), as_gone(past, now)));
    let mut hosts: BTreeMap<HostId, HostSeen> = past.collect();
    for (host, old) in std::mem::take(&mut observation.hosts) {
        let since = match old.presence {
            Presence::Present => now,
            Presence::Gone { .. } if anew(&host) => now,
            Presence::Gone { since } => since,
        };
        hosts.insert(host, HostSeen { presence: Presence::Gone { since }, ..old });
    }
    hosts.extend(present);
    let concern = of_concern(&log.replicas, history, observation);
    // Who is gone for good, and on whom nothing depends any more, is forgotten.
    hosts.retain(|host, seen| seen.is_present() || concern.contains(host));
    observation.hosts = hosts;
}

fn as_gone(past: &PastHost, since: Time) -> HostSeen {
    HostSeen {
        presence: Presence::Gone { since },
        instance: past.instance.clone(),
        address: past.address.clone(),
        pid: 0,
        boot_id: past.boot_id.clone(),
        inventory_complete: false,
        session: String::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::observation::{Probed, ProcessSeen};

    use super::*;

    fn id(replica: &str) -> ReplicaId {
        replica.parse().unwrap()
    }

    fn life() -> Incarnation {
        Incarnation::from_u128(7)
    }

    /// One host, and one process each of some replicas, with what its probe says.
    #[derive(Default)]
    struct Told(BTreeMap<ReplicaId, Probed>);

    impl Group for Told {
        fn hosts(&self) -> Vec<(HostId, HostSeen)> {
            let seen = as_gone(
                &PastHost { instance: "one".into(), boot_id: String::new(), address: String::new() },
                Time(0),
            );
            vec![("h1".parse().unwrap(), HostSeen { presence: Presence::Present, ..seen })]
        }

        fn replicas(&self) -> Vec<ReplicaId> {
            self.0.keys().cloned().collect()
        }

        fn reading(&self, _: &ReplicaId) -> u64 {
            1
        }

        fn lives(&self, replica: &ReplicaId) -> BTreeMap<Incarnation, Life> {
            let process = |probe: &Probed| ProcessSeen {
                pid: 1,
                stopping: false,
                probe: *probe,
                detail: String::new(),
                round: 0,
                since: Time(0),
                stamp: Time(0),
                loaded: None,
                setup: None,
            };
            let life_of = |probe| Life { process: Some(process(probe)), ..Life::on("h1".parse().unwrap()) };
            self.0.get(replica).map(|probe| (life(), life_of(probe))).into_iter().collect()
        }
    }

    fn seen<'a>(observation: &'a Observation, replica: &str) -> &'a ProcessSeen {
        observation.replicas[&id(replica)].lives[&life()].process.as_ref().unwrap()
    }

    #[test]
    fn the_first_look_is_at_everything_and_later_ones_at_what_moved() {
        let (history, log, mut eyes) = (History::default(), LogView::empty(), Eyes::default());
        let mut observation = Observation::unseen(Time(5));
        let mut group = Told(BTreeMap::from([(id("a"), Probed::Passing), (id("b"), Probed::Passing)]));
        let mut look = |observation: &mut Observation, group: &Told, at, glance: &Glance| {
            observation.at = Time(at);
            eyes.take_in(observation, (&history, &log), (glance, group))
        };
        assert_eq!(look(&mut observation, &group, 10, &Glance::default()), Looked::All);
        assert_eq!((observation.sight.clone(), observation.watched_since), (Sight::Clear, Time(10)));
        assert_eq!(observation.replicas.len(), 2);
        // What did not move is not read again.
        group.0.insert(id("a"), Probed::Failing);
        group.0.insert(id("b"), Probed::Failing);
        let moved = Glance { moved: [id("a")].into(), ..Glance::default() };
        assert_eq!(look(&mut observation, &group, 20, &moved), Looked::Only([id("a")].into()));
        assert_eq!(seen(&observation, "a").probe, Probed::Failing);
        assert_eq!(
            (seen(&observation, "b").probe, seen(&observation, "b").since),
            (Probed::Passing, Time(10))
        );
        // After a time in which nothing could be seen everything is, and time counts from then.
        observation.go_blind(Time(25), "cut off");
        assert_eq!(look(&mut observation, &group, 30, &Glance::default()), Looked::All);
        assert_eq!((seen(&observation, "b").probe, observation.watched_since), (Probed::Failing, Time(30)));
        assert_eq!(seen(&observation, "a").since, Time(30), "how long it has been so nobody knows");
    }

    #[test]
    fn the_silence_of_what_came_and_went_between_two_looks_begins_anew() {
        let mut history = History::default();
        let past = PastHost { instance: "one".into(), boot_id: String::new(), address: String::new() };
        history.hosts.insert("h2".parse().unwrap(), past);
        // Somebody depends on it.
        let on_h2 = watchdog_core::history::PastLife {
            incarnation: life(),
            host: "h2".parse().unwrap(),
            at: Time(1),
            obituary: None,
            buried_at: None,
        };
        history.lives.insert(id("a"), [on_h2].into());
        let (log, group) = (LogView::empty(), Told::default());
        let flash = |hosts: &[&str], processes: &[&str], members: &[&str]| Glance {
            moved: [id("a")].into(),
            flashes: Flashes {
                hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
                processes: processes.iter().map(|replica| id(replica)).collect(),
                members: members.iter().map(|replica| id(replica)).collect(),
            },
            ..Glance::default()
        };
        let table = [
            // what was there meanwhile | since when are gone: the host, any life, any member
            (flash(&[], &[], &[]), (10, 10, 10)),
            (flash(&["h2"], &[], &[]), (20, 10, 10)),
            (flash(&["h1"], &[], &[]), (10, 10, 10)),
            (flash(&[], &["a"], &[]), (10, 20, 10)),
            (flash(&[], &[], &["a"]), (10, 20, 20)),
            (Glance { unwatched: true, ..flash(&[], &[], &[]) }, (20, 20, 20)),
        ];
        for (glance, (host, alive, member)) in table {
            let (mut eyes, mut observation) = (Eyes::default(), Observation::unseen(Time(10)));
            let absent = ReplicaSeen { absent_since: Some(Time(10)), ..ReplicaSeen::default() };
            let absent = ReplicaSeen { memberless_since: Some(Time(10)), ..absent };
            eyes.take_in(&mut observation, (&history, &log), (&Glance::default(), &group));
            // One that is not declared and not there is kept by nobody but this test.
            observation.replicas.insert(id("a"), absent);
            let mut declared = log.clone();
            declared.replicas.insert(id("a"), Err("of no matter".into()));
            observation.at = Time(20);
            eyes.take_in(&mut observation, (&history, &declared), (&glance, &group));
            let seen = &observation.replicas[&id("a")];
            assert_eq!((seen.absent_since, seen.memberless_since), (Some(Time(alive)), Some(Time(member))));
            let gone = observation.hosts[&"h2".parse().unwrap()].presence;
            assert_eq!(gone, Presence::Gone { since: Time(host) }, "{glance:?}");
        }
    }

    #[test]
    fn what_a_host_agent_says_when_asked_beats_what_it_has_published() {
        let (history, log, mut eyes) = (History::default(), LogView::empty(), Eyes::default());
        let mut observation = Observation::unseen(Time(5));
        let group = Told(BTreeMap::from([(id("a"), Probed::Failing)]));
        let reported = |round, probe| Glance {
            suspects: [id("a")].into(),
            reported: vec![Reported {
                replica: id("a"),
                incarnation: life(),
                round,
                probe,
                detail: "by asking".into(),
            }],
            ..Glance::default()
        };
        let table = [
            // round | its word | what is known then: round, probe
            (3, Some(Probed::Passing), 3, Probed::Passing),
            (4, Some(Probed::Failing), 4, Probed::Failing),
            // A round goes on counting, also past an older answer.
            (2, Some(Probed::Failing), 4, Probed::Failing),
            // A word that nobody knows is none.
            (5, None, 5, Probed::Failing),
        ];
        for (round, probe, known_round, known) in table {
            let glance = reported(round, probe);
            eyes.take_in(&mut observation, (&history, &log), (&glance, &group));
            let process = seen(&observation, "a");
            assert_eq!((process.round, process.probe), (known_round, known), "round {round}");
            assert_eq!(process.detail, "by asking");
        }
    }
}
