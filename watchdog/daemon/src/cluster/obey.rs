//! Obey: what operators asked for, written under their name and answered when it is durable.

use serde_json::Value;
use uuid::Uuid;
use watchdog_core::ids::Version;
use watchdog_core::record::Body;
use watchdog_core::state::Key;
use watchdog_ports::journal_error::JournalError;

use crate::cluster::audit::Order;
use crate::cluster::goals::Draft;
use crate::cluster::lead::{Lead, Stop};
use crate::cluster::operator::{Act, Denial, Wish, changes};
use crate::cluster::pauses;
use crate::cluster::world::World;

impl Lead {
    /// Tells operators that nothing can be written now. To resign nothing needs to be, and a pause is kept elsewhere too.
    pub(crate) async fn refuse_operators(&mut self) -> Result<(), Stop> {
        let why = match self.world.lock().obstacles.first() {
            Some(obstacle) => obstacle.to_string(),
            None => "the journal or the coordination service does not answer".to_owned(),
        };
        for act in std::mem::take(&mut self.unread.acts) {
            if matches!(act.wish, Wish::Resign) {
                // An operator who has gone will look.
                let _ = act.answer.send(Ok("resigned".to_owned()));
                return Err(Stop::Resigned(act.asker.name));
            }
            pauses::without_journal(&self.term, &self.world, act, &why).await;
        }
        Ok(())
    }

    /// Does what operators asked for since the last check, each under their own name; false when the journal did not
    /// confirm one of them, so that nothing else may be written before it has.
    pub(crate) async fn obey_operators(&mut self) -> Result<bool, Stop> {
        let mut acts = std::mem::take(&mut self.unread.acts).into_iter();
        while let Some(Act { asker, wish, answer }) = acts.next() {
            if answer.is_closed() {
                continue;
            }
            let order = Order::of(asker, &wish);
            let done = match wish {
                Wish::Write { bodies, done } => self.order(&order, (bodies, done)).await,
                Wish::Append { expected, edits } => self.append_for(&order, expected, edits).await,
                Wish::Declare(declaration) => self.declare_for(&order, declaration).await,
                Wish::Withdraw(goal) => self.withdraw_for(&order, &goal).await,
                Wish::Restore { to, reason } => self.restore_for(&order, (to, &reason)).await,
                Wish::Approve(plan) => self.approve_for(&order, &plan).await,
                Wish::Decline(plan) => self.decline_for(&order, &plan).await,
                Wish::Cancel(plan) => self.cancel_for(&order, &plan).await,
                Wish::Resign => {
                    let by = order.asker.name.clone();
                    let why = format!("{by} asked for it");
                    let written = self.write_for(&order, vec![Body::Resigned { why }]).await;
                    // Who asked is told before we go; resigning needs no journal.
                    let _ = answer.send(Ok(written.map_or_else(|d| d.to_string(), |()| "resigned".into())));
                    return Err(Stop::Resigned(by));
                }
            };
            watchdog_crash_points::crash_point!("daemon.operator.written");
            // An operator who has gone will look.
            let _ = answer.send(done);
            // What follows from it is done before the next one is heard, who may build on it.
            if self.books.is_waiting() || !self.run_errands().await? {
                self.unread.acts.extend(acts);
                self.refuse_operators().await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what an order comes to, and before it who gave it.
    pub(super) async fn write_for(&mut self, order: &Order, bodies: Vec<Body>) -> Result<(), Denial> {
        let asked = self.asked(order, &bodies);
        let bodies: Vec<Body> = std::iter::once(asked).chain(bodies).collect();
        let written = self.books.write_once(self.term.epoch(), &order.asker.name, bodies).await;
        written.map(drop).map_err(denied)
    }

    /// Appends what an operator gives; answers where that ends, whoever has appended behind it by now.
    async fn append_for(
        &mut self,
        order: &Order,
        expected: Version,
        edits: Vec<(Key, Option<Value>)>,
    ) -> Result<String, Denial> {
        let (head, changes) = {
            let world = self.world.lock();
            let found = world.log.head.version;
            if found != expected {
                return Err(Denial::HeadMoved { expected, found });
            }
            application_by_goals(&world, &edits)?;
            (found, changes(&world.log.state, edits)?)
        };
        if changes.is_empty() {
            return Ok(head.to_string());
        }
        let draft = Draft { expected, author: order.asker.name.clone(), goal: None, changes };
        let appended = self.append(Uuid::now_v7(), draft).await.map_err(denied)?;
        watchdog_crash_points::crash_point!("daemon.operator.appended");
        let (from, to) = (head.next(), appended.version);
        self.write_for(order, vec![Body::Appended { from, to, why: "asked for by an operator".to_owned() }])
            .await?;
        Ok(to.to_string())
    }
}

/// What replicas hold is changed by goals, because only these are proven or taken back; but a log must begin somehow.
fn application_by_goals(world: &World, edits: &[(Key, Option<Value>)]) -> Result<(), Denial> {
    let founded = world.history.stable.is_some() || world.history.rollout.is_some();
    match edits.iter().find(|(key, _)| founded && !key.is_ours()) {
        None => Ok(()),
        Some((key, _)) => {
            let what = "it is the application's; declare a goal for it: `watchdogctl goal apply -f FILE`";
            Err(Denial::Invalid { field: key.to_string(), what: what.to_owned() })
        }
    }
}

/// What a failure of the journal means to who asked for the write.
pub(super) fn denied(error: JournalError) -> Denial {
    match error {
        JournalError::HeadMoved { expected, found } => Denial::HeadMoved { expected, found },
        JournalError::Fenced { .. } => Denial::NotLeader,
        error @ JournalError::Full { .. } => Denial::Refused(format!("nothing was done: {error}")),
        error => Denial::Unconfirmed(error.to_string()),
    }
}
