//! Objection: an invariant that a plan would break, as a type and a sentence.

use crate::ids::{Epoch, HostId, Incarnation, PlanId, ReplicaId, StepId, Version};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// More replicas would be disturbed than policy allows while a serving one is touched.
    #[error("{} replicas would be disturbed and {max} may be: {}", .disturbed.len(), list(.disturbed))]
    TooManyDisturbed {
        /// Who would be.
        disturbed: Vec<ReplicaId>,
        /// How many may be.
        max: usize,
    },
    /// More replicas would be healed at once than policy allows.
    #[error("{healing} replicas would be healed at once and {max} may be")]
    TooManyHeals {
        /// How many would be.
        healing: usize,
        /// How many may be.
        max: usize,
    },
    /// A replica was healed as often within an hour as policy allows.
    #[error("{replica} was healed {heals} times within an hour and {max} are allowed")]
    TooOften {
        /// Which.
        replica: ReplicaId,
        /// How often.
        heals: usize,
        /// How often it may be.
        max: u32,
    },
    /// A step touches a replica that the plan does not say it heals, or says it wrongly, so that it would not be counted.
    #[error("{replica} is touched, but the plan does not count it as what it is")]
    Uncounted {
        /// Which.
        replica: ReplicaId,
    },
    /// Nothing is wrong with a replica that is touched.
    #[error("{replica} is touched, but not convicted of anything")]
    NotConvicted {
        /// Which.
        replica: ReplicaId,
    },
    /// The log does not declare a replica that is touched, or not so that it can be read.
    #[error("{replica} is touched, but not declared")]
    NotDeclared {
        /// Which.
        replica: ReplicaId,
    },
    /// A life was ordered, and the record holds no proof of its death, when another is started.
    #[error("{replica} would be started while nothing proves that {incarnation}, ordered on {host}, is dead")]
    NotProvenDead {
        /// Which replica.
        replica: ReplicaId,
        /// Which life.
        incarnation: Incarnation,
        /// Where.
        host: HostId,
    },
    /// A life of a replica may still run when another is started.
    #[error("{replica} would be started while {incarnation} may still run on {host}")]
    MayStillRun {
        /// Which replica.
        replica: ReplicaId,
        /// Which life.
        incarnation: Incarnation,
        /// Where.
        host: HostId,
    },
    /// Many replicas of which nobody knows what became would be started at once by an observer that may be cut off.
    #[error(
        "{replicas} replicas that vanished silently would be started at once, without proof that it is not us who are cut off"
    )]
    MassSilence {
        /// How many.
        replicas: usize,
    },
    /// A step acts on a life that is not known there.
    #[error("step {step} acts on {incarnation}, which is no known life of its replica at that place")]
    UnknownLife {
        /// Which step.
        step: StepId,
        /// Which life.
        incarnation: Incarnation,
    },
    /// The cluster is paused.
    #[error("the cluster is paused: {why}")]
    Paused {
        /// Why.
        why: String,
    },
    /// The observer can't see.
    #[error("this watchdog can't see: {why}")]
    Blind {
        /// Why not.
        why: String,
    },
    /// Something stands in the way of the whole cluster or of one that is touched.
    #[error("{obstacle}")]
    Obstacle {
        /// What.
        obstacle: String,
    },
    /// A replica or host that is touched is held.
    #[error("{target} is held: {why}")]
    Held {
        /// The replica or host.
        target: String,
        /// Why.
        why: String,
    },
    /// A replica that is touched is quarantined.
    #[error("{replica} is quarantined")]
    Quarantined {
        /// Which.
        replica: ReplicaId,
    },
    /// An agent that may still carry out an earlier leader's order would be used, or what it may touch would be.
    #[error("step {step} concerns {agent}, which has not taken our epoch")]
    Unsealed {
        /// Which step.
        step: StepId,
        /// Which agent.
        agent: String,
    },
    /// Another plan may still touch the same replica.
    #[error("{replica} is being dealt with by plan {plan}")]
    Overlap {
        /// Which replica.
        replica: ReplicaId,
        /// Which plan.
        plan: PlanId,
    },
    /// A replica would be started where it may not live.
    #[error("{replica} may not live on {host}")]
    HostNotAllowed {
        /// Which replica.
        replica: ReplicaId,
        /// Where.
        host: HostId,
    },
    /// A host whose agent is not there would have to act.
    #[error("step {step} needs the agent of {host}, which is not there")]
    HostAbsent {
        /// Which step.
        step: StepId,
        /// Which host.
        host: HostId,
    },
    /// A version other than the target would be started, loaded or marked.
    #[error("step {step} is for version {version} instead of {target}")]
    WrongVersion {
        /// Which step.
        step: StepId,
        /// For which.
        version: Version,
        /// For which it should be.
        target: Version,
    },
    /// A start would reuse an incarnation.
    #[error("step {step} would start {incarnation}, which is not fresh")]
    NotFresh {
        /// Which step.
        step: StepId,
        /// Which life.
        incarnation: Incarnation,
    },
    /// The plan is not of this term.
    #[error("the plan is of epoch {theirs}, and epoch {ours} leads")]
    WrongEpoch {
        /// Of which it is.
        theirs: Epoch,
        /// Which leads.
        ours: Epoch,
    },
    /// An id is not the plan's own or was used before.
    #[error("id {id} is not a fresh one of epoch {epoch}")]
    WrongId {
        /// Which.
        id: String,
        /// Which leads.
        epoch: Epoch,
    },
    /// The plan does nothing.
    #[error("the plan has no steps")]
    Empty,
    /// A process would be destroyed without a picture of it.
    #[error("step {step} destroys a process of which no picture is taken before")]
    NoSnapshot {
        /// Which step.
        step: StepId,
    },
    /// A heal does not end by looking whether it helped.
    #[error("the heal of {replica} does not end by looking whether it helped")]
    NotVerified {
        /// Of whom.
        replica: ReplicaId,
    },
    /// A replica would be brought to a candidate before its turn.
    #[error("{replica} would be brought to the candidate, but {why}")]
    NotItsTurn {
        /// Which.
        replica: ReplicaId,
        /// Why it is not its turn.
        why: &'static str,
    },
    /// A version would be given up without proof, or for one that was never proven.
    #[error("version {version} would be rejected without proof")]
    Unproven {
        /// Which.
        version: Version,
    },
    /// A replica would be given up although nothing was begun on it.
    #[error("{replica} would be given up, and no act on it was begun since it was last released")]
    Untouched {
        /// Which.
        replica: ReplicaId,
    },
    /// A version would become stable that nothing was started on.
    #[error("nothing was started on the version and seen well, so that nothing proves that it can be")]
    NeverStarted,
    /// A version would become stable although no replica is declared that could have held it.
    #[error("no replica is declared that could have proven the version")]
    NobodySoaked,
    /// A version would become stable that a replica has not held, healthy, for the whole soak.
    #[error("{replica} has not held the version, healthy, for the whole soak")]
    NotSoaked {
        /// Which replica.
        replica: ReplicaId,
    },
}

