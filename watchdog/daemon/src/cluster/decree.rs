//! Decree: what operators decide about goals and plans: to declare, to withdraw, to approve.

use watchdog_core::goal::given_up::{given_up_for, restored};
use watchdog_core::goal::obsolete::superseded;
use watchdog_core::goal::{GoalStatus, fault};
use watchdog_core::ids::{GoalId, PlanId, Version};
use watchdog_core::plan::{Plan, PlanStatus};
use watchdog_core::record::Body;
use watchdog_core::vet::vet;

use crate::cluster::audit::Order;
use crate::cluster::lead::Lead;
use crate::cluster::obey::denied;
use crate::cluster::operator::{Declaration, Denial, MAY_LOOSEN, guarded};
use crate::cluster::world::World;

/// So many goals may wait for their turn.
const PENDING_MAX: usize = 32;

impl Lead {
    /// Declares a goal; its changes are composed when its turn has come.
    pub(super) async fn declare_for(&mut self, order: &Order, wish: Declaration) -> Result<String, Denial> {
        let Declaration { spec, request, at, supersede } = wish;
        {
            let world = self.world.lock();
            // Asked again, because the answer was lost.
            if let Some(story) = world.goals.requested(&request) {
                return Ok(story.id.to_string());
            }
            let head = world.log.head.version;
            if let Some(expected) = at {
                stands_at(&world, expected, supersede)?;
            }
            if world.history.pending.len() >= PENDING_MAX {
                let what =
                    format!("{PENDING_MAX} goals wait already; let them end, or withdraw some of them");
                return Err(Denial::Refused(what));
            }
            fault::find(&spec, &world.log.state, head, world.history.stable)?;
        }
        let may_loosen = order.asker.role.may(MAY_LOOSEN);
        if !may_loosen {
            // What guards the cluster when its turn has come is looked at again then.
            guarded(&order.asker, &self.compose(&spec).await.map_err(denied)?)?;
        }
        let goal = self.world.lock().goals.fresh_id(spec.name.clone());
        let said = Body::GoalDeclared { goal: goal.clone(), request, spec, supersede, may_loosen };
        self.write_for(order, vec![said]).await?;
        watchdog_crash_points::crash_point!("daemon.goal.declared");
        Ok(goal.to_string())
    }

    /// Takes a goal back.
    pub(super) async fn withdraw_for(&mut self, order: &Order, goal: &GoalId) -> Result<String, Denial> {
        let (bodies, undoes) = {
            let world = self.world.lock();
            let why = format!("withdrawn by {}", order.asker.name);
            let ended =
                Body::GoalEnded { goal: goal.clone(), status: GoalStatus::Withdrawn, why: why.clone() };
            let rolls = world.history.rollout.as_ref().is_some_and(|rollout| rollout.goal == *goal);
            let waits = world.history.pending.iter().any(|pending| pending.goal == *goal);
            let bodies = match world.goals.get(goal).map(|story| story.status) {
                _ if rolls && world.history.stable.is_none() => {
                    let why = "it founds the cluster: nothing is stable yet to return to; declare another goal that sets it right, with `--supersede`";
                    return Err(Denial::Refused(format!("goal {goal}: {why}")));
                }
                _ if rolls => {
                    let mut bodies = superseded(&world.history, None, &why);
                    bodies.push(ended);
                    bodies
                }
                _ if waits && world.log.span_of(goal).is_some() => {
                    let why = "its changes are in the log and it is about to begin; ask again in a moment";
                    return Err(Denial::Refused(format!("goal {goal}: {why}")));
                }
                _ if waits => vec![ended],
                Some(status) => return Err(Denial::Refused(format!("goal {goal} is {status} already"))),
                None => return Err(Denial::Refused(format!("there is no goal {goal}"))),
            };
            (bodies, rolls)
        };
        if undoes && !order.asker.role.may(MAY_LOOSEN) {
            guarded(&order.asker, &self.undo_of_rolling().await.map_err(denied)?)?;
        }
        self.write_for(order, bodies).await?;
        watchdog_crash_points::crash_point!("daemon.goal.withdrawn");
        Ok(if undoes {
            format!(
                "goal {goal} is withdrawn; its changes are taken back, and replicas return to the stable version"
            )
        } else {
            format!("goal {goal} is withdrawn; nothing of it had begun")
        })
    }

