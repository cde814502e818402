//! World: three healthy replicas on two hosts, and the words to break them with.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::assess::{Scene, Scope, assess};
use watchdog_core::condition::{Condition, condition};
use watchdog_core::finding::{Finding, Proof};
use watchdog_core::history::{History, Intent, OpenPlan, PastHost, PastLife, Progress, StepProgress};
use watchdog_core::ids::{Epoch, HostId, Incarnation, PlanId, ReplicaId, Time, Version};
use watchdog_core::input::{Declarations, Target};
use watchdog_core::observation::{
    Health, HostSeen, Life, Loaded, MemberSeen, Obituary, Observation, Presence, Probed, ProcessSeen,
    ReplicaSeen, Sight,
};
use watchdog_core::plan::{Act, Agent, Heal, Outcome, Plan, PlanStatus, Step};
use watchdog_core::policy::{Policy, Remedy};
use watchdog_core::replica::{Probe, ReplicaSpec};
use watchdog_core::state::Hash;

/// Now, in every story.
pub(crate) const NOW: Time = Time(10_000_000);

/// Everything that a scene refers to.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) observation: Observation,
    pub(crate) replicas: Declarations,
    pub(crate) target: Target,
    pub(crate) history: History,
    pub(crate) policy: Policy,
}

pub(crate) fn replica(name: &str) -> ReplicaId {
    name.parse().unwrap()
}

pub(crate) fn host(name: &str) -> HostId {
    name.parse().unwrap()
}

pub(crate) fn life(bits: u128) -> Incarnation {
    Incarnation::from_u128(bits)
}

pub(crate) fn ago(ms: u64) -> Time {
    Time(NOW.0 - ms)
}

pub(crate) fn state(name: &str) -> Hash {
    Hash::of(name.as_bytes())
}

/// What somebody holds, such as `v7`, `v7 as v9` (the number 9, the state of 7), or `nothing`.
pub(crate) fn loaded(words: &str) -> Loaded {
    let (held, said) = words.split_once(" as ").unwrap_or((words, words));
    let number = |word: &str| word.trim_start_matches('v').parse().map(Version).unwrap_or_default();
    Loaded { version: number(said), state_hash: state(held) }
}

pub(crate) fn spec(hosts: &[&str]) -> ReplicaSpec {
    ReplicaSpec {
        hosts: hosts.iter().map(|name| host(name)).collect(),
        program: "scoring".to_owned(),
        parameters: BTreeMap::new(),
        probes: vec![Probe::Tcp { address: None, timing: watchdog_core::replica::ProbeTiming::default() }],
        exclusive: false,
        lease_ms: 10_000,
        grace_ms: 5_000,
        live_load: false,
        tags: BTreeMap::new(),
    }
}

pub(crate) fn obituary(name: &str, bits: u128, on: &str, at: Time) -> Obituary {
    Obituary {
        replica: replica(name),
        incarnation: life(bits),
        host: host(on),
        status: "exit 1".to_owned(),
        tree_gone: true,
        at,
    }
}

pub(crate) fn process() -> ProcessSeen {
    ProcessSeen {
        pid: 100,
        stopping: false,
        probe: Probed::Passing,
        detail: String::new(),
        round: 50,
        since: ago(600_000),
        stamp: Time::default(),
        loaded: None,
        setup: None,
    }
}

pub(crate) fn member() -> MemberSeen {
    MemberSeen {
        pid: 100,
        address: "http://127.0.0.1:1".to_owned(),
        service: None,
        loaded: loaded("v7"),
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(1),
        since: ago(600_000),
        stamp: Time::default(),
    }
}

