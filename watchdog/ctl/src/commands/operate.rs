//! Operate: what operators tell the leader; each act is recorded with who and why.

use std::time::Duration;

use watchdog_proto::admin::{
    Done, HoldRequest, PauseRequest, ReleaseRequest, ResumeRequest, StormReleaseRequest,
};

use super::show;
use crate::arguments::{StormCommand, Terms};
use crate::failure::Failure;
use crate::fleet::{Client, Repeat};
use crate::render;
use crate::settings::Settings;

/// Shows that an order was carried out.
pub(super) fn done(settings: &Settings, done: &Done) -> Result<(), Failure> {
    show(settings, done, render::done)
}

/// `pause`
pub(super) async fn pause(terms: Terms, settings: &Settings) -> Result<(), Failure> {
    let request = PauseRequest {
        cluster: settings.cluster.clone(),
        reason: terms.reason,
        by: settings.by.clone(),
        for_ms: milliseconds(terms.lasts),
    };
    let order = async |mut to: Client| to.pause(request.clone()).await;
    done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
}

/// `resume`
pub(super) async fn resume(settings: &Settings) -> Result<(), Failure> {
    let request = ResumeRequest { cluster: settings.cluster.clone(), by: settings.by.clone() };
    let order = async |mut to: Client| to.resume(request.clone()).await;
    done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
}

/// `hold`
pub(super) async fn hold(target: String, terms: Terms, settings: &Settings) -> Result<(), Failure> {
    let request = HoldRequest {
        cluster: settings.cluster.clone(),
        target,
        reason: terms.reason,
        by: settings.by.clone(),
        for_ms: milliseconds(terms.lasts),
    };
    let order = async |mut to: Client| to.hold(request.clone()).await;
    done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
}

/// `release`
pub(super) async fn release(target: String, settings: &Settings) -> Result<(), Failure> {
    let request = ReleaseRequest { cluster: settings.cluster.clone(), target, by: settings.by.clone() };
    let order = async |mut to: Client| to.release(request.clone()).await;
    done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
}

/// `storm …`
pub(super) async fn storm(command: StormCommand, settings: &Settings) -> Result<(), Failure> {
    let StormCommand::Release { reason } = command;
    let request = StormReleaseRequest { cluster: settings.cluster.clone(), reason, by: settings.by.clone() };
    let order = async |mut to: Client| to.storm_release(request.clone()).await;
    // A second release would also cover a second storm, but the first answer is lost only with the leader, and
    // whoever typed this wants the cluster healed.
    done(settings, &settings.fleet.write(Repeat::Harmless, order).await?)
}

/// On the wire 0 is "until ended by hand"; a given duration is never shorter than a millisecond.
fn milliseconds(lasts: Option<Duration>) -> u64 {
    lasts.map_or(0, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
