//! Seal: takes our epoch to every agent that an earlier leader may still have orders with.
//!
//! ```text
//! open intents of older epochs, by agent ──► there? ──► ask it ──► done │ never │ lost │ running (asked again)
//!                                              │ no
//!                                              ├─ its life is proven dead ──► unknown, sealed
//!                                              └─ unseen for lease + margin ──► unknown
//! ```
//!
//! Until it is sealed nothing that the agent has is touched; other agents'
//! replicas are not waited for. Intents are settled here, never resumed. So
//! are our own that a host agent did not answer: it gives up what it has not
//! begun, on disk, so that nothing that we gave up happens later.

use std::collections::BTreeMap;

use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, PlanId, StepId, Time};
use watchdog_core::plan::{Agent, Outcome};
use watchdog_core::record::Body;
use watchdog_core::seal::{Unasked, lease_ms, unasked};

use crate::destination::destination;
use crate::judge::Known;
use crate::obituaries::may_bring;
use crate::report::Report;

/// From one try at an agent to the next, in milliseconds.
const AGAIN_MS: u64 = 500;

/// The steps that an agent was told, and their plans.
pub type Steps = BTreeMap<StepId, PlanId>;

/// An agent, and the instance of it that was told: another one knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealTarget {
    /// The agent.
    pub agent: Agent,
    /// Its instance.
    pub instance: String,
}

/// An agent to ask: take this epoch, and say what became of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealCall {
    /// Whom.
    pub to: SealTarget,
    /// Where it answers.
    pub address: String,
    /// Our epoch.
    pub epoch: Epoch,
    /// Of older leaders, or in doubt.
    pub steps: Steps,
    /// How long it is waited for.
    pub patience_ms: u64,
}

/// What an agent says of a step that it was told.
#[derive(Debug, Clone, PartialEq)]
pub enum StepFate {
    /// It came to its end.
    Ended(Box<Report>),
    /// It was never begun, and never will be.
    Never,
    /// The agent is still at it.
    Running,
    /// It was begun before the agent's own crash.
    Lost,
}

/// An agent's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SealReply {
    /// The instance that answers.
    pub instance: String,
    /// What it says, by step.
    pub fates: BTreeMap<StepId, StepFate>,
}

/// What is known of seals in one term.
#[derive(Debug)]
pub struct Sealing {
    epoch: Epoch,
    /// When each agent is to be asked again; those that are being asked wait here too.
    not_before: BTreeMap<SealTarget, Time>,
    /// Steps of our own that a host agent did not answer, and why.
    doubts: BTreeMap<StepId, String>,
}

