//! Timeline: prints the record as it grows, from whichever watchdog answers, each entry once and none left out.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use watchdog_proto::admin::{Event, EventsRequest};

use super::client::Client;
use super::{CLUSTER, say};

const TRY_NEXT: Duration = Duration::from_millis(100);

/// How far it has been told.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    client: &'a Client,
    since: String,
    last: Cell<u64>,
}

impl<'a> Timeline<'a> {
    /// Begins with what is recorded from `since` on.
    pub(super) fn begin(client: &'a Client, since: SystemTime) -> Self {
        Self { client, since: humantime::format_rfc3339_millis(since).to_string(), last: Cell::new(0) }
    }

    /// Prints what happens, also across the deaths of watchdogs.
    pub(super) async fn tell(&self) -> Infallible {
        for watchdog in 0_usize.. {
            match self.client.follow(watchdog, self.rest(true)).await {
                Ok(mut events) => {
                    while let Ok(Some(event)) = events.message().await {
                        self.print(&event);
                    }
                }
                Err(status) => tracing::debug!(%status, "cannot follow the record here"),
            }
            sleep(TRY_NEXT).await;
        }
        std::future::pending().await
    }

    /// Prints what is recorded by now.
    ///
    /// # Errors
    ///
    /// If no watchdog answers.
    pub(super) async fn catch_up(&self) -> anyhow::Result<()> {
        for event in self.client.record(self.rest(false)).await? {
            self.print(&event);
        }
        Ok(())
    }

    /// All that is recorded by now, told or not.
    ///
    /// # Errors
    ///
    /// If no watchdog answers.
    pub(super) async fn all(&self) -> anyhow::Result<Vec<Event>> {
        self.client.record(self.after(0, false)).await
    }

    fn rest(&self, follow: bool) -> EventsRequest {
        self.after(self.last.get(), follow)
    }

    /// The entries after `last`, which the service leaves out.
    fn after(&self, last: u64, follow: bool) -> EventsRequest {
        EventsRequest {
            cluster: CLUSTER.to_owned(),
            since_sequence: last,
            since: (last == 0).then(|| self.since.clone()),
            follow,
        }
    }

    fn print(&self, event: &Event) {
        // The same may come twice: by following, and by catching up.
        if event.sequence > self.last.get() {
            self.last.set(event.sequence);
            say(line(event));
        }
    }
}

/// `21:40:11.123 plan_opened demo-a message`
pub(super) fn line(event: &Event) -> String {
    let time = event.at.get(11..23).unwrap_or(&event.at);
    let about = match event.replica.as_deref() {
        // Many messages begin with whom they are about.
        Some(replica) if !event.message.starts_with(&format!("{replica} ")) => format!("{replica} "),
        _ => String::new(),
    };
    format!("{time} {:<13} {about}{}", event.kind, event.message)
}
