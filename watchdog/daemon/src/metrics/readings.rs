//! Readings: the gauges, read from the world when somebody asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watchdog_core::condition::{ReplicaState, condition};
use watchdog_core::finding::FaultKind;
use watchdog_core::history::OpenPlan;
use watchdog_core::ids::Time;
use watchdog_core::observation::Sight;
use watchdog_core::plan::PlanStatus;
use watchdog_core::refusal::Reason;
use watchdog_core::safety::disturbed;
use watchdog_membership::tree::Session;
use watchdog_telemetry::metrics::{Labels, Reading, number as value_of};

use super::PREFIX;
use crate::admin::{goal_view, views};
use crate::cluster::Handle;
use crate::cluster::world::{Role, World};

/// Reads the worlds of these clusters.
#[derive(Debug)]
pub(super) struct Readings(pub(super) Arc<Mutex<Vec<Handle>>>);

/// Values of one gauge for one cluster: those of its second label, or one without.
type Values = Vec<(Option<(&'static str, String)>, f64)>;

/// A gauge: its name without the prefix, what it says, and how it is read.
struct Gauge {
    name: &'static str,
    help: &'static str,
    read: fn(&Scene<'_>) -> Values,
}

/// What gauges are read from.
struct Scene<'a> {
    world: &'a World,
    now: Time,
    silent_agents: usize,
}

const GAUGES: [Gauge; 31] = [
    Gauge {
        name: "is_leader",
        help: "Whether this watchdog leads the cluster",
        read: |it| flag(it.world.role != Role::Follower),
    },
    Gauge {
        name: "leader_known",
        help: "Whether a leader can be seen from here",
        read: |it| flag(is_led(it.world)),
    },
    Gauge {
        name: "epoch",
        help: "The highest term that is known here",
        read: |it| number(it.world.history.epoch.0),
    },
    Gauge {
        name: "log_head_version",
        help: "The newest version of the metadata log",
        read: |it| number(it.world.log.head.version.0),
    },
    Gauge {
        name: "log_stable_version",
        help: "The version that is proven stable, 0 when none is",
        read: |it| number(it.world.history.stable.map_or(0, |stable| stable.0)),
    },
    Gauge {
        name: "record_entries",
        help: "How far the record is known here",
        read: |it| number(it.world.history.through.0),
    },
    Gauge { name: "replicas", help: "Replicas that are declared, by how they are", read: replicas },
    Gauge {
        name: "quarantined_replicas",
        help: "Replicas that are left alone until a human releases them",
        read: |it| count(it.world.history.quarantined.len()),
    },
    Gauge { name: "hosts", help: "Hosts whose agent was seen, by whether it is there", read: hosts },
    Gauge {
        name: "agents_silent",
        help: "Agents that were asked by this watchdog and did not answer",
        read: |it| count(it.silent_agents),
    },
    Gauge {
        name: "disturbed_replicas",
        help: "Replicas that are down, or possibly being touched",
        read: |it| count(disturbed(&input(it)).len()),
    },
    Gauge {
        name: "disturbed_replicas_max",
        help: "How many may be disturbed before no other serving one is touched",
        read: |it| count(it.world.log.policy.max_disturbed.of(it.world.log.replicas.len())),
    },
    Gauge {
        name: "paused",
        help: "Whether an operator has paused all healing",
        read: |it| flag(it.world.pause(it.now).is_some()),
    },
    Gauge {
        name: "holds",
        help: "Replicas and hosts that are held for maintenance",
        read: |it| count(it.world.holds(it.now).len()),
    },
    Gauge {
        name: "blind",
        help: "Whether this watchdog can't see the group, and so holds",
        read: |it| flag(it.world.observation.sight != Sight::Clear),
    },
    Gauge {
        name: "coordination_session",
        help: "The session with the coordination service: 1 for the state that it is in",
        read: session,
    },
    Gauge {
        name: "journal_available",
        help: "Whether the journal can be read and written",
        read: |it| flag(it.world.journal_fault.is_none()),
    },
    Gauge {
        name: "journal_behind",
        help: "Whether the journal lacks what it held before, so that everything is held",
        read: |it| {
            flag(it.world.obstacles.iter().any(|it| matches!(it.reason, Reason::JournalBehind { .. })))
        },
    },
    Gauge {
        name: "policy_unreadable",
        help: "Whether the policy in the log can't be read, so that the last good one stands",
        read: |it| flag(it.world.log.policy_fault.is_some()),
    },
    Gauge {
        name: "storm_held_replicas",
        help: "Replicas that vanished together without proof of death, and are held",
        read: storm,
    },
    Gauge { name: "findings_standing", help: "Faults that the last check saw", read: findings },
    Gauge {
        name: "convictions_standing",
        help: "Faults that are convicted and not gone",
        read: |it| count(it.world.history.convictions.len()),
    },
    Gauge { name: "refusals_standing", help: "Reasons not to act that stand, by kind", read: refusals },
    Gauge {
        name: "open_plans",
        help: "Plans that are under way or await approval",
        read: |it| by_status(it, |plans| value_of(plans.len() as u64)),
    },
    Gauge {
        name: "open_plan_age_seconds",
        help: "Age of the oldest plan in that status, 0 when there is none",
        read: oldest,
    },
    Gauge {
        name: "open_steps",
        help: "Steps that were sent and are not answered",
        read: |it| count(it.world.history.open_intents.len()),
    },
    Gauge {
        name: "goal_stage",
        help: "Where the rollout of the goal that rolls is: 1 for its stage, 0 everywhere when none rolls",
        read: stage,
    },
    Gauge {
        name: "goal_rolling_seconds",
        help: "How long the goal that rolls has been rolling, 0 when none does",
        read: |it| {
            vec![(None, it.world.history.rollout.as_ref().map_or(0.0, |rollout| age(it, rollout.started_at)))]
        },
    },
    Gauge {
        name: "goals_pending",
        help: "Goals that wait for their turn",
        read: |it| count(it.world.history.pending.len()),
    },
    Gauge {
        name: "contenders",
        help: "Watchdogs that would lead",
        read: |it| count(it.world.contenders.len()),
    },
    Gauge {
        name: "unsealed_agents",
        help: "Agents that may still carry out orders of an earlier leader",
        read: unsealed,
    },
];

/// Steps of the clock are the one counter that is read.
const CLOCK_STEPS: (&str, &str) =
    ("watchdog_clock_steps", "Times that the clock of this machine was set by more than a minute");

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let handles = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all: Vec<Vec<(Labels, f64)>> = GAUGES.iter().map(|_| Vec::new()).collect();
        let mut steps = Vec::new();
        for handle in &handles {
            let silent_agents = handle.agents.silent();
            let mut world = handle.world.lock();
            world.note_leader(Instant::now());
            let (world, now) = (&*world, world.now());
            let cluster = ("cluster", world.cluster.to_string());
            let scene = Scene { world, now, silent_agents };
            for (values, gauge) in all.iter_mut().zip(&GAUGES) {
                let read = (gauge.read)(&scene).into_iter();
                values.extend(
                    read.map(|(label, value)| {
                        (std::iter::once(cluster.clone()).chain(label).collect(), value)
                    }),
                );
            }
            steps.push((vec![cluster], value_of(world.clock_steps())));
        }
        for (values, gauge) in all.into_iter().zip(&GAUGES) {
            let name = format!("{PREFIX}_{}", gauge.name);
            Reading { name: &name, help: gauge.help, is_counter: false, values }.encode(&mut encoder)?;
        }
        let (name, help) = CLOCK_STEPS;
        Reading { name, help, is_counter: true, values: steps }.encode(&mut encoder)
    }
}

