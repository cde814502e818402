//! Views: a world, in the shapes that operators and their tools rely on.

use std::collections::BTreeSet;

use watchdog_core::condition::{Condition, ReplicaState, condition};
use watchdog_core::finding::Subject;
use watchdog_core::history::{Pause, Progress};
use watchdog_core::ids::{Epoch, HostId, Incarnation, ReplicaId, Time, Version};
use watchdog_core::input::Decision;
use watchdog_core::observation::{HostSeen, Loaded, Presence, Sight};
use watchdog_core::offers::Offer;
use watchdog_core::plan::{PlanStatus, Step};
use watchdog_core::refusal::Refusal;
use watchdog_core::state::Hash;
use watchdog_membership::records::ContenderRecord;
use watchdog_proto::admin::{
    AwaitedView, ClusterStatus, HoldView, HostView, LeaderView, PauseView, PlanView, RefusalView,
    ReplicaView, StepView, WatchdogView,
};

use crate::clock::rfc3339;
use crate::cluster::plan_book::{PlanStory, status_word};
use crate::cluster::world::World;

/// The whole cluster.
pub(crate) fn status(world: &World, now: Time) -> ClusterStatus {
    let replicas = replicas(world).into_iter().map(|replica| replica_view(world, replica)).collect();
    ClusterStatus { replicas, ..status_but_replicas(world, now) }
}

/// Those that are declared and those that live, by name.
pub(crate) fn replicas(world: &World) -> BTreeSet<&ReplicaId> {
    world.log.replicas.keys().chain(world.observation.replicas.iter().filter_map(alive)).collect()
}

/// Whether it is one of them.
pub(crate) fn is_shown(world: &World, replica: &ReplicaId) -> bool {
    world.log.replicas.contains_key(replica)
        || world.observation.replicas.get_key_value(replica).and_then(alive).is_some()
}

/// The whole cluster without a row of it.
pub(crate) fn status_but_replicas(world: &World, now: Time) -> ClusterStatus {
    let (goal, goal_stage) = super::goal_view::in_short(world, now).unzip();
    let history = &world.history;
    ClusterStatus {
        cluster: world.cluster.to_string(),
        leader: leader(world),
        head: world.log.head.version.0,
        stable: world.log.target.stable.map(|_| world.log.target.version.0),
        paused: world.pause(now).as_ref().map(pause_view),
        plan: history.open_plans.keys().next_back().map(ToString::to_string),
        watchdogs: world.contenders.iter().map(|contender| watchdog(world, contender)).collect(),
        hosts: world.observation.hosts.iter().map(|(host, seen)| host_view(world, host, seen)).collect(),
        replicas: Vec::new(),
        holds: world.holds(now).iter().map(|(target, hold)| hold_view((target, hold))).collect(),
        refusals: world.refusals.iter().chain(&world.obstacles).map(refusal_view).collect(),
        blind: blind(world),
        goal,
        goal_stage,
        offers: world.offers(now).iter().map(offer_view).collect(),
    }
}

/// What a human can do, and what to type for it.
pub(crate) fn offer_view(offer: &Offer) -> AwaitedView {
    AwaitedView { what: offer.sentence.clone(), command: offer.line.clone() }
}

fn alive<'a>(
    (replica, seen): (&'a ReplicaId, &'a watchdog_core::observation::ReplicaSeen),
) -> Option<&'a ReplicaId> {
    seen.lives.values().any(watchdog_core::observation::Life::is_alive).then_some(replica)
}

fn blind(world: &World) -> Option<String> {
    let sight = match &world.observation.sight {
        Sight::Clear => None,
        Sight::Blind { since, why } => Some(format!("since {}: {why}", rfc3339(*since))),
    };
    let journal = world.journal_fault.as_ref();
    let journal = journal.map(|(since, why)| format!("since {}: the journal: {why}", rfc3339(*since)));
    let policy = world.log.policy_fault.as_ref();
    let policy =
        policy.map(|why| format!("the policy in the log can't be read, the last good one stands: {why}"));
    let all: Vec<String> = [sight, journal, policy].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Who leads, as far as is known here.
pub(crate) fn leader(world: &World) -> Option<LeaderView> {
    let fence = world.epoch.as_ref()?;
    // The epoch outlives its leader; only a contender that is still there and in front leads.
    let first = world.contenders.first().filter(|first| first.watchdog == fence.leader)?;
    Some(LeaderView { id: first.watchdog.to_string(), address: first.address.clone(), epoch: fence.epoch.0 })
}

fn watchdog(world: &World, contender: &ContenderRecord) -> WatchdogView {
    let leads = leader(world).is_some_and(|leader| leader.id == contender.watchdog.as_str());
    WatchdogView {
        id: contender.watchdog.to_string(),
        address: contender.address.clone(),
        pid: contender.pid,
        role: if leads { "leader" } else { "follower" }.to_owned(),
    }
}

fn host_view(world: &World, host: &HostId, seen: &HostSeen) -> HostView {
    let state = match (&world.observation.sight, seen.presence) {
        (Sight::Blind { .. }, _) => "unknown",
        (Sight::Clear, Presence::Present) => "up",
        (Sight::Clear, Presence::Gone { .. }) => "gone",
    };
    HostView { host: host.to_string(), address: seen.address.clone(), pid: seen.pid, state: state.to_owned() }
}

/// What one replica's row is made of; equal ones are written out alike.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen<'a> {
    replica: &'a ReplicaId,
    condition: (ReplicaState, Option<Time>, Option<Incarnation>),
    host: Option<&'a HostId>,
    pid: Option<u32>,
    address: Option<&'a str>,
    loaded: Option<(Version, Hash)>,
    expected: Option<u64>,
}

