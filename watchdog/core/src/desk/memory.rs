//! Memory: what an agent remembers of the steps that it has begun, or will never begin.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::StepId;

/// What is remembered of a step that is not at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled<R> {
    /// It was not begun.
    Unknown,
    /// It was not begun lately; what was before is not remembered any more.
    Forgotten,
    /// It ended so.
    Done(R),
    /// It was begun before a crash, and its end can't be known.
    Lost,
    /// It was given up before it was begun.
    GivenUp,
}

/// Where an agent remembers steps.
pub trait Memory<R> {
    /// What is remembered of a step.
    fn recall(&self, step: &StepId) -> Recalled<R>;
}

/// A memory for as long as the process lives, of the latest steps only.
#[derive(Debug)]
pub struct Recent<R> {
    ends: BTreeMap<StepId, R>,
    oldest_first: VecDeque<StepId>,
    forgot: bool,
}

impl<R> Default for Recent<R> {
    fn default() -> Self {
        Self { ends: BTreeMap::new(), oldest_first: VecDeque::new(), forgot: false }
    }
}

impl<R> Recent<R> {
    /// How many ends are remembered. One step at a time runs on a replica, so this is hours of healing of it.
    pub const MAX: usize = 1024;

    /// Remembers how a step ended.
    pub fn remember(&mut self, step: StepId, end: R) {
        while self.oldest_first.len() >= Self::MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.ends.remove(&oldest);
                self.forgot = true;
            }
        }
        if self.ends.insert(step.clone(), end).is_none() {
            self.oldest_first.push_back(step);
        }
    }
}

impl<R: Clone> Memory<R> for Recent<R> {
    fn recall(&self, step: &StepId) -> Recalled<R> {
        match self.ends.get(step) {
            Some(end) => Recalled::Done(end.clone()),
            None if self.forgot => Recalled::Forgotten,
            None => Recalled::Unknown,
        }
    }
}
