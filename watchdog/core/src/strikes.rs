//! Strikes: counts each fault in a row, each time on newer evidence, until it is convicted.
//!
//! ```text
//! found, newer look ──► strike ──(as many as policy says)──► convicted
//! found, same look  ──► nothing: nobody looked again
//! not found         ──► cleared
//! could not be seen ──► nothing: unknown neither convicts nor acquits
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::assess::Check;
use crate::finding::{Conviction, FaultKind, Finding, Proof, Source, Subject};
use crate::history::History;
use crate::ids::{ReplicaId, Time};
use crate::policy::Policy;
use crate::record::Body;

type Fault = (Subject, FaultKind);

/// The strikes of one leader's term. A new term counts afresh, because nobody knows when the old one looked last.
#[derive(Debug, Clone, Default)]
pub struct StrikeBook {
    tallies: BTreeMap<Fault, Tally>,
    /// Convictions of earlier terms that stand in the record and are not yet ours.
    inherited: BTreeMap<Fault, Finding>,
    /// Replicas that time alone may make a finding of.
    restless: BTreeSet<ReplicaId>,
    /// Strikes counted and not told yet.
    struck: BTreeMap<FaultKind, u64>,
}

#[derive(Debug, Clone)]
struct Tally {
    finding: Finding,
    strikes: u32,
    since: Time,
    counted_at: Time,
    /// The last look of each source; a source that counts lower began anew.
    looks: BTreeMap<Source, u64>,
    convicted: bool,
}

/// A change for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A fault has its strikes.
    Convicted(Conviction),
    /// A convicted fault is gone.
    Cleared(Subject, FaultKind),
}

impl From<Verdict> for Body {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Convicted(conviction) => Self::Convicted { conviction },
            Verdict::Cleared(subject, fault) => Self::Cleared { subject, fault },
        }
    }
}

impl StrikeBook {
    /// The book of a new term; what earlier terms convicted is cleared in the record once it is seen to be gone.
    pub fn new(history: &History) -> Self {
        let inherited = history.convictions.values().map(|conviction| {
            let finding = conviction.finding.clone();
            ((finding.subject.clone(), finding.kind), finding)
        });
        Self { inherited: inherited.collect(), ..Self::default() }
    }

    /// Counts one check; answers what became convicted or cleared by it.
    pub fn record(&mut self, check: &Check<'_>, policy: &Policy, now: Time) -> Vec<Verdict> {
        let mut verdicts = self.acquit(check);
        for finding in &check.findings {
            verdicts.extend(self.strike(finding, policy, now));
        }
        self.restless.retain(|replica| !check.looked.at(replica));
        self.restless.extend(check.looked.restless().cloned());
        verdicts
    }

    /// Drops what would have been found again and was not.
    fn acquit(&mut self, check: &Check<'_>) -> Vec<Verdict> {
        let found: BTreeSet<(&Subject, FaultKind)> =
            check.findings.iter().map(|finding| (&finding.subject, finding.kind)).collect();
        let gone = |fault: &Fault, finding: &Finding| {
            !found.contains(&(&fault.0, fault.1)) && check.looked.acquits(finding)
        };
        let mut verdicts = Vec::new();
        self.inherited.retain(|fault, finding| {
            let gone = gone(fault, finding);
            if gone {
                verdicts.push(Verdict::Cleared(fault.0.clone(), fault.1));
            }
            !gone
        });
        self.tallies.retain(|fault, tally| {
            let gone = gone(fault, &tally.finding);
            if gone && tally.convicted {
                verdicts.push(Verdict::Cleared(fault.0.clone(), fault.1));
            }
            !gone
        });
        verdicts
    }

