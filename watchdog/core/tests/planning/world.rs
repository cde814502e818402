//! World: a small cluster as decisions see it, with the faults that stories tell of.

use std::collections::BTreeMap;

use watchdog_core::assess::{Scene, Scope, assess};
use watchdog_core::blame::Blame;
use watchdog_core::finding::{Conviction, Evidence, FaultKind, Finding, Proof, Source, Subject};
use watchdog_core::history::{
    Begun, History, Intent, Miss, OpenPlan, PastHeal, PastHost, PastLife, Pause, Progress, Quarantine,
};
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, PlanId, ReplicaId, StepId, Time, Version};
use watchdog_core::input::{PlanInput, Target};
use watchdog_core::observation::{
    Health, HostSeen, Life, Loaded, MemberSeen, Obituary, Observation, Presence, Probed, ProcessSeen,
    ReplicaSeen, Sight,
};
use watchdog_core::plan::{Agent, Heal, Outcome, Plan, PlanStatus};
use watchdog_core::policy::{Policy, Remedy};
use watchdog_core::record::Mark;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Hash;

/// When every story is told.
pub(crate) const NOW: Time = Time(10_000_000);

/// The names of replicas, in order.
pub(crate) const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "i", "j"];

pub(crate) fn replica(name: &str) -> ReplicaId {
    name.parse().unwrap()
}

pub(crate) fn host(name: &str) -> HostId {
    name.parse().unwrap()
}

pub(crate) fn incarnation(number: u128) -> Incarnation {
    Incarnation::from_u128(number)
}

pub(crate) fn ago(ms: u64) -> Time {
    Time(NOW.0 - ms)
}

/// The hash of what a replica that is right holds.
pub(crate) fn right() -> Hash {
    Hash::of(b"right")
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) input: PlanInput,
    /// Convictions that no check gives, because they come from the record.
    pub(crate) told: Vec<Conviction>,
    /// Whether nothing has had its strikes yet.
    pub(crate) unjudged: bool,
    next: u128,
}

impl World {
    /// `replicas` replicas in turn on `hosts` hosts, all healthy on version 7, which is stable.
    pub(crate) fn new(replicas: usize, hosts: usize) -> Self {
        let mut world = Self { input: empty(), told: Vec::new(), unjudged: false, next: 1_000 };
        for number in 1..=hosts {
            world.add_host(&host(&format!("h{number}")));
        }
        for (index, name) in NAMES.iter().take(replicas).enumerate() {
            let order = (0..hosts).map(|step| host(&format!("h{}", (index + step) % hosts + 1)));
            let spec = spec(order.collect());
            let home = spec.hosts[0].clone();
            world.input.replicas.insert(replica(name), Ok(spec));
            world.input.observation.replicas.insert(replica(name), ReplicaSeen::default());
            world.be_born(name, (incarnation(index as u128 + 1), &home), ago(500_000));
        }
        world
    }

    pub(crate) fn add_host(&mut self, name: &HostId) {
        let (instance, boot_id, address) =
            (format!("i-{name}"), "boot-1".to_owned(), "127.0.0.1:1".to_owned());
        let past =
            PastHost { instance: instance.clone(), boot_id: boot_id.clone(), address: address.clone() };
        self.input.history.hosts.insert(name.clone(), past);
        let presence = Presence::Present;
        let seen = HostSeen {
            presence,
            instance,
            address,
            pid: 1,
            boot_id,
            inventory_complete: true,
            session: String::new(),
        };
        self.input.observation.hosts.insert(name.clone(), seen);
    }

    /// A healthy new life, ordered and seen.
    pub(crate) fn be_born(&mut self, name: &str, (it, home): (Incarnation, &HostId), at: Time) {
        let past = PastLife { incarnation: it, host: home.clone(), at, obituary: None, buried_at: None };
        let lives = self.input.history.lives.entry(replica(name)).or_default();
        if lives.iter().all(|life| life.incarnation != it) {
            lives.push_back(past);
        }
        let seen = self.seen(name);
        seen.absent_since = None;
        seen.embeds = true;
        seen.lives.insert(it, healthy_life(home, at));
    }

    pub(crate) fn seen(&mut self, name: &str) -> &mut ReplicaSeen {
        self.input.observation.replicas.get_mut(&replica(name)).unwrap()
    }

    pub(crate) fn spec(&mut self, name: &str) -> &mut ReplicaSpec {
        self.input.replicas.get_mut(&replica(name)).unwrap().as_mut().unwrap()
    }

    /// Its newest life that is seen.
    pub(crate) fn life(&mut self, name: &str) -> &mut Life {
        self.seen(name).lives.values_mut().next_back().unwrap()
    }

