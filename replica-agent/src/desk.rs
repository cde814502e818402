//! Desk: where orders arrive: the fence, and what was begun, so that no step has effect twice.
//!
//! ```text
//! order ──► older epoch? ──► known step? ──► other step running? ──► Begun
//!              │ Refusal       │ Repeated       │ Refusal
//! ```
//!
//! It is told the time, and holds all of it in one place, so that a seal and an
//! order can't interleave: after a seal was answered, no older order begins.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use watchdog_core::ids::{Epoch, StepId};
use watchdog_proto::agent::StepResult;

use crate::application::Milestone;
use crate::refusal::Refusal;

/// How many results are remembered. One step runs at a time, so this is hours of healing of one replica.
const RESULTS_MAX: usize = 1024;

/// How a step stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) milestone: Milestone,
    /// When it fails unless it makes progress.
    pub(crate) deadline: Instant,
    pub(crate) result: Option<StepResult>,
}

/// What became of a step, as a seal asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Done(Box<StepResult>),
    Never,
    Running(Duration),
    /// Begun perhaps, so long ago that its result is forgotten.
    Lost,
}

/// What came of an order.
#[derive(Debug)]
pub(crate) enum Received {
    /// Carry it out, and tell here how it goes.
    Begun(watch::Sender<Standing>, watch::Receiver<Standing>),
    /// It was begun before; this is how it stands.
    Repeated(watch::Receiver<Standing>),
}

/// The fence and the steps begun.
#[derive(Debug)]
pub(crate) struct Desk {
    epoch: Epoch,
    begun: BTreeMap<StepId, watch::Receiver<Standing>>,
    oldest_first: VecDeque<StepId>,
    running: Option<StepId>,
    forgot: bool,
    /// Few: only what was not answered in time is ever given up.
    given_up: BTreeSet<StepId>,
}