/// One replica's row, not written out yet.
pub(crate) fn seen<'a>(world: &'a World, replica: &'a ReplicaId) -> Seen<'a> {
    let Condition { state, since, life, .. } = condition(replica, &world.scene());
    let seen = world.observation.replicas.get(replica);
    let lived = life.and_then(|incarnation| seen.and_then(|seen| seen.lives.get(&incarnation)));
    let member = lived.and_then(|lived| lived.member.as_ref());
    let process = lived.and_then(|lived| lived.process.as_ref());
    let loaded = lived.and_then(watchdog_core::observation::Life::loaded);
    Seen {
        replica,
        condition: (state, since, life),
        host: lived.map(|lived| &lived.host),
        pid: process.map(|process| process.pid).or(member.map(|member| member.pid)),
        address: member.map(|member| member.service.as_deref().unwrap_or(&member.address)),
        loaded: loaded.map(|loaded| (loaded.version, loaded.state_hash)),
        expected: expected(world, replica, loaded),
    }
}

impl Seen<'_> {
    /// Written out.
    pub(crate) fn view(&self) -> ReplicaView {
        let (state, since, life) = self.condition;
        ReplicaView {
            replica: self.replica.to_string(),
            host: self.host.map(ToString::to_string),
            pid: self.pid,
            incarnation: life.map(|incarnation| incarnation.to_string()),
            address: self.address.map(ToOwned::to_owned),
            state: state.to_string(),
            version: self.loaded.map(|(version, _)| version.0),
            expected: self.expected,
            state_hash: self.loaded.map(|(_, hash)| hash.to_string()),
            since: since.map(rfc3339),
        }
    }
}

/// One replica's row.
pub(crate) fn replica_view(world: &World, replica: &ReplicaId) -> ReplicaView {
    seen(world, replica).view()
}

/// The version that a replica should hold; its own when that has the same state, for then nobody is moved for the number.
fn expected(world: &World, replica: &ReplicaId, loaded: Option<Loaded>) -> Option<u64> {
    let target = &watchdog_core::rollout::expected(replica, &world.log.target, &world.history);
    let same = loaded.filter(|loaded| {
        loaded.state_hash == target.state_hash
            && world.log.hash_at(loaded.version).is_none_or(|hash| hash == target.state_hash)
    });
    let version = same.map_or(target.version, |loaded| loaded.version);
    (target.version.0 > 0).then_some(version.0)
}

fn pause_view(pause: &Pause) -> PauseView {
    PauseView { reason: pause.reason.clone(), by: pause.by.clone(), until: pause.until.map(rfc3339) }
}

fn hold_view((target, hold): (&str, &Pause)) -> HoldView {
    HoldView {
        target: target.to_owned(),
        reason: hold.reason.clone(),
        by: hold.by.clone(),
        until: hold.until.map(rfc3339),
    }
}

/// A refusal with its sentence.
pub(crate) fn refusal_view(refusal: &Refusal) -> RefusalView {
    let replica = match &refusal.subject {
        Some(Subject::Replica(replica)) => Some(replica.to_string()),
        Some(Subject::Host(_)) | None => None,
    };
    RefusalView {
        kind: refusal.reason.word().to_owned(),
        replica,
        culprit: refusal.reason.culprit(),
        sentence: refusal.to_string(),
    }
}

/// A plan with what became of it.
pub(crate) fn plan_view(story: &PlanStory) -> PlanView {
    let steps = story.plan.steps.iter().map(|step| step_view(story, step)).collect();
    let reason = if story.why.is_empty() || story.status == PlanStatus::Done {
        story.plan.reason.clone()
    } else {
        format!("{} ({})", story.plan.reason, story.why)
    };
    PlanView {
        id: story.plan.id.to_string(),
        epoch: story.plan.epoch.0,
        status: story.status.word().to_owned(),
        reason,
        created_at: rfc3339(story.plan.created_at),
        steps,
        refusals: Vec::new(),
    }
}

fn step_view(story: &PlanStory, step: &Step) -> StepView {
    let progress = story.progress.steps.get(&step.id);
    StepView {
        id: step.id.to_string(),
        kind: step.act.word().to_owned(),
        replica: step.replica.as_ref().map(ToString::to_string),
        status: status_word(progress, story.status).to_owned(),
        why: step.why.clone(),
        started_at: progress.map(|progress| rfc3339(progress.started_at)),
        finished_at: progress.and_then(|progress| progress.finished_at).map(rfc3339),
        error: progress.and_then(|progress| progress.error.clone()),
        percent: None,
        progress: None,
    }
}

/// What would be done now.
pub(crate) fn preview(decision: Decision, epoch: Epoch, now: Time) -> PlanView {
    let refusals = decision.refusals.iter().map(refusal_view).collect();
    match decision.plan {
        Some(plan) => {
            let status = PlanStatus::Running;
            let story = PlanStory { plan, status, why: String::new(), progress: Progress::default() };
            PlanView { status: "preview".to_owned(), refusals, ..plan_view(&story) }
        }
        None => PlanView {
            id: String::new(),
            epoch: epoch.0,
            status: "preview".to_owned(),
            reason: "nothing to do".to_owned(),
            created_at: rfc3339(now),
            steps: Vec::new(),
            refusals,
        },
    }
}