impl World {
    /// `a` lives its life 1 on `h1`, `b` its life 2 on `h1`, `c` its life 3 on `h2`; v7 is stable.
    pub(crate) fn healthy() -> Self {
        let hosts = ["h1", "h2"].map(|name| {
            let seen = HostSeen {
                presence: Presence::Present,
                instance: format!("instance-{name}"),
                address: "http://127.0.0.1:2".to_owned(),
                pid: 1,
                boot_id: "boot-1".to_owned(),
                inventory_complete: true,
                session: String::new(),
            };
            (host(name), seen)
        });
        let history = History { epoch: Epoch(1), stable: Some(Version(7)), ..History::default() };
        let mut world = Self {
            observation: Observation {
                at: NOW,
                watched_since: Time::default(),
                sight: Sight::Clear,
                fenced_write_at: Some(NOW),
                hosts: hosts.into_iter().collect(),
                replicas: BTreeMap::new(),
            },
            replicas: BTreeMap::new(),
            target: Target {
                head: Version(7),
                stable: Some(Version(7)),
                version: Version(7),
                state_hash: state("v7"),
                empty_hash: state("nothing"),
            },
            history,
            policy: Policy::default(),
        };
        for name in ["h1", "h2"] {
            let past = PastHost {
                instance: format!("instance-{name}"),
                boot_id: "boot-1".to_owned(),
                address: String::new(),
            };
            world.history.hosts.insert(host(name), past);
        }
        for (name, bits, on) in [("a", 1, "h1"), ("b", 2, "h1"), ("c", 3, "h2")] {
            world.replicas.insert(replica(name), Ok(spec(&["h1", "h2"])));
            world.ordered(name, bits, on);
            world.runs(name, bits, on);
        }
        world
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            observation: &self.observation,
            replicas: &self.replicas,
            target: self.target,
            history: &self.history,
            policy: &self.policy,
        }
    }

    pub(crate) fn condition(&self, name: &str) -> Condition {
        condition(&replica(name), &self.scene())
    }

    /// The findings in words, such as `a exited, host h2 host_gone?`, where `?` is silence.
    pub(crate) fn findings(&self) -> String {
        let all = assess(&self.scene(), Scope::All);
        let everybody: BTreeSet<ReplicaId> = self.replicas.keys().cloned().collect();
        assert_eq!(all, assess(&self.scene(), Scope::Only(&everybody)), "both scopes find the same");
        all.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn seen(&mut self, name: &str) -> &mut ReplicaSeen {
        self.observation.replicas.entry(replica(name)).or_default()
    }

    pub(crate) fn life(&mut self, name: &str) -> &mut Life {
        self.seen(name).lives.values_mut().next_back().unwrap()
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut ProcessSeen {
        self.life(name).process.get_or_insert_with(process)
    }

    pub(crate) fn member(&mut self, name: &str) -> &mut MemberSeen {
        self.life(name).member.get_or_insert_with(member)
    }

    pub(crate) fn host(&mut self, name: &str) -> &mut HostSeen {
        self.observation.hosts.get_mut(&host(name)).unwrap()
    }

    pub(crate) fn spec(&mut self, name: &str) -> &mut ReplicaSpec {
        self.replicas.get_mut(&replica(name)).unwrap().as_mut().unwrap()
    }

    pub(crate) fn past(&mut self, name: &str) -> &mut PastLife {
        self.history.lives.get_mut(&replica(name)).unwrap().back_mut().unwrap()
    }

    /// A life of it is ordered, long ago.
    pub(crate) fn ordered(&mut self, name: &str, bits: u128, on: &str) {
        let past = PastLife {
            incarnation: life(bits),
            host: host(on),
            at: ago(700_000),
            obituary: None,
            buried_at: None,
        };
        self.history.lives.entry(replica(name)).or_default().push_back(past);
    }

    /// A life of it is healthy.
    pub(crate) fn runs(&mut self, name: &str, bits: u128, on: &str) {
        let alive = Life { process: Some(process()), member: Some(member()), ..Life::on(host(on)) };
        let seen = self.seen(name);
        seen.look = 5;
        seen.embeds = true;
        seen.absent_since = None;
        seen.memberless_since = None;
        seen.lives.insert(life(bits), alive);
    }

    /// Its session and its process are gone from the view for `ms`; nobody says why.
    pub(crate) fn vanishes(&mut self, name: &str, ms: u64) {
        let seen = self.seen(name);
        seen.lives.clear();
        seen.absent_since = Some(ago(ms));
        seen.memberless_since = Some(ago(ms));
    }

    /// Its newest life has an obituary.
    pub(crate) fn dies(&mut self, name: &str) {
        let (incarnation, on) = {
            let seen = self.seen(name);
            let (incarnation, life) = seen.lives.last_key_value().unwrap();
            (*incarnation, life.host.clone())
        };
        self.vanishes(name, 10);
        let obituary = Obituary { incarnation, ..obituary(name, 0, on.as_str(), ago(10)) };
        let dead = Life { obituary: Some(obituary), ..Life::on(on) };
        self.seen(name).lives.insert(incarnation, dead);
    }

    /// Its program does not embed the agent; its host agent loaded `what` on its behalf.
    pub(crate) fn is_plain(&mut self, name: &str, what: Option<&str>) {
        let seen = self.seen(name);
        seen.embeds = false;
        seen.memberless_since = Some(ago(600_000));
        self.life(name).member = None;
        self.process(name).loaded = what.map(loaded);
    }

    /// It left the group `ms` ago, and its process runs on.
    pub(crate) fn leaves_group(&mut self, name: &str, ms: u64) {
        self.life(name).member = None;
        self.seen(name).memberless_since = Some(ago(ms));
    }

    /// The agent of a host, and what it says of its processes, is gone since `ms`.
    pub(crate) fn agent_goes(&mut self, name: &str, ms: u64) {
        self.host(name).presence = Presence::Gone { since: ago(ms) };
        for life in self.observation.replicas.values_mut().flat_map(|seen| seen.lives.values_mut()) {
            if life.host == host(name) {
                life.process = None;
            }
        }
    }

    /// A whole host is gone since `ms`, sessions and all.
    pub(crate) fn host_goes(&mut self, name: &str, ms: u64) {
        self.agent_goes(name, ms);
        let on_it = |seen: &ReplicaSeen| seen.lives.values().any(|life| life.host == host(name));
        let seen = self.observation.replicas.iter().filter(|(_, seen)| on_it(seen));
        let gone: Vec<String> = seen.map(|(replica, _)| replica.to_string()).collect();
        for replica in gone {
            self.vanishes(&replica, ms);
        }
    }

    /// An open plan has ordered the start of a life `ms` ago.
    pub(crate) fn starting(&mut self, name: &str, bits: u128, ms: u64) {
        let at = ago(ms);
        let plan = plan(
            name,
            Remedy::Start,
            Act::Start { host: host("h1"), incarnation: life(bits), version: Version(7) },
        );
        let begun =
            StepProgress { started_at: at, finished_at: None, outcome: None, error: None, blame: None };
        let progress = Progress { steps: BTreeMap::from([(plan.steps[0].id.clone(), begun)]) };
        let open = OpenPlan { plan: plan.clone(), status: PlanStatus::Running, progress };
        self.history.open_plans.insert(plan.id, open);
        self.ordered(name, bits, "h1");
        self.past(name).at = at;
    }

    /// A plan has ordered it to the candidate `ms` ago, and is not through.
    pub(crate) fn rolling(&mut self, name: &str, ms: u64) {
        let act = Act::Load { incarnation: life(1), from: Version(7), to: Version(9) };
        let plan = plan(name, Remedy::Roll, act);
        let begun =
            StepProgress { started_at: ago(ms), finished_at: None, outcome: None, error: None, blame: None };
        let progress = Progress { steps: BTreeMap::from([(plan.steps[0].id.clone(), begun)]) };
        let open = OpenPlan { plan: plan.clone(), status: PlanStatus::Running, progress };
        self.history.open_plans.insert(plan.id, open);
    }

    /// An order of a plan that is closed already may still be under way at it.
    pub(crate) fn intended(&mut self, name: &str) {
        let plan = PlanId::numbered(Epoch(1), 7);
        let intent = Intent {
            plan: plan.clone(),
            epoch: Epoch(1),
            replica: Some(replica(name)),
            agent: Agent::Replica(replica(name), life(1)),
            instance: None,
            at: ago(600_000),
        };
        self.history.open_intents.insert(plan.step(0), intent);
    }

    /// The start under way failed.
    pub(crate) fn start_failed(&mut self) {
        let open = self.history.open_plans.first_entry().unwrap().into_mut();
        open.progress.steps.values_mut().for_each(|step| step.outcome = Some(Outcome::Failed));
    }

    /// It died so often, a second apart, the last time `ms` ago; older lives than the present one.
    pub(crate) fn died_before(&mut self, name: &str, times: u64, ms: u64) {
        let lives = self.history.lives.entry(replica(name)).or_default();
        for index in 0..times {
            let at = ago(ms + 1_000 * index);
            let past = PastLife {
                incarnation: life(0),
                host: host("h1"),
                at,
                obituary: Some(obituary(name, 0, "h1", at)),
                buried_at: Some(at),
            };
            lives.push_front(past);
        }
    }
}

/// A plan of one step.
pub(crate) fn plan(name: &str, remedy: Remedy, act: Act) -> Plan {
    let id = PlanId::numbered(Epoch(1), 1);
    Plan {
        epoch: Epoch(1),
        created_at: NOW,
        reason: "it is told".to_owned(),
        convictions: Vec::new(),
        heals: vec![Heal { replica: replica(name), remedy, since: NOW, disturbs: false }],
        steps: vec![Step {
            id: id.step(0),
            replica: Some(replica(name)),
            act,
            why: "it is told".to_owned(),
            timeout_ms: 1_000,
            optional: false,
        }],
        id,
    }
}

/// A finding in words.
pub(crate) fn words(finding: &Finding) -> String {
    let doubt = if finding.evidence.proof == Proof::Silence { "?" } else { "" };
    format!("{} {}{doubt}", finding.subject, finding.kind)
}
