//! Case: one convicted replica with everything that its remedy depends on.

use std::collections::BTreeMap;

use crate::condition::is_serving;
use crate::finding::{Conviction, FaultKind};
use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::{PlanInput, Target};
use crate::observation::{HostSeen, Life};
use crate::replica::ReplicaSpec;
use crate::rollout::{Rollout, Trial, expected};

/// See the module.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Which replica.
    pub replica: &'a ReplicaId,
    /// What the log declares of it.
    pub spec: &'a ReplicaSpec,
    /// What it is convicted of, in the order in which faults are dealt with.
    pub convictions: Vec<&'a Conviction>,
    /// Everything else.
    pub input: &'a PlanInput,
    /// What it should hold when this is done.
    pub target: Target,
    /// The incarnation that it gets if it is started; `None` when they have run out.
    pub fresh: Option<Incarnation>,
}

impl<'a> Case<'a> {
    /// The fault that is dealt with: the first of its convictions that is still what is seen.
    pub fn fault(&self) -> Option<FaultKind> {
        let alive = self.alive().count();
        let stands = |fault: FaultKind| match fault {
            FaultKind::HostGone => false,
            FaultKind::Misplaced => {
                self.life().is_some_and(|(_, life)| !self.spec.hosts.contains(&life.host))
            }
            FaultKind::Duplicate => alive > 1,
            FaultKind::Exited | FaultKind::Missing => alive == 0,
            FaultKind::Unresponsive
            | FaultKind::Unhealthy
            | FaultKind::LoadFailed
            | FaultKind::WrongVersion
            | FaultKind::StateMismatch
            | FaultKind::WrongSetup
            | FaultKind::Undeclared => alive > 0,
            FaultKind::Flapping => true,
        };
        self.convictions.iter().map(|conviction| conviction.finding.kind).find(|fault| stands(*fault))
    }

    /// Whether it is convicted of `fault`, whatever is dealt with first.
    pub fn is_convicted_of(&self, fault: FaultKind) -> bool {
        self.convictions.iter().any(|conviction| conviction.finding.kind == fault)
    }

    /// When its faults were first seen, by this leader or, as long as they were not cleared, by one before.
    pub fn since(&self) -> Time {
        // Conviction keys begin with the replica's name; those of a whole cluster are not to be searched for each of it.
        let prefix = format!("{}/", self.replica);
        let recorded = self.input.history.convictions.range(prefix.clone()..);
        let same = recorded.take_while(|(key, _)| key.starts_with(&prefix)).map(|(_, conviction)| conviction);
        let all = same.chain(self.convictions.iter().copied());
        all.map(|conviction| conviction.since).min().unwrap_or(self.input.now)
    }

    /// Its lives that may still run, in no order that means anything.
    pub fn alive(&self) -> impl Iterator<Item = (Incarnation, &'a Life)> {
        lives(self.input, self.replica).filter(|(_, life)| life.is_alive())
    }

    /// The life that a remedy acts on: the newest that may still run.
    pub fn life(&self) -> Option<(Incarnation, &'a Life)> {
        newest(self.input, self.replica, Life::is_alive)
    }

    /// Whether a life of it serves.
    pub fn is_serving(&self) -> bool {
        serves(self.input, self.replica)
    }

