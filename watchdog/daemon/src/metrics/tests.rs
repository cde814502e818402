//! Tests: what is counted and read: stories of the record, and worlds of different sizes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use watchdog_core::finding::{Conviction, Evidence, FaultKind, Finding, Proof, Source, Subject};
use watchdog_core::ids::{Epoch, Incarnation, PlanId, Sequence, Time, Version};
use watchdog_core::observation::Sight;
use watchdog_core::plan::{Act, Agent, Heal, Outcome, Plan, PlanStatus, Step};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Entry};
use watchdog_core::refusal::news;
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::replica::ReplicaSpec;
use watchdog_ports::fake::MemoryJournal;
use watchdog_telemetry::spans::Spans;

use watchdog_trust::{Dialer, Servers};

use super::Metrics;
use crate::agents::Agents;
use crate::cluster::Handle;
use crate::cluster::world::{SharedWorld, World};

/// A cluster of which metrics tell, and the end of its record.
struct Told {
    metrics: Metrics,
    handle: Handle,
    entries: Vec<Entry>,
    epoch: Epoch,
}

impl Told {
    fn of(cluster: &str) -> Self {
        let world = SharedWorld::new(World::new(cluster.parse().unwrap()));
        let (acts, _) = mpsc::channel(1);
        let journal = Arc::new(MemoryJournal::new());
        let handle = Handle {
            world,
            journal,
            acts,
            agents: Arc::new(Agents::new(Dialer::new(None, Servers::Agents))),
        };
        let metrics = Metrics::new(Spans::off());
        metrics.tell_of(&handle);
        Self { metrics, handle, entries: Vec::new(), epoch: Epoch(0) }
    }

    /// Begins a term, of ours or of another watchdog.
    fn term(&mut self, is_ours: bool) {
        self.epoch = self.epoch.next();
        let mut world = self.handle.world.lock();
        if is_ours {
            world.tally.begin_term(self.epoch);
        } else {
            world.tally.end_term();
        }
        drop(world);
        self.write(self.entries.len() as u64, Body::TermOpened { watchdog: "w1".parse().unwrap() });
    }

    /// Writes an entry `at` so many milliseconds, and takes it in as a watchdog does.
    fn write(&mut self, at: u64, body: Body) {
        let sequence = Sequence(self.entries.len() as u64 + 1);
        let entry = Entry { sequence, at: Time(at), epoch: self.epoch, by: "w1".into(), body };
        self.handle.world.lock().apply(std::slice::from_ref(&entry));
        self.entries.push(entry);
    }

