//! Scene: everything that one check looks at, and one replica of it as a case.

use std::collections::btree_map::Iter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter::Peekable;

use crate::finding::{Evidence, FaultKind, Finding, Proof, Source, Subject};
use crate::history::{History, OpenPlan, PastHeal, PastLife};
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::input::{Declarations, Target};
use crate::observation::{Health, Life, Observation, ReplicaSeen};
use crate::plan::{Act, Outcome, PlanStatus};
use crate::policy::Policy;
use crate::record::cut;
use crate::replica::ReplicaSpec;
use crate::rollout::expected;

/// The longest detail of a finding.
const DETAIL_BYTES_MAX: usize = 1_024;

/// What a check looks at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What is seen.
    pub observation: &'a Observation,
    /// What the log declares, at its head.
    pub replicas: &'a Declarations,
    /// What the replicas should hold that no rollout has moved.
    pub target: Target,
    /// What was done.
    pub history: &'a History,
    /// The bounds.
    pub policy: &'a Policy,
}

/// Which replicas a check looks at; hosts are always looked at.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Every declared one.
    All,
    /// Those that changed and those that are suspect; the others are as they were.
    Only(&'a BTreeSet<ReplicaId>),
}

/// A replica that was never seen at all.
static NOT_SEEN: ReplicaSeen = ReplicaSeen {
    look: 0,
    absent_since: None,
    embeds: false,
    memberless_since: None,
    lives: BTreeMap::new(),
};

/// One replica, with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) replica: &'a ReplicaId,
    /// Its declaration; `None` when it can't be read.
    pub(crate) spec: Option<&'a ReplicaSpec>,
    pub(crate) seen: &'a ReplicaSeen,
    pub(crate) past: Option<&'a VecDeque<PastLife>>,
    pub(crate) heals: Option<&'a VecDeque<PastHeal>>,
    /// What it should hold.
    pub(crate) target: Target,
    /// The newest life that may still run.
    pub(crate) life: Option<(Incarnation, &'a Life)>,
}

impl<'a> Case<'a> {
    /// The case of one replica, declared or not.
    pub(crate) fn of(scene: &'a Scene<'a>, replica: &'a ReplicaId) -> Self {
        let seen = scene.observation.replicas.get(replica).unwrap_or(&NOT_SEEN);
        Self {
            scene,
            replica,
            spec: scene.replicas.get(replica).and_then(|spec| spec.as_ref().ok()),
            seen,
            past: scene.history.lives.get(replica),
            heals: scene.history.heals.get(replica),
            target: expected(replica, &scene.target, scene.history),
            life: newest_alive(seen, (replica, scene.history)),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.scene.observation.at
    }

    /// A finding about this replica as such; one about a life of it names that too.
    #[expect(clippy::needless_pass_by_value, reason = "callers have just made it")]
    pub(crate) fn finding(&self, kind: FaultKind, detail: String, evidence: Evidence) -> Finding {
        let subject = Subject::Replica(self.replica.clone());
        // What a program says of itself, and how many there are of something, is not ours to bound elsewhere.
        let detail = cut(&detail, DETAIL_BYTES_MAX);
        Finding { kind, subject, incarnation: None, detail, evidence }
    }

    /// What somebody who knows said, as of the last reading of its nodes.
    pub(crate) fn proven(&self, source: Source) -> Evidence {
        Evidence { source, proof: Proof::Proven, at: self.now(), look: self.seen.look }
    }

    /// That the group lacks a sign of life.
    pub(crate) fn silence(&self) -> Evidence {
        Evidence { source: Source::Group, proof: Proof::Silence, at: self.now(), look: self.seen.look }
    }

    /// Whether a plan is moving it between versions right now, so that what it holds is no fault.
    pub(crate) fn is_being_moved(&self) -> bool {
        let mut plans =
            self.scene.history.open_plans.values().filter(|open| open.status == PlanStatus::Running);
        plans.any(|open| {
            let mut heals = open.plan.heals.iter();
            heals.any(|heal| heal.replica == *self.replica && heal.remedy.is_of_rollout())
        })
    }

    /// The plan that touches it. One that waits for a human has asked for nothing yet, and must not end what it is for.
    pub(crate) fn running_plan(&self) -> Option<&'a OpenPlan> {
        let touches = |open: &&OpenPlan| {
            let runs = open.status == PlanStatus::Running;
            let named = open.plan.heals(self.replica) || open.plan.steps_of(self.replica).next().is_some();
            runs && named
        };
        self.scene.history.open_plans.values().find(touches)
    }