impl Objection {
    /// Whether it lies in something that passes while the plan stays right: others that are disturbed, a pause, a hold, an
    /// agent that is not sealed yet.
    pub fn passes(&self) -> bool {
        match self {
            Self::TooManyDisturbed { .. }
            | Self::TooManyHeals { .. }
            | Self::MassSilence { .. }
            | Self::Paused { .. }
            | Self::Blind { .. }
            | Self::Obstacle { .. }
            | Self::Held { .. }
            | Self::Unsealed { .. }
            | Self::Overlap { .. } => true,
            Self::TooOften { .. }
            | Self::Uncounted { .. }
            | Self::NotConvicted { .. }
            | Self::NotDeclared { .. }
            | Self::NotProvenDead { .. }
            | Self::MayStillRun { .. }
            | Self::UnknownLife { .. }
            | Self::Quarantined { .. }
            | Self::HostNotAllowed { .. }
            | Self::HostAbsent { .. }
            | Self::WrongVersion { .. }
            | Self::NotFresh { .. }
            | Self::WrongEpoch { .. }
            | Self::WrongId { .. }
            | Self::Empty
            | Self::NoSnapshot { .. }
            | Self::NotVerified { .. }
            | Self::NotItsTurn { .. }
            | Self::Unproven { .. }
            | Self::Untouched { .. }
            | Self::NeverStarted
            | Self::NobodySoaked
            | Self::NotSoaked { .. } => false,
        }
    }
}

fn list(replicas: &[ReplicaId]) -> String {
    let (named, more) = crate::refusal::few(replicas.iter().map(ToString::to_string));
    let rest = (more > 0).then(|| format!("and {more} more"));
    named.into_iter().chain(rest).collect::<Vec<_>>().join(", ")
}
