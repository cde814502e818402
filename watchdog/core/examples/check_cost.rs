//! Check cost: what one check of 10,000 healthy replicas costs, `cargo run --release -p watchdog-core --example check_cost`.
#![expect(clippy::disallowed_methods, reason = "the core is told the time; whoever measures it is not")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hint::black_box;
use std::time::Instant;

use watchdog_core::assess::{Scene, Scope, check};
use watchdog_core::history::{History, PastLife};
use watchdog_core::ids::{Epoch, HostId, Incarnation, NameError, ReplicaId, Time, Version};
use watchdog_core::input::{Declarations, Target};
use watchdog_core::observation::{
    Health, Life, Loaded, MemberSeen, Observation, Probed, ProcessSeen, ReplicaSeen, Sight,
};
use watchdog_core::policy::Policy;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Hash;
use watchdog_core::strikes::StrikeBook;

const REPLICAS: u32 = 10_000;
const ROUNDS: u32 = 200;

fn main() -> Result<(), NameError> {
    let world = World::healthy()?;
    let scene = Scene {
        observation: &world.observation,
        replicas: &world.replicas,
        target: world.target,
        history: &world.history,
        policy: &world.policy,
    };
    let one_percent: BTreeSet<ReplicaId> = world.replicas.keys().step_by(100).cloned().collect();
    for (what, scope) in [
        ("nothing changed", Scope::Only(&BTreeSet::new())),
        ("1 % changed", Scope::Only(&one_percent)),
        ("all looked at", Scope::All),
    ] {
        let mut book = StrikeBook::new(&world.history);
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            let check = check(black_box(&scene), scope);
            black_box(book.record(&check, &world.policy, world.observation.at));
        }
        println!("{what:>16}: {:>9.1} µs a check", begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
    }
    Ok(())
}

struct World {
    observation: Observation,
    replicas: Declarations,
    target: Target,
    history: History,
    policy: Policy,
}

impl World {
    fn healthy() -> Result<Self, NameError> {
        let holds = Loaded { version: Version(7), state_hash: Hash::of(b"v7") };
        let mut world = Self {
            observation: Observation {
                at: Time(1_000_000),
                watched_since: Time::default(),
                sight: Sight::Clear,
                fenced_write_at: None,
                hosts: BTreeMap::new(),
                replicas: BTreeMap::new(),
            },
            replicas: BTreeMap::new(),
            target: Target {
                head: Version(7),
                stable: Some(Version(7)),
                version: Version(7),
                state_hash: holds.state_hash,
                empty_hash: Hash::of(b""),
            },
            history: History::default(),
            policy: Policy::default(),
        };
        for index in 0..REPLICAS {
            let replica = ReplicaId::new(format!("scoring-service-{index:05}"))?;
            let host = HostId::new(format!("h{}", index % 100))?;
            let incarnation = Incarnation::from_u128(u128::from(index));
            let spec = ReplicaSpec {
                hosts: vec![host.clone()],
                program: "scoring".to_owned(),
                parameters: BTreeMap::new(),
                probes: Vec::new(),
                exclusive: false,
                lease_ms: 10_000,
                grace_ms: 5_000,
                live_load: false,
                tags: BTreeMap::new(),
            };
            let past =
                PastLife { incarnation, host: host.clone(), at: Time(0), obituary: None, buried_at: None };
            world.history.lives.insert(replica.clone(), VecDeque::from([past]));
            let seen = ReplicaSeen {
                look: 1,
                embeds: true,
                lives: BTreeMap::from([(incarnation, life(host, holds))]),
                ..ReplicaSeen::default()
            };
            world.observation.replicas.insert(replica.clone(), seen);
            world.replicas.insert(replica, Ok(spec));
        }
        Ok(world)
    }
}

fn life(host: HostId, loaded: Loaded) -> Life {
    let process = ProcessSeen {
        pid: 1,
        stopping: false,
        probe: Probed::Passing,
        detail: String::new(),
        round: 1,
        since: Time(0),
        stamp: Time::default(),
        loaded: None,
        setup: None,
    };
    let member = MemberSeen {
        pid: 1,
        address: String::new(),
        service: None,
        loaded,
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(1),
        since: Time(0),
        stamp: Time::default(),
    };
    Life { process: Some(process), member: Some(member), ..Life::on(host) }
}