    /// Makes an earlier version stable again, whatever was proven of either.
    pub(super) async fn restore_for(
        &mut self,
        order: &Order,
        (to, reason): (Version, &str),
    ) -> Result<String, Denial> {
        let (cluster, stable) = {
            let world = self.world.lock();
            let stable =
                given_up_for(&world.history, to).ok_or_else(|| not_before(to, world.history.stable))?;
            (world.cluster.clone(), stable)
        };
        let hash = self.books.journal().state(&cluster, to).await.map_err(denied)?.hash();
        let why = format!("restored by {}: {reason}", order.asker.name);
        let bodies = restored(&self.world.lock().history, (to, hash), &why);
        self.write_for(order, bodies).await?;
        Ok(format!(
            "version {to} is stable again and version {stable} is given up; replicas return to version {to}"
        ))
    }

    /// Ends an open plan before its next step.
    pub(super) async fn cancel_for(&mut self, order: &Order, id: &PlanId) -> Result<String, Denial> {
        if !self.world.lock().history.open_plans.contains_key(id) {
            return Err(Denial::Refused(format!("plan {id} is over already")));
        }
        self.end_plan(order, (id, "cancelled")).await?;
        Ok("cancelled: steps that were sent go on to their end, none follows".to_owned())
    }

    /// Ends a plan that waits for a human, who said no.
    pub(super) async fn decline_for(&mut self, order: &Order, id: &PlanId) -> Result<String, Denial> {
        self.awaiting(id)?;
        self.end_plan(order, (id, "rejected")).await?;
        Ok("rejected: nothing of it is done".to_owned())
    }

    async fn end_plan(&mut self, order: &Order, (id, how): (&PlanId, &str)) -> Result<(), Denial> {
        let why = format!("{how} by {}", order.asker.name);
        let body = Body::PlanStatus { plan: id.clone(), status: PlanStatus::Cancelled, why };
        self.write_for(order, vec![body]).await
    }

    fn awaiting(&self, id: &PlanId) -> Result<Plan, Denial> {
        let world = self.world.lock();
        let open = world.history.open_plans.get(id);
        let open = open.filter(|open| open.status == PlanStatus::AwaitingApproval);
        open.map(|open| open.plan.clone())
            .ok_or_else(|| Denial::Refused(format!("plan {id} does not await approval")))
    }

    /// Lets a plan begin that waits for a human, unless it would do harm by now.
    pub(super) async fn approve_for(&mut self, order: &Order, id: &PlanId) -> Result<String, Denial> {
        let why = format!("approved by {}", order.asker.name);
        let plan = self.awaiting(id)?;
        {
            let now = self.books.now();
            let world = self.world.lock();
            let input = world.plan_input((self.term.epoch(), now));
            let objections = vet(&plan, &input);
            if !objections.is_empty() {
                let said: Vec<String> = objections.iter().map(ToString::to_string).collect();
                let said = said.join("; ");
                return Err(Denial::Refused(format!("plan {id} would do harm as things are now: {said}")));
            }
        }
        let body = Body::PlanStatus { plan: id.clone(), status: PlanStatus::Running, why };
        self.write_for(order, vec![body]).await?;
        Ok(format!("plan {id} is approved and begins"))
    }
}

/// Why there is nothing to go back to at `to`.
fn not_before(to: Version, stable: Option<Version>) -> Denial {
    let what = match stable {
        None => "nothing is stable yet, so there is nothing to go back from; declare a goal".to_owned(),
        Some(stable) if stable == to => {
            "it is what is stable; `watchdogctl goal withdraw ID` takes back a goal that rolls over it"
                .to_owned()
        }
        Some(stable) => format!(
            "expected the number of a version before {stable}, which is stable; without `--force` any version is rolled out and proven as a goal"
        ),
    };
    Denial::Invalid { field: "version".to_owned(), what }
}

/// Whether a goal that is declared now is composed on the head that its author has seen.
fn stands_at(world: &World, expected: Version, supersede: bool) -> Result<(), Denial> {
    let found = world.log.head.version;
    if expected != found {
        return Err(Denial::HeadMoved { expected, found });
    }
    let history = &world.history;
    let rolls = history.rollout.as_ref().filter(|_| !supersede).map(|rollout| &rollout.goal);
    let before = rolls.or_else(|| history.pending.front().map(|pending| &pending.goal));
    match before {
        None => Ok(()),
        Some(goal) => Err(Denial::Refused(format!(
            "goal {goal} comes first, and the log may have moved on from version {expected} when the turn of this one has come; wait for its end, or leave `--at` out"
        ))),
    }
}
