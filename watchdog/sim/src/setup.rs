//! Setup: the cluster that a seed makes: its hosts, watchdogs, replicas and bounds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use watchdog_core::change::Change;
use watchdog_core::goal::Canary;
use watchdog_core::ids::{ClusterId, HostId, ReplicaId, WatchdogId};
use watchdog_core::policy::{Autonomy, Backoff, Limit, POLICY_KEY, Policy, Remedy, Tries};
use watchdog_core::replica::{Probe, ProbeTiming, ReplicaSpec};
use watchdog_core::state::{Key, State};

use crate::rng::Rng;

/// The program of a replica that embeds the agent; every other is guarded by its host's.
pub const EMBEDDING: &str = "server";
/// The program of a replica that knows nothing of us.
pub const PLAIN: &str = "plain";
/// The key of the application's state that says how a version behaves.
pub const MODEL: &str = "model/m";

/// Names that may be declared, in order.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "i"];

/// See the module.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its name.
    pub cluster: ClusterId,
    /// The hosts, also those that came later.
    pub hosts: Vec<HostId>,
    /// Those that are gone for good, and another stands in their place.
    pub gone: BTreeSet<HostId>,
    /// The watchdogs.
    pub dogs: Vec<WatchdogId>,
    /// The replicas that are declared at first.
    pub replicas: BTreeMap<ReplicaId, ReplicaSpec>,
    /// Names for more.
    pub spare: Vec<ReplicaId>,
    /// The bounds at first.
    pub policy: Policy,
    /// How long a session of the coordination service outlives its holder, in milliseconds.
    pub session_ms: u64,
    /// How long a leader leads on without a journal that others can reach.
    pub resign_after_ms: u64,
    /// How long it stays out then.
    pub stay_out_ms: u64,
    /// The mean time between two faults.
    pub gap_ms: u64,
}

/// A name that is one by its making.
fn name<T: TryFrom<String>>(text: impl Into<String>) -> Option<T> {
    T::try_from(text.into()).ok()
}

impl Setup {
    /// The cluster of a seed.
    pub fn of(rng: &mut Rng) -> Option<Self> {
        let hosts: Vec<HostId> = (1..=rng.range(3, 4)).filter_map(|it| name(format!("h{it}"))).collect();
        let dogs: Vec<WatchdogId> = (1..=rng.range(2, 3)).filter_map(|it| name(format!("w{it}"))).collect();
        let count = rng.range(3, 5);
        let mut names = NAMES.iter().filter_map(|it| name::<ReplicaId>(*it));
        let odd = rng.below(6);
        let replicas = (0..count).filter_map(|index| {
            let spec = spec(&hosts, (index, odd), rng);
            Some((names.next()?, spec))
        });
        let replicas: BTreeMap<ReplicaId, ReplicaSpec> = replicas.collect();
        Some(Self {
            cluster: name("sim")?,
            spare: names.collect(),
            policy: policy(rng),
            session_ms: *rng.pick(&[4_000, 6_000, 8_000]),
            resign_after_ms: 5_000,
            stay_out_ms: 30_000,
            gap_ms: *rng.pick(&[4_000, 8_000, 20_000]),
            hosts,
            gone: BTreeSet::new(),
            dogs,
            replicas,
        })
    }

    /// What a replica is declared as that comes later.
    pub fn newcomer(&self, rng: &mut Rng) -> ReplicaSpec {
        let there: Vec<HostId> =
            self.hosts.iter().filter(|host| !self.gone.contains(*host)).cloned().collect();
        spec(&there, (rng.below(4), 9), rng)
    }

    /// The first changes of the log.
    pub fn founding(&self) -> Vec<Change> {
        let mut state = State::default();
        let mut changes = Vec::new();
        let declared = self.replicas.iter().map(|(id, spec)| (Key::of_replica(id), json!(spec)));
        let rest = [(POLICY_KEY, json!(self.policy)), (MODEL, json!({"n": 0, "trait": "good"}))];
        let rest = rest.into_iter().filter_map(|(key, value)| Some((Key::new(key).ok()?, value)));
        for (key, value) in declared.chain(rest) {
            let change = Change::of(&state, key, Some(value));
            state.apply(&change.key, change.after.as_ref());
            changes.push(change);
        }
        changes
    }
}

fn spec(hosts: &[HostId], (index, odd): (u64, u64), rng: &mut Rng) -> ReplicaSpec {
    let first = usize::try_from(index).unwrap_or_default() % hosts.len();
    let count = 1 + rng.index(hosts.len());
    let count = if rng.chance(700) { count.max(2) } else { count };
    let order = (0..count).map(|step| hosts[(first + step) % hosts.len()].clone());
    ReplicaSpec {
        hosts: order.collect(),
        // One of the first two may be odd: exclusive, or a stranger to us.
        program: (if odd == 2 && index == 1 { PLAIN } else { EMBEDDING }).to_owned(),
        parameters: BTreeMap::new(),
        probes: vec![Probe::Grpc { address: None, timing: ProbeTiming::default() }],
        exclusive: odd < 2 && index == odd,
        lease_ms: 10_000,
        grace_ms: *rng.pick(&[0, 2_000, 5_000]),
        live_load: rng.chance(300),
        tags: BTreeMap::new(),
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let initial_ms = *rng.pick(&[1_000, 1_000, 4_000, 20_000]);
    let mut policy = Policy {
        strikes: rng.range(2, 3).try_into().unwrap_or(3),
        max_disturbed: Limit::Count(if rng.chance(800) { 1 } else { 2 }),
        heals_parallel: *rng.pick(&[1, 2, 8]),
        heals_per_hour: *rng.pick(&[12, 20]),
        tries: Tries { load: 2, restart: rng.range(2, 3).try_into().unwrap_or(3), relocate: 1 },
        backoff: Backoff { initial_ms, factor: 2.0, max_ms: 60_000 },
        soak_ms: *rng.pick(&[2_000, 5_000, 15_000]),
        canary: Canary::Count(u32::from(rng.chance(850))),
        batch: u32::from(rng.chance(400)),
        max_failures: u32::from(rng.chance(250)),
        ..Policy::default()
    };
    if rng.chance(100) {
        policy.autonomy.insert(*rng.pick(&[Remedy::Relocate, Remedy::Restart]), Autonomy::Approve);
    }
    policy
}
