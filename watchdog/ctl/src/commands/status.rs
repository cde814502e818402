//! Status: the cluster on one screen, once or whenever it changes.

use std::time::Duration;

use tokio::time::sleep;
use watchdog_proto::admin::{ClusterStatus, StatusRequest};

use super::{json_line, show};
use crate::arguments::Format;
use crate::failure::Failure;
use crate::fleet::Client;
use crate::live;
use crate::render;
use crate::screen::complain;
use crate::settings::Settings;

/// Between two looks: a change should not hide between two seconds.
const INTERVAL: Duration = Duration::from_millis(250);

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
    if settings.is_live() {
        return live::status(settings).await;
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
        sleep(INTERVAL).await;
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
