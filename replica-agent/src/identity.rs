//! Identity: which process this is, so that nobody takes it for another.

use watchdog_core::ids::{ClusterId, HostId, Incarnation, ReplicaId};
use watchdog_membership::environment::Environment;

use crate::error::AgentError;

/// Who we are; it never changes while the process lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster: ClusterId,
    pub(crate) replica: ReplicaId,
    pub(crate) host: HostId,
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: u32,
    /// Clock ticks since boot at which this process started.
    pub(crate) start_ticks: u64,
    pub(crate) boot_id: String,
}

impl Identity {
    /// Who this process is, by what it was told and by what the kernel says.
    pub(crate) fn of_this_process(environment: &Environment) -> Result<Self, AgentError> {
        let read = |path| std::fs::read_to_string(path).map_err(AgentError::system("read /proc"));
        let stat = read("/proc/self/stat")?;
        let start_ticks = start_ticks(&stat).ok_or("/proc/self/stat has no field 22");
        Ok(Self {
            cluster: environment.cluster.clone(),
            replica: environment.replica.clone(),
            host: environment.host.clone(),
            incarnation: environment.incarnation,
            pid: std::process::id(),
            start_ticks: start_ticks.map_err(AgentError::system("tell when this process started"))?,
            boot_id: read("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        })
    }
}

/// Field 22; counted behind the last ')', as the program's name in field 2 may hold anything.
pub(crate) fn start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
impl Identity {
    /// Somebody, for tests.
    #[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    pub(crate) fn example() -> Self {
        Self {
            cluster: "demo".parse().unwrap(),
            replica: "demo-a".parse().unwrap(),
            host: "host-1".parse().unwrap(),
            incarnation: "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".parse().unwrap(),
            pid: 7,
            start_ticks: 70,
            boot_id: "boot".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_does_not_shift_the_fields() {
        let fields: Vec<String> = (3..=52).map(|field: u32| field.to_string()).collect();
        for name in ["(scoring-server)", "(a b)", "(a) 1 (b)"] {
            assert_eq!(start_ticks(&format!("42 {name} {}", fields.join(" "))), Some(22), "{name}");
        }
        assert_eq!(start_ticks("42 (cut off) S 1"), None);
    }
}
