//! Refusal: a typed reason for not acting. "No" is data: it is stored, printed and shown.

pub mod news;
mod sentence;
mod word;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::blame::Blame;
use crate::finding::{FaultKind, Subject};
use crate::ids::{GoalId, HostId, PlanId, ReplicaId, Time, Version};
use crate::policy::Remedy;

/// Why nothing is done about a convicted fault, or about the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whom it concerns; `None` for the whole cluster.
    pub subject: Option<Subject>,
    /// Why.
    pub reason: Reason,
}

/// See [`Refusal`]. Each variant is a situation; `Display` of the refusal is the sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// The observer can't see.
    Blind {
        /// Since when.
        since: Time,
        /// Why not.
        why: String,
    },
    /// An operator has paused the cluster.
    Paused {
        /// Who.
        by: String,
        /// Why.
        why: String,
        /// Until when; `None` is until resumed.
        until: Option<Time>,
    },
    /// The replica or its host is held for maintenance.
    Held {
        /// The replica or host.
        target: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// It is quarantined: a human must look.
    Quarantined {
        /// Why it was.
        why: String,
    },
    /// Touching it would leave too few serving.
    WouldDisturb {
        /// Who is disturbed already, at most [`NAMES_MAX`] of them.
        disturbed: Vec<ReplicaId>,
        /// How many more are.
        #[serde(default, skip_serializing_if = "is_none")]
        more: usize,
        /// How many may be.
        max: usize,
    },
    /// Enough heals are under way.
    Busy {
        /// How many are.
        healing: usize,
        /// How many may be.
        max: usize,
    },
    /// As many are dealt with in this plan as one may hold; the next one follows at once.
    PlanFull {
        /// How many are.
        healing: usize,
    },
    /// A step of another plan may still touch it.
    PlanOpen {
        /// Which plan.
        plan: PlanId,
    },
    /// The agent that an old leader gave orders to is not sealed yet.
    Unsealed {
        /// The agent.
        agent: String,
    },
    /// The next try is not due.
    BackingOff {
        /// When it is.
        until: Time,
        /// How many tries there were.
        tries: u32,
    },
    /// What was ordered was not begun, or failed by another's fault; it is no try, and is ordered again.
    NotBegun {
        /// When.
        until: Time,
        /// How often in a row.
        times: u32,
        /// Whose fault it was the last time.
        blame: Blame,
        /// What was said then.
        why: String,
    },
    /// Many vanished at once without proof of death.
    Storm {
        /// How many.
        vanished: usize,
        /// Of how many.
        total: usize,
        /// What is still awaited.
        awaiting: StormAwaits,
    },
    /// What it is convicted of is no longer what is seen.
    Outdated {
        /// The fault.
        fault: FaultKind,
    },
    /// It dies again and again, but runs now and has tries left.
    Flapping {
        /// Tries since the last quiet.
        tries: u32,
        /// Tries before it is quarantined.
        max: u32,
    },
    /// Nothing that a watchdog can do heals this.
    NoRemedy {
        /// The fault.
        fault: FaultKind,
    },
    /// It must be killed first, and the agent that could do so is not there.
    Unreachable {
        /// The host of that agent.
        host: HostId,
    },
    /// A lease may still run on the silent host.
    LeaseRunning {
        /// On which host.
        host: HostId,
        /// Until when.
        until: Time,
    },
    /// The lease is over, but a paused machine defeats any guardian, so that only a fence or a human can say that it is dead.
    NotFenced {
        /// Which host.
        host: HostId,
    },
    /// Its main process is proven dead and the rest of it is not, so that of an exclusive one a part may still run.
    TreeNotGone {
        /// On which host.
        host: HostId,
    },
    /// No host that may run it is there.
    NoHost {
        /// Those that may, at most [`NAMES_MAX`] of them.
        allowed: Vec<HostId>,
        /// How many more may.
        #[serde(default, skip_serializing_if = "is_none")]
        more: usize,
    },
    /// Nothing is stable yet, so there is nothing to return to.
    NoStableVersion,
    /// The replica is not declared at the head of the log.
    NotDeclared,
    /// Its declaration can't be read.
    BadDeclaration {
        /// Why not.
        why: String,
    },
    /// Policy says to look only, or to ask first.
    Autonomy {
        /// Which remedy.
        remedy: Remedy,
        /// Whether a human may approve it.
        approvable: bool,
    },
    /// The journal lacks what the coordination service says it must hold.
    JournalBehind {
        /// What the journal has.
        journal: Version,
        /// What it must have.
        expected: Version,
    },
    /// A human said no to it.
    Declined {
        /// What it would have been.
        remedy: Remedy,
        /// In which plan.
        plan: PlanId,
    },
    /// A replica failed on the candidate and on the stable version too, so that its host is to blame and not the candidate.
    RolloutHeld {
        /// Of which goal.
        goal: GoalId,
        /// Which replica.
        replica: ReplicaId,
        /// On which host.
        host: Option<HostId>,
        /// What went wrong on the stable version.
        why: String,
    },
    /// A replica can't be moved now, and nothing becomes stable without it.
    RolloutWaits {
        /// Of which goal.
        goal: GoalId,
        /// For which replica.
        replica: ReplicaId,
        /// Why it can't be moved.
        why: String,
    },
    /// No replica is declared that could hold a version and prove it.
    Unprovable {
        /// Of which goal.
        goal: GoalId,
        /// Which version.
        version: Version,
    },
    /// What must be appended for a goal, or taken back, can't be.
    ErrandFailed {
        /// For which goal; `None` when what was stable was doubted.
        goal: Option<GoalId>,
        /// Why not.
        why: String,
    },
    /// It takes the place of one that leaves, which is not gone yet.
    PlaceTaken {
        /// By which replica.
        by: ReplicaId,
        /// On which host.
        host: HostId,
    },
    /// The goal that rolls brings it to its version, because it can't come up on the stable one, or is new.
    LeftToGoal {
        /// Which goal.
        goal: GoalId,
    },
    /// It is not well where it is, so that it is not moved anywhere.
    NotWell,
    /// The linter found that the plan would break an invariant.
    Vetoed {
        /// What it said.
        objection: String,
    },
}

