//! Agents: how a leader talks to host agents and embedded agents.
//!
//! *Guarantees.* A step is asked again, with its id, until the agent has said
//! what became of it or its time is over; agents answer a repeated step with its
//! first result, so asking again never does anything twice.
//!
//! *On connection loss.* The fate of a step is then `Unknown`, never a guess.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use watchdog_core::blame::Blame;
use watchdog_core::plan::Outcome;
use watchdog_core::trace::{HEADER, TraceParent};
use watchdog_leader::report::Report;
use watchdog_ports::delays::Delays;
use watchdog_proto::agent::act_event::Event;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{
    ActRequest, ExamineReply, ExamineRequest, LookReply, LookRequest, SealReply, SealRequest, StepResult,
};
use watchdog_trust::Dialer;

use crate::channels::Channels;
use crate::cluster::sighting;
use crate::cluster::world::Milestone;

/// How long a connection may take; an agent answers on the same network in far less.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A connection on which nothing comes back for this long is given up.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// A leader leaves because of one agent that does not answer it at most once in this time.
const LEAVE_AGAIN_AFTER: Duration = Duration::from_mins(10);
/// The largest answer: a snapshot and what is around it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What became of a step that did not work, or whose fate is unknown, in words that the record can hold.
pub(crate) fn report(outcome: Outcome, error: &str) -> Report {
    Report::of(outcome, printable(error))
}

/// What an agent's own result means.
pub(crate) fn result(result: StepResult) -> Report {
    let failed = !result.error.is_empty();
    let snapshot = result.snapshot_json.map(|text| {
        // A picture that is not JSON is still worth keeping.
        serde_json::from_str(&text).unwrap_or_else(|_| Value::String(printable(&text)))
    });
    Report {
        outcome: if failed { Outcome::Failed } else { Outcome::Done },
        error: failed.then(|| printable(&result.error)),
        snapshot,
        obituary: result.obituary.as_ref().and_then(sighting::brought),
        blame: blame(&result.blame),
    }
}

/// Connections to agents, kept open by address.
#[derive(Debug)]
pub(crate) struct Agents {
    dialer: Dialer,
    channels: Mutex<Channels<Channel>>,
    /// Since when each agent that was asked has not answered.
    silent: Mutex<HashMap<String, Instant>>,
    /// When we last left the lead because of an agent.
    left_for: Mutex<HashMap<String, Instant>>,
}

impl Agents {
    /// No connections yet.
    pub(crate) fn new(dialer: Dialer) -> Self {
        Self { dialer, channels: Mutex::default(), silent: Mutex::default(), left_for: Mutex::default() }
    }

