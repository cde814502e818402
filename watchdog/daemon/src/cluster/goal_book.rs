//! Goal book: the goals of the record, as operators ask for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watchdog_core::goal::GoalStatus;
use watchdog_core::ids::{GoalId, NAME_MAX, Time, Version};
use watchdog_core::record::{Body, Entry};

/// How many goals are remembered with all that they say, and all that are not over; of older ones only the names.
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
    /// The last step that failed while it rolled.
    pub(crate) last_failure: Option<String>,
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
    /// The one that rolls.
    rolling: Option<GoalId>,
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
                last_failure: None,
                request: request.clone(),
            }),
            Body::GoalBegun { goal, base, to, .. } => {
                if let Some(story) = self.stories.get_mut(goal) {
                    story.status = GoalStatus::Rolling;
                    story.begun_at = Some(entry.at);
                    story.span = Some((*base, *to));
                }
                self.rolling = Some(goal.clone());
            }
            Body::GoalEnded { goal, status, why } => {
                if let Some(story) = self.stories.get_mut(goal) {
                    story.status = *status;
                    story.why.clone_from(why);
                    story.ended_at = Some(entry.at);
                }
                if self.rolling.as_ref() == Some(goal) {
                    self.rolling = None;
                }
            }
            _ => {}
        }
    }

    /// Notes, of the goal that rolls, what failed.
    pub(crate) fn failed(&mut self, what: String) {
        if let Some(story) = self.rolling.as_ref().and_then(|goal| self.stories.get_mut(goal)) {
            story.last_failure = Some(what);
        }
    }

    /// One goal.
    pub(crate) fn get(&self, id: &GoalId) -> Option<&GoalStory> {
        self.stories.get(id)
    }

    /// The newest goals, newest first; whatever is older and not over comes with them.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = &GoalStory> {
        let all = self.order.iter().rev().filter_map(|id| self.stories.get(id)).enumerate();
        all.filter(move |(index, story)| *index < count || !story.status.is_over()).map(|(_, story)| story)
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
            let over = |id: &GoalId| self.stories.get(id).is_none_or(|story| story.status.is_over());
            let Some(at) = self.order.iter().position(over) else { return };
            if let Some(oldest) = self.order.remove(at) {
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

    fn tell(book: &mut GoalBook, body: Body) {
        book.apply(&Entry { sequence: Sequence(1), at: Time(1), epoch: Epoch(1), by: "ann".into(), body });
    }

    #[test]
    fn what_is_not_over_is_never_forgotten() {
        let mut book = GoalBook::default();
        let goals: Vec<GoalId> = (0..1_000).map(|number| format!("g-{number}").parse().unwrap()).collect();
        for (number, goal) in goals.iter().enumerate() {
            let (goal, request) = (goal.clone(), format!("r-{number}"));
            let spec = Goal::default();
            tell(
                &mut book,
                Body::GoalDeclared { goal: goal.clone(), request, spec, supersede: false, may_loosen: false },
            );
            // The first rolls, the second waits; the others end at once.
            if number == 0 {
                let (base, to, state_hash) = (Version(0), Version(1), watchdog_core::state::Hash::default());
                let pace = watchdog_core::goal::Pace::resolve(
                    &watchdog_core::goal::PaceWish::default(),
                    &watchdog_core::policy::Policy::default(),
                );
                tell(
                    &mut book,
                    Body::GoalBegun {
                        goal,
                        base,
                        to,
                        state_hash,
                        pace,
                        restart: false,
                        guard: None,
                        adds: [].into(),
                        edits: [].into(),
                    },
                );
            } else if number > 1 {
                tell(&mut book, Body::GoalEnded { goal, status: GoalStatus::Withdrawn, why: String::new() });
            }
        }
        assert_eq!(book.get(&goals[0]).unwrap().status, GoalStatus::Rolling);
        assert_eq!(book.get(&goals[1]).unwrap().status, GoalStatus::Pending);
        assert!(book.get(&goals[2]).is_none());
        // Asked again, it is the same goal.
        assert_eq!(book.requested("r-1").unwrap().id, goals[1]);
        assert_eq!(book.stories.len(), GOALS_KEPT);
        let told: Vec<&GoalId> = book.newest(1).map(|story| &story.id).collect();
        assert_eq!(told, [&goals[999], &goals[1], &goals[0]]);
    }

    #[test]
    fn an_id_is_given_once() {
        let mut book = GoalBook::default();
        let mut given = Vec::new();
        let long = "x".repeat(63);
        for wished in [None, Some("fraud"), Some("fraud"), None, Some("fraud"), Some(&long), Some(&long)] {
            let goal = book.fresh_id(wished.map(|name| name.parse().unwrap()));
            given.push(goal.to_string());
            let (request, spec) = (String::new(), Goal::default());
            let body = Body::GoalDeclared { goal, request, spec, supersede: false, may_loosen: false };
            let entry = Entry { sequence: Sequence(1), at: Time(1), epoch: Epoch(1), by: "ann".into(), body };
            book.apply(&entry);
        }
        let cut = format!("{}-2", "x".repeat(61));
        assert_eq!(given, ["goal-1", "fraud", "fraud-2", "goal-4", "fraud-3", &long, &cut]);
    }
}
