//! Decree: what operators decide about goals and plans: to declare, to withdraw, to approve.

use watchdog_core::goal::{GoalStatus, fault};
use watchdog_core::ids::{GoalId, PlanId};
use watchdog_core::plan::PlanStatus;
use watchdog_core::record::Body;
use watchdog_core::vet::vet;

use crate::cluster::draft::superseded;
use crate::cluster::lead::Lead;
use crate::cluster::operator::{Declaration, Denial};

impl Lead {
    /// Declares a goal; its changes are composed when its turn has come.
    pub(super) async fn declare_for(&mut self, by: &str, wish: Declaration) -> Result<String, Denial> {
        let Declaration { spec, request, at, supersede } = wish;
        let (goal, said) = {
            let world = self.world.lock();
            // Asked again, because the answer was lost.
            if let Some(story) = world.goals.requested(&request) {
                return Ok(story.id.to_string());
            }
            let head = world.log.head.version;
            if let Some(expected) = at.filter(|expected| *expected != head) {
                return Err(Denial::HeadMoved { expected, found: head });
            }
            fault::find(&spec, &world.log.state, head, world.history.stable)?;
            let goal = world.goals.fresh_id(spec.name.clone());
            (goal.clone(), Body::GoalDeclared { goal, request, spec, supersede })
        };
        self.write_for(by, vec![said]).await?;
        Ok(goal.to_string())
    }

    /// Takes a goal back.
    pub(super) async fn withdraw_for(&mut self, by: &str, goal: &GoalId) -> Result<String, Denial> {
        let bodies = {
            let world = self.world.lock();
            let why = format!("withdrawn by {by}");
            let ended =
                Body::GoalEnded { goal: goal.clone(), status: GoalStatus::Withdrawn, why: why.clone() };
            let rolls = world.history.rollout.as_ref().is_some_and(|rollout| rollout.goal == *goal);
            let waits = world.history.pending.iter().any(|pending| pending.goal == *goal);
            match world.goals.get(goal).map(|story| story.status) {
                _ if rolls && world.history.stable.is_none() => {
                    let why = "it founds the cluster: nothing is stable yet to return to; declare another goal that sets it right, with `--supersede`";
                    return Err(Denial::Refused(format!("goal {goal}: {why}")));
                }
                _ if rolls => {
                    let mut bodies = superseded(&world.history, &why);
                    bodies.push(ended);
                    bodies
                }
                _ if waits => vec![ended],
                Some(status) => return Err(Denial::Refused(format!("goal {goal} is {status} already"))),
                None => return Err(Denial::Refused(format!("there is no goal {goal}"))),
            }
        };
        let undoes = bodies.len() > 1 || self.world.lock().history.rollout.is_some();
        self.write_for(by, bodies).await?;
        Ok(if undoes {
            format!(
                "goal {goal} is withdrawn; its changes are taken back, and replicas return to the stable version"
            )
        } else {
            format!("goal {goal} is withdrawn; nothing of it had begun")
        })
    }

    /// Lets a plan begin that waits for a human, unless it would do harm by now.
    pub(super) async fn approve_for(&mut self, by: &str, id: &PlanId) -> Result<String, Denial> {
        let why = format!("approved by {by}");
        {
            let now = self.books.now();
            let world = self.world.lock();
            let open = world.history.open_plans.get(id);
            let open = open.filter(|open| open.status == PlanStatus::AwaitingApproval);
            let open = open.ok_or_else(|| Denial::Refused(format!("plan {id} does not await approval")))?;
            let input = world.plan_input((self.term.epoch(), now), world.history.clone(), Self::mint);
            let objections = vet(&open.plan, &input);
            if !objections.is_empty() {
                let said: Vec<String> = objections.iter().map(ToString::to_string).collect();
                let said = said.join("; ");
                return Err(Denial::Refused(format!("plan {id} would do harm as things are now: {said}")));
            }
        }
        let body = Body::PlanStatus { plan: id.clone(), status: PlanStatus::Running, why };
        self.write_for(by, vec![body]).await?;
        Ok(format!("plan {id} is approved and begins"))
    }
}
