//! Record: the events of a cluster, one by one; it goes on at another watchdog where the one that told it stopped.
//!
//! ```text
//! survey ─► open at `last` ─► event, newer than `last`? ─► listener, last = its sequence
//!   ▲                              │ lost
//!   └──────── pause ◄──────────────┘
//! ```
//!
//! *Guarantees*: by sequence, every event is told once, in order, whichever watchdog tells it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::Streaming;
use watchdog_proto::admin::{Event, EventsRequest};

use super::{Client, Fleet, Said, Testimony};
use crate::failure::Failure;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a silent record's listener is asked whether it is still there.
const LOOK_ROUND: Duration = Duration::from_secs(1);

/// Which part of the record is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Whether to go on when all is told.
    pub(crate) follow: bool,
    /// From this moment on, as RFC 3339; `None` is from the beginning.
    pub(crate) since: Option<String>,
}

/// Whoever is told.
pub(crate) trait Listener {
    /// A watchdog tells, from now on.
    async fn opened(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    /// The next event.
    async fn event(&mut self, event: Event) -> Result<(), Failure>;
    /// Nobody tells for the moment, and why; said again only when it is another sentence.
    async fn trouble(&mut self, sentence: &str) -> Result<(), Failure>;
    /// Whether nobody listens any more.
    fn has_left(&self) -> bool;
}

/// How a telling ended.
enum Ended {
    /// All was told.
    Complete,
    /// The watchdog is gone, or its stream is.
    Lost(Testimony),
    /// It did not even begin, or we can't go on.
    Failed(Failure),
}

impl Fleet {
    /// Tells `listener` the record, to its end or for ever.
    ///
    /// # Errors
    ///
    /// The listener's own; and a definite no, or silence before anybody has told anything.
    pub(crate) async fn record(&self, wanted: Wanted, listener: &mut impl Listener) -> Result<(), Failure> {
        let mut teller = Teller { fleet: self, wanted, last: 0, opened: false, listener };
        let mut pause = PAUSE_MIN;
        let mut complaint = String::new();
        loop {
            let before = teller.last;
            let message = match teller.round().await {
                Ended::Complete => return Ok(()),
                Ended::Lost(Testimony { endpoint, said }) => {
                    format!("{endpoint}: {said}; going on elsewhere")
                }
                Ended::Failed(failure) if teller.opened && failure.may_pass() => failure.to_string(),
                Ended::Failed(failure) => return Err(failure),
            };
            if message != complaint {
                teller.listener.trouble(&message).await?;
                complaint = message;
            }
            if teller.last != before {
                pause = PAUSE_MIN;
            }
            if teller.listener.has_left() {
                return Err(Failure::Closed);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Tells events, and remembers how far it came.
struct Teller<'a, L> {
    fleet: &'a Fleet,
    wanted: Wanted,
    /// The sequence of the last event that was told; 0 before the first.
    last: u64,
    /// Whether any watchdog ever began to tell.
    opened: bool,
    listener: &'a mut L,
}

impl<L: Listener> Teller<'_, L> {
    /// Finds a watchdog that tells, and listens until it ends.
    async fn round(&mut self) -> Ended {
        let survey = match self.fleet.survey().await {
            Ok(survey) => survey,
            Err(failure) => return Ended::Failed(failure),
        };
        let mut said = Vec::new();
        for endpoint in survey.order() {
            match self.open(&endpoint).await {
                Ok(stream) => {
                    self.opened = true;
                    return match self.listener.opened().await {
                        Ok(()) => self.listen(endpoint, stream).await,
                        Err(failure) => Ended::Failed(failure),
                    };
                }
                Err(heard) => said.push(Testimony { endpoint, said: heard }),
            }
        }
        Ended::Failed(self.fleet.verdict(said))
    }

    async fn open(&self, endpoint: &str) -> Result<Streaming<Event>, Said> {
        let patience = self.fleet.timeout();
        let request = EventsRequest {
            cluster: self.fleet.cluster.clone(),
            // The last one again: whether the bound is meant with or without it, none is lost, and `tell` skips it.
            since_sequence: self.last,
            since: self.wanted.since.clone().filter(|_| self.last == 0),
            follow: self.wanted.follow,
        };
        let mut client: Client = self.fleet.dial(endpoint).await?;
        let opened = timeout(patience, client.events(request)).await;
        Ok(opened.map_err(|_| Said::Nothing { patience })??.into_inner())
    }

    async fn listen(&mut self, endpoint: String, mut stream: Streaming<Event>) -> Ended {
        let patience = self.fleet.timeout();
        // A record that is followed may be silent for long; that its watchdog lives is seen by pings.
        let wait = if self.wanted.follow { LOOK_ROUND } else { patience };
        loop {
            let said = match timeout(wait, stream.message()).await {
                Ok(Ok(Some(event))) if event.sequence <= self.last => continue,
                Ok(Ok(Some(event))) => {
                    self.last = event.sequence;
                    match self.listener.event(event).await {
                        Ok(()) => continue,
                        Err(failure) => return Ended::Failed(failure),
                    }
                }
                Ok(Ok(None)) if !self.wanted.follow => return Ended::Complete,
                Ok(Ok(None)) => Said::Broke { why: "it has ended".to_owned() },
                Ok(Err(status)) => Said::from(status),
                Err(_) if !self.wanted.follow => Said::Nothing { patience },
                Err(_) if self.listener.has_left() => return Ended::Failed(Failure::Closed),
                Err(_) => continue,
            };
            return Ended::Lost(Testimony { endpoint, said });
        }
    }
}