impl Sealing {
    /// Nothing asked yet.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, not_before: BTreeMap::new(), doubts: BTreeMap::new() }
    }

    /// From now on the agent of this step of ours is asked what became of it, as of a step of an older epoch.
    pub fn doubt(&mut self, step: StepId, why: String) {
        self.doubts.insert(step, why);
    }

    /// The agents that were asked.
    pub fn asked(&self) -> impl Iterator<Item = &Agent> {
        self.not_before.keys().map(|to| &to.agent)
    }

    /// Whom to ask now, and what can be said about the others without asking.
    pub fn advance(&mut self, known: &Known<'_>, now: Time) -> (Vec<Body>, Vec<SealCall>) {
        let (mut bodies, mut calls) = (Vec::new(), Vec::new());
        self.doubts.retain(|step, _| known.history.open_intents.contains_key(step));
        for (to, steps) in self.unsealed(known.history) {
            if let Some(said) = settled_without_asking(known, &to.agent, &steps) {
                bodies.extend(said);
                continue;
            }
            let is_due = self.not_before.get(&to).is_none_or(|at| *at <= now);
            if let (true, Some(address)) = (is_due, address_of(&to, known)) {
                let patience_ms = known.log.policy.timeouts.seal_ms;
                self.not_before.insert(to.clone(), now.plus_ms(patience_ms).plus_ms(AGAIN_MS));
                calls.push(SealCall { to, address, epoch: self.epoch, steps, patience_ms });
            }
        }
        (bodies, calls)
    }

    /// Open intents of older epochs and those in doubt, by the agent that was told.
    fn unsealed(&self, history: &History) -> BTreeMap<SealTarget, Steps> {
        let mut agents: BTreeMap<SealTarget, Steps> = BTreeMap::new();
        for (step, intent) in &history.open_intents {
            if intent.epoch >= self.epoch && !self.doubts.contains_key(step) {
                continue;
            }
            let instance = intent.instance.clone().unwrap_or_default();
            let to = SealTarget { agent: intent.agent.clone(), instance };
            agents.entry(to).or_default().insert(step.clone(), intent.plan.clone());
        }
        agents
    }

    /// What an answer, or that there was none, means for the record.
    pub fn conclude(
        &mut self,
        (call, reply): (SealCall, Option<SealReply>),
        (history, now): (&History, Time),
    ) -> Vec<Body> {
        let SealCall { to, steps, .. } = call;
        let Some(SealReply { instance, mut fates }) = reply else {
            self.not_before.insert(to, now.plus_ms(AGAIN_MS));
            return Vec::new();
        };
        let mut bodies = Vec::new();
        if !history.sealed.contains(&to.agent) {
            bodies.push(Body::Sealed { agent: to.agent.clone() });
        }
        // What became of some may have been seen meanwhile.
        for (step, plan) in steps.into_iter().filter(|(step, _)| history.open_intents.contains_key(step)) {
            let report = if instance == to.instance {
                report(fates.remove(&step))
            } else {
                // A new instance refuses what its predecessor was told; what became of it is seen by looking.
                Some(Report::of(Outcome::Unknown, "the agent's state directory is new"))
            };
            let Some(Report { outcome, error, obituary, blame, .. }) = report else {
                self.not_before.insert(to.clone(), now.plus_ms(AGAIN_MS));
                continue;
            };
            // Why it was asked at all is the better half of the story.
            let doubt = self.doubts.get(&step).filter(|_| outcome != Outcome::Done);
            let error = match (doubt, error) {
                (Some(doubt), Some(error)) => Some(format!("{doubt}; {error}")),
                (_, error) => error,
            };
            let died = obituary.filter(|obituary| may_bring(&to.agent, obituary, history));
            bodies.extend(died.map(|obituary| Body::Died { obituary }));
            bodies.push(Body::Closed { plan, step, outcome, error, blame });
        }
        bodies
    }
}

/// Where an agent is asked. An embedded agent that is not in the group can't be, and its host's knows nothing of it.
fn address_of(to: &SealTarget, known: &Known<'_>) -> Option<String> {
    let found = destination(&to.agent, known.observation).ok()?;
    let embedded = matches!(&to.agent, Agent::Replica(_, life) if to.instance == life.to_string());
    (!embedded || found.target == to.instance).then_some(found.address)
}

/// What an agent said of a step; `None` when it is still at it.
fn report(said: Option<StepFate>) -> Option<Report> {
    let unknown = |why: &str| Some(Report::of(Outcome::Unknown, why));
    match said {
        None => unknown("the agent did not say what became of it"),
        Some(StepFate::Ended(report)) => Some(*report),
        Some(StepFate::Never) => Some(Report::of(Outcome::Never, "the agent never began it, and never will")),
        Some(StepFate::Running) => None,
        Some(StepFate::Lost) => unknown("begun before the agent's own crash; settled by looking"),
    }
}

