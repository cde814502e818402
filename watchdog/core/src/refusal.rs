//! Refusal: a typed reason for not acting. "No" is data: it is stored, printed and shown.

use std::fmt;

use serde::{Deserialize, Serialize};

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
        /// Who is disturbed already.
        disturbed: Vec<ReplicaId>,
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
    /// No host that may run it is there.
    NoHost {
        /// Those that may.
        allowed: Vec<HostId>,
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind { why, .. } => write!(f, "holding, because this watchdog can't see: {why}"),
            Self::Paused { by, why, until: None } => write!(f, "paused by {by}: {why}"),
            Self::Paused { by, why, until: Some(_) } => write!(f, "paused by {by} for a time: {why}"),
            Self::Held { target, by, why } => write!(f, "{target} is held by {by}: {why}"),
            Self::Quarantined { why } => write!(f, "quarantined until released: {why}"),
            Self::WouldDisturb { disturbed, max } => {
                write!(f, "touching it would disturb more than {max}: already disturbed: {}", list(disturbed))
            }
            Self::Busy { healing, max } => {
                write!(f, "{healing} heals are under way, {max} are allowed at once")
            }
            Self::PlanOpen { plan } => write!(f, "plan {plan} is dealing with it"),
            Self::Unsealed { agent } => {
                write!(f, "an earlier leader's order may still be under way at {agent}, not sealed yet")
            }
            Self::BackingOff { tries, .. } => write!(f, "backing off after {tries} tries"),
            Self::Storm { vanished, total, awaiting } => write!(
                f,
                "{vanished} of {total} vanished together without proof of death; held until {awaiting}, or `storm release`"
            ),
            Self::Outdated { fault } => {
                write!(f, "convicted as {fault}, but that is not what is seen now; looking again")
            }
            Self::Flapping { tries, max } => {
                write!(f, "it dies again and again; it runs now, after {tries} of {max} tries")
            }
            Self::NoRemedy { fault } => write!(f, "{fault} can't be healed from here"),
            Self::Unreachable { host } => {
                write!(f, "it must be killed first, and the agent of {host} is not there to do it")
            }
            Self::LeaseRunning { host, .. } => {
                write!(f, "it may still run on {host}, whose lease has not run out")
            }
            Self::NotFenced { host } => write!(
                f,
                "it is exclusive and {host} is silent; the lease is over, but without a fence only a human can confirm that it is dead"
            ),
            Self::NoHost { allowed } => {
                write!(f, "none of the hosts that may run it is there: {}", list(allowed))
            }
            Self::NoStableVersion => {
                f.write_str("nothing is stable yet, so there is nothing to return to; a human must decide")
            }
            Self::NotDeclared => f.write_str("it runs, but the log does not declare it"),
            Self::BadDeclaration { why } => write!(f, "its declaration can't be read: {why}"),
            Self::Autonomy { remedy, approvable: true } => {
                write!(f, "{} awaits approval, as policy says", remedy.word())
            }
            Self::Autonomy { remedy, approvable: false } => {
                write!(f, "{} is only observed, as policy says", remedy.word())
            }
            Self::JournalBehind { journal, expected } => write!(
                f,
                "the journal ends at version {journal}, but version {expected} was committed: it was restored from an older backup"
            ),
            Self::Declined { remedy, plan } => write!(
                f,
                "{} was declined with plan {plan}; it is not asked again before the fault is gone, or `release`",
                remedy.word()
            ),
            Self::RolloutHeld { goal, replica, host, why } => {
                let host = host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
                write!(
                    f,
                    "goal {goal} is held: {replica} fails{host} on the stable version too ({why}), so the candidate is not to blame; look after it and `release {replica}`, or `goal withdraw {goal}`"
                )
            }
            Self::RolloutWaits { goal, replica, why } => write!(f, "goal {goal} waits for {replica}: {why}"),
            Self::NotWell => f.write_str("it is not well where it is"),
            Self::Vetoed { objection } => write!(f, "the plan was vetoed: {objection}"),
        }
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Reason {
    /// What stands in the way, when it has a name: a host, a plan, an agent, an operator.
    pub fn culprit(&self) -> Option<String> {
        match self {
            Self::Paused { by, .. } | Self::Held { by, .. } => Some(by.clone()),
            Self::WouldDisturb { disturbed, .. } => Some(list(disturbed)),
            Self::PlanOpen { plan } | Self::Declined { plan, .. } => Some(plan.to_string()),
            Self::Unsealed { agent } => Some(agent.clone()),
            Self::LeaseRunning { host, .. } | Self::NotFenced { host } | Self::Unreachable { host } => {
                Some(host.to_string())
            }
            Self::NoHost { allowed } => Some(list(allowed)),
            Self::RolloutHeld { replica, .. } | Self::RolloutWaits { replica, .. } => {
                Some(replica.to_string())
            }
            Self::Blind { .. }
            | Self::Quarantined { .. }
            | Self::Busy { .. }
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
            | Self::NotWell
            | Self::Vetoed { .. } => None,
        }
    }
}
