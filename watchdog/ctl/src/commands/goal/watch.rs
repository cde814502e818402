//! Watch: one goal until it is over; it goes on at another watchdog where the one that told it stopped.
//!
//! ```text
//! survey ─► open ─► view, another than the last? ─► show ─► over? ──yes──► achieved, or why not
//!   ▲                  │ lost, or silent for long
//!   └───── pause ◄─────┘
//! ```
//!
//! *Guarantees*: ends well only when the goal is achieved; ends when it goes on only if a human does something; is
//! never silent for long.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{Code, Streaming};
use watchdog_proto::admin::{GoalShowRequest, GoalView};

use super::super::json_line;
use super::{is_over, unless_closed};
use crate::arguments::Format;
use crate::failure::Failure;
use crate::fleet::{Client, Said, Testimony};
use crate::render::{self, GoalLines};
use crate::screen::{Block, complain};
use crate::settings::Settings;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a countdown is drawn anew, and a silent pipe checked for its reader.
const LOOK_ROUND: Duration = Duration::from_secs(1);
/// A watchdog that tells nothing new for so long may be cut off; the leader is looked for again.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Somebody is needed only if that is so for a while: between two plans it may look like it.
const NEEDED_FOR: Duration = Duration::from_secs(3);
/// Nobody is left without a word for longer.
const QUIET_MAX: Duration = Duration::from_secs(8);
/// How many times the patience for one answer nobody may answer at all.
const OUTAGE: u32 = 6;

/// How a telling ended.
enum Ended {
    /// With the goal, or with what only a human can decide.
    Over(Box<GoalView>),
    /// The watchdog is gone, or its stream is.
    Lost(Testimony),
    /// It has nothing new; another may.
    Silent,
}

/// Shows `goal` until it is over, for at most `lasts`.
pub(super) async fn run(goal: &str, lasts: Option<Duration>, settings: &Settings) -> Result<(), Failure> {
    let mut block = Block::new(settings.screen);
    let mut watcher = Watcher {
        goal,
        settings,
        block: &mut block,
        last: None,
        needed_since: None,
        spoke_at: Instant::now(),
        lines: GoalLines::default(),
    };
    let deadline = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
    let told = match deadline {
        Some(deadline) => timeout_at(deadline, watcher.through()).await,
        None => Ok(watcher.through().await),
    };
    let view = match told {
        Ok(Ok(view)) => view,
        // Elsewhere a reader that leaves has seen enough; here the exit code says that the goal is achieved.
        Ok(Err(Failure::Closed)) => {
            return Err(Failure::Refused(format!("nobody reads on; goal {goal} goes on in the background")));
        }
        Ok(Err(failure)) => return Err(failure),
        Err(_) => {
            let status = watcher.last.as_ref().map_or("under way", |view| view.status.as_str());
            let lasts = humantime::format_duration(lasts.unwrap_or_default());
            return Err(Failure::Refused(format!(
                "goal {goal} is still {status} after {lasts}; it goes on in the background: \
                 watchdogctl goal show {goal}"
            )));
        }
    };
    if settings.format == Format::Table {
        unless_closed(block.replace(&render::goal_ended(&view, &settings.screen.paper())))?;
    }
    if !is_over(&view) {
        return Err(Failure::Refused(render::goal_stuck(&view)));
    }
    if view.status == "achieved" {
        return Ok(());
    }
    Err(Failure::Refused(render::goal_failed(&view)))
}

struct Watcher<'a> {
    goal: &'a str,
    settings: &'a Settings,
    block: &'a mut Block,
    /// What was seen last.
    last: Option<GoalView>,
    /// Since when nothing goes on without a human.
    needed_since: Option<Instant>,
    /// When something was last shown.
    spoke_at: Instant,
    lines: GoalLines,
}

