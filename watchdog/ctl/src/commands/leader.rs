//! Leader: who leads, and that it hands over.

use watchdog_proto::admin::{LeaderReply, LeaderResignRequest};

use super::{operate, show as print};
use crate::arguments::LeaderCommand;
use crate::failure::Failure;
use crate::fleet::{Client, Repeat};
use crate::render;
use crate::settings::Settings;

/// Shows the newest leader that anybody knows of.
pub(super) async fn show(settings: &Settings) -> Result<(), Failure> {
    let survey = settings.fleet.survey().await?;
    if let Some(sentence) = survey.refusal() {
        return Err(Failure::Refused(sentence.to_owned()));
    }
    let nobody = LeaderReply { cluster: settings.cluster.clone(), leader: None };
    let reply = survey.reply().unwrap_or(&nobody);
    print(settings, reply, render::leader)?;
    if reply.leader.is_none() {
        let said = survey.into_testimonies();
        return Err(Failure::NoLeader { cluster: settings.cluster.clone(), said });
    }
    Ok(())
}

/// Runs `leader resign`.
pub(super) async fn run(command: &LeaderCommand, settings: &Settings) -> Result<(), Failure> {
    let LeaderCommand::Resign = command;
    let request = LeaderResignRequest { cluster: settings.cluster.clone(), by: settings.by.clone() };
    let order = async |mut to: Client| to.leader_resign(request.clone()).await;
    // Sent twice it would also unseat the successor.
    operate::done(settings, &settings.fleet.write(Repeat::Never, order).await?)
}
