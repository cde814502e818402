//! Loosens: which edits take a guard away: they let more be disturbed, more be done without asking, or less be proven.
//!
//! Whoever may declare a goal may tighten what guards the cluster; to loosen it is for those who approve. This is the
//! one place that says which direction is which.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Backoff, Limit, POLICY_KEY, Policy, Remedy, Tries};
use crate::change::Change;
use crate::finding::FaultKind;
use crate::goal::Canary;
use crate::goal::fault::KINDS_KEY;
use crate::replica::ReplicaSpec;
use crate::state::Key;

/// A guard that an edit takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loosening {
    /// Under which key it stands.
    pub key: String,
    /// Which of its fields.
    pub field: String,
    /// As it was.
    pub from: String,
    /// As it would be.
    pub to: String,
    /// What that lets happen.
    pub why: &'static str,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, field, from, to, why } = self;
        write!(f, "{key}: {field} from {from} to {to} ({why})")
    }
}

/// The largest cluster for which two bounds of different kinds are compared; beyond it a share allows more than it does here.
const REPLICAS_COMPARED: usize = 1_000;

/// What the `changes` of a goal take away; a policy that is removed leaves the default one.
pub fn loosened(changes: &[Change]) -> Vec<Loosening> {
    changes.iter().flat_map(of_change).collect()
}

fn of_change(Change { key, before, after }: &Change) -> Vec<Loosening> {
    if key.as_str() == POLICY_KEY {
        return loosens(&read(before.as_ref()), &read(after.as_ref()));
    }
    if key.as_str() == KINDS_KEY {
        return of_kinds(key, before.as_ref(), after.as_ref());
    }
    let spec = |value: &Option<Value>| value.clone().and_then(|value| serde_json::from_value(value).ok());
    match (key.kind(), spec(before), spec(after)) {
        ("replica", Some(before), Some(after)) => of_replica(key, &before, &after),
        _ => Vec::new(),
    }
}