impl Watcher<'_> {
    /// Watches to the end of the goal.
    async fn through(&mut self) -> Result<GoalView, Failure> {
        let mut pause = PAUSE_MIN;
        let mut complaint = String::new();
        let mut heard = Instant::now();
        loop {
            let began = Instant::now();
            let message = match self.round().await {
                Ok(Ended::Over(view)) => return Ok(*view),
                Ok(Ended::Silent) => {
                    heard = Instant::now();
                    continue;
                }
                Ok(Ended::Lost(Testimony { endpoint, said })) => {
                    heard = Instant::now();
                    format!("{endpoint}: {said}; going on elsewhere")
                }
                Err(failure) if !failure.may_pass() => return Err(failure),
                Err(failure) if heard.elapsed() > self.settings.fleet.timeout() * OUTAGE => {
                    return Err(failure);
                }
                Err(failure) => failure.to_string(),
            };
            if message != complaint {
                self.block.replace("")?;
                complain(&message);
                complaint = message;
            }
            if self.settings.screen.abandoned() {
                return Err(Failure::Closed);
            }
            pause = if began.elapsed() > PAUSE_MAX { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            sleep(pause).await;
        }
    }

    /// Finds a watchdog that tells, and listens until it ends.
    async fn round(&mut self) -> Result<Ended, Failure> {
        let survey = self.settings.fleet.survey().await?;
        let mut said = Vec::new();
        for endpoint in survey.order() {
            match self.open(&endpoint).await {
                Ok(stream) => return self.listen(endpoint, stream).await,
                Err(heard) => said.push(Testimony { endpoint, said: heard }),
            }
        }
        let no = said.iter().find_map(|testimony| match &testimony.said {
            // The goal is there; whoever does not know it has not read of it yet.
            Said::No { code, sentence } if *code != Code::NotFound => Some(sentence.clone()),
            _ => None,
        });
        Err(match no {
            Some(sentence) => Failure::Refused(sentence),
            None => Failure::Unanswered { cluster: self.settings.cluster.clone(), said },
        })
    }

    async fn open(&self, endpoint: &str) -> Result<Streaming<GoalView>, Said> {
        let patience = self.settings.fleet.timeout();
        let request = GoalShowRequest { cluster: self.settings.cluster.clone(), id: self.goal.to_owned() };
        let mut client: Client = self.settings.fleet.dial(endpoint).await?;
        let opened = timeout(patience, client.goal_watch(request)).await;
        Ok(opened.map_err(|_| Said::Nothing { patience })??.into_inner())
    }

    async fn listen(&mut self, endpoint: String, mut stream: Streaming<GoalView>) -> Result<Ended, Failure> {
        let mut heard = Instant::now();
        loop {
            if let Some(view) = self.needs_a_human() {
                return Ok(Ended::Over(Box::new(view)));
            }
            let said = match timeout(LOOK_ROUND, stream.message()).await {
                Ok(Ok(Some(view))) if is_over(&view) => {
                    unless_closed(self.show(&view))?;
                    return Ok(Ended::Over(Box::new(view)));
                }
                Ok(Ok(Some(view))) => {
                    self.show(&view)?;
                    heard = Instant::now();
                    continue;
                }
                Ok(Ok(None)) => Said::Broke { why: "it has ended".to_owned() },
                Ok(Err(status)) => Said::from(status),
                Err(_) if self.settings.screen.abandoned() => return Err(Failure::Closed),
                Err(_) if heard.elapsed() > SILENCE_MAX => return Ok(Ended::Silent),
                Err(_) => {
                    self.draw()?;
                    self.remind()?;
                    continue;
                }
            };
            return Ok(Ended::Lost(Testimony { endpoint, said }));
        }
    }

    /// Shows a view, unless it was shown.
    fn show(&mut self, view: &GoalView) -> Result<(), Failure> {
        if self.last.as_ref() == Some(view) {
            return Ok(());
        }
        self.last = Some(view.clone());
        if view.awaited.is_empty() {
            self.needed_since = None;
        } else {
            self.needed_since.get_or_insert_with(Instant::now);
        }
        let Settings { format, screen, .. } = self.settings;
        match format {
            Format::Json => {
                self.spoke_at = Instant::now();
                screen.print(&json_line(view)?)
            }
            Format::Table if screen.is_terminal => self.draw(),
            Format::Table => {
                let line = self.lines.line(view, &screen.paper());
                if !line.is_empty() {
                    self.spoke_at = Instant::now();
                }
                screen.print(&line)
            }
        }
    }

    /// The last view, when it has been so for a while that nothing goes on without a human.
    fn needs_a_human(&self) -> Option<GoalView> {
        let since = self.needed_since?;
        self.last.clone().filter(|_| since.elapsed() >= NEEDED_FOR)
    }

    /// Says again what was said last, when that is long ago; on a terminal it stands there.
    fn remind(&mut self) -> Result<(), Failure> {
        let Settings { format, screen, .. } = self.settings;
        if self.spoke_at.elapsed() < QUIET_MAX || (screen.is_terminal && *format == Format::Table) {
            return Ok(());
        }
        self.spoke_at = Instant::now();
        match (format, &self.last) {
            (Format::Json, Some(view)) => screen.print(&json_line(view)?),
            _ => screen.print(&self.lines.again(&screen.paper())),
        }
    }

    /// Draws the block anew, because the clock goes on.
    fn draw(&mut self) -> Result<(), Failure> {
        let Settings { format, screen, .. } = self.settings;
        match &self.last {
            Some(view) if screen.is_terminal && *format == Format::Table => {
                self.block.replace(&render::goal_progress(view, &screen.paper()))
            }
            _ => Ok(()),
        }
    }
}
