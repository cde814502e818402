//! Tally: counters, folded from the record: one function that sees each entry once.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use watchdog_core::finding::{FaultKind, Finding};
use watchdog_core::goal::GoalStatus;
use watchdog_core::history::History;
use watchdog_core::ids::{ClusterId, Epoch, PlanId, StepId, Time};
use watchdog_core::plan::{Act, Outcome, PlanStatus};
use watchdog_core::record::{Body, Entry};
use watchdog_core::refusal::Reason;
use watchdog_core::trace::TraceParent;
use watchdog_telemetry::metrics::{Histograms, Labels, long, short};
use watchdog_telemetry::spans::{Root, Spans};

use super::heal::healed;
use crate::cluster::plan_book::PlanBook;

type Counts = Family<Labels, Counter>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;

/// Every counter, of all clusters; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    findings: Counts,
    strikes: Counts,
    convictions: Counts,
    plans: Counts,
    steps: Counts,
    step_seconds: Histograms,
    heal_seconds: Histograms,
    cycle_seconds: Histograms,
    refusals: Counts,
    objections: Counts,
    escalations: Counts,
    quarantines: Counts,
    deaths: Counts,
    elections: Counts,
    pub(super) leaderless: Seconds,
    sessions: Counts,
    seals: Counts,
    goals: Counts,
    orders: Counts,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            findings: Counts::default(),
            strikes: Counts::default(),
            convictions: Counts::default(),
            plans: Counts::default(),
            steps: Counts::default(),
            step_seconds: Histograms::new_with_constructor(long),
            heal_seconds: Histograms::new_with_constructor(long),
            cycle_seconds: Histograms::new_with_constructor(short),
            refusals: Counts::default(),
            objections: Counts::default(),
            escalations: Counts::default(),
            quarantines: Counts::default(),
            deaths: Counts::default(),
            elections: Counts::default(),
            leaderless: Seconds::default(),
            sessions: Counts::default(),
            seals: Counts::default(),
            goals: Counts::default(),
            orders: Counts::default(),
        }
    }
}

impl Counters {
    /// Counters that stand in `registry`.
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        let counts = [
            ("findings", "Faults seen in checks, each time that one was seen", &all.findings),
            (
                "strikes",
                "Faults seen on newer evidence than before, each of which counts towards a conviction",
                &all.strikes,
            ),
            ("convictions", "Faults that got all the strikes that policy asks for", &all.convictions),
            ("plans", "Plans that came to each status", &all.plans),
            ("steps", "Steps of plans that ended, by what became of them", &all.steps),
            (
                "refusals",
                "Reasons not to act, each time that they were written to the record because they changed",
                &all.refusals,
            ),
            ("vet_objections", "Plans that the independent linter stopped", &all.objections),
            ("escalations", "Times that a human was asked to look", &all.escalations),
            ("quarantines", "Replicas that were given up until a human releases them", &all.quarantines),
            ("deaths", "Proofs of death of replicas", &all.deaths),
            ("elections", "Terms that this watchdog began", &all.elections),
            (
                "coordination_sessions",
                "Sessions with the coordination service that were opened",
                &all.sessions,
            ),
            ("seals", "Agents that took the epoch of a new leader", &all.seals),
            ("goals", "Goals that ended, by how", &all.goals),
            ("orders", "Orders of operators that were carried out, by what they asked for", &all.orders),
        ];
        for (name, help, family) in counts {
            registry.register(format!("watchdog_{name}"), help, family.clone());
        }
        let help = "Time without a leader that can be seen from here";
        registry.register("watchdog_leaderless_seconds", help, all.leaderless.clone());
        let times = [
            ("step", "Time from the intent of a step to its end", &all.step_seconds),
            (
                "heal",
                "Time from the first sign of a fault until its replica was seen well",
                &all.heal_seconds,
            ),
            ("cycle", "Time that one check of a cluster took its leader", &all.cycle_seconds),
        ];
        for (name, help, family) in times {
            registry.register(format!("watchdog_{name}_seconds"), help, family.clone());
        }
        all
    }

    /// Begins every series of a cluster at zero: the first event of one that is not there can't be seen to have come.
    fn begin(&self, cluster: &str) {
        let one = |name, value: &str| vec![("cluster", cluster.to_owned()), (name, value.to_owned())];
        for fault in FaultKind::ALL.map(FaultKind::word) {
            for family in [&self.findings, &self.strikes, &self.convictions] {
                drop(family.get_or_create(&one("fault", fault)));
            }
            drop(self.heal_seconds.get_or_create(&one("fault", fault)));
        }
        for kind in Reason::WORDS {
            drop(self.refusals.get_or_create(&one("kind", kind)));
        }
        for status in PlanStatus::ALL.map(PlanStatus::word) {
            drop(self.plans.get_or_create(&one("status", status)));
        }
        for kind in Act::WORDS {
            drop(self.step_seconds.get_or_create(&one("kind", kind)));
            for outcome in Outcome::ALL.map(Outcome::word) {
                let labels = [one("kind", kind), vec![("outcome", outcome.to_owned())]].concat();
                drop(self.steps.get_or_create(&labels));
            }
        }
        for status in
            [GoalStatus::Achieved, GoalStatus::Rejected, GoalStatus::Superseded, GoalStatus::Withdrawn]
        {
            drop(self.goals.get_or_create(&one("status", status.word())));
        }
        let alone = vec![("cluster", cluster.to_owned())];
        let plain = [&self.objections, &self.escalations, &self.quarantines, &self.deaths, &self.elections];
        for family in plain.into_iter().chain([&self.sessions, &self.seals]) {
            drop(family.get_or_create(&alone));
        }
        drop(self.cycle_seconds.get_or_create(&alone));
        drop(self.leaderless.get_or_create(&alone));
    }
}

