//! Obey: what operators ask of the leader, written under their name.

use serde_json::Value;
use watchdog_core::change::{Change, same};
use watchdog_core::goal::given_up::{given_up_for, restored};
use watchdog_core::goal::obsolete::superseded;
use watchdog_core::goal::{Goal, GoalStatus, fault};
use watchdog_core::history::{History, OpenPlan};
use watchdog_core::ids::{GoalId, PlanId, Version};
use watchdog_core::plan::PlanStatus;
use watchdog_core::record::Body;
use watchdog_core::state::Key;
use watchdog_core::vet::vet;

use crate::journal::Fault;
use crate::world::World;

/// What an operator asks.
#[derive(Debug, Clone)]
pub enum Wish {
    /// To pause everything, for so long.
    Pause(Option<u64>),
    /// To go on.
    Resume,
    /// To leave a replica or host alone, for so long.
    Hold(String, Option<u64>),
    /// To end that, or a quarantine.
    Release(String),
    /// To overrule the storm guard.
    ReleaseStorm,
    /// A goal; and whether it takes over from one that rolls.
    Declare(Box<Goal>, bool),
    /// To take a goal back; the newest when none is named.
    Withdraw,
    /// To return to what was stable before, whatever was proven of it.
    Restore(Version),
    /// To let a plan begin that waits for it; the first when none is named.
    Approve(Option<PlanId>),
    /// To decline a plan that waits for approval; all of them when none is named.
    Decline(Option<PlanId>),
    /// To change one key without a goal.
    Edit((Key, Value)),
    /// To leave.
    Resign,
}

impl World {
    /// Does what operators asked for since the last check.
    pub(super) fn obey(&mut self, dog: usize) -> Result<(), Fault> {
        let wishes = self.dogs[dog].lead.as_mut().map(|lead| std::mem::take(&mut lead.wishes));
        for (by, wish) in wishes.into_iter().flatten() {
            if let Wish::Resign = wish {
                let why = format!("{by} asked for it");
                // To resign nothing needs to be written.
                let _ = self.write_now(dog, by, vec![Body::Resigned { why }]);
                self.stop(dog, ("an operator asked for it", self.setup.stay_out_ms));
                return Ok(());
            }
            if let Wish::Edit(edit) = wish {
                match self.edit(dog, by, edit) {
                    Err(Fault::Full | Fault::Refused | Fault::HeadMoved) => {}
                    done => done?,
                }
                continue;
            }
            let bodies = self.bodies_of(dog, &by, wish);
            if !bodies.is_empty() {
                match self.write_once(dog, by, bodies) {
                    // Who asked is told so.
                    Err(Fault::Full | Fault::Refused) => continue,
                    written => written?,
                }
                // What follows from it is done before the next one is heard, who may build on it.
                self.run_errands(dog)?;
            }
        }
        Ok(())
    }