/// What is said of the steps of an agent that can't be asked, or need not be.
fn settled_without_asking(known: &Known<'_>, agent: &Agent, steps: &Steps) -> Option<Vec<Body>> {
    let lease_ms = lease_ms(&known.log.replicas, &known.log.policy);
    let Unasked { why, is_sealed } = unasked(agent, (known.history, known.observation), lease_ms)?;
    let closed = steps.iter().map(|(step, plan)| Body::Closed {
        plan: plan.clone(),
        step: step.clone(),
        outcome: Outcome::Unknown,
        error: Some(why.to_owned()),
        blame: None,
    });
    Some(closed.chain(is_sealed.then(|| Body::Sealed { agent: agent.clone() })).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::history::Intent;
    use watchdog_core::ids::ClusterId;
    use watchdog_core::observation::{HostSeen, Observation, Presence};
    use watchdog_core::shared::Shared;

    use super::*;
    use crate::log_view::LogView;

    const NOW: Time = Time(1_000_000);

    fn host(presence: Presence) -> HostSeen {
        HostSeen {
            presence,
            instance: "one".into(),
            address: "http://h".into(),
            pid: 1,
            boot_id: String::new(),
            inventory_complete: true,
            session: String::new(),
        }
    }

    /// Each of these steps was ordered of host `h1`, under that epoch.
    fn history(steps: &[(&str, u64)]) -> History {
        let intent = |epoch| Intent {
            plan: "1-1".parse().unwrap(),
            epoch: Epoch(epoch),
            replica: None,
            agent: Agent::Host("h1".parse().unwrap()),
            instance: Some("one".into()),
            at: Time(1),
        };
        let open = steps.iter().map(|(step, epoch)| (step.parse().unwrap(), intent(*epoch)));
        History { open_intents: open.collect(), ..History::default() }
    }

    /// What is done about `history` at `now`, as lines; `h1` has been so.
    fn advanced(sealing: &mut Sealing, history: &History, (presence, now): (Presence, Time)) -> Vec<String> {
        let mut observation = Observation::unseen(now);
        observation.hosts.insert("h1".parse().unwrap(), host(presence));
        let (cluster, log): (ClusterId, _) = ("demo".parse().unwrap(), LogView::empty());
        let (history, observation) = (Shared::from(history.clone()), Shared::from(observation));
        let known = Known::of(&cluster, (&history, &observation), &log);
        let (bodies, calls) = sealing.advance(&known, now);
        let called = calls.iter().map(|call| {
            let steps: Vec<_> = call.steps.keys().map(ToString::to_string).collect();
            format!("ask {} of {} at {}", steps.join(" "), call.to.agent, call.address)
        });
        called.chain(bodies.iter().map(told)).collect()
    }

    fn told(body: &Body) -> String {
        match body {
            Body::Sealed { agent } => format!("sealed {agent}"),
            Body::Closed { step, outcome, error, .. } => {
                format!("closed {step} {outcome:?} {}", error.as_deref().unwrap_or("-"))
            }
            other => format!("{other:?}"),
        }
    }

    fn call(steps: &[&str]) -> SealCall {
        let steps = steps.iter().map(|step| (step.parse().unwrap(), "1-1".parse().unwrap()));
        let to = SealTarget { agent: Agent::Host("h1".parse().unwrap()), instance: "one".into() };
        SealCall { to, address: String::new(), epoch: Epoch(2), steps: steps.collect(), patience_ms: 1 }
    }

    #[test]
    fn whoever_may_still_have_older_orders_is_asked_and_not_too_often() {
        let mut sealing = Sealing::new(Epoch(2));
        let there = |ms| (Presence::Present, NOW.plus_ms(ms));
        let patience = watchdog_core::policy::Policy::default().timeouts.seal_ms;
        let ours = history(&[("2-1-1", 2)]);
        assert_eq!(advanced(&mut sealing, &ours, there(0)), [""; 0], "our own are no business of a seal");
        let older = history(&[("1-1-1", 1), ("1-1-2", 1), ("2-1-1", 2)]);
        let ask = ["ask 1-1-1 1-1-2 of host h1 at http://h"];
        assert_eq!(advanced(&mut sealing, &older, there(0)), ask);
        assert_eq!(advanced(&mut sealing, &older, there(patience)), [""; 0], "it is being asked");
        assert_eq!(advanced(&mut sealing, &older, there(patience + AGAIN_MS)), ask, "it said nothing");
        // An end without an answer is heard of at once, and it is asked a little later.
        let at = NOW.plus_ms(10_000);
        assert!(sealing.conclude((call(&["1-1-1"]), None), (&older, at)).is_empty());
        assert_eq!(advanced(&mut sealing, &older, there(10_000)), [""; 0]);
        assert_eq!(advanced(&mut sealing, &older, there(10_000 + AGAIN_MS)), ask);
        // One of ours that is in doubt is asked for with them.
        sealing.doubt("2-1-1".parse().unwrap(), "no word".into());
        let all = ["ask 1-1-1 1-1-2 2-1-1 of host h1 at http://h"];
        assert_eq!(advanced(&mut sealing, &older, there(20_000)), all);
        assert_eq!(advanced(&mut sealing, &history(&[]), there(40_000)), [""; 0], "nothing is open");
    }

    #[test]
    fn an_agent_that_is_gone_is_waited_for_until_its_lease_is_over() {
        let policy = watchdog_core::policy::Policy::default();
        let lease_ms = policy.lease_ms + policy.lease_margin_ms;
        let older = history(&[("1-1-1", 1)]);
        let gone = Presence::Gone { since: NOW };
        let mut sealing = Sealing::new(Epoch(2));
        assert_eq!(advanced(&mut sealing, &older, (gone, NOW.plus_ms(lease_ms))), [""; 0]);
        assert_eq!(
            advanced(&mut sealing, &older, (gone, NOW.plus_ms(lease_ms + 1))),
            ["closed 1-1-1 Unknown its host has been unseen for longer than a lease"]
        );
    }

    #[test]
    fn what_an_agent_says_is_written_once_and_what_runs_is_asked_again() {
        let failed = || StepFate::Ended(Box::new(Report::of(Outcome::Failed, "no room")));
        let table = [
            // what it says | in doubt | what is written
            (Some(StepFate::Ended(Box::new(Report::done()))), false, Some("Done -")),
            (Some(StepFate::Ended(Box::new(Report::done()))), true, Some("Done -")),
            (Some(failed()), false, Some("Failed no room")),
            (Some(failed()), true, Some("Failed no word; no room")),
            (Some(StepFate::Never), false, Some("Never the agent never began it, and never will")),
            (Some(StepFate::Never), true, Some("Never no word; the agent never began it, and never will")),
            (
                Some(StepFate::Lost),
                false,
                Some("Unknown begun before the agent's own crash; settled by looking"),
            ),
            (None, false, Some("Unknown the agent did not say what became of it")),
            (Some(StepFate::Running), false, None),
        ];
        for (said, in_doubt, written) in table {
            let mut sealing = Sealing::new(Epoch(2));
            if in_doubt {
                sealing.doubt("1-1-1".parse().unwrap(), "no word".into());
            }
            let fates = said.clone().map(|fate| ("1-1-1".parse().unwrap(), fate)).into_iter().collect();
            let reply = SealReply { instance: "one".into(), fates };
            let open = history(&[("1-1-1", 1)]);
            let bodies = sealing.conclude((call(&["1-1-1", "1-1-2"]), Some(reply)), (&open, NOW));
            let lines: Vec<String> = bodies.iter().map(told).collect();
            let closed = written.map(|written| format!("closed 1-1-1 {written}"));
            let wanted: Vec<String> =
                [Some("sealed host h1".to_owned()), closed].into_iter().flatten().collect();
            assert_eq!(lines, wanted, "{said:?}; the other one is not open any more");
            let again = advanced(&mut sealing, &open, (Presence::Present, NOW));
            assert_eq!(again.is_empty(), written.is_none(), "one that runs is asked again a little later");
        }
    }

    #[test]
    fn another_instance_knows_nothing_and_an_agent_is_sealed_once() {
        let mut open = history(&[("1-1-1", 1)]);
        open.sealed.insert(Agent::Host("h1".parse().unwrap()));
        let fates = BTreeMap::from([("1-1-1".parse().unwrap(), StepFate::Never)]);
        let reply = SealReply { instance: "two".into(), fates };
        let bodies = Sealing::new(Epoch(2)).conclude((call(&["1-1-1"]), Some(reply)), (&open, NOW));
        let lines: Vec<String> = bodies.iter().map(told).collect();
        assert_eq!(lines, ["closed 1-1-1 Unknown the agent's state directory is new"]);
    }
}