    fn strike(&mut self, finding: &Finding, policy: &Policy, now: Time) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let fault = (finding.subject.clone(), finding.kind);
        let needed = policy.strikes_for(finding.kind);
        if self.tallies.get(&fault).is_some_and(|tally| !tally.is_of_the_same_life(finding))
            && self.tallies.remove(&fault).is_some_and(|tally| tally.convicted)
        {
            verdicts.push(Verdict::Cleared(fault.0.clone(), fault.1));
        }
        let tally = self.tallies.entry(fault.clone()).or_insert_with(|| Tally::new(finding, now));
        let before = tally.strikes;
        tally.count(finding, policy, now);
        if tally.strikes > before {
            *self.struck.entry(finding.kind).or_default() += 1;
        }
        if tally.convicted || tally.strikes < needed {
            return verdicts;
        }
        tally.convicted = true;
        let inherited = self.inherited.remove(&fault);
        if inherited.is_none_or(|inherited| inherited.incarnation != finding.incarnation) {
            verdicts.push(Verdict::Convicted(tally.conviction()));
        }
        verdicts
    }

    /// How many strikes a fault has, and whether it is convicted.
    pub fn count(&self, subject: &Subject, kind: FaultKind) -> (u32, bool) {
        let tally = self.tallies.get(&(subject.clone(), kind));
        tally.map_or((0, false), |tally| (tally.strikes, tally.convicted))
    }

    /// The strikes that were counted since this was asked last.
    pub fn take_struck(&mut self) -> BTreeMap<FaultKind, u64> {
        std::mem::take(&mut self.struck)
    }

    /// What is convicted, by subject and kind.
    pub fn convictions(&self) -> Vec<Conviction> {
        self.tallies.values().filter(|tally| tally.convicted).map(Tally::conviction).collect()
    }

    /// Replicas that must be looked at again at the next check, whether they change or not.
    pub fn suspects(&self) -> BTreeSet<ReplicaId> {
        let accused = self.tallies.keys().chain(self.inherited.keys());
        let replicas = accused.filter_map(|(subject, _)| match subject {
            Subject::Replica(replica) => Some(replica.clone()),
            Subject::Host(_) => None,
        });
        replicas.chain(self.restless.iter().cloned()).collect()
    }

    /// When the next strike could count; `None` when no count is under way.
    pub fn next_due(&self, now: Time, policy: &Policy) -> Option<Time> {
        let counting = self.tallies.values().filter(|tally| !tally.convicted);
        counting.map(|tally| tally.due(policy).max(now)).min()
    }
}

impl Tally {
    fn new(finding: &Finding, now: Time) -> Self {
        let (finding, looks) = (finding.clone(), BTreeMap::new());
        Self { finding, strikes: 0, since: now, counted_at: now, looks, convicted: false }
    }

    /// Death and absence are of the replica; every other fault is of one life, and the next one is innocent.
    fn is_of_the_same_life(&self, finding: &Finding) -> bool {
        matches!(finding.kind, FaultKind::Missing | FaultKind::Flapping)
            || self.finding.incarnation == finding.incarnation
    }

    fn count(&mut self, finding: &Finding, policy: &Policy, now: Time) {
        self.finding = finding.clone();
        let source = finding.evidence.source;
        let looked_again = match self.looks.get(&source) {
            None => true,
            Some(last) => finding.evidence.look > *last,
        };
        let spaced = match finding.evidence.proof {
            Proof::Proven => true,
            Proof::Silence => now.since_ms(self.counted_at) >= policy.silence_spacing_ms,
        };
        if !spaced && self.strikes > 0 {
            return;
        }
        self.looks.insert(source, finding.evidence.look);
        if looked_again {
            self.strikes = self.strikes.saturating_add(1).min(policy.strikes_for(finding.kind));
            self.counted_at = now;
        }
    }

    /// When the next strike could count.
    fn due(&self, policy: &Policy) -> Time {
        self.counted_at.plus_ms(match self.finding.evidence.proof {
            Proof::Proven => policy.check_spacing_ms,
            Proof::Silence => policy.silence_spacing_ms,
        })
    }

    fn conviction(&self) -> Conviction {
        Conviction { finding: self.finding.clone(), strikes: self.strikes, since: self.since }
    }
}
