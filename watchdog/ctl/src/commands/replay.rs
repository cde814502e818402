//! Replay: computes a plan again from its recorded input, with the core that this program was built with.

use serde::Serialize;
use serde_json::Value;
use watchdog_core::ids::PlanId;
use watchdog_core::input::PlanInput;
use watchdog_core::plan::Plan;
use watchdog_core::planner::plan;
use watchdog_proto::admin::{PlanInputReply, PlanShowRequest};

use super::show;
use crate::failure::Failure;
use crate::fleet::Client;
use crate::render::{self, Replayed};
use crate::settings::Settings;

/// The version of the core in here; all crates of the workspace have one.
const CORE_VERSION: &str = watchdog_core::VERSION;

/// Runs `plan replay`.
pub(super) async fn run(id: &PlanId, settings: &Settings) -> Result<(), Failure> {
    let request = PlanShowRequest { cluster: settings.cluster.clone(), id: id.to_string() };
    let reply = settings.fleet.read(async |mut to: Client| to.plan_input(request.clone()).await).await?;
    let replayed = replay(reply)?;
    show(settings, &replayed, render::replayed)?;
    if replayed.same { Ok(()) } else { Err(Failure::Told { exit_code: 1 }) }
}

/// The comparison, byte for byte, of both plans as this core writes them.
fn replay(reply: PlanInputReply) -> Result<Replayed, Failure> {
    let PlanInputReply { id, core_version, plan_json, input_json } = reply;
    let unreadable = |what: &str, error: &serde_json::Error| {
        Failure::Refused(format!(
            "the recorded {what} of plan {id} can't be read by this core ({CORE_VERSION}; it was recorded by \
             {core_version}): {error}"
        ))
    };
    let recorded: Plan = serde_json::from_str(&plan_json).map_err(|error| unreadable("plan", &error))?;
    let input: PlanInput = serde_json::from_str(&input_json).map_err(|error| unreadable("input", &error))?;
    let decision = plan(&input);
    let same = match &decision.plan {
        Some(recomputed) => text(recomputed)? == text(&recorded)?,
        None => false,
    };
    Ok(Replayed {
        same,
        core_version: CORE_VERSION.to_owned(),
        recorded_core_version: core_version,
        recorded: value(&recorded)?,
        recomputed: decision.plan.as_ref().map(value).transpose()?,
        refusals: decision.refusals.iter().map(ToString::to_string).collect(),
        id,
    })
}

fn text(plan: &Plan) -> Result<String, Failure> {
    Ok(serde_json::to_string(plan).map_err(std::io::Error::from)?)
}

fn value(plan: &impl Serialize) -> Result<Value, Failure> {
    Ok(serde_json::to_value(plan).map_err(std::io::Error::from)?)
}
