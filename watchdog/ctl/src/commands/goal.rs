//! Goal: what an operator wants true, compared, declared, seen through and taken back.
//!
//! ```text
//! file ─► GoalFile ─┐
//! restore VERSION ──┴─► Wish ─► diff ─► apply ─► (--wait) watch ─► achieved, or why not
//! ```

mod apply;
mod watch;
mod wish;

use watchdog_core::goal::Restore;
use watchdog_proto::admin::{
    GoalListRequest, GoalRestoreRequest, GoalShowRequest, GoalView, GoalWithdrawRequest,
};

use self::wish::Wish;
use super::{operate, show};
use crate::arguments::GoalCommand;
use crate::failure::Failure;
use crate::fleet::{Client, Repeat};
use crate::render;
use crate::settings::Settings;

/// Says that there are changes.
const CHANGES: u8 = 4;

/// Runs `goal …`.
pub(super) async fn run(command: GoalCommand, settings: &Settings) -> Result<(), Failure> {
    let cluster = settings.cluster.clone();
    match command {
        GoalCommand::Diff { file, exit_code } => {
            let reply = Wish::read(&file)?.diff(settings).await?;
            unless_closed(show(settings, &reply, render::goal_diff))?;
            let differs = exit_code && !reply.lines.is_empty();
            if differs { Err(Failure::Told { exit_code: CHANGES }) } else { Ok(()) }
        }
        GoalCommand::Apply { file, terms } => apply::run(&Wish::read(&file)?, &terms, settings).await,
        GoalCommand::Restore { version, force: true, words, .. } => {
            let reason = words.reason.unwrap_or_else(|| "no reason given".to_owned());
            let by = settings.by.clone();
            let request = GoalRestoreRequest { cluster, version: numbered(version)?, reason, by };
            let order = async |mut to: Client| to.goal_restore(request.clone()).await;
            operate::done(settings, &settings.fleet.write(Repeat::Never, order).await?)
        }
        GoalCommand::Restore { version, words, terms, .. } => {
            apply::run(&Wish::restore(version, words), &terms, settings).await
        }
        GoalCommand::List { limit } => {
            let request = GoalListRequest { cluster, limit };
            let reply =
                settings.fleet.read(async |mut to: Client| to.goal_list(request.clone()).await).await?;
            show(settings, &reply, render::goal_list)
        }
        GoalCommand::Show { id, patience } => {
            let request = GoalShowRequest { cluster, id: id.to_string() };
            let view =
                settings.fleet.read(async |mut to: Client| to.goal_show(request.clone()).await).await?;
            if patience.wait {
                return watch::run(id.as_str(), patience.lasts, settings).await;
            }
            show(settings, &view, render::goal)
        }
        GoalCommand::Withdraw { id } => {
            let request = GoalWithdrawRequest { cluster, id: id.to_string(), by: settings.by.clone() };
            let order = async |mut to: Client| to.goal_withdraw(request.clone()).await;
            operate::done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
        }
    }
}

/// The version to force: what is stable needs none.
fn numbered(version: Restore) -> Result<u64, Failure> {
    match version {
        Restore::Version(version) => Ok(version.0),
        Restore::Named(_) => Err(Failure::Refused(
            "--force takes the number of a version before the stable one; `watchdogctl log list` shows which there are"
                .to_owned(),
        )),
    }
}

/// Where the exit code says more than "done", a reader that has left must not change it.
fn unless_closed(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(Failure::Closed) => Ok(()),
        printed => printed,
    }
}

/// Whether nothing more will come of it.
fn is_over(view: &GoalView) -> bool {
    !matches!(view.status.as_str(), "pending" | "rolling")
}