/// What a storm still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StormAwaits {
    /// The leader's own fenced write after they vanished.
    FencedWrite,
    /// The lease of the missing sessions.
    Lease,
    /// At least half of all hosts.
    Hosts,
}

impl fmt::Display for StormAwaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FencedWrite => "this leader's own writes commit again",
            Self::Lease => "their sessions have been gone for longer than a lease",
            Self::Hosts => "at least half of the hosts are seen",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            write!(f, "{subject}: ")?;
        }
        write!(f, "{}", self.reason)
    }
}

/// A refusal names no more than so many, so that those of a whole cluster do not grow with its square.
pub const NAMES_MAX: usize = 5;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_none(more: &usize) -> bool {
    *more == 0
}

/// Some of these, and how many there are beside them.
pub fn few<T>(all: impl IntoIterator<Item = T>) -> (Vec<T>, usize) {
    let mut all = all.into_iter();
    let named = all.by_ref().take(NAMES_MAX).collect();
    (named, all.count())
}

/// These names, and how many more there are.
fn list<T: fmt::Display>(items: &[T], more: usize) -> String {
    let words = items.iter().map(ToString::to_string);
    let rest = (more > 0).then(|| format!("and {more} more"));
    let words: Vec<String> = words.chain(rest).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Reason {
    /// What stands in the way, when it has a name: a host, a plan, an agent, an operator.
    pub fn culprit(&self) -> Option<String> {
        match self {
            Self::Paused { by, .. } | Self::Held { by, .. } => Some(by.clone()),
            Self::WouldDisturb { disturbed, more, .. } => Some(list(disturbed, *more)),
            Self::PlanOpen { plan } | Self::Declined { plan, .. } => Some(plan.to_string()),
            Self::Unsealed { agent } => Some(agent.clone()),
            Self::LeaseRunning { host, .. }
            | Self::NotFenced { host }
            | Self::TreeNotGone { host }
            | Self::Unreachable { host } => Some(host.to_string()),
            Self::NoHost { allowed, more } => Some(list(allowed, *more)),
            Self::RolloutHeld { replica, .. } | Self::RolloutWaits { replica, .. } => {
                Some(replica.to_string())
            }
            Self::PlaceTaken { by, .. } => Some(by.to_string()),
            Self::LeftToGoal { goal } => Some(goal.to_string()),
            Self::NotBegun { blame, .. } => Some(blame.to_string()),
            Self::Blind { .. }
            | Self::Quarantined { .. }
            | Self::Busy { .. }
            | Self::PlanFull { .. }
            | Self::BackingOff { .. }
            | Self::Storm { .. }
            | Self::Outdated { .. }
            | Self::Flapping { .. }
            | Self::NoRemedy { .. }
            | Self::NoStableVersion
            | Self::NotDeclared
            | Self::BadDeclaration { .. }
            | Self::Autonomy { .. }
            | Self::JournalBehind { .. }
            | Self::Unprovable { .. }
            | Self::ErrandFailed { .. }
            | Self::NotWell
            | Self::Vetoed { .. } => None,
        }
    }
}