    pub(crate) fn member(&mut self, name: &str) -> &mut MemberSeen {
        self.life(name).member.as_mut().unwrap()
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut ProcessSeen {
        self.life(name).process.as_mut().unwrap()
    }

    /// Its lives end, with an obituary.
    pub(crate) fn die(&mut self, name: &str, only: Option<Incarnation>) {
        let lives: Vec<(Incarnation, HostId)> =
            self.seen(name).lives.iter().map(|(it, life)| (*it, life.host.clone())).collect();
        for (it, home) in lives.into_iter().filter(|(it, _)| only.is_none_or(|only| only == *it)) {
            let obituary = obituary(name, it, &home);
            let life = self.seen(name).lives.get_mut(&it).unwrap();
            (life.process, life.member, life.obituary) = (None, None, Some(obituary.clone()));
            let past = self.input.history.lives.entry(replica(name)).or_default();
            past.iter_mut().filter(|past| past.incarnation == it).for_each(|past| {
                past.obituary = Some(obituary.clone());
            });
        }
        let alive = self.seen(name).lives.values().any(Life::is_alive);
        self.seen(name).absent_since = (!alive).then_some(ago(1));
    }

    /// Nothing is seen of it any more, and nobody says why.
    pub(crate) fn vanish(&mut self, name: &str, since: Time) {
        let seen = self.seen(name);
        seen.lives.clear();
        seen.absent_since = Some(since);
    }

    /// Its host's agent, and with it the host's processes and all replicas on it, fall silent.
    pub(crate) fn lose_host(&mut self, name: &str, since: Time, with_replicas: bool) {
        self.input.observation.hosts.get_mut(&host(name)).unwrap().presence = Presence::Gone { since };
        for seen in self.input.observation.replicas.values_mut() {
            for life in seen.lives.values_mut().filter(|life| life.host == host(name)) {
                life.process = None;
                if with_replicas {
                    life.member = None;
                }
            }
            seen.lives.retain(|_, life| life.is_alive() || life.obituary.is_some());
            if !seen.lives.values().any(Life::is_alive) && seen.absent_since.is_none() {
                seen.absent_since = Some(since);
            }
        }
    }

    pub(crate) fn unused(&mut self) -> Incarnation {
        self.next += 1;
        incarnation(self.next)
    }

    pub(crate) fn tell(&mut self, name: &str, kind: FaultKind) {
        let evidence = Evidence { source: Source::Record, proof: Proof::Proven, at: NOW, look: 1 };
        let subject = Subject::Replica(replica(name));
        let finding = Finding { kind, subject, incarnation: None, detail: "told".to_owned(), evidence };
        self.told.push(Conviction { finding, strikes: 3, since: self.input.now });
    }

    pub(crate) fn remember_heal(
        &mut self,
        name: &str,
        (remedy, status, on): (Remedy, PlanStatus, &str),
        ended: Time,
    ) {
        let heal = PastHeal {
            plan: PlanId::numbered(Epoch(4), 1),
            remedy,
            since: Time(ended.0 - 200),
            host: Some(host(on)),
            life: None,
            at: Time(ended.0 - 100),
            ended_at: Some(ended),
            status,
            missed: (status == PlanStatus::Failed).then(missed),
            begun: Begun::Surely,
        };
        self.input.history.heals.entry(replica(name)).or_default().push_back(heal);
    }

    /// It was given up, on this state if that is known.
    pub(crate) fn quarantine(&mut self, name: &str, on: Option<Hash>) {
        let quarantine = Quarantine { why: "it broke".to_owned(), on };
        self.input.history.quarantined.insert(replica(name), quarantine);
    }

    /// A plan of this term that is already dealing with a replica.
    pub(crate) fn open_plan(&mut self, name: &str, remedy: Remedy, disturbs: bool) {
        let id = PlanId::numbered(self.input.epoch, 50 + self.input.history.open_plans.len() as u64);
        let heal = Heal { replica: replica(name), remedy, since: NOW, disturbs };
        let plan = Plan {
            id: id.clone(),
            epoch: self.input.epoch,
            created_at: NOW,
            reason: String::new(),
            convictions: Vec::new(),
            heals: vec![heal],
            steps: Vec::new(),
        };
        let open = OpenPlan { plan, status: PlanStatus::Running, progress: Progress::default() };
        self.input.history.open_plans.insert(id, open);
    }

    /// An order of the term before whose fate is not known.
    pub(crate) fn open_intent(&mut self, name: &str, agent: Agent) {
        let plan = PlanId::numbered(Epoch(4), 9);
        let step: StepId = format!("4-9-{}", self.input.history.open_intents.len() + 1).parse().unwrap();
        let (replica, at) = (Some(replica(name)), ago(2_000));
        let intent = Intent { plan, epoch: Epoch(4), replica, agent, instance: None, at };
        self.input.history.open_intents.insert(step, intent);
    }

    /// The input of a plan: convicted is who has a fault now.
    pub(crate) fn input(&self) -> PlanInput {
        let mut input = self.input.clone();
        input.observation.at = input.now;
        let scene = Scene {
            observation: &input.observation,
            replicas: &input.replicas,
            target: input.target,
            history: &input.history,
            policy: &input.policy,
        };
        let convict = |finding: Finding| Conviction { finding, strikes: 3, since: Time(input.now.0 - 5) };
        input.convictions =
            assess(&scene, Scope::All).into_iter().map(convict).chain(self.told.clone()).collect();
        if self.unjudged {
            input.convictions.clear();
        }
        input
    }

    /// Nobody says any more that something is wrong with it that no check finds.
    pub(crate) fn forget_told(&mut self, whom: &ReplicaId) {
        self.told.retain(|told| told.finding.subject != Subject::Replica(whom.clone()));
    }

    pub(crate) fn be_killed(&mut self, name: &str, it: Incarnation, at: &HostId) {
        if self.seen(name).lives.contains_key(&it) {
            return self.die(name, Some(it));
        }
        let past = self.input.history.lives.entry(replica(name)).or_default();
        for past in past.iter_mut().filter(|past| past.incarnation == it) {
            past.obituary = Some(obituary(name, it, at));
        }
    }
}

/// What a replica's own failure looks like in the record.
fn missed() -> Miss {
    Miss { outcome: Outcome::Failed, blame: Blame::Replica, why: "it failed".to_owned() }
}

pub(crate) fn pause_until(until: Option<Time>) -> Pause {
    Pause { by: "ann".to_owned(), reason: "tests".to_owned(), until }
}

pub(crate) fn obituary(name: &str, it: Incarnation, home: &HostId) -> Obituary {
    let status = "signal 9 (SIGKILL)".to_owned();
    Obituary {
        replica: replica(name),
        incarnation: it,
        host: home.clone(),
        status,
        tree_gone: true,
        at: ago(1),
    }
}

fn spec(hosts: Vec<HostId>) -> ReplicaSpec {
    ReplicaSpec {
        hosts,
        program: "scoring".to_owned(),
        parameters: BTreeMap::new(),
        probes: Vec::new(),
        exclusive: false,
        lease_ms: 10_000,
        grace_ms: 5_000,
        live_load: false,
        tags: BTreeMap::new(),
    }
}

pub(crate) fn healthy_life(home: &HostId, since: Time) -> Life {
    let process = ProcessSeen {
        pid: 10,
        stopping: false,
        probe: Probed::Passing,
        detail: String::new(),
        round: 1,
        since,
        stamp: Time::default(),
        loaded: None,
        setup: None,
    };
    let member = MemberSeen {
        pid: 10,
        address: "127.0.0.1:2".to_owned(),
        service: None,
        loaded: Loaded { version: Version(7), state_hash: right() },
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(5),
        since,
        stamp: Time::default(),
    };
    Life { process: Some(process), member: Some(member), ..Life::on(home.clone()) }
}

fn empty() -> PlanInput {
    let mut history = History {
        epoch: Epoch(5),
        stable: Some(Version(7)),
        marks: BTreeMap::from([(Version(7), Mark::Stable)]),
        marked_hashes: BTreeMap::from([(Version(7), right())]),
        ..History::default()
    };
    // Whatever a story tells of was begun, unless it says otherwise.
    history.witness.acted.extend(NAMES.iter().map(|name| replica(name)));
    PlanInput {
        cluster: ClusterId::new("demo").unwrap(),
        epoch: Epoch(5),
        now: NOW,
        // Most stories are told without the start that proves a version; those of `prove.txt` are about it.
        policy: Policy { prove_start: false, ..Policy::default() },
        delays_ms: vec![1_000, 2_000, 4_000],
        target: Target {
            head: Version(8),
            stable: Some(Version(7)),
            version: Version(7),
            state_hash: right(),
            empty_hash: Hash::of(b"empty"),
        },
        replicas: BTreeMap::new().into(),
        observation: Observation {
            at: NOW,
            watched_since: Time::default(),
            sight: Sight::Clear,
            fenced_write_at: Some(NOW),
            hosts: BTreeMap::new(),
            replicas: BTreeMap::new(),
        }
        .into(),
        convictions: Vec::new(),
        history: history.into(),
        fresh: (0..32).map(|number| incarnation(5_000 + number)).collect(),
        obstacles: Vec::new(),
    }
}
