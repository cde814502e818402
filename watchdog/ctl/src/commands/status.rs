//! Status: the cluster on one screen, once or whenever it changes.

use std::time::Duration;

use tokio::time::sleep;
use watchdog_proto::admin::{ClusterStatus, StatusRequest};

use super::{json_line, show};
use crate::arguments::Format;
use crate::failure::Failure;
use crate::fleet::Client;
use crate::render;
use crate::screen::complain;
use crate::settings::Settings;

const INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks while nobody is watching a screen: a change should not hide between two seconds.
const INTERVAL_PIPED: Duration = Duration::from_millis(250);

const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

async fn ask(settings: &Settings) -> Result<ClusterStatus, Failure> {
    let request = StatusRequest { cluster: settings.cluster.clone() };
    settings.fleet.read(async |mut to: Client| to.status(request.clone()).await).await
}

/// Shows it once; exit code 3 says that nobody leads.
pub(super) async fn once(settings: &Settings) -> Result<(), Failure> {
    let status = ask(settings).await?;
    show(settings, &status, render::status)?;
    if status.leader.is_none() {
        let said = settings.fleet.survey().await?.into_testimonies();
        return Err(Failure::NoLeader { cluster: settings.cluster.clone(), said });
    }
    Ok(())
}

/// Shows it until interrupted; that nobody answers for a while is part of the story.
pub(super) async fn watch(settings: &Settings) -> Result<(), Failure> {
    if settings.screen.is_terminal && settings.format == Format::Table {
        return redraw(settings).await;
    }
    let mut last: Option<ClusterStatus> = None;
    let mut complaint: Option<String> = None;
    loop {
        match ask(settings).await {
            Ok(status) => {
                complaint = None;
                if last.as_ref() != Some(&status) {
                    settings.screen.print(&entry(settings, &status)?)?;
                    last = Some(status);
                }
            }
            Err(failure) if failure.may_pass() => {
                let message = failure.to_string();
                if complaint.as_ref() != Some(&message) {
                    complain(&message);
                    complaint = Some(message);
                }
            }
            Err(failure) => return Err(failure),
        }
        if settings.screen.abandoned() {
            return Err(Failure::Closed);
        }
        sleep(INTERVAL_PIPED).await;
    }
}

/// A table under its time, or a line of JSON.
fn entry(settings: &Settings, status: &ClusterStatus) -> Result<String, Failure> {
    if settings.format == Format::Json {
        return json_line(status);
    }
    let paper = settings.screen.paper();
    let time = humantime::format_rfc3339_millis(paper.now);
    Ok(format!("{time}\n{}\n", render::status(status, &paper)))
}

/// Draws over the last picture without a flicker: nothing is cleared before its replacement is there.
async fn redraw(settings: &Settings) -> Result<(), Failure> {
    settings.screen.print(&format!("{HOME}{CLEAR_BELOW}"))?;
    loop {
        let text = match ask(settings).await {
            Ok(status) => render::status(&status, &settings.screen.paper()),
            Err(failure) if failure.may_pass() => format!("{failure}\n"),
            Err(failure) => return Err(failure),
        };
        let time = humantime::format_rfc3339_seconds(settings.screen.paper().now);
        let text = format!("{text}\n{time}, every second; Ctrl-C ends\n");
        let lines = text.replace('\n', &format!("{CLEAR_LINE}\n"));
        settings.screen.print(&format!("{HOME}{lines}{CLEAR_BELOW}"))?;
        sleep(INTERVAL).await;
    }
}
