//! Audit: who watches whether the invariants hold, by what truly happens and not by what anybody sees; one a file.

mod agree;
mod anew;
mod backoff;
mod blind;
mod budget;
mod canary;
mod closed;
mod convicted;
mod exclusive;
mod fenced;
mod forgotten;
mod fresh;
mod ghost;
mod held;
mod innocent;
mod instance;
mod intent;
mod lease;
mod loops;
mod older_epoch;
mod once;
mod parallel;
mod paused;
mod proof;
mod quarantined;
mod reasons;
mod rejected;
mod right_process;
mod sealed;
mod sent;
mod stable;
mod storm;
mod true_obituary;
mod unconfirmed;
mod verified;
mod written_once;

use std::collections::BTreeMap;
use std::rc::Rc;

use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Time};
use watchdog_core::plan::{Agent, Plan, PlanStatus, Step};
use watchdog_core::policy::Policy;
use watchdog_core::record::{Body, Entry};

use crate::dog::Dog;
use crate::fact::Fact;
use crate::host::Host;
use crate::journal::Journal;
use crate::life::Life;
use crate::net::Node;
use crate::setup::Setup;
use crate::zoo::Zoo;

/// What a check saw is judged within so much time.
pub(crate) const JUDGED_AFTER_MS: u64 = 100;

/// Everything that is true.
#[derive(Clone, Copy)]
pub struct Truth<'a> {
    /// When.
    pub now: u64,
    /// What the seed made.
    pub setup: &'a Setup,
    /// The coordination service.
    pub zoo: &'a Zoo,
    /// The journal.
    pub journal: &'a Journal,
    /// The hosts.
    pub hosts: &'a [Host],
    /// The processes.
    pub lives: &'a BTreeMap<Incarnation, Life>,
    /// The watchdogs.
    pub dogs: &'a [Dog],
    /// By how much clocks differ.
    pub clocks: &'a BTreeMap<Node, i64>,
    /// When clocks jumped, and by how much.
    pub jumps: &'a [(u64, u64)],
}

impl Truth<'_> {
    /// The policy at the head of the log.
    pub fn policy(&self) -> Rc<Policy> {
        Rc::clone(&self.journal.policy)
    }

    /// The replicas that are declared at the head of the log.
    pub fn declared(&self) -> &[ReplicaId] {
        &self.journal.declared
    }

    /// Whether a human looked after a replica then, which the end of a hold is not.
    pub fn looked_after(&self, replica: &ReplicaId, at: Time) -> bool {
        self.journal.folded.released.get(replica) == Some(&at)
    }

    /// How long a time is at least, in truth, that a watchdog's clock tells to be so long.
    pub fn at_least(&self, told_ms: u64) -> u64 {
        told_ms * 10 / 11
    }

    /// How far the clocks of two machines are apart at most.
    pub fn skew_ms(&self) -> u64 {
        // Nobody is compared with a clock that is hours off.
        let near = |off: &i64| off.unsigned_abs() < 20 * 60_000;
        let off = || self.clocks.values().copied().filter(near).chain([0]);
        off().max().unwrap_or_default().abs_diff(off().min().unwrap_or_default())
    }

    /// By how much time, as some clock tells it, may differ from the true one over the last minute.
    pub fn astray_ms(&self) -> u64 {
        let recent = self.jumps.iter().rev().take_while(|(at, _)| self.now - at < 60_000);
        self.skew_ms() + recent.map(|(_, ms)| ms).sum::<u64>()
    }

    /// The processes of a replica.
    pub fn lives_of<'b>(&'b self, replica: &'b ReplicaId) -> impl Iterator<Item = &'b Life> {
        self.lives.values().filter(move |life| life.replica == *replica)
    }

    /// Since when the agent of a host has no session; `None` when it has one.
    pub fn silent_since(&self, host: &HostId) -> Option<u64> {
        if self.zoo.hosts.contains_key(host) {
            return None;
        }
        Some(self.zoo.gone.get(host).copied().unwrap_or_default())
    }
}

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// By the word of which audit.
    pub audit: &'static str,
    /// When.
    pub at: u64,
    /// What happened, in one sentence.
    pub what: String,
    /// The known mistake that it comes from.
    pub known: Option<&'static str>,
}

