//! Figures: what is counted and timed over runs, and the table of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use watchdog_core::finding::Subject;
use watchdog_core::ids::ReplicaId;
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Key;

use crate::audit::{Truth, begins};
use crate::fact::Fact;
use crate::nemesis::{ByKind, KINDS};
use crate::zoo::Holder;

/// How a replica's trouble goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    began: u64,
    convicted: Option<u64>,
    planned: Option<u64>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Runs.
    pub runs: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Faults by kind.
    pub faults: ByKind,
    /// Terms that were opened.
    pub terms: u64,
    /// Leaders that left because the journal could not be reached.
    pub resigned: u64,
    /// Checks of leaders.
    pub checks: u64,
    /// Times that a plan was asked for.
    pub plannings: u64,
    /// Plans that the linter stopped.
    pub vetoes: u64,
    /// Answers of the journal that got lost.
    pub answers_lost: u64,
    /// Heals that were begun.
    pub heals: u64,
    /// Those that ended, or put another in the place of, a replica that was well and in touch.
    pub false_heals: u64,
    /// Those of replicas that were well on a host that was out of touch, which nobody can tell from a lost one.
    pub out_of_touch: u64,
    /// Goals achieved, rejected.
    pub achieved: u64,
    /// See `achieved`.
    pub rejected: u64,
    /// Quarantines.
    pub quarantines: u64,
    /// Runs that ended in rest.
    pub converged: u64,
    /// States at rest that were not well, from which a bot sought the way out.
    pub ways_sought: u64,
    /// How often it found one.
    pub ways_found: u64,
    /// From a fault to its conviction, in milliseconds.
    pub detection_ms: Vec<u64>,
    /// From the conviction to the plan.
    pub decision_ms: Vec<u64>,
    /// From the fault until it serves again.
    pub heal_ms: Vec<u64>,
    /// How often each known mistake showed.
    pub known: BTreeMap<&'static str, u64>,
    troubles: BTreeMap<ReplicaId, Trouble>,
}

