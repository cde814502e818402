//! Examine: says of a declaration, before anybody depends on it, what this host would refuse of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use watchdog_core::replica::{Probe, ProbeTiming};
use watchdog_proto::agent::{ExamineRequest, Objection};

use super::order::{self, LEASE_MS_MAX};
use crate::config::Config;
use crate::refusal::Refusal;
use crate::run_as::User;
use crate::supervisor::Supervisor;

/// A name service that takes longer says nothing.
const NAMES_PATIENCE: Duration = Duration::from_secs(2);

/// Everything that this host would refuse.
///
/// # Errors
///
/// When the question itself can't be understood.
pub(super) async fn examine(
    supervisor: &Arc<Supervisor>,
    request: ExamineRequest,
) -> Result<Vec<Objection>, Refusal> {
    let config = &supervisor.config;
    order::cluster(config, "cluster", &request.cluster)?;
    let mut objections = Vec::new();
    let mut object = |field: &str, reason: String| {
        objections.push(Objection { field: field.to_owned(), reason });
    };
    let mut users = BTreeSet::new();
    if let Some(program) = config.programs.get(&request.program) {
        let given: BTreeMap<String, String> = request.parameters.into_iter().collect();
        for error in program.faults(&given) {
            object(&format!("parameters.{}", error.name()), error.to_string());
        }
        users.extend(program.user.clone());
    } else {
        object("program", order::no_program(config, &request.program));
    }
    let probes = Some(request.probes_json).filter(|text| !text.is_empty());
    match probes.map(|text| serde_json::from_str::<Vec<Probe>>(&text)).transpose() {
        Ok(probes) => {
            for probe in probes.into_iter().flatten() {
                for fault in probe_faults(config, &probe) {
                    object("probes", fault);
                }
                users.extend(user_of(config, &probe));
            }
        }
        Err(error) => object("probes", error.to_string()),
    }
    if request.exclusive {
        if !supervisor.takes_exclusive() {
            let replica = request.replica.parse().map_err(|error| Refusal::field("replica", error))?;
            object("exclusive", Refusal::NoCgroup { replica }.to_string());
        }
        if !(1..=LEASE_MS_MAX).contains(&request.lease_ms) {
            object("lease_ms", format!("an exclusive replica needs one of 1 to {LEASE_MS_MAX}"));
        }
    }
    for fault in user_faults(users).await {
        object("user", fault);
    }
    Ok(objections)
}

fn user_of(config: &Config, probe: &Probe) -> Option<String> {
    match probe {
        Probe::Command { program, .. } => config.programs.get(program)?.user.clone(),
        Probe::Http { .. } | Probe::Tcp { .. } | Probe::Grpc { .. } => None,
    }
}

fn probe_faults(config: &Config, probe: &Probe) -> Vec<String> {
    let (kind, timing) = match probe {
        Probe::Http { timing, .. } => ("http", timing),
        Probe::Tcp { timing, .. } => ("tcp", timing),
        Probe::Command { timing, .. } => ("command", timing),
        Probe::Grpc { timing, .. } => ("grpc", timing),
    };
    let ProbeTiming { interval_ms, timeout_ms, failures } = *timing;
    let never = interval_ms == 0 || timeout_ms == 0 || failures == 0;
    let mut faults = Vec::new();
    if never {
        faults.push(format!("{kind}: interval_ms, timeout_ms and failures must be at least 1"));
    }
    match probe {
        Probe::Http { path, .. } if !path.starts_with('/') => {
            faults.push(format!("http: the path {path:?} does not begin with a slash"));
        }
        Probe::Command { program: name, .. } => match config.programs.get(name) {
            None => faults.push(format!("command: {}", order::no_program(config, name))),
            // A probe gives none, so each needs a default.
            Some(program) => faults.extend(
                program
                    .faults(&BTreeMap::new())
                    .iter()
                    .map(|error| format!("command: {name}: {}: {error}", error.name())),
            ),
        },
        _ => {}
    }
    faults
}

/// Who of these is not known here. The name service may be on the network, so it is asked off the runtime.
async fn user_faults(users: BTreeSet<String>) -> Vec<String> {
    if users.is_empty() {
        return Vec::new();
    }
    let asking = tokio::task::spawn_blocking(move || {
        users.iter().filter_map(|name| User::find(name).err()).collect::<Vec<_>>()
    });
    match tokio::time::timeout(NAMES_PATIENCE, asking).await {
        Ok(Ok(faults)) => faults,
        _ => vec!["this host's name service does not answer".to_owned()],
    }
}
