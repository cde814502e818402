//! Storm: many that vanish together without proof of death are held, because it may be the observer that is cut off.
//!
//! ```text
//! silently absent ≥ 2 and ≥ storm_share ──► overruled since? ──yes──► heal
//!                                               │ no
//!        our fenced writes commit again ──► gone for longer than a lease ──► half of the hosts seen ──► heal
//! ```
//!
//! A host counts while a declared replica runs there or ran there last. One that a declaration only names counts too, but
//! when it has been gone for an hour it is forgotten: machines are replaced, and a guard must not stand for ever.

use std::collections::BTreeMap;

use crate::hosts::{inhabited, named};
use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::PlanInput;
use crate::observation::Presence;
use crate::planner::case::{lives, newest, serves};
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
    /// When the next of the hosts that are awaited is forgotten.
    pub forgets_at: Option<Time>,
}

/// For how long a host counts that is gone and on which nothing declared ran last.
const FORGOTTEN_MS: u64 = 3_600_000;

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
    let hosts = Hosts::count(input);
    let awaiting = if input.observation.fenced_write_at.is_none_or(|written| written <= last) {
        StormAwaits::FencedWrite
    } else if input.now < lease_until {
        StormAwaits::Lease
    } else if 2 * hosts.present < hosts.counted {
        StormAwaits::Hosts
    } else {
        return None;
    };
    Some(Storm { vanished, total, awaiting, lease_until, forgets_at: hosts.forgets_at })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^52")]
fn is_large_share(part: usize, total: usize, share: f64) -> bool {
    part as f64 >= share * total as f64
}

/// Since when a life of a replica that does not serve is out of sight, without anybody's word that it is dead.
fn vanished_at(replica: &ReplicaId, input: &PlanInput) -> Option<Time> {
    // One that runs and does not serve would be replaced too, though another life of it may be out of sight.
    if serves(input, replica) || is_being_healed(replica, input) {
        return None;
    }
    let unproven = lives_out_of_sight(replica, input);
    let last = newest_of(replica, input)?;
    let absent = input.observation.replicas.get(replica).and_then(|seen| seen.absent_since);
    // A newer life was only ordered when an older one was out of sight, so its host's silence is what counts.
    let since = |(life, host): (&Incarnation, &&HostId)| {
        let absent = absent.filter(|_| *life == last);
        absent.or_else(|| gone_since(host, input)).unwrap_or(input.now)
    };
    unproven.iter().map(since).max()
}

/// Every life that is out of sight without anybody's word that it is over, and where it was.
fn lives_out_of_sight<'a>(replica: &ReplicaId, input: &'a PlanInput) -> BTreeMap<Incarnation, &'a HostId> {
    let ordered = || input.history.lives.get(replica).into_iter().flatten();
    let seen = lives(input, replica).map(|(id, life)| (id, &life.host));
    let mut unproven: BTreeMap<Incarnation, &HostId> =
        ordered().map(|past| (past.incarnation, &past.host)).chain(seen).collect();
    unproven.retain(|id, host| {
        let told = lives(input, replica).any(|(it, life)| it == *id && life.obituary.is_some())
            || ordered().any(|past| past.incarnation == *id && past.obituary.is_some());
        let alive = lives(input, replica).any(|(it, life)| it == *id && life.is_alive());
        !told && !alive && !says_gone(host, input)
    });
    unproven
}

/// The newest life of a replica by the order of the record, which is not that of names; `None` when it never lived.
fn newest_of(replica: &ReplicaId, input: &PlanInput) -> Option<Incarnation> {
    let ordered = input.history.lives.get(replica).and_then(|lives| lives.back());
    let seen = || newest(input, replica, |_| true).map(|(incarnation, _)| incarnation);
    ordered.map(|past| past.incarnation).or_else(seen)
}

fn gone_since(host: &HostId, input: &PlanInput) -> Option<Time> {
    match input.observation.hosts.get(host)?.presence {
        Presence::Gone { since } => Some(since),
        Presence::Present => None,
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

/// How much of the cluster's hosts is seen.
struct Hosts {
    counted: usize,
    present: usize,
    forgets_at: Option<Time>,
}

impl Hosts {
    fn count(input: &PlanInput) -> Self {
        let inhabited = inhabited(&input.replicas, (&input.history, &input.observation));
        let named = named(&input.replicas);
        let mut hosts = Self { counted: inhabited.len(), present: 0, forgets_at: None };
        for (host, seen) in &input.observation.hosts {
            let (lived_in, by_name) = (inhabited.contains(host), named.contains(host));
            match seen.presence {
                Presence::Present if lived_in => hosts.present += 1,
                Presence::Present if by_name => {
                    (hosts.counted, hosts.present) = (hosts.counted + 1, hosts.present + 1);
                }
                Presence::Gone { since } if by_name && !lived_in => {
                    let forgets_at = since.plus_ms(FORGOTTEN_MS);
                    if input.now < forgets_at {
                        hosts.counted += 1;
                        hosts.forgets_at = hosts.forgets_at.into_iter().chain([forgets_at]).min();
                    }
                }
                Presence::Present | Presence::Gone { .. } => {}
            }
        }
        hosts
    }
}