    /// Whether an order to it, of a plan that may be closed already, may still be under way.
    pub(crate) fn is_ordered(&self) -> bool {
        let mut intents = self.scene.history.open_intents.values();
        intents.any(|intent| intent.replica.as_ref() == Some(self.replica))
    }

    /// How long a life may take from its start until it works.
    pub(crate) fn start_budget_ms(&self) -> u64 {
        let timeouts = &self.scene.policy.timeouts;
        timeouts.start_ms.saturating_add(timeouts.probe_ms)
    }

    /// Whether an open plan has just ordered this life, so that it need not work yet.
    pub(crate) fn is_being_started(&self, incarnation: Incarnation) -> bool {
        self.scene.history.open_plans.values().any(|open| {
            open.plan.steps.iter().any(|step| {
                let starts = matches!(step.act, Act::Start { incarnation: it, .. } if it == incarnation);
                starts
                    && open.progress.steps.get(&step.id).is_some_and(|progress| {
                        !matches!(progress.outcome, Some(Outcome::Failed | Outcome::Never))
                            && self.now().since_ms(progress.started_at) <= self.start_budget_ms()
                    })
            })
        })
    }

    /// Whether a life that runs is still allowed to come up.
    pub(crate) fn is_coming_up(&self, incarnation: Incarnation, life: &Life) -> bool {
        let says_so = life.member.as_ref().is_some_and(|member| {
            member.health == Health::Starting && self.now().since_ms(member.since) <= self.start_budget_ms()
        });
        says_so || self.is_being_started(incarnation)
    }
}

fn newest_alive<'a>(seen: &'a ReplicaSeen, of: (&ReplicaId, &History)) -> Option<(Incarnation, &'a Life)> {
    seen.newest(of, |_, life| life.is_alive())
}

/// Visits the declared replicas in `scope`, in order.
///
/// The maps of a scene are walked side by side, because looking each replica
/// up in four maps costs more than assessing a healthy one.
pub(crate) fn each_case<'a>(scene: &'a Scene<'a>, scope: Scope<'a>, mut visit: impl FnMut(&Case<'a>)) {
    let declared: &mut dyn Iterator<Item = (&'a ReplicaId, &'a Result<ReplicaSpec, String>)> = match scope {
        Scope::All => &mut scene.replicas.iter(),
        Scope::Only(some) => &mut some.iter().filter_map(|replica| scene.replicas.get_key_value(replica)),
    };
    let mut seen = Cursor::new(&scene.observation.replicas, scope);
    let mut past = Cursor::new(&scene.history.lives, scope);
    let mut heals = Cursor::new(&scene.history.heals, scope);
    for (replica, spec) in declared {
        let seen = seen.at(replica).unwrap_or(&NOT_SEEN);
        visit(&Case {
            scene,
            replica,
            spec: spec.as_ref().ok(),
            seen,
            past: past.at(replica),
            heals: heals.at(replica),
            target: expected(replica, &scene.target, scene.history),
            life: newest_alive(seen, (replica, scene.history)),
        });
    }
}

/// Finds growing keys in a map: by walking along when all are asked for, else by looking them up.
enum Cursor<'a, V> {
    Walk(Peekable<Iter<'a, ReplicaId, V>>),
    Find(&'a BTreeMap<ReplicaId, V>),
}

impl<'a, V> Cursor<'a, V> {
    fn new(map: &'a BTreeMap<ReplicaId, V>, scope: Scope<'_>) -> Self {
        match scope {
            Scope::All => Self::Walk(map.iter().peekable()),
            Scope::Only(_) => Self::Find(map),
        }
    }

    fn at(&mut self, replica: &ReplicaId) -> Option<&'a V> {
        match self {
            Self::Find(map) => map.get(replica),
            Self::Walk(iter) => {
                while iter.next_if(|(key, _)| *key < replica).is_some() {}
                iter.next_if(|(key, _)| *key == replica).map(|(_, value)| value)
            }
        }
    }
}
