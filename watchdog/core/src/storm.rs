//! Storm: many that vanish together without proof of death are held, because it may be the observer that is cut off.
//!
//! ```text
//! silently absent ≥ 2 and ≥ storm_share ──► overruled since? ──yes──► heal
//!                                               │ no
//!        our fenced writes commit again ──► gone for longer than a lease ──► half of all hosts seen ──► heal
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{HostId, ReplicaId, Time};
use crate::input::PlanInput;
use crate::planner::case::lives;
use crate::refusal::{Reason, StormAwaits};

/// A storm that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storm {
    /// Who is held, and since when each is absent.
    pub vanished: BTreeMap<ReplicaId, Time>,
    /// Of how many.
    pub total: usize,
    /// What is awaited first.
    pub awaiting: StormAwaits,
    /// When the lease of the last of them is over.
    pub lease_until: Time,
}

impl Storm {
    /// Why `replica` is held, when it is.
    pub fn holds(&self, replica: &ReplicaId) -> Option<Reason> {
        let (vanished, total, awaiting) = (self.vanished.len(), self.total, self.awaiting);
        self.vanished.contains_key(replica).then_some(Reason::Storm { vanished, total, awaiting })
    }
}

/// The storm that stands now, if one does.
pub fn storm(input: &PlanInput) -> Option<Storm> {
    let released = input.history.storm_released_at;
    let mut vanished: BTreeMap<ReplicaId, Time> = input
        .replicas
        .keys()
        .filter_map(|replica| Some((replica.clone(), vanished_at(replica, input)?)))
        .collect();
    vanished.retain(|_, since| released.is_none_or(|released| released <= *since));
    let total = input.replicas.len();
    let last = *vanished.values().max()?;
    if vanished.len() < 2 || !is_large_share(vanished.len(), total, input.policy.storm_share) {
        return None;
    }
    let lease_until = last.plus_ms(input.policy.lease_ms.saturating_add(input.policy.lease_margin_ms));
    let awaiting = if input.observation.fenced_write_at.is_none_or(|written| written <= last) {
        StormAwaits::FencedWrite
    } else if input.now < lease_until {
        StormAwaits::Lease
    } else if !half_of_hosts_seen(input) {
        StormAwaits::Hosts
    } else {
        return None;
    };
    Some(Storm { vanished, total, awaiting, lease_until })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^52")]
fn is_large_share(part: usize, total: usize, share: f64) -> bool {
    part as f64 >= share * total as f64
}

/// Since when a replica that ran is absent without anybody's word that it is dead.
fn vanished_at(replica: &ReplicaId, input: &PlanInput) -> Option<Time> {
    if lives(input, replica).any(|(_, life)| life.is_alive()) || is_being_healed(replica, input) {
        return None;
    }
    let (host, told) = newest_life(replica, input)?;
    if told || says_gone(host, input) {
        return None;
    }
    let absent = input.observation.replicas.get(replica).and_then(|seen| seen.absent_since);
    Some(absent.unwrap_or(input.now))
}

/// The newest life of a replica, where it ran, and whether an obituary tells of it; `None` when it never lived.
fn newest_life<'a>(replica: &ReplicaId, input: &'a PlanInput) -> Option<(&'a HostId, bool)> {
    let seen = lives(input, replica).last().map(|(id, life)| (id, &life.host, life.obituary.is_some()));
    let ordered = input.history.lives.get(replica).and_then(|lives| lives.back());
    let ordered = ordered.map(|past| (past.incarnation, &past.host, past.obituary.is_some()));
    match (seen, ordered) {
        (Some(seen), Some(ordered)) if seen.0 == ordered.0 => Some((seen.1, seen.2 || ordered.2)),
        (seen, ordered) => seen.max(ordered).map(|(_, host, told)| (host, told)),
    }
}

/// Whether the host is there and says, by a complete inventory or by another boot, that what was not seen alive is over.
fn says_gone(host: &HostId, input: &PlanInput) -> bool {
    let Some(seen) = input.observation.hosts.get(host).filter(|seen| seen.is_present()) else { return false };
    let rebooted = input.history.hosts.get(host).is_some_and(|known| known.boot_id != seen.boot_id);
    rebooted || seen.inventory_complete
}

fn is_being_healed(replica: &ReplicaId, input: &PlanInput) -> bool {
    let mut heals = input.history.open_plans.values().flat_map(|open| &open.plan.heals);
    heals.any(|heal| heal.replica == *replica)
}

fn half_of_hosts_seen(input: &PlanInput) -> bool {
    let seen = &input.observation.hosts;
    let known: BTreeSet<&HostId> = input.history.hosts.keys().chain(seen.keys()).collect();
    let present = seen.values().filter(|host| host.is_present()).count();
    2 * present >= known.len()
}
