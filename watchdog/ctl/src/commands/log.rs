//! Log: the metadata log, its changes, differences and proofs.

use watchdog_proto::admin::{
    LogDiffRequest, LogListReply, LogListRequest, LogShowRequest, LogStateRequest, LogVerifyRequest,
};

use super::show;
use crate::arguments::LogCommand;
use crate::failure::Failure;
use crate::fleet::Client;
use crate::render;
use crate::settings::Settings;
use crate::values::WhichVersion;

/// Runs `log …`.
pub(super) async fn run(command: LogCommand, settings: &Settings) -> Result<(), Failure> {
    let cluster = settings.cluster.clone();
    let fleet = &settings.fleet;
    match command {
        LogCommand::List { from, limit } => {
            show(settings, &page(settings, from, limit).await?, render::log_list)
        }
        LogCommand::Show { version } => {
            let request = LogShowRequest { cluster, version: number(settings, version).await? };
            let entry = fleet.read(async |mut to: Client| to.log_show(request.clone()).await).await?;
            show(settings, &entry, render::log_entry)
        }
        LogCommand::Diff { a, b } => {
            let request =
                LogDiffRequest { cluster, a: number(settings, a).await?, b: number(settings, b).await? };
            let reply = fleet.read(async |mut to: Client| to.log_diff(request.clone()).await).await?;
            show(settings, &reply, render::log_diff)
        }
        LogCommand::State { version } => {
            let version = match version {
                WhichVersion::Head => None,
                version => Some(number(settings, version).await?),
            };
            let request = LogStateRequest { cluster, version };
            let reply = fleet.read(async |mut to: Client| to.log_state(request.clone()).await).await?;
            show(settings, &reply, render::log_state)
        }
        LogCommand::Verify => {
            let request = LogVerifyRequest { cluster };
            let reply = fleet.read(async |mut to: Client| to.log_verify(request.clone()).await).await?;
            show(settings, &reply, render::log_verify)?;
            if reply.ok { Ok(()) } else { Err(Failure::Told { exit_code: 1 }) }
        }
    }
}

/// The number behind a name.
async fn number(settings: &Settings, which: WhichVersion) -> Result<u64, Failure> {
    match which {
        WhichVersion::Number(version) => Ok(version),
        WhichVersion::Head => Ok(list(settings, 1, 1).await?.head),
        WhichVersion::Stable => {
            let stable = list(settings, 1, 1).await?.stable;
            stable.ok_or_else(|| Failure::Refused("no version is stable yet".to_owned()))
        }
    }
}

/// From a version on, or so that the page ends with the head.
async fn page(settings: &Settings, from: Option<WhichVersion>, limit: u32) -> Result<LogListReply, Failure> {
    let from = match from {
        Some(which) => number(settings, which).await?,
        None => (list(settings, 1, 1).await?.head + 1).saturating_sub(u64::from(limit)),
    };
    list(settings, from.max(1), limit).await
}

async fn list(settings: &Settings, from: u64, limit: u32) -> Result<LogListReply, Failure> {
    let request = LogListRequest { cluster: settings.cluster.clone(), from, limit };
    settings.fleet.read(async |mut to: Client| to.log_list(request.clone()).await).await
}
