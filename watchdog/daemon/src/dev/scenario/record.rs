//! Record: what the healing log says of a scenario, for the checks at its end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use watchdog_core::ids::{PlanId, ReplicaId, StepId};
use watchdog_core::plan::{Act, PlanStatus};
use watchdog_core::record::Body;
use watchdog_proto::admin::Event;

/// What happened, in order.
#[derive(Debug)]
pub(super) struct Record(Vec<Body>);

/// How many replicas were affected at once, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Peak {
    /// That a plan touched while they served.
    pub(super) touched: usize,
    /// That, or dead.
    pub(super) disturbed: usize,
}

impl Record {
    /// Reads events as they come over the wire.
    ///
    /// # Errors
    ///
    /// If one is of a kind that we do not know.
    pub(super) fn read(events: &[Event]) -> anyhow::Result<Self> {
        let read = |event: &Event| {
            serde_json::from_str(&event.detail_json).with_context(|| format!("read event {}", event.sequence))
        };
        Ok(Self(events.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Whether anything was recorded that fits.
    pub(super) fn tells(&self, fits: impl Fn(&Body) -> bool) -> bool {
        self.0.iter().any(fits)
    }

    /// What was ordered for this replica, in order.
    pub(super) fn acts(&self, replica: &str) -> Vec<&Act> {
        let planned = self.planned();
        let orders = self.0.iter().filter_map(|body| match body {
            Body::Intended { step, replica: Some(whom), .. } if whom.as_str() == replica => planned.get(step),
            _ => None,
        });
        orders.copied().collect()
    }

    /// What every step of every plan does.
    fn planned(&self) -> BTreeMap<&StepId, &Act> {
        let plans = self.0.iter().filter_map(|body| match body {
            Body::PlanRecorded { plan, .. } => Some(plan),
            _ => None,
        });
        plans.flat_map(|plan| &plan.steps).map(|step| (&step.id, &step.act)).collect()
    }

    /// The same, a word each.
    pub(super) fn words(&self, replica: &str) -> String {
        let words: Vec<&str> = self.acts(replica).into_iter().map(word).collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }

    /// Everybody for whom anything was ordered.
    pub(super) fn touched(&self) -> BTreeSet<String> {
        let touched = self.0.iter().filter_map(|body| match body {
            Body::Intended { replica: Some(replica), .. } => Some(replica.to_string()),
            _ => None,
        });
        touched.collect()
    }

    /// How many were affected at once, at most.
    ///
    /// A plan holds its replicas from its first order for them to its end. Who is dead then, or is first of all to be
    /// started, does not serve, and so is only disturbed.
    pub(super) fn peak(&self) -> Peak {
        let planned = self.planned();
        let mut dead: BTreeSet<&ReplicaId> = BTreeSet::new();
        let mut held: BTreeMap<&PlanId, BTreeMap<&ReplicaId, bool>> = BTreeMap::new();
        let mut peak = Peak::default();
        for body in &self.0 {
            match body {
                Body::Died { obituary } => drop(dead.insert(&obituary.replica)),
                Body::Intended { plan, step, replica: Some(replica), .. } => {
                    let starts = matches!(planned.get(step), Some(Act::Start { .. }));
                    let serves = !starts && !dead.contains(replica);
                    held.entry(plan).or_default().entry(replica).or_insert(serves);
                }
                Body::PlanStatus { plan, status, .. } if !status.is_open() => {
                    let ended = held.remove(plan).unwrap_or_default();
                    if *status == PlanStatus::Done {
                        dead.retain(|replica| !ended.contains_key(replica));
                    }
                }
                _ => {}
            }
            peak = peak.or(&dead, &held);
        }
        peak
    }
}

impl Peak {
    /// This, or what is now if that is more.
    fn or(self, dead: &BTreeSet<&ReplicaId>, held: &BTreeMap<&PlanId, BTreeMap<&ReplicaId, bool>>) -> Self {
        let all = || held.values().flatten();
        let disturbed: BTreeSet<_> = all().map(|(replica, _)| replica).chain(dead).collect();
        let touched: BTreeSet<_> = all().filter(|(_, served)| **served).map(|(replica, _)| replica).collect();
        Self { touched: self.touched.max(touched.len()), disturbed: self.disturbed.max(disturbed.len()) }
    }
}

fn word(act: &Act) -> &'static str {
    match act {
        Act::Snapshot { .. } => "snapshot",
        Act::Drain { .. } => "drain",
        Act::Kill { .. } => "kill",
        Act::Start { .. } => "start",
        Act::Load { .. } => "load",
        Act::Probe { .. } => "probe",
        Act::MarkStable { .. } => "mark_stable",
        Act::Reject { .. } => "reject",
        Act::Notify { .. } => "notify",
    }
}
