//! Goal book: the goals of the record, as operators ask for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watchdog_core::goal::GoalStatus;
use watchdog_core::ids::{GoalId, NAME_MAX, Time, Version};
use watchdog_core::record::{Body, Entry};

/// How many goals are remembered with all that they say; of older ones only the names.
const GOALS_KEPT: usize = 200;

/// A goal with all that became of it.
#[derive(Debug, Clone)]
pub(crate) struct GoalStory {
    /// Its id.
    pub(crate) id: GoalId,
    /// What it asks for, in a few words.
    pub(crate) gist: String,
    /// Why, as its author says.
    pub(crate) reason: String,
    /// Who declared it.
    pub(crate) by: String,
    /// When.
    pub(crate) declared_at: Time,
    /// How far it is.
    pub(crate) status: GoalStatus,
    /// Why it ended so.
    pub(crate) why: String,
    /// When its rollout began.
    pub(crate) begun_at: Option<Time>,
    /// When it ended.
    pub(crate) ended_at: Option<Time>,
    /// Where the log stood before its changes, and its candidate.
    pub(crate) span: Option<(Version, Version)>,
    /// The request that declared it.
    request: String,
}

/// The newest goals, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoalBook {
    order: VecDeque<GoalId>,
    stories: BTreeMap<GoalId, GoalStory>,
    names: BTreeSet<GoalId>,
    declared: u64,
}

impl GoalBook {
    /// Takes in one entry of the record.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::GoalDeclared { goal, request, spec, .. } => self.add(GoalStory {
                id: goal.clone(),
                gist: spec.gist(),
                reason: spec.reason.clone(),
                by: entry.by.clone(),
                declared_at: entry.at,
                status: GoalStatus::Pending,
                why: String::new(),
                begun_at: None,
                ended_at: None,
                span: None,
                request: request.clone(),
            }),
            Body::GoalBegun { goal, base, to, .. } => {
                if let Some(story) = self.stories.get_mut(goal) {
                    story.status = GoalStatus::Rolling;
                    story.begun_at = Some(entry.at);
                    story.span = Some((*base, *to));
                }
            }
            Body::GoalEnded { goal, status, why } => {
                if let Some(story) = self.stories.get_mut(goal) {
                    story.status = *status;
                    story.why.clone_from(why);
                    story.ended_at = Some(entry.at);
                }
            }
            _ => {}
        }
    }

    /// One goal.
    pub(crate) fn get(&self, id: &GoalId) -> Option<&GoalStory> {
        self.stories.get(id)
    }

    /// The newest goals, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &GoalStory> {
        self.order.iter().rev().filter_map(|id| self.stories.get(id))
    }

    /// The goal that a request declared before.
    pub(crate) fn requested(&self, request: &str) -> Option<&GoalStory> {
        self.stories.values().find(|story| story.request == request)
    }

    /// An id that no goal had: the wished name, with a number when it was used, or the goal's own number.
    pub(crate) fn fresh_id(&self, wished: Option<GoalId>) -> GoalId {
        let Some(wished) = wished else { return self.numbered("goal", self.declared + 1) };
        if self.names.contains(&wished) { self.numbered(wished.as_str(), 2) } else { wished }
    }

    /// `stem-count`, counted on from `count` until it is new.
    fn numbered(&self, stem: &str, mut count: u64) -> GoalId {
        loop {
            let suffix = format!("-{count}");
            let stem: String = stem.chars().take(NAME_MAX - suffix.len()).collect();
            match GoalId::new(format!("{stem}{suffix}")) {
                Ok(id) if !self.names.contains(&id) => return id,
                _ => count += 1,
            }
        }
    }

    fn add(&mut self, story: GoalStory) {
        self.declared += 1;
        self.names.insert(story.id.clone());
        self.order.push_back(story.id.clone());
        self.stories.insert(story.id.clone(), story);
        while self.order.len() > GOALS_KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.stories.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::goal::Goal;
    use watchdog_core::ids::{Epoch, Sequence};

    use super::*;

    #[test]
    fn an_id_is_given_once() {
        let mut book = GoalBook::default();
        let mut given = Vec::new();
        let long = "x".repeat(63);
        for wished in [None, Some("fraud"), Some("fraud"), None, Some("fraud"), Some(&long), Some(&long)] {
            let goal = book.fresh_id(wished.map(|name| name.parse().unwrap()));
            given.push(goal.to_string());
            let body =
                Body::GoalDeclared { goal, request: String::new(), spec: Goal::default(), supersede: false };
            let entry = Entry { sequence: Sequence(1), at: Time(1), epoch: Epoch(1), by: "ann".into(), body };
            book.apply(&entry);
        }
        let cut = format!("{}-2", "x".repeat(61));
        assert_eq!(given, ["goal-1", "fraud", "fraud-2", "goal-4", "fraud-3", &long, &cut]);
    }
}