    /// Tells operators that nothing can be written now.
    pub(super) fn refuse_wishes(&mut self, dog: usize) {
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.wishes.clear();
        }
    }

    fn bodies_of(&mut self, dog: usize, by: &str, wish: Wish) -> Vec<Body> {
        let now = self.now_of(dog);
        let reason = "the operator's reasons".to_owned();
        match wish {
            Wish::Pause(ms) => vec![Body::Paused { reason, until: ms.map(|ms| now.plus_ms(ms)) }],
            Wish::Resume => vec![Body::Resumed],
            Wish::Hold(target, ms) => {
                vec![Body::Held { target, reason, until: ms.map(|ms| now.plus_ms(ms)) }]
            }
            // What a release would not change is refused.
            Wish::Release(target) => {
                let would = self.history_of(dog).is_some_and(|history| history.is_releasable(&target));
                would.then_some(Body::Released { target }).into_iter().collect()
            }
            Wish::ReleaseStorm => vec![Body::StormReleased { reason }],
            Wish::Declare(goal, supersede) => self.declare(dog, *goal, supersede),
            Wish::Withdraw => self.withdraw(dog, by),
            Wish::Restore(to) => self.restore(dog, to),
            Wish::Approve(plan) => self.approve((dog, by), plan.as_ref()),
            Wish::Decline(only) => {
                let why = format!("declined by {by}");
                let decline =
                    |plan| Body::PlanStatus { plan, status: PlanStatus::Cancelled, why: why.clone() };
                let waiting = self.waiting(dog).into_iter();
                let named = waiting.filter(|plan| only.as_ref().is_none_or(|only| only == plan));
                named.map(decline).collect()
            }
            Wish::Resign | Wish::Edit(_) => Vec::new(),
        }
    }

    fn edit(&mut self, dog: usize, by: String, (key, value): (Key, Value)) -> Result<(), Fault> {
        let Some(head) = self.dogs[dog].mind.as_ref().map(|mind| mind.log.head.version) else {
            return Ok(());
        };
        let change = Change::of(&self.journal.state(head), key, Some(value));
        if same(change.before.as_ref(), change.after.as_ref()) {
            return Ok(());
        }
        self.append(dog, (vec![change], by.clone()), (None, head))?;
        let why = "asked for by an operator".to_owned();
        self.write_once(dog, by, vec![Body::Appended { from: head.next(), to: head.next(), why }])
    }

    fn declare(&mut self, dog: usize, spec: Goal, supersede: bool) -> Vec<Body> {
        let head = self.journal.head().version;
        let Some(history) = self.history_of(dog) else { return Vec::new() };
        let found = fault::find(&spec, &self.journal.state(head), head, history.stable);
        if found.is_err() {
            return Vec::new();
        }
        let number = self.ticket();
        let Ok(goal) = GoalId::new(format!("goal-{number}")) else { return Vec::new() };
        vec![Body::GoalDeclared { goal, request: number.to_string(), spec, supersede, may_loosen: true }]
    }

    fn withdraw(&self, dog: usize, by: &str) -> Vec<Body> {
        let Some(history) = self.history_of(dog) else { return Vec::new() };
        let why = format!("withdrawn by {by}");
        let ended = |goal| Body::GoalEnded { goal, status: GoalStatus::Withdrawn, why: why.clone() };
        if let Some(rollout) = history.rollout.as_ref().filter(|_| history.stable.is_some()) {
            let mut bodies = superseded(history, None, &why);
            bodies.push(ended(rollout.goal.clone()));
            return bodies;
        }
        history.pending.back().map(|pending| ended(pending.goal.clone())).into_iter().collect()
    }

    /// What is not before the stable version is refused.
    fn restore(&self, dog: usize, to: Version) -> Vec<Body> {
        let may = |history: &&History| given_up_for(history, to).is_some();
        let entries = self.history_of(dog).filter(may).zip(self.journal.hash(to));
        entries
            .map(|(history, hash)| restored(history, (to, hash), "the operator's reasons"))
            .unwrap_or_default()
    }

    fn waiting(&self, dog: usize) -> Vec<PlanId> {
        let open = self.history_of(dog).into_iter().flat_map(|history| history.open_plans.values());
        let waits = open.filter(|open| open.status == PlanStatus::AwaitingApproval);
        waits.map(|open| open.plan.id.clone()).collect()
    }

    /// Lets a plan begin that waits for a human, unless it would do harm by now.
    fn approve(&mut self, (dog, by): (usize, &str), only: Option<&PlanId>) -> Vec<Body> {
        let Some(mind) = self.dogs[dog].mind.take() else { return Vec::new() };
        let mut bodies = Vec::new();
        let waits = |it: &&OpenPlan| {
            it.status == PlanStatus::AwaitingApproval && only.is_none_or(|only| *only == it.plan.id)
        };
        // One after the other, because each changes what the next would do.
        let first = mind.history.open_plans.values().find(waits).map(|open| open.plan.clone());
        if let Some(plan) = first {
            let input = self.plan_input_now(dog, &mind);
            if input.is_some_and(|input| vet(&plan, &input).is_empty()) {
                let why = format!("approved by {by}");
                bodies.push(Body::PlanStatus { plan: plan.id, status: PlanStatus::Running, why });
            }
        }
        self.dogs[dog].mind = Some(mind);
        bodies
    }
}
