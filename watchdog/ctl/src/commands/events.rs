//! Events: the record, one line each; it goes on at another watchdog where the one that told it stopped.
//!
//! ```text
//! survey ─► open at `last` ─► event, newer than `last`? ─► print, last = its sequence
//!   ▲                              │ lost
//!   └──────── pause ◄──────────────┘
//! ```
//!
//! *Guarantees*: by sequence, every event is printed once, in order, whichever watchdog tells it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::Streaming;
use watchdog_proto::admin::{Event, EventsRequest};

use super::{json, json_line};
use crate::arguments::Format;
use crate::failure::Failure;
use crate::fleet::{Client, Said, Testimony};
use crate::render::EventLines;
use crate::screen::complain;
use crate::settings::Settings;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a silent pipe is checked for its reader.
const LOOK_ROUND: Duration = Duration::from_secs(1);

/// How a telling ended.
enum Ended {
    /// All was told.
    Complete,
    /// The watchdog is gone, or its stream is.
    Lost(Testimony),
    /// It did not even begin, or we can't go on.
    Failed(Failure),
}

/// Runs `events`.
pub(super) async fn run(follow: bool, since: Option<String>, settings: &Settings) -> Result<(), Failure> {
    let mut teller = Teller {
        settings,
        follow,
        since,
        last: 0,
        opened: false,
        lines: EventLines::default(),
        kept: Vec::new(),
    };
    let mut pause = PAUSE_MIN;
    let mut complaint = String::new();
    loop {
        let before = teller.last;
        let message = match teller.round().await {
            Ended::Complete => return teller.finish(),
            Ended::Lost(Testimony { endpoint, said }) => format!("{endpoint}: {said}; going on elsewhere"),
            Ended::Failed(failure) if teller.opened && failure.may_pass() => failure.to_string(),
            Ended::Failed(failure) => return Err(failure),
        };
        if message != complaint {
            complain(&message);
            complaint = message;
        }
        if teller.last != before {
            pause = PAUSE_MIN;
        }
        if settings.screen.abandoned() {
            return Err(Failure::Closed);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Tells events, and remembers how far it came.
struct Teller<'a> {
    settings: &'a Settings,
    follow: bool,
    since: Option<String>,
    /// The sequence of the last event that was told; 0 before the first.
    last: u64,
    /// Whether any watchdog ever began to tell.
    opened: bool,
    lines: EventLines,
    /// What becomes one JSON array at the end.
    kept: Vec<Event>,
}

impl Teller<'_> {
    /// Finds a watchdog that tells, and listens until it ends.
    async fn round(&mut self) -> Ended {
        let survey = match self.settings.fleet.survey().await {
            Ok(survey) => survey,
            Err(failure) => return Ended::Failed(failure),
        };
        let mut said = Vec::new();
        for endpoint in survey.order() {
            match self.open(&endpoint).await {
                Ok(stream) => {
                    self.opened = true;
                    return self.listen(endpoint, stream).await;
                }
                Err(heard) => said.push(Testimony { endpoint, said: heard }),
            }
        }
        let no = said.iter().find_map(|testimony| testimony.said.refusal());
        Ended::Failed(match no {
            Some(sentence) => Failure::Refused(sentence.to_owned()),
            None => Failure::Unanswered { cluster: self.settings.cluster.clone(), said },
        })
    }

    async fn open(&self, endpoint: &str) -> Result<Streaming<Event>, Said> {
        let patience = self.settings.fleet.timeout();
        let request = EventsRequest {
            cluster: self.settings.cluster.clone(),
            // The last one again: whether the bound is meant with or without it, none is lost, and `tell` skips it.
            since_sequence: self.last,
            since: self.since.clone().filter(|_| self.last == 0),
            follow: self.follow,
        };
        let mut client: Client = self.settings.fleet.dial(endpoint).await?;
        let opened = timeout(patience, client.events(request)).await;
        Ok(opened.map_err(|_| Said::Nothing { patience })??.into_inner())
    }

    async fn listen(&mut self, endpoint: String, mut stream: Streaming<Event>) -> Ended {
        let patience = self.settings.fleet.timeout();
        // A record that is followed may be silent for long; that its watchdog lives is seen by pings.
        let wait = if self.follow { LOOK_ROUND } else { patience };
        loop {
            let said = match timeout(wait, stream.message()).await {
                Ok(Ok(Some(event))) => match self.tell(event) {
                    Ok(()) => continue,
                    Err(failure) => return Ended::Failed(failure),
                },
                Ok(Ok(None)) if !self.follow => return Ended::Complete,
                Ok(Ok(None)) => Said::Broke { why: "it has ended".to_owned() },
                Ok(Err(status)) => Said::from(status),
                Err(_) if !self.follow => Said::Nothing { patience },
                Err(_) if self.settings.screen.abandoned() => return Ended::Failed(Failure::Closed),
                Err(_) => continue,
            };
            return Ended::Lost(Testimony { endpoint, said });
        }
    }

    /// Shows an event, unless it has been shown.
    fn tell(&mut self, event: Event) -> Result<(), Failure> {
        if event.sequence <= self.last {
            return Ok(());
        }
        self.last = event.sequence;
        let Settings { format, screen, .. } = self.settings;
        match (format, self.follow) {
            (Format::Table, _) => screen.print(&self.lines.line(&event, &screen.paper())),
            (Format::Json, true) => screen.print(&json_line(&event)?),
            (Format::Json, false) => {
                self.kept.push(event);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self.settings.format {
            Format::Table => Ok(()),
            Format::Json => self.settings.screen.print(&json(&self.kept)?),
        }
    }
}
