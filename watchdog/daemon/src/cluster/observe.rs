//! Observe: reads the group, and asks host agents to look at what is suspect; what is made of it the leader knows.
//!
//! ```text
//! view.refresh() / look(suspects) ─► delta ──┐
//! agents.look(suspects' hosts) ─► replies ───┴─► glance ─► observation
//! ```

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use watchdog_core::history::History;
use watchdog_core::ids::{Incarnation, ReplicaId, Time};
use watchdog_core::observation::Sight;
use watchdog_leader::glance::{Eyes, Glance};
use watchdog_leader::looked::Looked;
use watchdog_leader::rounds::to_ask;
use watchdog_membership::picture::Delta;
use watchdog_membership::tree::TreeError;
use watchdog_membership::view::View;
use watchdog_proto::agent::{LookReply, LookRequest};

use crate::agents::Agents;
use crate::cluster::sighting::{self, Standing};
use crate::cluster::world::{Role, SharedWorld, World};

/// How long a host agent may take to look again; a check must not wait for one that is silent.
const LOOK_PATIENCE: Duration = Duration::from_millis(300);

/// See the module.
pub(crate) struct Observer {
    view: View,
    eyes: Eyes,
    over: bool,
}

impl Observer {
    /// Observes through `view`.
    pub(crate) fn new(view: View) -> Self {
        Self { view, eyes: Eyes::default(), over: false }
    }

    /// Resolves when there is something new to see.
    pub(crate) async fn changed(&mut self) {
        self.view.changed().await;
    }

    /// Counts anew from now on: what was measured by others' time, before our term, or before the clock was set is not known.
    pub(crate) fn begin_anew(&mut self) {
        self.eyes.begin_anew();
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
            Ok(delta) => self.take_in(&mut world, (delta, suspects), &replies),
            Err(error) => {
                if world.observation.sight == Sight::Clear {
                    tracing::warn!(%error, "can't see the group; holding");
                }
                world.observation.go_blind(now, &error.to_string());
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

    /// The obituaries that have served their purpose.
    pub(crate) fn outlived_obituaries(&mut self, past: &History, now: Time) -> Vec<Incarnation> {
        let standing = self.view.picture().obituaries.iter();
        let standing = standing.map(|(life, stamped)| (*life, sighting::obituary(&stamped.record))).collect();
        self.eyes.outlived(&standing, (past, now))
    }

    /// Obituaries that are not of the host that their life was on: no proof of anything, and in the way of the true one.
    pub(crate) fn forged_obituaries(&self, past: &History) -> Vec<Incarnation> {
        let forged = Standing::of(self.view.picture()).forged(past).into_iter().map(|told| {
            tracing::warn!(
                replica = %told.replica, incarnation = %told.incarnation, host = %told.host,
                "an obituary is not by the host that the life was on; it is not believed, and removed"
            );
            told.incarnation
        });
        forged.collect()
    }

    async fn look(&mut self, suspects: &BTreeSet<ReplicaId>) -> Result<Delta, TreeError> {
        if suspects.is_empty() { self.view.refresh().await } else { self.view.look(suspects).await }
    }

    fn take_in(
        &mut self,
        world: &mut World,
        (delta, suspects): (Delta, &BTreeSet<ReplicaId>),
        replies: &[LookReply],
    ) -> Looked {
        let picture = self.view.picture();
        let fresh = self.eyes.is_fresh(&world.observation);
        if fresh || delta.contenders {
            world.contenders = picture.row().cloned().collect();
        }
        if fresh || delta.epoch {
            world.epoch = picture.epoch.as_ref().map(|stamped| stamped.record.clone());
        }
        // A leader knows better than its watch what it keeps.
        if (fresh || delta.pauses) && world.role == Role::Follower {
            // What can't be read is not none; the leader tells what it makes of it.
            if let Some(stamped) = &picture.pauses {
                world.kept = stamped.record.clone();
            }
        }
        let reports = replies.iter().flat_map(|reply| &reply.processes);
        let glance = Glance {
            moved: delta.replicas,
            hosts_moved: !delta.hosts.is_empty(),
            suspects: suspects.clone(),
            reported: reports.filter_map(sighting::reported).collect(),
            flashes: delta.flashes,
            unwatched: delta.unwatched,
        };
        let known = (&*world.history, &world.log);
        self.eyes.take_in(&mut world.observation, known, (&glance, &Standing::of(picture)))
    }
}

/// Which hosts are asked to look again at which of the suspects.
fn asked(world: &World, suspects: &BTreeSet<ReplicaId>) -> Vec<(String, LookRequest)> {
    let asked = to_ask(&world.observation, suspects).into_values().map(|(seen, replicas)| {
        let replicas = replicas.into_iter().map(ToString::to_string).collect();
        (seen.address.clone(), LookRequest { cluster: world.cluster.to_string(), replicas })
    });
    asked.collect()
}

async fn look_at_hosts(agents: &Agents, asked: Vec<(String, LookRequest)>) -> Vec<LookReply> {
    let looks = asked
        .into_iter()
        .map(async |(address, request)| agents.look(&address, request, LOOK_PATIENCE).await.ok());
    // A host that did not answer has said nothing: no new evidence, and no acquittal.
    join_all(looks).await.into_iter().flatten().collect()
}