/// The counters of one cluster, as one watchdog counts.
#[derive(Debug)]
pub(crate) struct Tally {
    cluster: ClusterId,
    counters: Counters,
    spans: Spans,
    /// Entries of which term are ours to count.
    ours: Option<Epoch>,
    /// Since when nobody leads, as far as was counted.
    leaderless_since: Option<Instant>,
}

impl Tally {
    /// Counts for `cluster`.
    pub(super) fn new(cluster: &ClusterId, counters: Counters, spans: Spans) -> Self {
        counters.begin(cluster.as_str());
        let cluster = cluster.clone();
        Self { cluster, counters, spans, ours: None, leaderless_since: Some(Instant::now()) }
    }

    /// Counts where nobody reads it: of a world that is not told of.
    pub(crate) fn unread(cluster: &ClusterId) -> Self {
        Self::new(cluster, Counters::default(), Spans::off())
    }

    /// From now on the entries of `epoch` are ours.
    pub(crate) fn begin_term(&mut self, epoch: Epoch) {
        self.ours = Some(epoch);
    }

    /// What is read from now on was counted by whoever wrote it.
    pub(crate) fn end_term(&mut self) {
        self.ours = None;
    }

    /// Counts one entry, which comes to `history` and `plans` next.
    pub(crate) fn count(&self, entry: &Entry, (history, plans): (&History, &PlanBook)) {
        if self.ours != Some(entry.epoch) {
            return;
        }
        let all = &self.counters;
        match &entry.body {
            Body::TermOpened { .. } => self.add(&all.elections, &[]),
            Body::Convicted { conviction } => {
                self.add(&all.convictions, &[("fault", conviction.finding.kind.word())]);
            }
            Body::PlanRecorded { status, .. } => self.add(&all.plans, &[("status", status.word())]),
            Body::PlanStatus { plan, status, why } => {
                self.add(&all.plans, &[("status", status.word())]);
                self.end_plan(entry.at, (plan, *status, why), (history, plans));
            }
            Body::Closed { plan, step, outcome, .. } => {
                self.end_step(entry.at, (plan, step, *outcome), (history, plans));
            }
            Body::Died { .. } => self.add(&all.deaths, &[]),
            Body::Sealed { .. } => self.add(&all.seals, &[]),
            Body::Refused { refusals, more, .. } => {
                for (kind, count) in more {
                    all.refusals.get_or_create(&self.labels(&[("kind", kind)])).inc_by(*count);
                }
                for refusal in refusals {
                    self.add(&all.refusals, &[("kind", refusal.reason.word())]);
                    if matches!(refusal.reason, Reason::Vetoed { .. }) {
                        self.add(&all.objections, &[]);
                    }
                }
            }
            Body::Quarantined { .. } => self.add(&all.quarantines, &[]),
            Body::Escalated { .. } => self.add(&all.escalations, &[]),
            Body::Asked { act, .. } => self.add(&all.orders, &[("act", act)]),
            Body::GoalEnded { status, .. } => self.add(&all.goals, &[("status", status.word())]),
            Body::Resigned { .. }
            | Body::Cleared { .. }
            | Body::Intended { .. }
            | Body::SnapshotFiled { .. }
            | Body::HostSeen { .. }
            | Body::Marked { .. }
            | Body::Paused { .. }
            | Body::Resumed
            | Body::Held { .. }
            | Body::Released { .. }
            | Body::StormReleased { .. }
            | Body::GoalDeclared { .. }
            | Body::GoalBegun { .. }
            | Body::Undone { .. }
            | Body::Appended { .. } => {}
        }
    }