impl Desk {
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            begun: BTreeMap::new(),
            oldest_first: VecDeque::new(),
            running: None,
            forgot: false,
            given_up: BTreeSet::new(),
        }
    }

    /// The highest epoch that was ever seen here.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Learns of an epoch, from whatever source.
    pub(crate) fn learn(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    /// Learns of the epoch under which something is asked, and refuses an older one.
    pub(crate) fn pass(&mut self, field: &'static str, ordered: Epoch) -> Result<(), Refusal> {
        if ordered < self.epoch {
            return Err(Refusal::OlderEpoch { field, ordered, seen: self.epoch });
        }
        self.epoch = ordered;
        Ok(())
    }

    /// Takes an order in. A step that was begun is never begun again.
    pub(crate) fn receive(
        &mut self,
        epoch: Epoch,
        step: &StepId,
        deadline: Instant,
    ) -> Result<Received, Refusal> {
        self.pass("order.epoch", epoch)?;
        if let Some(standing) = self.begun.get(step) {
            return Ok(Received::Repeated(standing.clone()));
        }
        if self.given_up.contains(step) {
            return Err(Refusal::GivenUp { step: step.clone() });
        }
        if let Some(running) = &self.running {
            return Err(Refusal::Busy { running: running.clone() });
        }
        while self.oldest_first.len() >= RESULTS_MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.begun.remove(&oldest);
                self.forgot = true;
            }
        }
        let standing = Standing { milestone: Milestone::default(), deadline, result: None };
        let (sender, receiver) = watch::channel(standing);
        self.begun.insert(step.clone(), receiver.clone());
        self.oldest_first.push_back(step.clone());
        self.running = Some(step.clone());
        Ok(Received::Begun(sender, receiver))
    }

    /// The step has come to its real end: from here on nothing of it happens any more.
    pub(crate) fn ended(&mut self, step: &StepId) {
        if self.running.as_ref() == Some(step) {
            self.running = None;
        }
    }

    /// Lets a step that was not begun never begin; its leader asked what became of it, and may count on the answer.
    pub(crate) fn give_up(&mut self, step: &StepId) {
        if !self.forgot && !self.begun.contains_key(step) {
            self.given_up.insert(step.clone());
        }
    }

    /// What became of a step.
    pub(crate) fn fate(&self, step: &StepId, now: Instant) -> Fate {
        let Some(standing) = self.begun.get(step) else {
            return if self.forgot { Fate::Lost } else { Fate::Never };
        };
        let standing = standing.borrow();
        match &standing.result {
            Some(result) => Fate::Done(Box::new(result.clone())),
            None => Fate::Running(standing.deadline.saturating_duration_since(now)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    type Teach = fn(&mut Desk);

    fn step(text: &str) -> StepId {
        text.parse().unwrap()
    }

    fn begin(desk: &mut Desk, epoch: u64, id: &str) -> watch::Sender<Standing> {
        match desk.receive(Epoch(epoch), &step(id), Instant::now()).unwrap() {
            Received::Begun(sender, _) => sender,
            Received::Repeated(_) => panic!("{id} was begun before"),
        }
    }

    fn finish(desk: &mut Desk, sender: &watch::Sender<Standing>, id: &str) {
        let result = StepResult { version: Some(7), ..StepResult::default() };
        desk.ended(&step(id));
        sender.send_modify(|standing| standing.result = Some(result));
    }

    #[test]
    fn an_older_epoch_is_refused_wherever_the_newer_one_came_from() {
        let table: [(&str, Teach); 3] = [
            ("told at the start", |_| ()),
            ("an order", |desk| drop(begin(desk, 5, "5-1-1"))),
            ("a watched node", |desk| desk.learn(Epoch(5))),
        ];
        for (source, teach) in table {
            let mut desk = Desk::new(Epoch(if source == "told at the start" { 5 } else { 1 }));
            teach(&mut desk);
            let refusal = desk.receive(Epoch(4), &step("4-1-1"), Instant::now()).unwrap_err();
            let expected = "order.epoch: epoch 4 is over; this agent has seen epoch 5";
            assert_eq!(refusal.to_string(), expected, "{source}");
            desk.learn(Epoch(2));
            assert_eq!(desk.epoch(), Epoch(5), "{source}");
        }
    }

    #[test]
    fn a_step_is_begun_once_and_alone() {
        let mut desk = Desk::new(Epoch(1));
        let first = begin(&mut desk, 1, "1-1-1");
        let now = Instant::now();
        assert!(matches!(desk.receive(Epoch(1), &step("1-1-1"), now), Ok(Received::Repeated(_))));
        assert!(matches!(desk.receive(Epoch(1), &step("1-1-2"), now), Err(Refusal::Busy { .. })));
        finish(&mut desk, &first, "1-1-1");
        let Ok(Received::Repeated(standing)) = desk.receive(Epoch(1), &step("1-1-1"), now) else {
            panic!("the first result is kept");
        };
        assert_eq!(standing.borrow().result.as_ref().unwrap().version, Some(7));
        begin(&mut desk, 1, "1-1-2");
    }

    #[test]
    fn a_seal_learns_the_fate_of_each_step() {
        let mut desk = Desk::new(Epoch(1));
        let first = begin(&mut desk, 1, "1-1-1");
        finish(&mut desk, &first, "1-1-1");
        let _running = begin(&mut desk, 1, "1-1-2");
        let now = Instant::now();
        assert!(matches!(desk.fate(&step("1-1-1"), now), Fate::Done(_)));
        assert!(matches!(desk.fate(&step("1-1-2"), now), Fate::Running(_)));
        assert_eq!(desk.fate(&step("1-1-3"), now), Fate::Never);
        desk.give_up(&step("1-1-3"));
        desk.ended(&step("1-1-2"));
        let late = desk.receive(Epoch(1), &step("1-1-3"), now).unwrap_err();
        assert!(matches!(late, Refusal::GivenUp { .. }), "what was called never begun never begins");
        assert_eq!(desk.fate(&step("1-1-3"), now), Fate::Never);
    }

    #[test]
    fn what_was_forgotten_is_not_called_never_begun() {
        let mut desk = Desk::new(Epoch(1));
        for count in 0..=RESULTS_MAX {
            let id = format!("1-1-{count}");
            let sender = begin(&mut desk, 1, &id);
            finish(&mut desk, &sender, &id);
        }
        assert_eq!(desk.begun.len(), RESULTS_MAX);
        assert_eq!(desk.fate(&step("1-1-0"), Instant::now()), Fate::Lost);
        assert!(matches!(desk.fate(&step("1-1-1"), Instant::now()), Fate::Done(_)));
    }
}