/// One invariant.
pub(crate) trait Audit {
    /// Its name.
    fn name(&self) -> &'static str;

    /// The mistake that it finds and that is not mended yet; then it ends only runs that ask for it.
    fn known(&self) -> Option<&'static str> {
        None
    }

    /// Hears what happened; answers what is wrong with it.
    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String>;
}

/// All of them.
pub struct Audits(Vec<Box<dyn Audit>>);

impl Default for Audits {
    fn default() -> Self {
        Self(vec![
            Box::<fenced::Fenced>::default(),
            Box::<written_once::WrittenOnce>::default(),
            Box::<intent::Intent>::default(),
            Box::<instance::Instance>::default(),
            Box::<once::Once>::default(),
            Box::<older_epoch::OlderEpoch>::default(),
            Box::<sealed::Sealed>::default(),
            Box::<unconfirmed::Unconfirmed>::default(),
            Box::<anew::Anew>::default(),
            Box::<fresh::Fresh>::default(),
            Box::<forgotten::Forgotten>::default(),
            Box::<ghost::Ghost>::default(),
            Box::<true_obituary::TrueObituary>::default(),
            Box::<right_process::RightProcess>::default(),
            Box::<exclusive::Exclusive>::default(),
            Box::<proof::Proof>::default(),
            Box::<lease::Lease>::default(),
            Box::<budget::Budget>::default(),
            Box::<sent::Sent>::default(),
            Box::<parallel::Parallel>::default(),
            Box::<loops::Loops>::default(),
            Box::<backoff::Backoff>::default(),
            Box::<convicted::Convicted>::default(),
            Box::<storm::Storm>::default(),
            Box::<blind::Blind>::default(),
            Box::<paused::Paused>::default(),
            Box::<held::Held>::default(),
            Box::<quarantined::Quarantined>::default(),
            Box::<stable::Stable>::default(),
            Box::<rejected::Rejected>::default(),
            Box::<innocent::Innocent>::default(),
            Box::<canary::Canary>::default(),
            Box::<verified::Verified>::default(),
            Box::<reasons::Reasons>::default(),
            Box::<closed::Closed>::default(),
            Box::<agree::Agree>::default(),
        ])
    }
}

impl Audits {
    /// Tells all of them; answers the first complaint.
    pub(crate) fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<Violation> {
        let mut first: Option<Violation> = None;
        for audit in &mut self.0 {
            if let Some(what) = audit.hear(fact, truth) {
                let known = audit.known();
                let found = Violation { audit: audit.name(), at: truth.now, what, known };
                // One that is not known goes before one that is.
                match &first {
                    Some(before) if before.known.is_none() || known.is_some() => {}
                    _ => first = Some(found),
                }
            }
        }
        first
    }
}

/// A plan that begins to act with this entry: because it is recorded as running, or was approved.
pub(crate) fn begins<'a>(fact: &'a Fact<'_>, truth: &'a Truth<'_>) -> Option<(&'a Plan, &'a Entry)> {
    let Fact::Committed { entry, .. } = fact else { return None };
    match &entry.body {
        Body::PlanRecorded { plan, status: PlanStatus::Running } => Some((plan, entry)),
        Body::PlanStatus { plan, status: PlanStatus::Running, .. } => {
            truth.journal.folded.open_plans.get(plan).map(|open| (&open.plan, *entry))
        }
        _ => None,
    }
}

/// A step that is sent, and the plan that it is of.
pub(crate) fn sent<'a>(fact: &Fact<'_>, truth: &'a Truth<'_>) -> Option<(&'a Plan, &'a Step)> {
    let Fact::Sent { step, .. } = fact else { return None };
    let plans = truth.journal.folded.open_plans.values().map(|open| &open.plan);
    let mut steps = plans.flat_map(|plan| plan.steps.iter().map(move |it| (plan, it)));
    steps.find(|(_, it)| it.id == **step)
}

/// The hosts whose agents a plan uses.
pub(crate) fn hosts_of(plan: &Plan) -> impl Iterator<Item = HostId> + '_ {
    plan.steps.iter().filter_map(|step| match step.agent() {
        Agent::Host(host) => Some(host),
        Agent::Replica(..) | Agent::Leader => None,
    })
}
