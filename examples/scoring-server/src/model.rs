//! Model: what may be declared: models that score, rules that decide, and incidents to rehearse.

use std::collections::BTreeMap;

use replica_agent::ReplicaId;
use serde::Deserialize;
use std::time::Duration;

/// The value of a `model/NAME` key. Fields that it doesn't know are somebody else's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Model {
    /// How much each feature counts.
    pub(crate) weights: BTreeMap<String, f64>,
    /// What is added to it.
    #[serde(default)]
    pub(crate) bias: f64,
    /// What goes wrong with this model, and where.
    #[serde(default)]
    pub(crate) incident: Option<Incident>,
    /// A question whose answer is known.
    #[serde(default)]
    pub(crate) check: Option<Check>,
}

impl Model {
    /// The score of these features, from 0 to 1; a feature that is not given counts nothing.
    pub(crate) fn score(&self, features: &BTreeMap<String, f64>) -> f64 {
        let weighed =
            |(name, weight): (&String, &f64)| features.get(name).map_or(0.0, |value| weight * value);
        let sum: f64 = self.bias + self.weights.iter().map(weighed).sum::<f64>();
        1.0 / (1.0 + (-sum).exp())
    }
}

/// A question whose answer is known.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    pub(crate) features: BTreeMap<String, f64>,
    pub(crate) score: f64,
}

/// The value of a `rule/NAME` key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// It applies to scores above this.
    pub(crate) if_above: f64,
    /// What is decided then.
    pub(crate) then: String,
}

/// What is decided where no rule applies.
const OTHERWISE: &str = "allow";

/// What the strictest applicable rule decides.
pub(crate) fn decide<'a>(rules: impl Iterator<Item = &'a Rule>, score: f64) -> &'a str {
    let applicable = rules.filter(|rule| score > rule.if_above);
    let strictest = applicable.max_by(|a, b| a.if_above.total_cmp(&b.if_above));
    strictest.map_or(OTHERWISE, |rule| &rule.then)
}

/// Something that goes wrong with a model on some replicas, so that healing can be rehearsed by declaring it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Incident {
    /// On which replicas.
    pub(crate) on: Vec<ReplicaId>,
    /// What goes wrong.
    pub(crate) what: What,
    /// How long after the commit (of loads: for how long), in milliseconds.
    #[serde(default)]
    pub(crate) after_ms: u64,
}

impl Incident {
    pub(crate) fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The process aborts once it has committed.
    Crash,
    /// The process aborts when it is started with this model; it can be loaded later.
    CrashAtStart,
    /// It stops answering, its own checks too.
    Hang,
    /// It scores the opposite.
    WrongAnswer,
    /// Preparing takes long, with progress.
    SlowLoad,
    /// Preparing never ends, without progress.
    StallLoad,
    /// Preparing fails.
    FailLoad,
    /// Committing fails; the old state serves.
    FailCommit,
    /// It says itself that something is wrong.
    Unhealthy,
    /// It reports other digests than those of what it holds.
    Lie,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_score_weighs_the_features_that_are_given() {
        let model: Model = serde_json::from_value(json!({"weights": {"a": 2, "b": -1}, "bias": 0})).unwrap();
        let features = |given: &[(&str, f64)]| given.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        assert!((model.score(&features(&[])) - 0.5).abs() < 1e-9);
        assert!(model.score(&features(&[("a", 9.0), ("unknown", -99.0)])) > 0.99);
        assert!(model.score(&features(&[("a", 1.0), ("b", 9.0)])) < 0.01);
    }

    #[test]
    fn the_strictest_rule_decides() {
        let rule = |if_above, then: &str| Rule { if_above, then: then.to_owned() };
        let rules = [rule(0.5, "review"), rule(0.8, "deny")];
        for (score, decision) in [(0.2, "allow"), (0.6, "review"), (0.9, "deny")] {
            assert_eq!(decide(rules.iter(), score), decision);
        }
    }
}
