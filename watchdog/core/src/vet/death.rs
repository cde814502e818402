//! Death: no life of a replica is started while another may still run.
//!
//! Proof is an obituary (of an exclusive one, that of its whole tree), another boot of the host, a kill that must
//! succeed first, or, unless it is exclusive, a host that is silent for longer than a lease.

use crate::ids::{HostId, Incarnation, ReplicaId};
use crate::input::PlanInput;
use crate::observation::Presence;
use crate::plan::{Act, Plan};

use super::Objection;
use super::facts::{is_present, life, places};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let (Act::Start { incarnation: started, .. }, Some(replica)) = (&step.act, &step.replica) else {
            continue;
        };
        for (incarnation, host) in places(input, replica) {
            let killed = plan.steps[..index].iter().any(|before| {
                let kills = matches!(&before.act, Act::Kill { incarnation: it, host: at, .. } if *it == incarnation && at == host);
                kills && before.replica.as_ref() == Some(replica) && !before.optional
            });
            let other = Other { replica, incarnation, host, input };
            if incarnation != *started && !killed && !other.is_over() {
                let (replica, host) = (replica.clone(), host.clone());
                objections.push(Objection::MayStillRun { replica, incarnation, host });
            }
        }
    }
    objections
}

/// A life beside the one that is started.
struct Other<'a> {
    replica: &'a ReplicaId,
    incarnation: Incarnation,
    host: &'a HostId,
    input: &'a PlanInput,
}

impl Other<'_> {
    fn is_over(&self) -> bool {
        if self.has_obituary() {
            return !self.is_exclusive() || self.whole_tree_is_gone() || self.was_replaced();
        }
        let seen = life(self.input, self.replica, self.incarnation);
        if self.host_rebooted() && seen.is_none_or(|life| life.process.is_none()) {
            return true;
        }
        if seen.is_some_and(|life| life.process.is_some() || life.member.is_some()) {
            return false;
        }
        // Of an exclusive one, two may never run: neither a record nor a silence is proof enough.
        if self.is_exclusive() {
            return false;
        }
        if is_present(self.input, self.host) {
            let listed_all =
                self.input.observation.hosts.get(self.host).is_some_and(|host| host.inventory_complete);
            return self.was_replaced() && listed_all;
        }
        self.lease_is_over()
    }

    fn is_exclusive(&self) -> bool {
        !matches!(self.input.replicas.get(self.replica), Some(Ok(spec)) if !spec.exclusive)
    }

    fn has_obituary(&self) -> bool {
        let seen = life(self.input, self.replica, self.incarnation);
        let mut past = self.input.history.lives.get(self.replica).into_iter().flatten();
        seen.is_some_and(|life| life.obituary.is_some())
            || past.any(|past| past.incarnation == self.incarnation && past.obituary.is_some())
    }

    fn whole_tree_is_gone(&self) -> bool {
        let seen = life(self.input, self.replica, self.incarnation).and_then(|life| life.obituary.as_ref());
        let past = self.input.history.lives.get(self.replica).into_iter().flatten();
        let mut past = past.filter(|past| past.incarnation == self.incarnation);
        seen.is_some_and(|proof| proof.tree_gone)
            || past.any(|past| past.obituary.as_ref().is_some_and(|proof| proof.tree_gone))
    }

    fn host_rebooted(&self) -> bool {
        let recorded = self.input.history.hosts.get(self.host).map(|host| &host.boot_id);
        let seen = self.input.observation.hosts.get(self.host).filter(|host| host.is_present());
        recorded.is_some_and(|recorded| seen.is_some_and(|seen| seen.boot_id != *recorded))
    }

    /// Whether another life was ordered later, which could only be when this one was over.
    fn was_replaced(&self) -> bool {
        let ordered = self.input.history.lives.get(self.replica).into_iter().flatten();
        let mut from_own = ordered.skip_while(|past| past.incarnation != self.incarnation);
        from_own.next().is_some() && from_own.next().is_some()
    }

    fn lease_is_over(&self) -> bool {
        let policy = &self.input.policy;
        let lease_ms = policy.lease_ms + policy.lease_margin_ms;
        let host_gone = self.input.observation.hosts.get(self.host).and_then(|host| match host.presence {
            Presence::Gone { since } => Some(since),
            Presence::Present => None,
        });
        let absent = self.input.observation.replicas.get(self.replica).and_then(|seen| seen.absent_since);
        let replaced = self.was_replaced() && host_gone.is_some();
        let silent_since = if replaced { host_gone } else { host_gone.max(absent) };
        silent_since.is_some_and(|since| self.input.now.since_ms(since) >= lease_ms)
    }
}
