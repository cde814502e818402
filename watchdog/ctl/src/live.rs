//! Live: a cluster, or its record, on the whole screen of a terminal, drawn anew as it changes.
//!
//! ```text
//! feed (status, plan, goal, record) ──news──┐
//! keys, resize ─────────────────────────────┼─► scene ─► draw (pure) ─► stage (the terminal)
//! a second goes by ─────────────────────────┘
//! ```
//!
//! *Guarantees*: the terminal is as it was before, also after a panic or a signal. Elections and lost connections are
//! told in a sentence on the screen, and the view goes on.

mod draw;
mod feed;
#[cfg(test)]
mod golden;
mod layout;
mod scene;
mod stage;

use std::time::{Duration, SystemTime};

use crossterm::event::{Event as Input, EventStream};
use futures_util::StreamExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::scene::{News, Next, Scene, Subject};
use self::stage::Stage;
use crate::failure::Failure;
use crate::fleet::Wanted;
use crate::settings::Settings;

/// Ages and countdowns go on although nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// News that wait to be drawn; whoever has more waits.
const NEWS_MAX: usize = 1_024;
/// How far back the record is read that stands below the status.
const RECENT: Duration = Duration::from_mins(15);
/// What a shell says of a command that was ended by a signal: this and its number.
const BY_SIGNAL: u8 = 128;
/// Ctrl-C comes as a key, because the terminal is told to pass every key on.
const INTERRUPT: u8 = 2;

/// Shows the cluster until a person has seen enough.
pub(crate) async fn status(settings: &Settings) -> Result<(), Failure> {
    let recent =
        SystemTime::now().checked_sub(RECENT).map(|time| humantime::format_rfc3339_millis(time).to_string());
    show(Subject::Cluster, Wanted { follow: true, since: recent }, settings).await
}

/// Shows the record until a person has seen enough.
pub(crate) async fn events(wanted: Wanted, settings: &Settings) -> Result<(), Failure> {
    show(Subject::Record, wanted, settings).await
}

async fn show(subject: Subject, wanted: Wanted, settings: &Settings) -> Result<(), Failure> {
    // What is wrong with the question is said on the screen as it is, and not on one that is gone with the answer.
    settings.fleet.survey().await?;
    let (teller, news) = mpsc::channel(NEWS_MAX);
    let scene = Scene::of(subject, &settings.cluster);
    tokio::select! {
        ended = watch(scene, news, settings) => ended,
        failed = feed::tell(subject, wanted, &teller, settings) => failed,
    }
}

/// Draws whatever comes, until a key or a signal ends it.
async fn watch(mut scene: Scene, mut news: mpsc::Receiver<News>, settings: &Settings) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut stage = Stage::open()?;
    let mut keys = EventStream::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        stage.draw(&mut scene, &settings.screen.paper())?;
        tokio::select! {
            told = news.recv() => {
                // All that waits is drawn at once.
                let mut told = told;
                while let Some(next) = told {
                    scene.hear(next);
                    told = news.try_recv().ok();
                }
            }
            input = keys.next() => match input {
                Some(Ok(Input::Key(key))) => match scene.press(key) {
                    Next::Stay => {}
                    Next::Leave => return Ok(()),
                    Next::Interrupt => return Err(Failure::Told { exit_code: BY_SIGNAL + INTERRUPT }),
                },
                // Another size, above all: everything is drawn to measure anyway.
                Some(Ok(_)) => {}
                // The terminal is gone.
                Some(Err(_)) | None => return Err(Failure::Closed),
            },
            number = signals.next() => return Err(Failure::Told { exit_code: BY_SIGNAL + number }),
            _ = tick.tick() => {}
        }
    }
}

/// The signals that end a program, so that it can put the terminal right first.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.quit.recv() => SignalKind::quit(),
        };
        u8::try_from(kind.as_raw_value()).unwrap_or_default()
    }
}
