//! Tally: the numbers of one run or of many, as they are printed and handed on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchdog_core::goal::GoalStatus;
use watchdog_core::record::Body;

use crate::checks::{self, Violation, interleaving};
use crate::figures;
use crate::history::History;
use crate::stale::Reply;

/// See the module; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The seeds that were run.
    pub seeds: Vec<u64>,
    /// How long they took.
    pub seconds: f64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Questions of customers that were answered at once.
    pub answered: u64,
    /// That only another replica answered.
    pub retried: u64,
    /// That nobody answered.
    pub failed: u64,
    /// Terms of leaders.
    pub terms: u64,
    /// Goals by how they ended.
    pub goals: BTreeMap<String, u64>,
    /// Steps that agents began.
    pub acts: u64,
    /// Heals that ended with the symptom gone.
    pub heals: u64,
    /// Lives that were ended although they were well.
    pub false_heals: Vec<String>,
    /// From the death, or the first bad check, to the conviction.
    pub detection_ms: Vec<u64>,
    /// From the conviction to the plan.
    pub decision_ms: Vec<u64>,
    /// From the plan to its end.
    pub heal_ms: Vec<u64>,
    /// From the end of the last fault until the cluster was at rest.
    pub rest_ms: Vec<u64>,
    /// Stale orders that were sent.
    pub stale_sent: u64,
    /// Stale orders that were refused.
    pub stale_refused: u64,
    /// Acts of an older epoch after one of a newer, as the checks see them.
    pub stale_acts: u64,
    /// How long all were cut off from ZooKeeper.
    pub cut_off_ms: u64,
    /// What was done meanwhile.
    pub cut_off_acts: u64,
    /// Notes on what could not be done here.
    pub notes: Vec<String>,
    /// What was broken.
    pub violations: Vec<Violation>,
}

impl Tally {
    /// The numbers of one history.
    pub fn of(history: &History) -> Self {
        let times = figures::times(history);
        let mut tally = Self {
            answered: history.customer.answered,
            retried: history.customer.retried,
            failed: history.customer.failed.len() as u64,
            acts: history.begun() as u64,
            heals: figures::heals_done(history) as u64,
            false_heals: figures::false_heals(history),
            detection_ms: times.detection,
            decision_ms: times.decision,
            heal_ms: times.heal,
            stale_acts: interleaving::check(history).len() as u64,
            violations: checks::all(history),
            ..Self::default()
        };
        for act in &history.acts {
            *tally.faults.entry(act.kind.word().to_owned()).or_default() += 1;
            tally.stale_sent += u64::from(act.reply.is_some());
            tally.stale_refused += u64::from(matches!(act.reply, Some(Reply::Refused(_))));
        }
        for entry in &history.entries {
            match &entry.body {
                Body::TermOpened { .. } => tally.terms += 1,
                Body::GoalEnded { status, .. } => *tally.goals.entry(word(*status)).or_default() += 1,
                _ => {}
            }
        }
        if let Some(cut) = &history.cut_off {
            (tally.cut_off_ms, tally.cut_off_acts) = (cut.lasted_ms, cut.acts as u64);
        }
        tally
    }

    /// All faults.
    pub fn faults_in_all(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Takes the numbers of another run in.
    pub fn add(&mut self, other: Self) {
        self.seeds.extend(other.seeds);
        self.seconds += other.seconds;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (status, count) in other.goals {
            *self.goals.entry(status).or_default() += count;
        }
        self.answered += other.answered;
        self.retried += other.retried;
        self.failed += other.failed;
        self.terms += other.terms;
        self.acts += other.acts;
        self.heals += other.heals;
        self.false_heals.extend(other.false_heals);
        self.detection_ms.extend(other.detection_ms);
        self.decision_ms.extend(other.decision_ms);
        self.heal_ms.extend(other.heal_ms);
        self.rest_ms.extend(other.rest_ms);
        self.stale_sent += other.stale_sent;
        self.stale_refused += other.stale_refused;
        self.stale_acts += other.stale_acts;
        self.cut_off_ms += other.cut_off_ms;
        self.cut_off_acts += other.cut_off_acts;
        self.violations.extend(other.violations);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}

fn word(status: GoalStatus) -> String {
    serde_json::to_value(status).ok().and_then(|it| Some(it.as_str()?.to_owned())).unwrap_or_default()
}

/// The sample below which so many of a hundred lie; 0 without samples.
pub fn percentile(samples: &[u64], percent: usize) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<u64> = (1..=100).rev().collect();
        assert_eq!((percentile(&samples, 50), percentile(&samples, 99)), (50, 99));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)), (7, 7, 0));
    }

    #[test]
    fn tallies_add_up() {
        let one = Tally { seeds: vec![1], answered: 2, stale_acts: 3, ..Tally::default() };
        let mut sum = one.clone();
        sum.faults.insert("cut".into(), 4);
        sum.add(Tally { faults: sum.faults.clone(), ..one });
        assert_eq!((sum.seeds.len(), sum.answered, sum.stale_acts, sum.faults_in_all()), (2, 4, 6, 8));
    }
}