    fn says(&self, line: &str) {
        let text = self.metrics.text().unwrap();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

fn conviction(since: u64) -> Conviction {
    let evidence = Evidence { source: Source::HostAgent, proof: Proof::Proven, at: Time(since), look: 1 };
    let finding = Finding {
        kind: FaultKind::Exited,
        subject: Subject::Replica("demo-b".parse().unwrap()),
        incarnation: Some(Incarnation::from_u128(1)),
        detail: "it died".into(),
        evidence,
    };
    Conviction { finding, strikes: 3, since: Time(since) }
}

/// The plan of number `count` for `demo-b`, whose fault is seen since then.
fn plan(count: u64, since: u64, remedy: Remedy) -> Plan {
    let id = PlanId::numbered(Epoch(1), count);
    let replica = "demo-b".parse().unwrap();
    let start = Step {
        id: id.step(0),
        replica: Some("demo-b".parse().unwrap()),
        act: Act::Start {
            host: "h1".parse().unwrap(),
            incarnation: Incarnation::from_u128(9),
            version: Version(7),
        },
        why: "it is dead".into(),
        timeout_ms: 1_000,
        optional: false,
    };
    Plan {
        id,
        epoch: Epoch(1),
        created_at: Time(since + 20),
        reason: "start demo-b".into(),
        convictions: vec![conviction(since)],
        heals: vec![Heal { replica, remedy, since: Time(since), disturbs: false }],
        steps: vec![start],
    }
}

fn try_it(told: &mut Told, plan: &Plan, at: u64, (outcome, status): (Outcome, PlanStatus)) {
    let step = &plan.steps[0];
    told.write(at, Body::PlanRecorded { plan: plan.clone(), status: PlanStatus::Running });
    told.write(
        at,
        Body::Intended {
            plan: plan.id.clone(),
            step: step.id.clone(),
            replica: step.replica.clone(),
            agent: Agent::Host("h1".parse().unwrap()),
            instance: Some("i1".into()),
        },
    );
    told.write(
        at + 30,
        Body::Closed { plan: plan.id.clone(), step: step.id.clone(), outcome, error: None, blame: None },
    );
    told.write(at + 40, Body::PlanStatus { plan: plan.id.clone(), status, why: String::new() });
}

#[test]
fn a_heal_is_as_long_as_all_of_its_tries() {
    let mut told = Told::of("demo");
    told.term(true);
    told.write(1_000, Body::Convicted { conviction: conviction(1_000) });
    try_it(&mut told, &plan(1, 1_000, Remedy::Start), 1_020, (Outcome::Failed, PlanStatus::Failed));
    told.says("watchdog_heal_seconds_count{cluster=\"demo\",fault=\"exited\"} 0");
    try_it(&mut told, &plan(2, 2_000, Remedy::Start), 2_000, (Outcome::Done, PlanStatus::Done));
    told.says("watchdog_heal_seconds_count{cluster=\"demo\",fault=\"exited\"} 1");
    told.says("watchdog_heal_seconds_sum{cluster=\"demo\",fault=\"exited\"} 1.04");
    // Another illness: what was healed before does not count.
    try_it(&mut told, &plan(3, 9_000, Remedy::Start), 9_000, (Outcome::Done, PlanStatus::Done));
    told.says("watchdog_heal_seconds_sum{cluster=\"demo\",fault=\"exited\"} 1.08");
    told.says("watchdog_convictions_total{cluster=\"demo\",fault=\"exited\"} 1");
    told.says("watchdog_plans_total{cluster=\"demo\",status=\"running\"} 3");
    told.says("watchdog_plans_total{cluster=\"demo\",status=\"failed\"} 1");
    told.says("watchdog_steps_total{cluster=\"demo\",kind=\"start\",outcome=\"done\"} 2");
    told.says("watchdog_steps_total{cluster=\"demo\",kind=\"start\",outcome=\"failed\"} 1");
    told.says("watchdog_step_seconds_sum{cluster=\"demo\",kind=\"start\"} 0.09");
    // A quarantine heals nobody.
    try_it(&mut told, &plan(4, 20_000, Remedy::Quarantine), 20_000, (Outcome::Done, PlanStatus::Done));
    told.says("watchdog_heal_seconds_count{cluster=\"demo\",fault=\"exited\"} 2");
}

#[test]
fn each_entry_is_counted_by_the_watchdog_whose_term_it_is_of() {
    let mut told = Told::of("demo");
    told.term(true);
    told.write(10, Body::Convicted { conviction: conviction(1) });
    told.says("watchdog_elections_total{cluster=\"demo\"} 1");
    // Another leads: its entries are its own.
    told.term(false);
    told.write(20, Body::Convicted { conviction: conviction(2) });
    // And we again, after all was read anew.
    {
        let mut world = told.handle.world.lock();
        world.doubt_journal();
        let mut unread = World::new(world.cluster.clone());
        world.adopt_journal(&mut unread);
    }
    let entries = told.entries.clone();
    told.handle.world.lock().apply(&entries);
    told.term(true);
    told.handle.world.lock().apply(&entries);
    told.write(30, Body::Convicted { conviction: conviction(3) });
    told.says("watchdog_elections_total{cluster=\"demo\"} 2");
    told.says("watchdog_convictions_total{cluster=\"demo\",fault=\"exited\"} 2");
}

#[test]
fn a_veto_is_a_refusal_and_an_objection() {
    let mut told = Told::of("demo");
    told.term(true);
    let veto = Refusal { subject: None, reason: Reason::Vetoed { objection: "no".into() } };
    told.write(10, news::of(&[], std::slice::from_ref(&veto)).unwrap());
    told.handle.world.lock().refusals = vec![veto];
    told.says("watchdog_refusals_total{cluster=\"demo\",kind=\"vetoed\"} 1");
    told.says("watchdog_vet_objections_total{cluster=\"demo\"} 1");
    told.says("watchdog_refusals_standing{cluster=\"demo\",kind=\"vetoed\"} 1.0");
}

#[test]
fn time_without_a_leader_adds_up() {
    let told = Told::of("demo");
    let mut world = told.handle.world.lock();
    let begun = Instant::now() + Duration::from_hours(1);
    world.tally.led(true, begun);
    let before = told.metrics.counters.leaderless.get_or_create(&vec![("cluster", "demo".to_owned())]).get();
    world.tally.led(true, begun + Duration::from_secs(10));
    world.tally.led(false, begun + Duration::from_secs(20));
    world.tally.led(false, begun + Duration::from_secs(25));
    world.tally.led(true, begun + Duration::from_secs(30));
    world.tally.led(true, begun + Duration::from_secs(99));
    let after = told.metrics.counters.leaderless.get_or_create(&vec![("cluster", "demo".to_owned())]).get();
    assert!((after - before - 10.0).abs() < 1e-6, "{before} {after}");
}

#[test]
fn the_number_of_series_does_not_grow_with_the_replicas() {
    let series = |replicas: usize| {
        let mut told = Told::of("demo");
        told.term(true);
        {
            let mut world = told.handle.world.lock();
            let spec = |index: usize| -> (_, Result<ReplicaSpec, String>) {
                (format!("demo-{index}").parse().unwrap(), Err(String::from("not read")))
            };
            world.log.replicas = (0..replicas).map(spec).collect();
            world.observation.sight = Sight::Clear;
        }
        for index in 0..replicas {
            let replica = format!("demo-{index}").parse().unwrap();
            told.write(10, Body::Quarantined { replica, why: "it dies".into() });
        }
        told.says(&format!("watchdog_quarantined_replicas{{cluster=\"demo\"}} {replicas}.0"));
        let text = told.metrics.text().unwrap();
        assert!(!text.contains("demo-1"), "a replica is named in\n{text}");
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    assert_eq!(series(10), series(100));
}
