//! Policy: every bound and delay that decisions obey, with defaults that are safe for production.
//!
//! The value of the key `policy/healing`; what is left out keeps its default.

mod loosens;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::FaultKind;
use crate::goal::Canary;
use crate::state::{Key, State};

pub use self::loosens::{Loosening, loosened, loosens};

/// The key of the log under which the policy stands.
pub const POLICY_KEY: &str = "policy/healing";

/// See the fields; all times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// From one check to the next when nothing happens.
    pub check_interval_ms: u64,
    /// The least time between two checks when much happens.
    pub check_spacing_ms: u64,
    /// Consecutive bad checks that convict.
    pub strikes: u32,
    /// The same, for single kinds of fault.
    pub strikes_by_fault: BTreeMap<FaultKind, u32>,
    /// The least time between two strikes whose only evidence is silence.
    pub silence_spacing_ms: u64,
    /// How many serving replicas may be down or touched at once.
    pub max_disturbed: Limit,
    /// How many replicas that are proven down are healed at once.
    pub heals_parallel: u32,
    /// Heals of one replica within an hour; beyond it the replica is quarantined.
    pub heals_per_hour: u32,
    /// Tries of each rung of the ladder before the next.
    pub tries: Tries,
    /// The delay before each try of a rung after the first.
    pub backoff: Backoff,
    /// A rung that worked is forgotten after this much quiet.
    pub quiet_ms: u64,
    /// Deaths within the window that count as flapping.
    pub flapping_deaths: u32,
    /// The window.
    pub flapping_window_ms: u64,
    /// How long a session may be gone before its holder may be presumed to have stopped.
    pub lease_ms: u64,
    /// Added to a lease: the time to kill, and for clocks that tick apart.
    pub lease_margin_ms: u64,
    /// The share of replicas that, vanished silently together, is a storm.
    pub storm_share: f64,
    /// Time-outs of steps, counted from the last progress.
    pub timeouts: Timeouts,
    /// How long a snapshot of a process may take before it is killed.
    pub snapshot_ms: u64,
    /// How long every replica must hold a version, healthy, before it is stable.
    pub soak_ms: u64,
    /// Who tries a version first.
    pub canary: Canary,
    /// How many are moved at once after the canary; 0: as many as `max_disturbed` allows.
    pub batch: u32,
    /// How long a replica that failed on a candidate must be healthy on the stable version to put the blame on the candidate.
    pub probation_ms: u64,
    /// How many replicas may fail on a candidate, and are tried again, before it is rejected.
    pub max_failures: u32,
    /// Whether a replica is started on a version once before it becomes stable: that it can be loaded proves nothing about
    /// the next start.
    pub prove_start: bool,
    /// So many replicas given up on the stable version put it in doubt.
    pub broken_stable: u32,
    /// What may be done without asking.
    pub autonomy: BTreeMap<Remedy, Autonomy>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            check_interval_ms: 1_000,
            check_spacing_ms: 5,
            strikes: 3,
            strikes_by_fault: BTreeMap::new(),
            silence_spacing_ms: 1_000,
            max_disturbed: Limit::Count(1),
            heals_parallel: 8,
            heals_per_hour: 20,
            tries: Tries::default(),
            backoff: Backoff::default(),
            quiet_ms: 60_000,
            flapping_deaths: 5,
            flapping_window_ms: 120_000,
            lease_ms: 10_000,
            lease_margin_ms: 2_000,
            storm_share: 0.34,
            timeouts: Timeouts::default(),
            snapshot_ms: 50,
            soak_ms: 2_000,
            canary: Canary::default(),
            batch: 0,
            probation_ms: 5_000,
            max_failures: 0,
            prove_start: true,
            broken_stable: 2,
            autonomy: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Bad checks in a row that convict of `kind`; at least 1.
    pub fn strikes_for(&self, kind: FaultKind) -> u32 {
        self.strikes_by_fault.get(&kind).copied().unwrap_or(self.strikes).max(1)
    }

    /// What may be done about `remedy` without asking.
    pub fn autonomy_for(&self, remedy: Remedy) -> Autonomy {
        self.autonomy.get(&remedy).copied().unwrap_or_else(|| remedy.autonomy())
    }

    /// The bounds that stood at an earlier `state` of the log, no looser than `guard`.
    #[must_use]
    pub fn in_force(state: &State, guard: Option<&Policy>, replicas: usize) -> Policy {
        let declared = Key::new(POLICY_KEY).ok().and_then(|key| state.get(&key).cloned());
        // Without one, or when it can't be read, the default stood.
        let declared: Policy =
            declared.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        guard.map_or_else(|| declared.clone(), |guard| declared.guarded_by(guard, replicas))
    }

    /// So many of `replicas` replicas given up put the stable version in doubt: a small cluster can be as broken as a large one.
    pub fn broken_stable_of(&self, replicas: usize) -> usize {
        (self.broken_stable.max(1) as usize).min(replicas).max(1)
    }

    /// `guard`, but stricter where this policy is, for `replicas` replicas.
    #[must_use]
    pub fn guarded_by(&self, guard: &Policy, replicas: usize) -> Policy {
        let tighter = |a: Limit, b: Limit| if b.of(replicas) < a.of(replicas) { b } else { a };
        let mut guarded = Policy {
            strikes: self.strikes.max(guard.strikes),
            strikes_by_fault: self
                .strikes_by_fault
                .keys()
                .chain(guard.strikes_by_fault.keys())
                .map(|kind| (*kind, self.strikes_for(*kind).max(guard.strikes_for(*kind))))
                .collect(),
            max_disturbed: tighter(self.max_disturbed, guard.max_disturbed),
            heals_parallel: self.heals_parallel.min(guard.heals_parallel),
            heals_per_hour: self.heals_per_hour.min(guard.heals_per_hour),
            soak_ms: self.soak_ms.max(guard.soak_ms),
            probation_ms: self.probation_ms.max(guard.probation_ms),
            max_failures: self.max_failures.min(guard.max_failures),
            prove_start: self.prove_start || guard.prove_start,
            storm_share: self.storm_share.min(guard.storm_share),
            lease_ms: self.lease_ms.max(guard.lease_ms),
            lease_margin_ms: self.lease_margin_ms.max(guard.lease_margin_ms),
            // Of what has no safe side the new values are not trusted before they are proven.
            ..guard.clone()
        };
        for remedy in Remedy::ALL {
            let stricter = self.autonomy_for(remedy).min(guard.autonomy_for(remedy));
            guarded.autonomy.insert(remedy, stricter);
        }
        guarded
    }
}

