//! Fact: what truly happened, as the audits hear it.

use watchdog_core::finding::Conviction;
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, Incarnation, PlanId, ReplicaId, StepId};
use watchdog_core::plan::{Act, Agent, Plan};
use watchdog_core::record::Entry;
use watchdog_core::refusal::Refusal;

use crate::life::Life;
use crate::order::Order;

/// An act that takes effect.
#[derive(Debug)]
pub struct Effect<'a> {
    /// Who carries it out.
    pub agent: &'a Agent,
    /// The instance that does.
    pub instance: String,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Of which plan.
    pub plan: &'a PlanId,
    /// Which step.
    pub step: &'a StepId,
    /// Whom it touches.
    pub replica: &'a ReplicaId,
    /// What is done.
    pub act: &'a Act,
}

impl<'a> Effect<'a> {
    /// The effect of an order at this instance.
    pub fn of(order: &'a Order, instance: String) -> Self {
        let Order { agent, epoch, plan, step, replica, act, .. } = order;
        Self { agent, instance, epoch: *epoch, plan, step, replica, act }
    }
}

/// Something that truly happened.
#[derive(Debug)]
pub enum Fact<'a> {
    /// An entry of the record was committed, under this ticket.
    Committed {
        /// The entry.
        entry: &'a Entry,
        /// The request that it came with; 0 for the opening of a term.
        ticket: u64,
    },
    /// A leader sends a step.
    Sent {
        /// Which watchdog.
        dog: usize,
        /// Under which epoch.
        epoch: Epoch,
        /// Which step.
        step: &'a StepId,
    },
    /// An act takes effect.
    Acts(Effect<'a>),
    /// An agent has taken an epoch.
    Sealed {
        /// Which agent.
        agent: &'a Agent,
        /// Which instance of it.
        instance: &'a str,
        /// Which epoch.
        epoch: Epoch,
        /// The steps that it says are under way.
        running: Vec<StepId>,
    },
    /// A process begins.
    Born {
        /// Which.
        life: &'a Life,
    },
    /// A process has ended.
    Died {
        /// Which.
        life: &'a Life,
    },
    /// A kill reaches a process.
    Kills {
        /// The life that was to end.
        wanted: Incarnation,
        /// The life whose process it reaches.
        hit: Incarnation,
    },
    /// A host agent declares a life dead.
    Buried {
        /// Which.
        incarnation: Incarnation,
    },
    /// A leader has decided.
    Judged(Judged<'a>),
    /// A watchdog has stopped leading, or was never seen to.
    Stopped {
        /// Which.
        dog: usize,
    },
}

/// What a leader made of what it saw.
#[derive(Debug)]
pub struct Judged<'a> {
    /// Which watchdog.
    pub dog: usize,
    /// When it looked; it may have been stopped since.
    pub seen_at: u64,
    /// What is wrong for sure.
    pub convictions: &'a [Conviction],
    /// The history as it will be.
    pub history: &'a History,
    /// What is not done, and why.
    pub refusals: &'a [Refusal],
    /// What will be done.
    pub plan: Option<&'a Plan>,
}