impl Figures {
    pub(crate) fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) {
        match fact {
            Fact::Died { life } => {
                let fresh = Trouble { began: truth.now, ..Trouble::default() };
                self.troubles.entry(life.replica.clone()).or_insert(fresh);
            }
            Fact::Committed { entry, .. } => self.count(&entry.body, truth),
            _ => {}
        }
        if let Some((plan, _)) = begins(fact, truth) {
            for heal in &plan.heals {
                self.begin_heal(&heal.replica, heal.remedy, truth);
            }
        }
    }

    fn count(&mut self, body: &Body, truth: &Truth<'_>) {
        match body {
            Body::Convicted { conviction } => {
                if let Subject::Replica(replica) = &conviction.finding.subject
                    && let Some(trouble) = self.troubles.get_mut(replica)
                    && trouble.convicted.is_none()
                {
                    trouble.convicted = Some(truth.now);
                    self.detection_ms.push(truth.now - trouble.began);
                }
            }
            Body::Quarantined { .. } => self.quarantines += 1,
            Body::GoalEnded { status, .. } => match status {
                watchdog_core::goal::GoalStatus::Achieved => self.achieved += 1,
                watchdog_core::goal::GoalStatus::Rejected => self.rejected += 1,
                _ => {}
            },
            _ => {}
        }
        let well = |replica: &ReplicaId| truth.lives_of(replica).any(|life| life.well_since.is_some());
        let healed: Vec<ReplicaId> = self.troubles.keys().filter(|it| well(it)).cloned().collect();
        for replica in healed {
            if let Some(trouble) = self.troubles.remove(&replica) {
                self.heal_ms.push(truth.now - trouble.began);
            }
        }
    }

    fn begin_heal(&mut self, replica: &ReplicaId, remedy: Remedy, truth: &Truth<'_>) {
        if matches!(remedy, Remedy::Roll | Remedy::Trial | Remedy::Quarantine | Remedy::Stop) {
            return;
        }
        self.heals += 1;
        if let Some(trouble) = self.troubles.get_mut(replica)
            && trouble.planned.is_none()
        {
            trouble.planned = Some(truth.now);
            self.decision_ms.extend(trouble.convicted.map(|at| truth.now - at));
        }
        let ends = matches!(remedy, Remedy::Start | Remedy::Restart | Remedy::Relocate);
        let target = &truth.journal.folded;
        let stable = target.stable.and_then(|stable| target.marked_hashes.get(&stable));
        let candidate = target.rollout.as_ref().map(|rollout| &rollout.state_hash);
        let key = Key::of_replica(replica);
        let state = truth.journal.state(truth.journal.head().version);
        let spec =
            state.get(&key).and_then(|value| serde_json::from_value::<ReplicaSpec>(value.clone()).ok());
        let well = truth.lives_of(replica).filter(|life| {
            let right = Some(&life.hash) == stable || Some(&life.hash) == candidate;
            // Who may not live where it does is moved, however well it is.
            let at_home = spec.as_ref().is_none_or(|it| it.hosts.contains(&truth.setup.hosts[life.host]));
            right && at_home && life.well_since.is_some_and(|since| truth.now - since > 5_000)
        });
        let in_touch: Vec<bool> = well.map(|life| is_in_touch(life.host, truth)).collect();
        if ends && !in_touch.is_empty() {
            let wrong = in_touch.contains(&true);
            *(if wrong { &mut self.false_heals } else { &mut self.out_of_touch }) += 1;
        }
    }

    /// Adds those of another run.
    pub fn absorb(&mut self, other: Self) {
        self.runs += other.runs;
        self.simulated_ms += other.simulated_ms;
        for (mine, theirs) in self.faults.0.iter_mut().zip(other.faults.0) {
            *mine += theirs;
        }
        self.terms += other.terms;
        self.resigned += other.resigned;
        self.checks += other.checks;
        self.plannings += other.plannings;
        self.vetoes += other.vetoes;
        self.answers_lost += other.answers_lost;
        self.heals += other.heals;
        self.false_heals += other.false_heals;
        self.out_of_touch += other.out_of_touch;
        self.achieved += other.achieved;
        self.rejected += other.rejected;
        self.quarantines += other.quarantines;
        self.converged += other.converged;
        self.ways_sought += other.ways_sought;
        self.ways_found += other.ways_found;
        for (known, count) in other.known {
            *self.known.entry(known).or_default() += count;
        }
        self.detection_ms.extend(other.detection_ms);
        self.decision_ms.extend(other.decision_ms);
        self.heal_ms.extend(other.heal_ms);
    }

    /// All faults.
    pub fn faults_total(&self) -> u64 {
        self.faults.0.iter().sum()
    }

    /// The table, without what depends on the machine.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let hours = ratio(self.simulated_ms, 3_600_000);
        let total = self.faults_total();
        let _ =
            writeln!(text, "runs                 {}, of which {} came to rest", self.runs, self.converged);
        let _ = writeln!(text, "simulated            {hours:.1} hours");
        let _ = writeln!(text, "faults               {total}");
        for (kind, count) in KINDS.iter().zip(self.faults.0) {
            let share = 100.0 * ratio(count, total.max(1));
            let _ = writeln!(text, "  {kind:<19}{count:>9}  {share:>5.1} %");
        }
        let _ = writeln!(text, "terms                {} ({} left by themselves)", self.terms, self.resigned);
        let false_share = 100.0 * ratio(self.false_heals, self.heals.max(1));
        let _ = writeln!(
            text,
            "heals                {} ({} of replicas that were well: {false_share:.2} %; {} well, but out of touch)",
            self.heals, self.false_heals, self.out_of_touch
        );
        let _ = writeln!(
            text,
            "goals                {} achieved, {} rejected; {} quarantines",
            self.achieved, self.rejected, self.quarantines
        );
        let _ = writeln!(
            text,
            "ways out             {} found by what is offered, of {} states that were not well",
            self.ways_found, self.ways_sought
        );
        let _ = writeln!(
            text,
            "checks, plannings    {}, {}; {} vetoed",
            self.checks, self.plannings, self.vetoes
        );
        for (name, times) in
            [("detection", &self.detection_ms), ("decision", &self.decision_ms), ("heal", &self.heal_ms)]
        {
            let _ =
                writeln!(text, "{name:<21}p50 {} ms, p99 {} ms", share_of(times, 50), share_of(times, 99));
        }
        for (known, count) in &self.known {
            let _ = writeln!(text, "known mistake        {known}: {count} times");
        }
        text
    }
}

impl Figures {
    /// The same for programs.
    pub fn json(&self, violations: u64) -> serde_json::Value {
        let total = self.faults_total();
        let kinds: serde_json::Map<String, serde_json::Value> =
            KINDS.iter().zip(self.faults.0).map(|(kind, count)| ((*kind).to_owned(), count.into())).collect();
        let spread = |times: &[u64]| json!({ "p50_ms": share_of(times, 50), "p99_ms": share_of(times, 99) });
        json!({
            "runs": self.runs,
            "converged": self.converged,
            "ways_sought": self.ways_sought,
            "ways_found": self.ways_found,
            "hours": ratio(self.simulated_ms, 3_600_000),
            "violations": violations,
            "known": self.known,
            "faults": total,
            "kinds": kinds,
            "heals": self.heals,
            "false_heals": self.false_heals,
            "out_of_touch": self.out_of_touch,
            "detection": spread(&self.detection_ms),
            "decision": spread(&self.decision_ms),
            "heal": spread(&self.heal_ms),
        })
    }
}

/// Whether the agent of a host holds a session that the coordination service hears of.
fn is_in_touch(host: usize, truth: &Truth<'_>) -> bool {
    let mut sessions = truth.zoo.sessions.values();
    sessions.any(|session| session.holder == Holder::Agent(host) && session.silent_since.is_none())
}

/// One number in the terms of another.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

fn share_of(times: &[u64], percent: usize) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = sorted.len() * percent / 100;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
