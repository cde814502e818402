//! Destination: which agent carries out a step, and where it answers.

use watchdog_core::ids::{HostId, Incarnation};
use watchdog_core::observation::{HostSeen, Observation};
use watchdog_core::plan::Agent;

/// Where an agent answers, and which instance of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `http://host:port`.
    pub address: String,
    /// The instance of a host agent's state directory, or a replica's incarnation.
    pub target: String,
    /// The session in which it answers; empty for an embedded agent, whose incarnation says it all.
    pub session: String,
}

/// Why nothing can be sent there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// Its host agent is not there.
    #[error("the agent of host {0} is not there")]
    Host(HostId),
    /// The life that it is for is not there.
    #[error("incarnation {0} is not there any more")]
    Life(Incarnation),
    /// The leader carries it out itself.
    #[error("a leader's own step is no order to an agent")]
    Nobody,
}

/// Finds the agent of a step.
///
/// # Errors
///
/// Why it can't be sent anything.
pub fn destination(agent: &Agent, observation: &Observation) -> Result<Destination, Absent> {
    match agent {
        Agent::Host(host) => host_agent(host, observation),
        Agent::Replica(replica, incarnation) => {
            let seen = observation.replicas.get(replica);
            let life = seen.and_then(|seen| seen.lives.get(incarnation));
            let life = life.ok_or(Absent::Life(*incarnation))?;
            match &life.member {
                Some(member) => {
                    let (address, target) = (member.address.clone(), incarnation.to_string());
                    Ok(Destination { address, target, session: String::new() })
                }
                // A program that embeds no agent is reached through its host's.
                None => host_agent(&life.host, observation),
            }
        }
        Agent::Leader => Err(Absent::Nobody),
    }
}

fn host_agent(host: &HostId, observation: &Observation) -> Result<Destination, Absent> {
    let seen = observation.hosts.get(host).filter(|seen: &&HostSeen| seen.is_present());
    let seen = seen.ok_or_else(|| Absent::Host(host.clone()))?;
    let (address, target) = (seen.address.clone(), seen.instance.clone());
    Ok(Destination { address, target, session: seen.session.clone() })
}
