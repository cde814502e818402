//! Observe: turns the group's records into the observation that decisions are made of, at the cost of what changed.
//!
//! ```text
//! view.refresh() / look(suspects) ─► delta ─► only those replicas are rebuilt ─► observation
//! agents.look(suspects' hosts) ─────────────► newer probe rounds ──────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use watchdog_core::history::History;
use watchdog_core::hosts::of_concern;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Sequence, Time, Version};
use watchdog_core::observation::{HostSeen, Obituary, Presence, Sight};
use watchdog_leader::looked::Looked;
use watchdog_membership::picture::Delta;
use watchdog_membership::tree::TreeError;
use watchdog_membership::view::View;
use watchdog_proto::agent::{LookReply, LookRequest};

use crate::agents::Agents;
use crate::cluster::sighting;
use crate::cluster::world::{Role, SharedWorld, World};

/// How long a host agent may take to look again; a check must not wait for one that is silent.
const LOOK_PATIENCE: Duration = Duration::from_millis(300);

/// An obituary stands at least this long, in milliseconds, because it bars a late registration of the dead.
const OBITUARY_STANDS_MS: u64 = 60_000;

/// See the module.
pub(crate) struct Observer {
    view: View,
    /// The head of the log, and the last entry that moved what somebody should hold, when all were last looked at.
    aimed_at: Option<(Version, Sequence)>,
    /// Newer probe rounds than the tree holds, by life.
    rounds: BTreeMap<Incarnation, u64>,
    /// When each obituary was first seen here; the clock of its host may be another.
    buried_at: BTreeMap<Incarnation, Time>,
    over: bool,
}

impl Observer {
    /// Observes through `view`.
    pub(crate) fn new(view: View) -> Self {
        Self { view, aimed_at: None, rounds: BTreeMap::new(), buried_at: BTreeMap::new(), over: false }
    }

    /// Resolves when there is something new to see.
    pub(crate) async fn changed(&mut self) {
        self.view.changed().await;
    }

    /// Counts anew from now on: what was measured by others' time, before our term, or before the clock was set is not known.
    pub(crate) fn begin_anew(&mut self) {
        self.aimed_at = None;
    }

    /// Whether this view will never see again, so that another session is needed.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Brings the world's observation up to date, looking again at `suspects`.
    pub(crate) async fn observe(
        &mut self,
        world: &SharedWorld,
        suspects: &BTreeSet<ReplicaId>,
        agents: &Agents,
    ) -> Looked {
        let asked = asked(&world.lock(), suspects);
        let (seen, replies) = tokio::join!(self.look(suspects), look_at_hosts(agents, asked));
        let shared = world;
        let mut world = shared.lock();
        // Never before the record, like all decisions: otherwise the difference would count as time that has passed.
        let now = world.now();
        world.observation.at = now;
        let was_clear = world.observation.sight == Sight::Clear;
        let looked = match seen {
            Ok(delta) => self.take_in(&mut world, (&delta, suspects), &replies),
            Err(error) => {
                if world.observation.sight == Sight::Clear {
                    tracing::warn!(%error, "can't see the group; holding");
                }
                world.go_blind(now, &error.to_string());
                // Also when only the watch has ended: what is not watched is not seen.
                self.over = matches!(error, TreeError::Expired);
                Looked::Nothing
            }
        };
        world.note_leader(Instant::now());
        if was_clear != (world.observation.sight == Sight::Clear) {
            // Of whom nothing can be seen, nobody knows how it is.
            shared.stir(&Looked::All);
        } else if looked.is_news() {
            shared.stir(&looked);
        }
        looked
    }

    /// Obituaries that have stood for so long that no late registration can be under way any more.
    pub(crate) fn old_obituaries(&mut self, now: Time) -> Vec<Obituary> {
        let standing = &self.view.picture().obituaries;
        self.buried_at.retain(|incarnation, _| standing.contains_key(incarnation));
        self.rounds.retain(|incarnation, _| !standing.contains_key(incarnation));
        let mut old = Vec::new();
        for (incarnation, stamped) in standing {
            let since = *self.buried_at.entry(*incarnation).or_insert(now);
            if now.since_ms(since) > OBITUARY_STANDS_MS {
                old.push(sighting::obituary(&stamped.record));
            }
        }
        old
    }

    /// Obituaries that are not of the host that their life was on: no proof of anything, and in the way of the true one.
    pub(crate) fn forged_obituaries(&self, past: &History) -> Vec<Incarnation> {
        let picture = self.view.picture();
        let all = picture.obituaries.values().map(|stamped| &stamped.record);
        let forged = all.filter(|record| sighting::is_forged(picture, past, record));
        forged
            .map(|record| {
                tracing::warn!(
                    replica = %record.replica, incarnation = %record.incarnation, host = %record.host,
                    "an obituary is not by the host that the life was on; it is not believed, and removed"
                );
                record.incarnation
            })
            .collect()
    }

    async fn look(&mut self, suspects: &BTreeSet<ReplicaId>) -> Result<Delta, TreeError> {
        if suspects.is_empty() { self.view.refresh().await } else { self.view.look(suspects).await }
    }

