//! Audit: who ordered what from where, and what it was about before and after; part of every write for an operator.

use serde_json::{Value, json};
use watchdog_core::history::{History, Pause};
use watchdog_core::ids::{PlanId, ReplicaId};
use watchdog_core::record::{Body, Entry};

use crate::clock::rfc3339;
use crate::cluster::lead::Lead;
use crate::cluster::operator::{Asker, Wish};

/// An act of an operator, for the record.
#[derive(Debug)]
pub(super) struct Order {
    /// Who gave it.
    pub(super) asker: Asker,
    act: &'static str,
    matter: Matter,
}

/// What an order is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Matter {
    Pause,
    /// A replica or a host.
    Target(String),
    Storm,
    Goals,
    Plan(PlanId),
    Log,
    Leadership,
}

impl Order {
    /// What `asker` wishes.
    pub(super) fn of(asker: Asker, wish: &Wish) -> Self {
        let (act, matter) = match wish {
            Wish::Write { bodies, .. } => written(bodies),
            Wish::Append { .. } => ("log append", Matter::Log),
            Wish::Declare(_) => ("goal apply", Matter::Goals),
            Wish::Withdraw(_) => ("goal withdraw", Matter::Goals),
            Wish::Restore { .. } => ("goal restore --force", Matter::Goals),
            Wish::Approve(plan) => ("plan approve", Matter::Plan(plan.clone())),
            Wish::Decline(plan) => ("plan reject", Matter::Plan(plan.clone())),
            Wish::Cancel(plan) => ("plan cancel", Matter::Plan(plan.clone())),
            Wish::Resign => ("leader resign", Matter::Leadership),
        };
        Self { asker, act, matter }
    }
}

/// What is written as it was asked for.
fn written(bodies: &[Body]) -> (&'static str, Matter) {
    match bodies.first() {
        Some(Body::Resumed) => ("resume", Matter::Pause),
        Some(Body::Held { target, .. }) => ("hold", Matter::Target(target.clone())),
        Some(Body::Released { target }) => ("release", Matter::Target(target.clone())),
        Some(Body::StormReleased { .. }) => ("storm release", Matter::Storm),
        _ => ("pause", Matter::Pause),
    }
}

impl Lead {
    /// The entry that tells who gave an order, and what the entries that follow make of what it is about.
    pub(super) fn asked(&self, order: &Order, bodies: &[Body]) -> Body {
        let now = self.books.now();
        let world = self.world.lock();
        let mut after = world.history.clone();
        for body in bodies {
            let entry = Entry {
                sequence: after.through.next(),
                at: now,
                epoch: self.term.epoch(),
                by: order.asker.name.clone(),
                body: body.clone(),
            };
            after.apply(&entry);
        }
        let (before, after) = match &order.matter {
            Matter::Log => log(bodies),
            Matter::Leadership => (json!({ "leader": self.id.as_str() }), json!({ "leader": null })),
            matter => (look(matter, &world.history), look(matter, &after)),
        };
        let Asker { from, proof, claimed, .. } = order.asker.clone();
        let (act, from, proof) = (order.act.to_owned(), from.to_string(), proof.word().to_owned());
        Body::Asked { act, from, proof, claimed, before, after }
    }
}

/// Where the log ended and ends; its entries carry the values before and after.
fn log(bodies: &[Body]) -> (Value, Value) {
    let appended = bodies.iter().find_map(|body| match body {
        Body::Appended { from, to, .. } => Some((from.0.saturating_sub(1), to.0)),
        _ => None,
    });
    appended.map_or((Value::Null, Value::Null), |(from, to)| (json!({ "head": from }), json!({ "head": to })))
}

/// What is about `matter` in the history.
fn look(matter: &Matter, history: &History) -> Value {
    match matter {
        Matter::Pause => pause(history.pause.as_ref()),
        Matter::Target(target) => {
            let replica: Option<ReplicaId> = target.parse().ok();
            let quarantined = replica.and_then(|replica| history.quarantined.get(&replica));
            json!({ "hold": pause(history.holds.get(target)), "quarantined": quarantined })
        }
        Matter::Storm => json!({ "released_at": history.storm_released_at.map(rfc3339) }),
        Matter::Goals => {
            let rolling = history.rollout.as_ref().map(|rollout| rollout.goal.as_str());
            let waiting: Vec<&str> = history.pending.iter().map(|pending| pending.goal.as_str()).collect();
            json!({ "rolling": rolling, "waiting": waiting })
        }
        Matter::Plan(plan) => {
            let status = history.open_plans.get(plan).map_or("over", |open| open.status.word());
            json!({ "plan": plan.to_string(), "status": status })
        }
        Matter::Log | Matter::Leadership => Value::Null,
    }
}

fn pause(pause: Option<&Pause>) -> Value {
    pause.map_or(
        Value::Null,
        |Pause { by, reason, until }| json!({ "by": by, "reason": reason, "until": until.map(rfc3339) }),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use watchdog_core::ids::{Epoch, Sequence, Time, Version};

    use super::*;

    fn folded(bodies: &[Body]) -> History {
        let entry = |(index, body): (usize, &Body)| Entry {
            sequence: Sequence(index as u64 + 1),
            at: Time(1_000),
            epoch: Epoch(1),
            by: "ann".to_owned(),
            body: body.clone(),
        };
        let entries: Vec<Entry> = bodies.iter().enumerate().map(entry).collect();
        History::replay(&entries)
    }

    #[test]
    fn each_order_is_about_something() {
        let held = Body::Held { target: "demo-a".into(), reason: "r".into(), until: Some(Time(2_000)) };
        let target = Matter::Target("demo-a".to_owned());
        let paused = Body::Paused { reason: "racks".into(), until: None };
        let by_ann = json!({ "by": "ann", "reason": "racks", "until": null });
        let holds = json!({ "by": "ann", "reason": "r", "until": "1970-01-01T00:00:02.000Z" });
        let released = Body::Released { target: "demo-a".into() };
        let table: [(&str, Matter, Vec<Body>, Value); 6] = [
            ("resume", Matter::Pause, vec![Body::Resumed], Value::Null),
            ("pause", Matter::Pause, vec![paused], by_ann),
            ("hold", target.clone(), vec![held.clone()], json!({ "hold": holds, "quarantined": null })),
            ("release", target.clone(), vec![released.clone()], json!({ "hold": null, "quarantined": null })),
            (
                "storm release",
                Matter::Storm,
                vec![Body::StormReleased { reason: "r".into() }],
                json!({ "released_at": "1970-01-01T00:00:01.000Z" }),
            ),
            ("release", target.clone(), vec![released, held], json!({ "hold": holds, "quarantined": null })),
        ];
        for (act, matter, bodies, expected) in table {
            assert_eq!(written(&bodies), (act, matter.clone()));
            assert_eq!(look(&matter, &folded(&bodies)), expected, "{act}");
        }
    }

    #[test]
    fn an_append_is_told_by_where_the_log_ends() {
        let appended = Body::Appended { from: Version(4), to: Version(6), why: "asked for".into() };
        assert_eq!(log(&[appended]), (json!({ "head": 3 }), json!({ "head": 6 })));
        let over = look(&Matter::Plan("1-1".parse().unwrap()), &History::default());
        assert_eq!(over, json!({ "plan": "1-1", "status": "over" }));
    }
}