/// A bound on a number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// That many.
    Count(u32),
    /// That share of all, rounded down, but at least one.
    Share(f64),
}

impl Limit {
    /// The bound for a cluster of `total` replicas.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a small number"
            )]
            Self::Share(share) => ((total as f64 * share.clamp(0.0, 1.0)) as usize).max(1),
        }
    }
}

/// How often each rung is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tries {
    /// Loading the right version again.
    pub load: u32,
    /// Starting again on the same host.
    pub restart: u32,
    /// Starting on each other allowed host.
    pub relocate: u32,
}

impl Default for Tries {
    fn default() -> Self {
        Self { load: 2, restart: 3, relocate: 1 }
    }
}

/// Exponential delays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the second try.
    pub initial_ms: u64,
    /// Each further delay is this many times the last.
    pub factor: f64,
    /// No delay is longer.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_ms: 1_000, factor: 2.0, max_ms: 300_000 }
    }
}

/// Time-outs of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Sealing one agent.
    pub seal_ms: u64,
    /// From the order to a running process.
    pub start_ms: u64,
    /// To be dead after SIGKILL, on top of the grace.
    pub kill_ms: u64,
    /// To drain or undrain.
    pub drain_ms: u64,
    /// Without progress of a load.
    pub load_ms: u64,
    /// Until a healed replica is healthy.
    pub probe_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            seal_ms: 2_000,
            start_ms: 10_000,
            kill_ms: 10_000,
            drain_ms: 30_000,
            load_ms: 60_000,
            probe_ms: 30_000,
        }
    }
}

/// A way to heal; each has its own file in the planner and its own autonomy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Start what is proven dead or was never started.
    Start,
    /// Load the difference to the right version.
    Load,
    /// Kill and start in place.
    Restart,
    /// Kill what should not run: duplicates, strangers.
    Kill,
    /// Start on another allowed host.
    Relocate,
    /// Mark a version stable after its soak.
    MarkStable,
    /// Stop trying and ask a human.
    Quarantine,
    /// Bring a replica to the candidate of a goal.
    Roll,
    /// Start who failed on a candidate once on the stable version, to tell a bad version from a bad host.
    Trial,
    /// Reject a candidate that was proven bad.
    Reject,
    /// Give up what was stable for the stable version before it.
    FallBack,
    /// End what the log does not declare any more.
    Stop,
}

impl Remedy {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::Load,
        Self::Restart,
        Self::Kill,
        Self::Relocate,
        Self::MarkStable,
        Self::Quarantine,
        Self::Roll,
        Self::Trial,
        Self::Reject,
        Self::FallBack,
        Self::Stop,
    ];

    /// What may be done without asking when policy says nothing: to give up what was proven is for a human.
    fn autonomy(self) -> Autonomy {
        if self == Self::FallBack { Autonomy::Approve } else { Autonomy::Auto }
    }

    /// Whether it is part of a rollout, which ends with its goal.
    pub fn is_of_rollout(self) -> bool {
        matches!(self, Self::Roll | Self::Trial)
    }

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Load => "load",
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::Relocate => "relocate",
            Self::MarkStable => "mark_stable",
            Self::Quarantine => "quarantine",
            Self::Roll => "roll",
            Self::Trial => "trial",
            Self::Reject => "reject",
            Self::FallBack => "fall_back",
            Self::Stop => "stop",
        }
    }
}

/// What may be done without asking; the stricter stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// Say what would be done.
    Observe,
    /// Wait for a human.
    Approve,
    /// Do it.
    #[default]
    Auto,
}