    fn take_in(
        &mut self,
        world: &mut World,
        (delta, suspects): (&Delta, &BTreeSet<ReplicaId>),
        replies: &[LookReply],
    ) -> Looked {
        let was_blind = world.observation.sight != Sight::Clear;
        world.observation.sight = Sight::Clear;
        let first = self.aimed_at.is_none();
        // Silence is counted from our own sight of it, and what happened while we could not see is not known.
        let fresh = first || was_blind;
        if fresh {
            world.observation.watched_since = world.observation.at;
        }
        if fresh || delta.contenders {
            world.contenders = self.view.picture().row().cloned().collect();
        }
        if fresh || delta.epoch {
            world.epoch = self.view.picture().epoch.as_ref().map(|stamped| stamped.record.clone());
        }
        // A leader knows better than its watch what it keeps.
        if (fresh || delta.pauses) && world.role == Role::Follower {
            // What can't be read is not none; the leader tells what it makes of it.
            if let Some(stamped) = &self.view.picture().pauses {
                world.kept = stamped.record.clone();
            }
        }
        let hosts_moved = fresh || !delta.hosts.is_empty();
        if hosts_moved {
            self.see_hosts(world, fresh);
        }
        for report in replies.iter().flat_map(|reply| &reply.processes) {
            if let Ok(incarnation) = report.incarnation.parse() {
                let round = self.rounds.entry(incarnation).or_default();
                *round = report.probe_round.max(*round);
            }
        }
        let aimed = (world.log.head.version, world.history.aimed_at);
        let all = hosts_moved || self.aimed_at != Some(aimed);
        let mut changed: BTreeSet<ReplicaId> = delta.replicas.union(suspects).cloned().collect();
        if all {
            changed.extend(world.log.replicas.keys().cloned());
            // Also those that are not declared any more.
            changed.extend(world.observation.replicas.keys().cloned());
        }
        if fresh {
            let picture = self.view.picture();
            changed.extend(picture.members.keys().chain(picture.processes.keys()).cloned());
        }
        for replica in &changed {
            self.see(world, replica, fresh);
        }
        for reply in replies {
            sighting::correct(&mut world.observation, reply);
        }
        self.aimed_at = Some(aimed);
        if all { Looked::All } else { Looked::Only(changed) }
    }

    fn see(&self, world: &mut World, replica: &ReplicaId, fresh: bool) {
        let now = world.observation.at;
        if let Some(before) = world.observation.replicas.get_mut(replica).filter(|_| fresh) {
            before.unwatched();
        }
        let before = world.observation.replicas.get(replica);
        let seen =
            sighting::replica(self.view.picture(), replica, (before, &self.rounds, &world.history), now);
        let declared = world.log.replicas.contains_key(replica);
        if declared || !seen.lives.is_empty() {
            world.observation.replicas.insert(replica.clone(), seen);
        } else {
            world.observation.replicas.remove(replica);
        }
    }

    /// Hosts that are there, and those that were: by this observer's sight or by the record.
    fn see_hosts(&self, world: &mut World, fresh: bool) {
        let now = world.observation.at;
        let mut hosts: BTreeMap<HostId, HostSeen> = BTreeMap::new();
        for (host, past) in &world.history.hosts {
            let seen = HostSeen {
                presence: Presence::Gone { since: now },
                instance: past.instance.clone(),
                address: past.address.clone(),
                pid: 0,
                boot_id: past.boot_id.clone(),
                inventory_complete: false,
                session: String::new(),
            };
            hosts.insert(host.clone(), seen);
        }
        for (host, old) in std::mem::take(&mut world.observation.hosts) {
            let since = match old.presence {
                Presence::Present => now,
                Presence::Gone { .. } if fresh => now,
                Presence::Gone { since } => since,
            };
            hosts.insert(host, HostSeen { presence: Presence::Gone { since }, ..old });
        }
        for (host, stamped) in &self.view.picture().hosts {
            hosts.insert(host.clone(), sighting::host(&stamped.record));
        }
        let concern = of_concern(&world.log.replicas, &world.history, &world.observation);
        // Who is gone for good, and on whom nothing depends any more, is forgotten.
        hosts.retain(|host, seen| seen.is_present() || concern.contains(host));
        world.observation.hosts = hosts;
    }
}

/// Which hosts are asked to look again at which of the suspects.
fn asked(world: &World, suspects: &BTreeSet<ReplicaId>) -> Vec<(String, LookRequest)> {
    let mut by_host: BTreeMap<&HostId, Vec<String>> = BTreeMap::new();
    for replica in suspects {
        let lives = world.observation.replicas.get(replica).into_iter().flat_map(|seen| seen.lives.values());
        // Who is proven dead need not be looked at: an obituary does not change.
        for life in lives.filter(|life| life.is_alive()) {
            by_host.entry(&life.host).or_default().push(replica.to_string());
        }
    }
    let cluster = world.cluster.to_string();
    let present = by_host.into_iter().filter_map(|(host, replicas)| {
        let seen = world.observation.hosts.get(host).filter(|seen| seen.is_present())?;
        Some((seen.address.clone(), LookRequest { cluster: cluster.clone(), replicas }))
    });
    present.collect()
}

async fn look_at_hosts(agents: &Agents, asked: Vec<(String, LookRequest)>) -> Vec<LookReply> {
    let looks = asked
        .into_iter()
        .map(async |(address, request)| agents.look(&address, request, LOOK_PATIENCE).await.ok());
    // A host that did not answer has said nothing: no new evidence, and no acquittal.
    join_all(looks).await.into_iter().flatten().collect()
}