    /// Counts what one check found.
    pub(crate) fn check(&self, findings: &[Finding], struck: BTreeMap<FaultKind, u64>) {
        for finding in findings {
            self.add(&self.counters.findings, &[("fault", finding.kind.word())]);
        }
        for (fault, count) in struck {
            self.counters.strikes.get_or_create(&self.labels(&[("fault", fault.word())])).inc_by(count);
        }
    }

    /// Counts how long a check took.
    pub(crate) fn cycle(&self, took: Duration) {
        self.counters.cycle_seconds.get_or_create(&self.labels(&[])).observe(took.as_secs_f64());
    }

    /// Counts a session with the coordination service.
    pub(crate) fn session(&self) {
        self.add(&self.counters.sessions, &[]);
    }

    /// Counts the time without a leader: it is told whether there is one, from time to time.
    pub(crate) fn led(&mut self, is_led: bool, now: Instant) {
        if let Some(since) = self.leaderless_since {
            let passed = now.saturating_duration_since(since).as_secs_f64();
            self.counters.leaderless.get_or_create(&self.labels(&[])).inc_by(passed);
        }
        self.leaderless_since = (!is_led).then_some(now);
    }

    fn end_plan(
        &self,
        at: Time,
        (id, status, why): (&PlanId, PlanStatus, &str),
        (history, plans): (&History, &PlanBook),
    ) {
        let Some(plan) = plans.get(id).map(|story| &story.plan).filter(|_| !status.is_open()) else { return };
        if status == PlanStatus::Done {
            for heal in healed(plan, history) {
                let labels = self.labels(&[("fault", heal.fault.word())]);
                let took = Duration::from_millis(at.since_ms(heal.since)).as_secs_f64();
                self.counters.heal_seconds.get_or_create(&labels).observe(took);
            }
        }
        self.spans.root(Root {
            at: TraceParent::of_plan(&self.cluster, plan),
            from_to_ms: (plan.created_at.0, at.0),
            attributes: vec![
                ("cluster", self.cluster.to_string()),
                ("plan", plan.id.to_string()),
                ("epoch", plan.epoch.to_string()),
                ("reason", plan.reason.clone()),
                ("status", status.word().to_owned()),
                ("why", why.to_owned()),
            ],
            error: (status == PlanStatus::Failed).then(|| why.to_owned()),
        });
    }

    fn end_step(
        &self,
        at: Time,
        (plan, id, outcome): (&PlanId, &StepId, Outcome),
        (history, plans): (&History, &PlanBook),
    ) {
        let steps = plans.get(plan).map(|story| story.plan.steps.as_slice()).unwrap_or_default();
        // Of a plan that is too old to be remembered nobody knows what its steps were.
        let Some(step) = steps.iter().find(|step| step.id == *id) else { return };
        let kind = ("kind", step.act.word());
        self.add(&self.counters.steps, &[kind, ("outcome", outcome.word())]);
        if let Some(intent) = history.open_intents.get(id) {
            let took = Duration::from_millis(at.since_ms(intent.at)).as_secs_f64();
            self.counters.step_seconds.get_or_create(&self.labels(&[kind])).observe(took);
        }
    }

    fn add(&self, family: &Counts, labels: &[(&'static str, &str)]) {
        family.get_or_create(&self.labels(labels)).inc();
    }

    fn labels(&self, more: &[(&'static str, &str)]) -> Labels {
        let cluster = ("cluster", self.cluster.to_string());
        std::iter::once(cluster)
            .chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())))
            .collect()
    }
}