    /// The rollout, when this replica should hold its candidate and the candidate may be to blame for what is wrong.
    pub fn blamable(&self) -> Option<&'a Rollout> {
        let rollout = self.input.history.rollout.as_ref()?;
        let on_it = rollout.expects(self.replica) && rollout.is_blamable(&self.input.target);
        on_it.then_some(rollout)
    }

    /// The same, when it could be tried on the stable version to tell: as its goal declares it, it never was on that.
    pub fn triable(&self) -> Option<&'a Rollout> {
        self.blamable().filter(|rollout| !rollout.declares(self.replica))
    }

    /// Whether it was to be tried on the stable version and nobody knows whether that was done.
    pub fn is_trial_unfinished(&self) -> bool {
        let rollout = self.input.history.rollout.as_ref();
        rollout.and_then(|rollout| rollout.trials.get(self.replica)).is_some_and(Trial::is_unfinished)
    }

    /// Where it runs or ran last; `None` when it was never started.
    pub fn home(&self) -> Option<&'a HostId> {
        home(self.input, self.replica)
    }

    /// Every life of it that is seen or was ordered, and where.
    pub fn known_lives(&self) -> BTreeMap<Incarnation, &'a HostId> {
        let ordered = self.input.history.lives.get(self.replica).into_iter().flatten();
        let seen = lives(self.input, self.replica);
        ordered
            .map(|past| (past.incarnation, &past.host))
            .chain(seen.map(|(id, life)| (id, &life.host)))
            .collect()
    }

    /// A host, when its agent is there.
    pub fn present(&self, host: &HostId) -> Option<&'a HostSeen> {
        self.input.observation.hosts.get(host).filter(|seen| seen.is_present())
    }
}

impl<'a> Case<'a> {
    /// A case of `replica` that nothing is wrong with.
    pub fn sound(replica: &'a ReplicaId, spec: &'a ReplicaSpec, input: &'a PlanInput) -> Self {
        let target = expected(replica, &input.target, &input.history);
        Self { replica, spec, convictions: Vec::new(), input, target, fresh: None }
    }
}

/// Since when a life of `replica` is as it is, as far as we saw it so without a break and did not heal it meanwhile; by
/// our own clock, because those of hosts may be wrong. From now, while its host's agent is gone: a death would not be
/// reported before the session of the life ends.
pub fn settled_since(replica: &ReplicaId, life: &Life, input: &PlanInput) -> Time {
    if is_unwatched(life, input) {
        return input.now;
    }
    let seen = [life.member.as_ref().map(|it| it.since), life.process.as_ref().map(|it| it.since)];
    let heals = input.history.heals.get(replica).into_iter().flatten();
    let healed = heals.filter_map(|heal| heal.ended_at);
    let all = seen.into_iter().flatten().chain(healed).chain([life.steady_since]);
    all.max().unwrap_or_default().min(input.now)
}

/// Whether the agent of a life's host is gone.
pub fn is_unwatched(life: &Life, input: &PlanInput) -> bool {
    input.observation.hosts.get(&life.host).is_some_and(|host| !host.is_present())
}

/// The newest of the lives of `replica` that are seen and `fit`.
pub fn newest<'a>(
    input: &'a PlanInput,
    replica: &ReplicaId,
    fits: impl Fn(&Life) -> bool,
) -> Option<(Incarnation, &'a Life)> {
    input.observation.replicas.get(replica)?.newest((replica, &input.history), |_, life| fits(life))
}

/// The lives of `replica` that are seen, in no order that means anything.
pub fn lives<'a>(
    input: &'a PlanInput,
    replica: &ReplicaId,
) -> impl Iterator<Item = (Incarnation, &'a Life)> + use<'a> {
    let seen = input.observation.replicas.get(replica);
    seen.into_iter().flat_map(|seen| &seen.lives).map(|(incarnation, life)| (*incarnation, life))
}

/// Whether a life of `replica` serves. One whose death the record holds does not, whatever the group still shows.
pub fn serves(input: &PlanInput, replica: &ReplicaId) -> bool {
    let past = input.history.lives.get(replica);
    let is_dead = |incarnation: Incarnation| {
        let mut dead = past.into_iter().flatten().filter(|past| past.obituary.is_some());
        dead.any(|past| past.incarnation == incarnation)
    };
    lives(input, replica).any(|(incarnation, life)| is_serving(life) && !is_dead(incarnation))
}

/// Where `replica` runs, or ran last; `None` when it was never started.
pub fn home<'a>(input: &'a PlanInput, replica: &ReplicaId) -> Option<&'a HostId> {
    let running = newest(input, replica, Life::is_alive);
    let ordered = input.history.lives.get(replica).and_then(|lives| lives.back());
    let seen = newest(input, replica, |_| true);
    running
        .map(|(_, life)| &life.host)
        .or_else(|| ordered.map(|past| &past.host))
        .or_else(|| seen.map(|(_, life)| &life.host))
}
