//! Event: one line each, in columns that only ever grow.

use std::fmt::Write as _;
use std::time::SystemTime;

use watchdog_proto::admin::Event;

use super::Paper;
use super::paint::Tone;
use super::text::{clean, width};

/// Remembers how wide the columns have become.
#[derive(Debug)]
pub(crate) struct EventLines {
    kind: usize,
    replica: usize,
}

impl Default for EventLines {
    fn default() -> Self {
        Self { kind: 14, replica: 6 }
    }
}

impl EventLines {
    /// Draws one event: time, kind, replica, message.
    pub(crate) fn line(&mut self, event: &Event, paper: &Paper) -> String {
        let words = self.words(event).map(|(tone, word)| tone.paint(&word, paper));
        words.concat().trim_end().to_owned() + "\n"
    }

    /// The words of that line, with the gaps between them.
    pub(crate) fn words(&mut self, event: &Event) -> [(Tone, String); 4] {
        let kind = clean(&event.kind);
        let replica = clean(event.replica.as_deref().unwrap_or("-"));
        self.kind = self.kind.max(width(&kind));
        self.replica = self.replica.max(width(&replica));
        let gap = " ".repeat(self.kind - width(&kind));
        let mut message = clean(&event.message);
        if event.kind == "asked" {
            message.insert_str(0, &format!("{}: ", clean(&event.by)));
        }
        if let Some(plan) = event.plan.as_deref().filter(|plan| !message.contains(plan)) {
            let _ = write!(message, " (plan {})", clean(plan));
        }
        [
            (Tone::Faint, time(&event.at)),
            (Tone::Plain, "  ".to_owned()),
            (tone(&kind), kind),
            (Tone::Plain, format!("{gap}  {replica:<room$}  {message}", room = self.replica)),
        ]
    }
}

/// Always as long: events are read in columns.
fn time(at: &str) -> String {
    let parsed: Result<SystemTime, _> = humantime::parse_rfc3339_weak(at);
    parsed.map_or_else(|_| clean(at), |time| humantime::format_rfc3339_millis(time).to_string())
}

fn tone(kind: &str) -> Tone {
    match kind {
        "escalated" | "quarantined" | "died" => Tone::Bad,
        "refused" | "paused" | "held" | "convicted" => Tone::Unsure,
        _ => Tone::Plain,
    }
}