impl World {
    /// Counts the time without a leader up to now.
    pub(crate) fn note_leader(&mut self, now: Instant) {
        let is_led = is_led(self);
        self.tally.led(is_led, now);
    }
}

fn is_led(world: &World) -> bool {
    world.observation.sight == Sight::Clear && views::leader(world).is_some()
}

fn flag(is_so: bool) -> Values {
    vec![(None, f64::from(u8::from(is_so)))]
}

fn count(count: usize) -> Values {
    number(count as u64)
}

fn number(number: u64) -> Values {
    vec![(None, value_of(number))]
}

/// 1 for the word that holds, 0 for all others.
fn one_of(label: &'static str, words: &[&str], holds: Option<&str>) -> Values {
    words
        .iter()
        .map(|word| (Some((label, (*word).to_owned())), f64::from(u8::from(holds == Some(*word)))))
        .collect()
}

/// How often each word was said; those that nobody said stand at zero.
fn tallied<'a>(label: &'static str, words: &[&'a str], said: impl Iterator<Item = &'a str>) -> Values {
    let mut counts: BTreeMap<&str, u64> = words.iter().map(|word| (*word, 0)).collect();
    said.for_each(|word| *counts.entry(word).or_default() += 1);
    counts.into_iter().map(|(word, count)| (Some((label, word.to_owned())), value_of(count))).collect()
}

