//! Report: what became of a step by an agent's word, and what is written about it.
//!
//! ```text
//! report ──► a host agent's, of unknown fate ──► in doubt: that agent is asked until it is known
//!        └─► anything else ──► entries, told again until the record holds them
//! ```

use serde_json::Value;
use watchdog_core::blame::Blame;
use watchdog_core::history::History;
use watchdog_core::ids::{PlanId, StepId};
use watchdog_core::observation::Obituary;
use watchdog_core::plan::{Agent, Outcome, Step};
use watchdog_core::record::Body;

use crate::obituaries::may_bring;

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its fate.
    pub outcome: Outcome,
    /// What the agent said, when it did not work.
    pub error: Option<String>,
    /// The picture that it took.
    pub snapshot: Option<Value>,
    /// The proof of death that it brought.
    pub obituary: Option<Obituary>,
    /// Whose it is, where that was said.
    pub blame: Option<Blame>,
}

impl Report {
    /// One that worked.
    pub fn done() -> Self {
        Self { outcome: Outcome::Done, error: None, snapshot: None, obituary: None, blame: None }
    }

    /// One that did not work, or whose fate is unknown.
    pub fn of(outcome: Outcome, error: impl Into<String>) -> Self {
        Self { outcome, error: Some(error.into()), ..Self::done() }
    }

    /// The same, with whose it is.
    #[must_use]
    pub fn blaming(self, blame: Blame) -> Self {
        Self { blame: Some(blame), ..self }
    }

    /// What is to be written about `step`, or why it is to be asked what became of it: a host agent that did not answer
    /// may still come upon it, unless it gives it up.
    ///
    /// # Errors
    ///
    /// The doubt.
    pub fn settle(self, plan: PlanId, step: &Step, past: &History) -> Result<Vec<Body>, String> {
        let agent = step.agent();
        if self.outcome == Outcome::Unknown && matches!(agent, Agent::Host(_)) {
            return Err(self.error.unwrap_or_default());
        }
        let mut bodies = Vec::new();
        let died = self.obituary.filter(|obituary| may_bring(&agent, obituary, past));
        bodies.extend(died.map(|obituary| Body::Died { obituary }));
        if let (Some(snapshot), Some(replica), Some(incarnation)) =
            (self.snapshot, &step.replica, step.act.incarnation())
        {
            let (plan, replica) = (plan.clone(), replica.clone());
            bodies.push(Body::SnapshotFiled { plan, step: step.id.clone(), replica, incarnation, snapshot });
        }
        let Self { outcome, error, blame, .. } = self;
        bodies.push(Body::Closed { plan, step: step.id.clone(), outcome, error, blame });
        Ok(bodies)
    }
}

/// The ends of steps that are not in the record yet; a write may be refused, and then they are told again.
#[derive(Debug, Default)]
pub struct Ends(Vec<(StepId, Vec<Body>)>);

impl Ends {
    /// One more.
    pub fn add(&mut self, step: StepId, bodies: Vec<Body>) {
        self.0.push((step, bodies));
    }

    /// What the record does not hold yet; it is kept until it does. Who died at its order was closed when it was seen dead.
    pub fn unwritten(&mut self, past: &History) -> Vec<Body> {
        self.0.retain(|(step, _)| past.open_intents.contains_key(step));
        self.0.iter().flat_map(|(_, bodies)| bodies.clone()).collect()
    }
}
