//! Plan: healing plans as recorded, as they would be now, computed again, and decided on.

use watchdog_proto::admin::{
    PlanCancelRequest, PlanDecisionRequest, PlanListRequest, PlanPreviewRequest, PlanShowRequest,
};

use super::{operate, replay, show};
use crate::arguments::PlanCommand;
use crate::failure::Failure;
use crate::fleet::{Client, Repeat};
use crate::render;
use crate::settings::Settings;

/// Runs `plan …`.
pub(super) async fn run(command: PlanCommand, settings: &Settings) -> Result<(), Failure> {
    let cluster = settings.cluster.clone();
    let fleet = &settings.fleet;
    match command {
        PlanCommand::List { limit } => {
            let request = PlanListRequest { cluster, limit };
            let reply = fleet.read(async |mut to: Client| to.plan_list(request.clone()).await).await?;
            show(settings, &reply, render::plan_list)
        }
        PlanCommand::Show { id } => {
            let request = PlanShowRequest { cluster, id: id.to_string() };
            let plan = fleet.read(async |mut to: Client| to.plan_show(request.clone()).await).await?;
            show(settings, &plan, render::plan)
        }
        PlanCommand::Preview => {
            let request = PlanPreviewRequest { cluster };
            let plan = fleet.read(async |mut to: Client| to.plan_preview(request.clone()).await).await?;
            show(settings, &plan, render::plan)
        }
        PlanCommand::Snapshot { id } => {
            let request = PlanShowRequest { cluster, id: id.to_string() };
            let reply = fleet.read(async |mut to: Client| to.plan_snapshot(request.clone()).await).await?;
            show(settings, &reply, render::snapshots)
        }
        PlanCommand::Replay { id } => replay::run(&id, settings).await,
        PlanCommand::Approve { id } => {
            let request = PlanDecisionRequest { cluster, id: id.to_string(), by: settings.by.clone() };
            let order = async |mut to: Client| to.plan_approve(request.clone()).await;
            operate::done(settings, &fleet.write(Repeat::Harmless, order).await?)
        }
        PlanCommand::Reject { id } => {
            let request = PlanDecisionRequest { cluster, id: id.to_string(), by: settings.by.clone() };
            let order = async |mut to: Client| to.plan_reject(request.clone()).await;
            operate::done(settings, &fleet.write(Repeat::Harmless, order).await?)
        }
        PlanCommand::Cancel { id } => {
            let request = PlanCancelRequest { cluster, id: id.to_string(), by: settings.by.clone() };
            let order = async |mut to: Client| to.plan_cancel(request.clone()).await;
            operate::done(settings, &fleet.write(Repeat::Harmless, order).await?)
        }
    }
}