fn age(scene: &Scene<'_>, since: Time) -> f64 {
    Duration::from_millis(scene.now.since_ms(since)).as_secs_f64()
}

fn input(scene: &Scene<'_>) -> watchdog_core::input::PlanInput {
    let Scene { world, now, .. } = *scene;
    world.plan_input((world.history.epoch, now))
}

fn replicas(scene: &Scene<'_>) -> Values {
    let known = scene.world.scene();
    let states = scene.world.log.replicas.keys().map(|replica| condition(replica, &known).state.word());
    tallied("state", &ReplicaState::ALL.map(ReplicaState::word), states)
}

fn hosts(scene: &Scene<'_>) -> Values {
    let observation = &scene.world.observation;
    let is_clear = observation.sight == Sight::Clear;
    let states = observation.hosts.values().map(|host| match (is_clear, host.is_present()) {
        (false, _) => "unknown",
        (true, true) => "up",
        (true, false) => "gone",
    });
    tallied("state", &["up", "gone", "unknown"], states)
}

fn session(scene: &Scene<'_>) -> Values {
    let state = scene.world.session.as_ref().map(|session| *session.borrow());
    let word = match state {
        Some(Session::Connected) => "connected",
        Some(Session::Suspended) => "suspended",
        Some(Session::Expired) => "expired",
        None => "none",
    };
    one_of("state", &["connected", "suspended", "expired", "none"], Some(word))
}

fn storm(scene: &Scene<'_>) -> Values {
    let held = scene.world.refusals.iter().filter_map(|refusal| match refusal.reason {
        Reason::Storm { vanished, .. } => Some(vanished),
        _ => None,
    });
    count(held.max().unwrap_or_default())
}

fn findings(scene: &Scene<'_>) -> Values {
    let faults = scene.world.findings.values().flatten().map(|finding| finding.kind.word());
    tallied("fault", &FaultKind::ALL.map(FaultKind::word), faults)
}

fn refusals(scene: &Scene<'_>) -> Values {
    let standing = scene.world.refusals.iter().chain(&scene.world.obstacles);
    tallied("kind", &Reason::WORDS, standing.map(|refusal| refusal.reason.word()))
}

fn by_status(scene: &Scene<'_>, read: impl Fn(&[&OpenPlan]) -> f64) -> Values {
    let open = [PlanStatus::AwaitingApproval, PlanStatus::Running].into_iter().map(|status| {
        let plans = scene.world.history.open_plans.values().filter(|open| open.status == status);
        (Some(("status", status.word().to_owned())), read(&plans.collect::<Vec<_>>()))
    });
    open.collect()
}

fn oldest(scene: &Scene<'_>) -> Values {
    by_status(scene, |plans| {
        let first = plans.iter().map(|open| open.plan.created_at).min();
        first.map_or(0.0, |first| age(scene, first))
    })
}

fn stage(scene: &Scene<'_>) -> Values {
    let stage = goal_view::stage_of(scene.world, scene.now);
    one_of("stage", &goal_view::STAGES, stage.as_deref())
}

fn unsealed(scene: &Scene<'_>) -> Values {
    let history = &scene.world.history;
    let older = history.open_intents.values().filter(|intent| intent.epoch < history.epoch);
    let agents: std::collections::BTreeSet<_> = older.map(|intent| &intent.agent).collect();
    count(agents.len())
}
