//! Assemble: makes one plan of the treatments that were chosen.

use crate::finding::Conviction;
use crate::ids::{PlanId, ReplicaId};
use crate::input::PlanInput;
use crate::plan::{Heal, Plan, PlanStatus};
use crate::policy::{Autonomy, Policy, Remedy};
use crate::record::ENTRY_BYTES_MAX;
use crate::refusal::Reason;
use crate::safety::{self, Leaving};

use super::case::Case;
use super::draft::Draft;

/// What one replica gets.
#[derive(Debug, Clone)]
pub struct Treatment<'a> {
    /// Who, and why.
    pub case: Case<'a>,
    /// Which rung.
    pub remedy: Remedy,
    /// What is done.
    pub steps: Vec<Draft>,
    /// Whether it serves, so that it costs budget to touch it.
    pub serving: bool,
}

impl Treatment<'_> {
    /// Whether it leaves a version that was given up; only a load may be live.
    pub fn leaving(&self) -> Leaving {
        match safety::leaves_bad_state(&self.case) {
            Leaving::BadLive if self.remedy != Remedy::Load => Leaving::Bad,
            leaving => leaving,
        }
    }

    fn heal(&self) -> Heal {
        let disturbs = self.serving && self.remedy != Remedy::Quarantine;
        Heal { replica: self.case.replica.clone(), remedy: self.remedy, since: self.case.since(), disturbs }
    }

    fn sentence(&self) -> String {
        let fault = self.case.fault().map_or("fault", crate::finding::FaultKind::word);
        format!("{} {fault}: {}", self.case.replica, self.remedy.word())
    }
}

/// More treatments than these are only counted in a plan's sentence.
const SENTENCES_MAX: usize = 5;

/// What the treatments of one plan may take, in bytes of JSON: the entry that records it has room for that and the rest.
const PLAN_BYTES_MAX: usize = ENTRY_BYTES_MAX - 16 * 1024;

/// The room that is left in a plan.
#[derive(Debug)]
pub struct Room {
    left: usize,
    taken: usize,
}

impl Room {
    /// All of it.
    pub fn whole() -> Self {
        Self { left: PLAN_BYTES_MAX, taken: 0 }
    }

    /// Takes the room that `treatment` needs; the first one always has it.
    ///
    /// # Errors
    ///
    /// [`Reason::PlanFull`].
    pub fn take(&mut self, treatment: &Treatment) -> Result<(), Reason> {
        let bytes = bytes_of(treatment);
        if bytes > self.left && self.taken > 0 {
            // Nobody after it goes before it.
            self.left = 0;
            return Err(Reason::PlanFull { healing: self.taken });
        }
        (self.left, self.taken) = (self.left.saturating_sub(bytes), self.taken + 1);
        Ok(())
    }
}

/// What a step and a heal take beside their own texts: ids, the replica's name, time-outs, the names of fields.
const FRAME_BYTES: usize = 512;

fn bytes_of(treatment: &Treatment) -> usize {
    let length = |text: serde_json::Result<String>| text.map_or(PLAN_BYTES_MAX, |text| text.len());
    let convictions: usize =
        treatment.case.convictions.iter().map(|it| length(serde_json::to_string(it))).sum();
    let step = |step: &Draft| FRAME_BYTES + step.why.len() + length(serde_json::to_string(&step.act));
    FRAME_BYTES + convictions + treatment.steps.iter().map(step).sum::<usize>()
}

/// The plan that carries out `treatments`; `None` when there are none.
pub fn of_treatments(input: &PlanInput, treatments: Vec<Treatment>) -> Option<Plan> {
    if treatments.is_empty() {
        return None;
    }
    let mut sentences: Vec<String> = treatments.iter().take(SENTENCES_MAX).map(Treatment::sentence).collect();
    if treatments.len() > SENTENCES_MAX {
        sentences.push(format!("and {} more", treatments.len() - SENTENCES_MAX));
    }
    let convictions: Vec<Conviction> =
        treatments.iter().flat_map(|treatment| &treatment.case.convictions).map(|c| (*c).clone()).collect();
    let heals = treatments.iter().map(Treatment::heal).collect();
    let steps = treatments.into_iter().flat_map(|treatment| {
        let replica = treatment.case.replica.clone();
        treatment.steps.into_iter().map(move |step| (Some(replica.clone()), step))
    });
    Some(Plan { reason: sentences.join("; "), convictions, heals, ..of_steps(input, steps.collect()) })
}

/// The plan of one step that is about the cluster as a whole.
pub fn of_cluster(input: &PlanInput, step: Draft, reason: String) -> Plan {
    Plan { reason, ..of_steps(input, vec![(None, step)]) }
}

fn of_steps(input: &PlanInput, drafts: Vec<(Option<ReplicaId>, Draft)>) -> Plan {
    let id = PlanId::numbered(input.epoch, input.history.plans_in_term + 1);
    let numbered = drafts.into_iter().enumerate();
    let steps =
        numbered.map(|(index, (replica, step))| step.numbered(&id, index, replica.as_ref())).collect();
    Plan {
        steps,
        id,
        epoch: input.epoch,
        created_at: input.now,
        reason: String::new(),
        convictions: Vec::new(),
        heals: Vec::new(),
    }
}

/// The status under which a plan is recorded: whether a human must say yes first.
pub fn status_of(plan: &Plan, policy: &Policy) -> PlanStatus {
    let asks = |remedy| policy.autonomy_for(remedy) != Autonomy::Auto;
    if plan.remedies().any(asks) { PlanStatus::AwaitingApproval } else { PlanStatus::Running }
}
