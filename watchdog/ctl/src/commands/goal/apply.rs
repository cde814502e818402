//! Apply: shows what a goal changes and declares it; a head that has moved is shown anew instead.

use serde::Serialize;
use uuid::Uuid;
use watchdog_proto::admin::{GoalApplyReply, GoalApplyRequest, GoalDiffReply};

use super::super::{json, show};
use super::wish::Wish;
use super::{unless_closed, watch};
use crate::arguments::{ApplyTerms, Format};
use crate::failure::Failure;
use crate::fleet::{Client, Repeat};
use crate::render;
use crate::settings::Settings;

/// The JSON of `goal apply`: the answer, and what was seen before it.
#[derive(Debug, Serialize)]
struct Applied<'a> {
    #[serde(flatten)]
    reply: &'a GoalApplyReply,
    diff: &'a GoalDiffReply,
}

/// Declares a goal; with `--wait` it is seen through.
pub(super) async fn run(wish: &Wish, terms: &ApplyTerms, settings: &Settings) -> Result<(), Failure> {
    let is_table = settings.format == Format::Table;
    let diff = wish.diff(settings).await?;
    // A difference to another head than the expected one is only shown if the leader agrees that it has moved.
    if is_table && terms.at.is_none_or(|head| head == diff.head) {
        unless_closed(show(settings, &diff, render::goal_diff))?;
    }
    let reply = match declare(wish, terms, settings).await {
        Err(Failure::HeadMoved(sentence)) => return moved(wish, &sentence, settings).await,
        reply => reply?,
    };
    if is_table {
        unless_closed(settings.screen.print(&render::goal_applied(&reply, &settings.screen.paper())))?;
    }
    if terms.patience.wait {
        return watch::run(&reply.id, terms.patience.lasts, settings).await;
    }
    if is_table { Ok(()) } else { settings.screen.print(&json(&Applied { reply: &reply, diff: &diff })?) }
}

async fn declare(wish: &Wish, terms: &ApplyTerms, settings: &Settings) -> Result<GoalApplyReply, Failure> {
    let request = GoalApplyRequest {
        cluster: settings.cluster.clone(),
        goal_json: wish.json()?,
        by: settings.by.clone(),
        // By it the leader knows the goal again when it is sent twice.
        request: Uuid::now_v7().to_string(),
        at: terms.at,
        supersede: terms.supersede,
    };
    let order = async |mut to: Client| to.goal_apply(request.clone()).await;
    settings.fleet.write(Repeat::Harmless, order).await.map_err(|failure| wish.located(failure))
}

/// Shows what the goal would change by now, and what to do about it.
async fn moved(wish: &Wish, sentence: &str, settings: &Settings) -> Result<(), Failure> {
    let diff = wish.diff(settings).await?;
    unless_closed(show(settings, &diff, render::goal_moved))?;
    let again = format!("if this is still what you want, apply it again with --at {}", diff.head);
    Err(Failure::Refused(format!("nothing was declared: {sentence}\n{again}")))
}
