//! Seal: which agents need not, or can't, be asked what became of an order, and what is to be made of that.
//!
//! ```text
//! the leader's own ──► its leader is gone
//! a life's ──► dead │ not on its host's complete list │ out of the group for a lease ──► sealed: it takes no order any more
//!          └─► its host is unseen for a lease ──► given up
//! a host's ──► unseen for a lease ──► given up: its agent refuses what was ordered in an earlier session
//! ```

use crate::history::History;
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::input::Declarations;
use crate::observation::{HostSeen, Life, Observation, Presence};
use crate::plan::Agent;
use crate::policy::Policy;

/// Why an agent is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unasked {
    /// In one sentence.
    pub why: &'static str,
    /// Whether it will take no order any more.
    pub is_sealed: bool,
}

/// What is known of an agent without asking it; `None` when it has to be asked. A lease is `lease_ms` milliseconds long,
/// with its margin.
pub fn unasked(
    agent: &Agent,
    (history, observation): (&History, &Observation),
    lease_ms: u64,
) -> Option<Unasked> {
    let seen = Seen { history, observation, lease_ms };
    let given_up = |why| Some(Unasked { why, is_sealed: false });
    let sealed = |why| Some(Unasked { why, is_sealed: true });
    match agent {
        Agent::Leader => given_up("its leader is gone"),
        Agent::Host(host) => match seen.observation.hosts.get(host).map(|seen| seen.presence) {
            Some(Presence::Gone { since }) if seen.is_over(since) => {
                given_up("its host has been unseen for longer than a lease")
            }
            Some(Presence::Gone { .. } | Presence::Present) | None => None,
        },
        Agent::Replica(replica, life) => match () {
            () if seen.is_lost_with_its_host(replica, *life) => {
                given_up("its host has been unseen for longer than a lease")
            }
            () if seen.is_dead(replica, *life) => sealed("the life that it was for is dead"),
            () if seen.is_unlisted(replica, *life) => {
                sealed("the life that it was for is not on its host any more")
            }
            () if seen.is_mute(replica, *life) => {
                sealed("its agent has been out of the group for longer than a lease")
            }
            () => None,
        },
    }
}

/// The longest lease that may run, with its margin.
pub fn lease_ms(replicas: &Declarations, policy: &Policy) -> u64 {
    let longest = replicas.values().flatten().map(|spec| spec.lease_ms).max();
    longest.unwrap_or_default().max(policy.lease_ms).saturating_add(policy.lease_margin_ms)
}

struct Seen<'a> {
    history: &'a History,
    observation: &'a Observation,
    lease_ms: u64,
}

impl Seen<'_> {
    fn is_over(&self, since: Time) -> bool {
        self.observation.at.since_ms(since) > self.lease_ms
    }

    fn life(&self, replica: &ReplicaId, life: Incarnation) -> Option<&Life> {
        self.observation.replicas.get(replica).and_then(|seen| seen.lives.get(&life))
    }

    /// Its host, by what is seen or by what was ordered.
    fn host(&self, replica: &ReplicaId, life: Incarnation) -> Option<&HostSeen> {
        let mut ordered = self.history.lives.get(replica).into_iter().flatten();
        let past = ordered.find(|past| past.incarnation == life).map(|past| &past.host);
        let host = self.life(replica, life).map(|life| &life.host).or(past)?;
        self.observation.hosts.get(host)
    }

    fn is_seen_alive(&self, replica: &ReplicaId, life: Incarnation) -> bool {
        self.life(replica, life).is_some_and(Life::is_alive)
    }

    fn is_dead(&self, replica: &ReplicaId, life: Incarnation) -> bool {
        let mut ordered = self.history.lives.get(replica).into_iter().flatten();
        self.life(replica, life).is_some_and(|seen| seen.obituary.is_some())
            || ordered.any(|past| past.incarnation == life && past.obituary.is_some())
    }

    fn is_lost_with_its_host(&self, replica: &ReplicaId, life: Incarnation) -> bool {
        let gone = |host: &HostSeen| matches!(host.presence, Presence::Gone { since } if self.is_over(since));
        self.host(replica, life).is_some_and(gone) && !self.is_seen_alive(replica, life)
    }

    /// Whether its host's agent lists all that it has, and not this: then it is over, and nobody buried it.
    fn is_unlisted(&self, replica: &ReplicaId, life: Incarnation) -> bool {
        let lists_all = |host: &HostSeen| host.is_present() && host.inventory_complete;
        self.host(replica, life).is_some_and(lists_all) && !self.is_seen_alive(replica, life)
    }

    /// Whether only its host's agent can still end it.
    fn is_mute(&self, replica: &ReplicaId, life: Incarnation) -> bool {
        let Some(seen) = self.observation.replicas.get(replica) else { return false };
        let speaks = seen.lives.get(&life).is_some_and(|life| life.member.is_some());
        !speaks && seen.memberless_since.is_some_and(|since| self.is_over(since))
    }
}
