//! Events: the record, one line each, or as a live view of its end.

use watchdog_proto::admin::Event;

use super::{json, json_line};
use crate::arguments::Format;
use crate::failure::Failure;
use crate::fleet::{Listener, Wanted};
use crate::live;
use crate::render::EventLines;
use crate::screen::complain;
use crate::settings::Settings;

/// Runs `events`.
pub(super) async fn run(follow: bool, since: Option<String>, settings: &Settings) -> Result<(), Failure> {
    let wanted = Wanted { follow, since };
    if follow && settings.is_live() {
        return live::events(wanted, settings).await;
    }
    let mut printer = Printer { settings, follow, lines: EventLines::default(), kept: Vec::new() };
    settings.fleet.record(wanted, &mut printer).await?;
    printer.finish()
}

/// Prints each event, and complains beside it.
struct Printer<'a> {
    settings: &'a Settings,
    follow: bool,
    lines: EventLines,
    /// What becomes one JSON array at the end.
    kept: Vec<Event>,
}

impl Listener for Printer<'_> {
    async fn event(&mut self, event: Event) -> Result<(), Failure> {
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

    async fn trouble(&mut self, sentence: &str) -> Result<(), Failure> {
        complain(sentence);
        Ok(())
    }

    fn has_left(&self) -> bool {
        self.settings.screen.abandoned()
    }
}

impl Printer<'_> {
    fn finish(self) -> Result<(), Failure> {
        match self.settings.format {
            Format::Table => Ok(()),
            Format::Json => self.settings.screen.print(&json(&self.kept)?),
        }
    }
}