/// What stands under the key; nothing, or what can't be read, is the default.
fn read(value: Option<&Value>) -> Policy {
    value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

/// What `new` allows that `old` did not.
pub fn loosens(old: &Policy, new: &Policy) -> Vec<Loosening> {
    let mut found = Found { key: POLICY_KEY.to_owned(), all: Vec::new() };
    proof(&mut found, old, new);
    budgets(&mut found, old, new);
    rollouts(&mut found, old, new);
    for remedy in Remedy::ALL {
        let (before, after) = (old.autonomy_for(remedy), new.autonomy_for(remedy));
        let field = format!("autonomy.{}", remedy.word());
        if after > before {
            found.note(&field, (&before, &after), "it is done with less asking");
        }
    }
    found.all
}

/// How much must be seen before anything is done.
fn proof(found: &mut Found, old: &Policy, new: &Policy) {
    for kind in FaultKind::ALL {
        let field = format!("strikes for {}", kind.word());
        found.less(
            &field,
            (old.strikes_for(kind), new.strikes_for(kind)),
            "less is seen before it is healed",
        );
    }
    let early = "what is only silent is healed sooner";
    found.less("silence_spacing_ms", (old.silence_spacing_ms, new.silence_spacing_ms), early);
    let twice = "what may run only once may run twice";
    found.less("lease_ms", (old.lease_ms, new.lease_ms), twice);
    found.less("lease_margin_ms", (old.lease_margin_ms, new.lease_margin_ms), twice);
    let storm = "more may vanish at once before healing is held";
    let shares = (old.storm_share, new.storm_share);
    if new.storm_share > old.storm_share {
        found.note("storm_share", (&shares.0, &shares.1), storm);
    }
}

/// How much may be done, and how fast.
fn budgets(found: &mut Found, old: &Policy, new: &Policy) {
    let disturbed = (&old.max_disturbed, &new.max_disturbed);
    let touched = "more replicas may be touched at once";
    if allows_more(*disturbed.0, *disturbed.1) {
        found.note("max_disturbed", disturbed, touched);
    }
    found.more("heals_parallel", (old.heals_parallel, new.heals_parallel), "more is healed at once");
    let before_human = "more is tried before a human is asked";
    found.more("heals_per_hour", (old.heals_per_hour, new.heals_per_hour), before_human);
    let Tries { load, restart, relocate } = old.tries;
    found.more("tries.load", (load, new.tries.load), before_human);
    found.more("tries.restart", (restart, new.tries.restart), before_human);
    found.more("tries.relocate", (relocate, new.tries.relocate), before_human);
    let sooner = "the next try comes sooner";
    let Backoff { initial_ms, factor, max_ms } = old.backoff;
    found.less("backoff.initial_ms", (initial_ms, new.backoff.initial_ms), sooner);
    found.less("backoff.max_ms", (max_ms, new.backoff.max_ms), sooner);
    let factors = (&factor, &new.backoff.factor);
    if new.backoff.factor < factor {
        found.note("backoff.factor", factors, sooner);
    }
    found.less("quiet_ms", (old.quiet_ms, new.quiet_ms), "tries are forgotten sooner");
    let flaps = "more deaths are taken for chance";
    found.more("flapping_deaths", (old.flapping_deaths, new.flapping_deaths), flaps);
    found.less("flapping_window_ms", (old.flapping_window_ms, new.flapping_window_ms), flaps);
}

/// How carefully a version is proven.
fn rollouts(found: &mut Found, old: &Policy, new: &Policy) {
    let proven = "a version is proven for less time";
    found.less("soak_ms", (old.soak_ms, new.soak_ms), proven);
    found.less("probation_ms", (old.probation_ms, new.probation_ms), proven);
    let failures = "more failures are tolerated";
    found.more("max_failures", (old.max_failures, new.max_failures), failures);
    let unstarted = "a version becomes stable that nothing was started on";
    if old.prove_start && !new.prove_start {
        found.note("prove_start", (&old.prove_start, &new.prove_start), unstarted);
    }
    let doubted = "a broken stable version is doubted later";
    found.more("broken_stable", (old.broken_stable, new.broken_stable), doubted);
    // Nobody tries it first is the least care; of more than one, the more the less.
    let tried = |canary: &Canary| match canary {
        Canary::Count(0) => usize::MAX,
        Canary::Count(count) => *count as usize,
        Canary::Replicas(replicas) if replicas.is_empty() => usize::MAX,
        Canary::Replicas(replicas) => replicas.len(),
    };
    let canaries = (&old.canary, &new.canary);
    let at_first = "more replicas get an unproven version at first";
    if tried(&new.canary) > tried(&old.canary) {
        found.note("canary", canaries, at_first);
    }
    // 0 is as many as the budget allows.
    let moved = |batch: u32| if batch == 0 { u32::MAX } else { batch };
    let batches = (&old.batch, &new.batch);
    if moved(new.batch) > moved(old.batch) {
        found.note("batch", batches, "more replicas are moved at once");
    }
}

/// Which kinds of keys a goal may set; without the key, all.
fn of_kinds(key: &Key, old: Option<&Value>, new: Option<&Value>) -> Vec<Loosening> {
    let kinds = |value: Option<&Value>| -> Option<BTreeSet<String>> {
        serde_json::from_value(value?.get("kinds")?.clone()).ok()
    };
    let mut found = Found { key: key.to_string(), all: Vec::new() };
    let (old, new) = (kinds(old), kinds(new));
    let more = match (&old, &new) {
        (Some(old), Some(new)) => !new.is_subset(old),
        (Some(_), None) => true,
        (None, _) => false,
    };
    if more {
        found.note("kinds", (&old, &new), "more kinds of keys may be set");
    }
    found.all
}

fn of_replica(key: &Key, old: &ReplicaSpec, new: &ReplicaSpec) -> Vec<Loosening> {
    let mut found = Found { key: key.to_string(), all: Vec::new() };
    let twice = "two of it may run at the same time";
    if old.exclusive && !new.exclusive {
        found.note("exclusive", (&old.exclusive, &new.exclusive), twice);
    }
    if old.exclusive && new.exclusive {
        found.less("lease_ms", (old.lease_ms, new.lease_ms), twice);
    }
    found.all
}

/// Whether the new bound lets more be touched, in a cluster of any size.
fn allows_more(old: Limit, new: Limit) -> bool {
    match (old, new) {
        (Limit::Count(old), Limit::Count(new)) => new > old,
        (Limit::Share(old), Limit::Share(new)) => new > old,
        (old, new) => (1..=REPLICAS_COMPARED).any(|replicas| new.of(replicas) > old.of(replicas)),
    }
}

/// What was found under one key.
struct Found {
    key: String,
    all: Vec<Loosening>,
}

impl Found {
    fn more<T: PartialOrd + Serialize>(&mut self, field: &str, (old, new): (T, T), why: &'static str) {
        if new > old {
            self.note(field, (&old, &new), why);
        }
    }

    fn less<T: PartialOrd + Serialize>(&mut self, field: &str, (old, new): (T, T), why: &'static str) {
        if new < old {
            self.note(field, (&old, &new), why);
        }
    }

    fn note<T: Serialize>(&mut self, field: &str, (old, new): (&T, &T), why: &'static str) {
        // As it stands in the goal file, so that people find it there.
        let told = |value: &T| match serde_json::to_value(value) {
            Ok(Value::String(word)) => word,
            Ok(value) => value.to_string(),
            Err(_) => "something else".to_owned(),
        };
        let (key, field) = (self.key.clone(), field.to_owned());
        self.all.push(Loosening { key, field, from: told(old), to: told(new), why });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(value: &Value) -> Policy {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn fields(found: &[Loosening]) -> Vec<&str> {
        found.iter().map(|loosening| loosening.field.as_str()).collect()
    }

    #[test]
    fn each_bound_has_a_direction() {
        let table = [
            // tighter | looser | which field
            (json!({"max_disturbed": 1}), json!({"max_disturbed": 2}), "max_disturbed"),
            (json!({"max_disturbed": 0.25}), json!({"max_disturbed": 0.5}), "max_disturbed"),
            (json!({"max_disturbed": 1}), json!({"max_disturbed": 0.5}), "max_disturbed"),
            (json!({"max_disturbed": 0.001}), json!({"max_disturbed": 2}), "max_disturbed"),
            (json!({"heals_parallel": 8}), json!({"heals_parallel": 9}), "heals_parallel"),
            (json!({"heals_per_hour": 20}), json!({"heals_per_hour": 21}), "heals_per_hour"),
            (json!({"tries": {"load": 2}}), json!({"tries": {"load": 3}}), "tries.load"),
            (json!({"tries": {"restart": 1}}), json!({}), "tries.restart"),
            (json!({"tries": {"relocate": 0}}), json!({}), "tries.relocate"),
            (json!({}), json!({"backoff": {"initial_ms": 999}}), "backoff.initial_ms"),
            (json!({}), json!({"backoff": {"max_ms": 1}}), "backoff.max_ms"),
            (json!({}), json!({"backoff": {"factor": 1.5}}), "backoff.factor"),
            (json!({}), json!({"quiet_ms": 1}), "quiet_ms"),
            (json!({}), json!({"flapping_deaths": 6}), "flapping_deaths"),
            (json!({}), json!({"flapping_window_ms": 1}), "flapping_window_ms"),
            (json!({}), json!({"silence_spacing_ms": 10}), "silence_spacing_ms"),
            (json!({"lease_ms": 20_000}), json!({}), "lease_ms"),
            (json!({}), json!({"lease_margin_ms": 0}), "lease_margin_ms"),
            (json!({}), json!({"storm_share": 1.0}), "storm_share"),
            (json!({}), json!({"soak_ms": 0}), "soak_ms"),
            (json!({}), json!({"probation_ms": 0}), "probation_ms"),
            (json!({}), json!({"max_failures": 1}), "max_failures"),
            (json!({}), json!({"prove_start": false}), "prove_start"),
            (json!({}), json!({"broken_stable": 3}), "broken_stable"),
            (json!({}), json!({"canary": 2}), "canary"),
            (json!({"canary": 2}), json!({"canary": 0}), "canary"),
            (json!({"canary": ["demo-a"]}), json!({"canary": ["demo-a", "demo-b"]}), "canary"),
            (json!({"batch": 1}), json!({"batch": 2}), "batch"),
            (json!({"batch": 3}), json!({"batch": 0}), "batch"),
            (json!({"autonomy": {"restart": "approve"}}), json!({}), "autonomy.restart"),
            (
                json!({"autonomy": {"roll": "observe"}}),
                json!({"autonomy": {"roll": "approve"}}),
                "autonomy.roll",
            ),
            (json!({}), json!({"autonomy": {"fall_back": "auto"}}), "autonomy.fall_back"),
        ];
        for (tighter, looser, field) in table {
            let (tight, loose) = (policy(&tighter), policy(&looser));
            assert_eq!(fields(&loosens(&tight, &loose)), [field], "{tighter} → {looser}");
            assert!(loosens(&loose, &tight).is_empty(), "{looser} → {tighter}");
            assert!(loosens(&tight, &tight).is_empty(), "{tighter}");
        }
    }

    #[test]
    fn strikes_count_by_kind_of_fault() {
        let (old, new) = (policy(&json!({"strikes": 3})), policy(&json!({"strikes": 2})));
        assert_eq!(loosens(&old, &new).len(), FaultKind::ALL.len());
        let by_fault = policy(&json!({"strikes_by_fault": {"exited": 1}}));
        assert_eq!(fields(&loosens(&Policy::default(), &by_fault)), ["strikes for exited"]);
        let kept = policy(&json!({"strikes": 9, "strikes_by_fault": {"exited": 3}}));
        assert!(loosens(&Policy::default(), &kept).is_empty());
    }

    #[test]
    fn what_only_says_how_often_or_how_long_takes_no_guard_away() {
        let new = policy(&json!({
            "check_interval_ms": 100, "check_spacing_ms": 1, "snapshot_ms": 10,
            "timeouts": {"start_ms": 1_000, "load_ms": 600_000}
        }));
        assert!(loosens(&Policy::default(), &new).is_empty());
        assert!(loosens(&new, &Policy::default()).is_empty());
    }

    #[test]
    fn a_change_is_judged_by_its_key() {
        let replica = |more: Value| {
            let mut spec = json!({"hosts": ["h1"], "program": "p"});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Some(spec)
        };
        let table = [
            // key | before | after | what is loosened
            ("policy/healing", None, Some(json!({"max_disturbed": 3})), vec!["max_disturbed"]),
            ("policy/healing", Some(json!({"max_disturbed": 3})), None, vec![]),
            ("policy/healing", Some(json!({"soak_ms": 600_000})), None, vec!["soak_ms"]),
            ("policy/healing", Some(json!({"autonomy": {"kill": "observe"}})), None, vec!["autonomy.kill"]),
            ("replica/a", replica(json!({"exclusive": true})), replica(json!({})), vec!["exclusive"]),
            ("replica/a", replica(json!({})), replica(json!({"exclusive": true})), vec![]),
            (
                "replica/a",
                replica(json!({"exclusive": true, "lease_ms": 9_000})),
                replica(json!({"exclusive": true, "lease_ms": 8_000})),
                vec!["lease_ms"],
            ),
            ("replica/a", replica(json!({"lease_ms": 9_000})), replica(json!({"lease_ms": 1})), vec![]),
            ("replica/a", None, replica(json!({})), vec![]),
            ("replica/a", replica(json!({"exclusive": true})), None, vec![]),
            ("policy/application", Some(json!({"kinds": ["model"]})), None, vec!["kinds"]),
            (
                "policy/application",
                Some(json!({"kinds": ["model"]})),
                Some(json!({"kinds": ["rule"]})),
                vec!["kinds"],
            ),
            ("policy/application", None, Some(json!({"kinds": ["rule"]})), vec![]),
            (
                "policy/application",
                Some(json!({"kinds": ["model", "rule"]})),
                Some(json!({"kinds": ["rule"]})),
                vec![],
            ),
            ("model/m", Some(json!({"max_disturbed": 1})), Some(json!({"max_disturbed": 9})), vec![]),
        ];
        for (key, before, after, expected) in table {
            let change = Change { key: key.parse().unwrap(), before, after };
            assert_eq!(fields(&loosened(std::slice::from_ref(&change))), expected, "{change:?}");
        }
    }

    #[test]
    fn no_field_of_the_policy_is_without_a_direction_by_oversight() {
        let Value::Object(fields) = serde_json::to_value(Policy::default()).unwrap() else { unreachable!() };
        let said = include_str!("loosens.rs");
        for field in fields.keys() {
            assert!(
                said.contains(field.as_str()),
                "is {field} a guard? say so above, or in the test of those that are none"
            );
        }
    }

    #[test]
    fn it_says_which_key_from_what_to_what_and_why() {
        let new = policy(&json!({"max_disturbed": 0.5, "autonomy": {"fall_back": "auto"}}));
        let told: Vec<String> = loosens(&Policy::default(), &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "policy/healing: max_disturbed from 1 to 0.5 (more replicas may be touched at once)",
                "policy/healing: autonomy.fall_back from approve to auto (it is done with less asking)",
            ]
        );
    }
}
