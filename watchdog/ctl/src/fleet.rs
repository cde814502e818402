//! Fleet: all watchdogs that we know of, asked so that any one of them may be down, hung or deposed.
//!
//! ```text
//! survey: who leads? (all at once) ─┬─ read ──► the leader, then whoever answered; the slow are overtaken
//!                                   └─ write ─► the leader; sent on by a follower; again after an election
//! ```
//!
//! *Guarantees*: a write that must not be done twice is not sent again once it may have arrived.

mod ask;
mod record;
mod survey;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};
use tonic::{Code, Response, Status};

pub(crate) use self::ask::{Caller, Client, Said};
pub(crate) use self::record::{Listener, Wanted};
pub(crate) use self::survey::Survey;
use crate::failure::Failure;
use crate::screen;

/// A read that has not been answered for so long is also sent to the next watchdog.
const OVERTAKE: Duration = Duration::from_millis(500);
/// How long a leader may take over an order that can be sent again: a stopped one may have a successor by then.
const ORDER_PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks for a leader.
const ELECTION_PAUSE: Duration = Duration::from_millis(200);

/// What an endpoint said, or that it said nothing.
#[derive(Debug)]
pub(crate) struct Testimony {
    /// Its URL.
    pub(crate) endpoint: String,
    /// What was heard.
    pub(crate) said: Said,
}

/// Whether a write may be sent again when its fate is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice is the same as once.
    Harmless,
    /// Twice would hit twice.
    Never,
}

/// The watchdogs of a cluster.
#[derive(Debug)]
pub(crate) struct Fleet {
    cluster: String,
    endpoints: Vec<String>,
    caller: Caller,
    timeout: Duration,
}

/// How far an order may go.
#[derive(Debug, Clone, Copy)]
struct Limits {
    repeat: Repeat,
    deadline: Instant,
}

impl Limits {
    /// Until when one watchdog may think about it.
    fn patience(self) -> Instant {
        match self.repeat {
            Repeat::Harmless => self.deadline.min(Instant::now() + ORDER_PATIENCE),
            Repeat::Never => self.deadline,
        }
    }
}

/// One attempt at a write that did not settle it.
enum Attempt {
    /// Nobody took it; another survey may find who does.
    Unsettled(Vec<Testimony>),
    /// It is settled, badly.
    Failed(Failure),
}

impl Fleet {
    /// A fleet reached by any of `endpoints`, each question to which may take `timeout`.
    pub(crate) fn new(cluster: String, endpoints: Vec<String>, caller: Caller, timeout: Duration) -> Self {
        Self { cluster, endpoints, caller, timeout }
    }

    /// Connects to one watchdog, for a stream of answers.
    ///
    /// # Errors
    ///
    /// What came in the way.
    pub(crate) async fn dial(&self, endpoint: &str) -> Result<Client, Said> {
        ask::dial((&self.caller, endpoint), self.timeout).await
    }

    /// How long a question may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks everyone who leads.
    ///
    /// # Errors
    ///
    /// [`Failure::Unanswered`] when nobody answers at all.
    pub(crate) async fn survey(&self) -> Result<Survey, Failure> {
        let survey = survey::run(&self.cluster, (&self.caller, &self.endpoints), self.timeout).await;
        if survey.is_silent() { Err(self.unanswered(survey.into_testimonies())) } else { Ok(survey) }
    }

    /// Asks a question that any watchdog can answer, the leader first because it knows best.
    pub(crate) async fn read<T>(
        &self,
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let survey = self.survey().await?;
        let mut waiting = VecDeque::from(survey.order());
        let mut said = survey.into_unreachable();
        let mut asked = FuturesUnordered::new();
        loop {
            if let Some(endpoint) = waiting.pop_front() {
                asked.push(ask::once((&self.caller, endpoint), deadline, &call));
            } else if asked.is_empty() {
                return Err(self.verdict(said));
            }
            tokio::select! {
                Some((endpoint, answer)) = asked.next() => match answer {
                    Ok(answer) => return Ok(answer),
                    // Another watchdog may guard what this one has not heard of.
                    Err(Said::No { code, sentence }) if code != Code::NotFound => {
                        return Err(Failure::Refused(sentence));
                    }
                    Err(heard) => said.push(Testimony { endpoint, said: heard }),
                },
                () = sleep(OVERTAKE), if !waiting.is_empty() => {}
            }
        }
    }

    /// Gives an order, which only the leader takes. During an election it waits.
    pub(crate) async fn write<T>(
        &self,
        repeat: Repeat,
        call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut told = false;
        loop {
            let survey = self.survey().await?;
            let said = if survey.leader().is_some() {
                match self.attempt(&survey, Limits { repeat, deadline }, &call).await {
                    Ok(answer) => return Ok(answer),
                    Err(Attempt::Failed(failure)) => return Err(failure),
                    Err(Attempt::Unsettled(said)) => said,
                }
            } else if let Some(sentence) = survey.refusal() {
                return Err(Failure::Refused(sentence.to_owned()));
            } else {
                survey.into_testimonies()
            };
            if Instant::now() + ELECTION_PAUSE >= deadline {
                return Err(Failure::NoLeader { cluster: self.cluster.clone(), said });
            }
            if !told {
                let patience = humantime::format_duration(self.timeout);
                screen::complain(&format!("nobody leads {} now; waiting up to {patience}", self.cluster));
                told = true;
            }
            sleep(ELECTION_PAUSE).await;
        }
    }

    /// Tries the named leader, then all who answered: one of them may know it by an address that we reach.
    async fn attempt<T>(
        &self,
        survey: &Survey,
        limits: Limits,
        call: &impl AsyncFn(Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Attempt> {
        let mut waiting = VecDeque::from(survey.order());
        let mut visited = BTreeSet::new();
        let mut said = Vec::new();
        while let Some(endpoint) = waiting.pop_front() {
            if !visited.insert(endpoint.clone()) {
                continue;
            }
            let (endpoint, answer) = ask::once((&self.caller, endpoint), limits.patience(), call).await;
            let heard = match answer {
                Ok(answer) => return Ok(answer),
                Err(heard) => heard,
            };
            match &heard {
                Said::AskLeader { leader, .. } => waiting.push_front(leader.clone()),
                Said::No { code: Code::Aborted, sentence } => {
                    return Err(Attempt::Failed(Failure::HeadMoved(sentence.clone())));
                }
                Said::No { sentence, .. } => return Err(Attempt::Failed(Failure::Refused(sentence.clone()))),
                Said::Nothing { .. } | Said::Broke { .. } if limits.repeat == Repeat::Never => {
                    said.push(Testimony { endpoint, said: heard });
                    return Err(Attempt::Failed(Failure::FateUnknown { said }));
                }
                _ => {}
            }
            said.push(Testimony { endpoint, said: heard });
        }
        Err(Attempt::Unsettled(said))
    }

    /// What it comes to when nobody gave an answer: a "no" that was heard, or silence.
    fn verdict(&self, said: Vec<Testimony>) -> Failure {
        let no = said.iter().find_map(|testimony| testimony.said.refusal());
        match no {
            Some(sentence) => Failure::Refused(sentence.to_owned()),
            None => self.unanswered(said),
        }
    }

    fn unanswered(&self, said: Vec<Testimony>) -> Failure {
        Failure::Unanswered { cluster: self.cluster.clone(), said }
    }
}