    /// Carries out a step to its end, and tells of its progress.
    ///
    /// `may_act` is asked before each sending: false when we no longer surely lead, or nobody waits for it any more.
    pub(crate) async fn act(
        &self,
        (address, request, traced): (&str, ActRequest, TraceParent),
        may_act: impl Fn() -> bool + Send,
        tell: impl Fn(Milestone) + Send,
    ) -> Report {
        let timeout = timeout_of(&request);
        let mut delays = Delays::reconnecting();
        let mut progress_at = Instant::now();
        let mut sent = false;
        loop {
            if !may_act() {
                let fate = if sent { Outcome::Unknown } else { Outcome::Never };
                let why = "this watchdog did not surely lead any more, or waited for nothing any more";
                return report(fate, why).blaming(Blame::Ours);
            }
            let tried =
                self.try_act((address, within(traced, request.clone())), &mut progress_at, &tell).await;
            self.note(address, &tried);
            let failure = match tried {
                Ok(told) => return result(told),
                Err(status) if is_final(&status) => {
                    // Refused at the first asking it was not begun; refused again it may have been, before.
                    let fate = if sent { Outcome::Unknown } else { Outcome::Never };
                    return refused(fate, &status);
                }
                Err(status) => status,
            };
            // Also a connection that could not be made may have carried the order before it broke.
            sent = true;
            let delay = delays.next_delay();
            if progress_at.elapsed() + delay > timeout {
                let why = format!(
                    "{address} did not answer within {} ms: {}",
                    timeout.as_millis(),
                    failure.message()
                );
                return report(Outcome::Unknown, &why);
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn try_act(
        &self,
        (address, request): (&str, Request<ActRequest>),
        progress_at: &mut Instant,
        tell: &(impl Fn(Milestone) + Send),
    ) -> Result<StepResult, Status> {
        let timeout = timeout_of(request.get_ref());
        let mut client = self.client(address)?;
        // The agent itself gives up after the time-out and says so; we wait a little longer for its word.
        let patience = timeout + Duration::from_millis(500);
        let silent = |_| Status::deadline_exceeded("no word from the agent");
        let mut events =
            tokio::time::timeout(patience, client.act(request)).await.map_err(silent)??.into_inner();
        loop {
            let message = tokio::time::timeout(patience, events.message()).await.map_err(silent)??;
            match message.and_then(|event| event.event) {
                Some(Event::Result(result)) => return Ok(result),
                Some(Event::Progress(progress)) => {
                    *progress_at = Instant::now();
                    let message = printable(&progress.message);
                    tell(Milestone { percent: progress.percent.min(100), message });
                }
                None => return Err(Status::aborted("the agent ended the stream without a result")),
            }
        }
    }

    /// Takes our epoch to an agent.
    pub(crate) async fn seal(
        &self,
        address: &str,
        request: Request<SealRequest>,
        patience: Duration,
    ) -> Result<SealReply, Status> {
        let mut client = self.client(address)?;
        let answer = tokio::time::timeout(patience, client.seal(request)).await;
        self.heard(address, answer)
    }

    /// Looks at an agent's replicas now.
    pub(crate) async fn look(
        &self,
        address: &str,
        request: LookRequest,
        patience: Duration,
    ) -> Result<LookReply, Status> {
        let mut client = self.client(address)?;
        let answer = tokio::time::timeout(patience, client.look(request)).await;
        self.heard(address, answer)
    }

    /// Asks a host what it would refuse of a declaration. It decides nothing, so that silence is nobody's fault.
    pub(crate) async fn examine(
        &self,
        address: &str,
        request: ExamineRequest,
        patience: Duration,
    ) -> Result<ExamineReply, Status> {
        let mut client = self.client(address)?;
        in_time(tokio::time::timeout(patience, client.examine(request)).await)
    }

    fn heard<T>(
        &self,
        address: &str,
        answer: Result<Result<tonic::Response<T>, Status>, tokio::time::error::Elapsed>,
    ) -> Result<T, Status> {
        let answer = in_time(answer);
        self.note(address, &answer);
        answer
    }

    fn note<T>(&self, address: &str, answer: &Result<T, Status>) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let unheard = |status: &Status| matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded);
        if answer.as_ref().is_err_and(unheard) {
            silent.entry(address.to_owned()).or_insert_with(Instant::now);
        } else {
            silent.remove(address);
        }
    }

    /// Whether everybody who was asked answered.
    pub(crate) fn all_answer(&self) -> bool {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many of those who were asked did not answer.
    pub(crate) fn silent(&self) -> usize {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Those of these agents that have not answered for so long.
    pub(crate) fn silent_for(&self, patience: Duration, addresses: &[String]) -> Vec<String> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is not in the group any more is not missed.
        silent.retain(|address, _| addresses.contains(address));
        let long = silent.iter().filter(|(_, since)| since.elapsed() > patience);
        long.map(|(address, _)| address.clone()).collect()
    }

    /// Whether to leave the lead to others because of this agent, whom they may reach: not twice in a while, or they
    /// would leave it to each other when nobody does.
    pub(crate) fn may_leave_for(&self, address: &str) -> bool {
        let mut left = self.left_for.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|_, at| at.elapsed() < LEAVE_AGAIN_AFTER);
        let may = !left.contains_key(address);
        if may {
            left.insert(address.to_owned(), Instant::now());
            self.silent.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
        }
        may
    }

    fn client(&self, address: &str) -> Result<AgentClient<Channel>, Status> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.get(address, Instant::now(), || self.connect(address))?;
        Ok(AgentClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    fn connect(&self, address: &str) -> Result<Channel, Status> {
        let tune = |endpoint: Endpoint| {
            endpoint
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(KEEPALIVE_TIMEOUT)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        };
        let undialable = |error| Status::invalid_argument(format!("not an agent's address: {error}"));
        self.dialer.channel(address, tune).map_err(undialable)
    }
}

/// A request that is made within a trace, so that what the agent does belongs to it too.
pub(crate) fn within<T>(traced: TraceParent, request: T) -> Request<T> {
    let mut request = Request::new(request);
    if let Ok(text) = traced.to_string().parse() {
        request.metadata_mut().insert(HEADER, text);
    }
    request
}

/// An agent's answer, or that there was none in time.
fn in_time<T>(
    answer: Result<Result<tonic::Response<T>, Status>, tokio::time::error::Elapsed>,
) -> Result<T, Status> {
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("the agent did not answer")));
    answer.map(tonic::Response::into_inner)
}

/// How long a step may go without progress.
fn timeout_of(request: &ActRequest) -> Duration {
    Duration::from_millis(request.order.as_ref().map_or(0, |order| order.timeout_ms))
}

/// What an agent says goes into the record, which holds no NUL and no novel.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(4_000).collect()
}

/// The metadata by which an agent says whose a refusal is.
const BLAME: &str = "watchdog-blame";

/// Whose an agent says that something is; a declaration is a part of its version.
fn blame(word: &str) -> Option<Blame> {
    match word {
        "declaration" => Some(Blame::Version),
        "leader" => Some(Blame::Ours),
        word => Blame::from_word(word),
    }
}

/// What an agent's refusal means. What it can't do at all is for the replica's ladder to get around; all else it did not begin.
fn refused(fate: Outcome, status: &Status) -> Report {
    let said = status.metadata().get(BLAME).and_then(|word| word.to_str().ok());
    if status.code() == Code::Unimplemented {
        return report(Outcome::Failed, status.message());
    }
    // Older agents say it by the code alone.
    let by_code = match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::OutOfRange => Blame::Version,
        Code::ResourceExhausted => Blame::Host,
        Code::FailedPrecondition => Blame::Agent,
        _ => Blame::Channel,
    };
    report(fate, status.message()).blaming(said.and_then(blame).unwrap_or(by_code))
}

/// Whether asking again can't change the answer.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::NotFound
            | Code::Unimplemented
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::OutOfRange
            | Code::ResourceExhausted
    )
}
