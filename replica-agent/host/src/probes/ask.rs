//! Ask: one question to a replica, in the way that its probe says.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use watchdog_core::replica::Probe;
use watchdog_proto::agent::LookRequest;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_trust::{Dialer, Servers};

use super::announced::{Announced, Place};
use super::http::Http;
use crate::config::Program;
use crate::ledger::Life;
use crate::run_as;
use crate::supervisor::{Kept, Supervisor};

/// Asks one replica in one way.
pub(super) struct Prober {
    how: How,
    life: Life,
    announced: Announced,
    supervisor: Arc<Supervisor>,
    /// How long a program may take.
    patience: Duration,
}

enum How {
    Http {
        path: String,
        address: Option<String>,
        http: Http,
    },
    Tcp {
        address: Option<String>,
    },
    Command {
        program: String,
    },
    Grpc {
        address: Option<String>,
        channel: Option<Channel>,
    },
    /// Not declared: the embedded agent is asked, once it says where it is.
    Embedded {
        channel: Option<Channel>,
    },
}

impl Prober {
    /// A prober that has not asked yet.
    pub(super) fn new(probe: Option<Probe>, supervisor: &Arc<Supervisor>, kept: &Kept) -> Self {
        let patience = probe.as_ref().map_or(supervisor.config.probes.timing(), super::timing).timeout_ms;
        let how = match probe {
            Some(Probe::Http { path, address, .. }) => How::Http { path, address, http: Http::default() },
            Some(Probe::Tcp { address, .. }) => How::Tcp { address },
            Some(Probe::Command { program, .. }) => How::Command { program },
            Some(Probe::Grpc { address, .. }) => How::Grpc { address, channel: None },
            None => How::Embedded { channel: None },
        };
        Self {
            how,
            life: kept.life.clone(),
            announced: Announced::new(supervisor, kept),
            supervisor: supervisor.clone(),
            patience: Duration::from_millis(patience.max(1)),
        }
    }

    /// Finds out where it listens, where that must be known; no part of the question, and not in its time.
    pub(super) async fn learn(&mut self) {
        if self.needs_addresses() {
            self.announced.learn(&self.supervisor).await;
        }
    }

    /// Asks; `None` while it is not known where to ask, through no fault of the replica.
    pub(super) async fn ask(&mut self) -> Option<Result<(), String>> {
        let (service, agent) = match self.announced.place() {
            Place::At(addresses) => (addresses.service.as_deref(), Some(addresses.agent.as_str())),
            Place::Fault(fault) => return Some(Err(fault.clone())),
            Place::Unknown => return None,
            Place::NotYet => (None, None),
        };
        let unannounced = || Err("it has not announced where it listens".to_owned());
        let dialer = &self.supervisor.dialer;
        Some(match &mut self.how {
            How::Http { path, address, http } => match address.as_deref().or(service) {
                Some(address) => http.get(bare(address), path).await,
                None => unannounced(),
            },
            How::Tcp { address } => match address.as_deref().or(service) {
                Some(address) => connect(bare(address)).await,
                None => unannounced(),
            },
            How::Command { program } => run(&self.supervisor, program, (&self.life, self.patience)).await,
            How::Grpc { address, channel } => match address.as_deref().or(agent) {
                Some(address) => match open(channel, address, dialer) {
                    Ok(channel) => health(channel, address).await,
                    Err(why) => Err(why),
                },
                None => unannounced(),
            },
            How::Embedded { channel } => {
                let agent = agent?;
                match open(channel, agent, dialer) {
                    Ok(channel) => look(channel, agent, &self.life).await,
                    Err(why) => Err(why),
                }
            }
        })
    }

    /// What is wrong with its address file, if anything is.
    pub(super) fn fault(&self) -> Option<&str> {
        match self.announced.place() {
            Place::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    fn needs_addresses(&self) -> bool {
        match &self.how {
            How::Http { address, .. } | How::Tcp { address } | How::Grpc { address, .. } => address.is_none(),
            How::Command { .. } => false,
            How::Embedded { .. } => true,
        }
    }

    /// A question was not answered in time.
    pub(super) fn give_up(&mut self) {
        if let How::Http { http, .. } = &mut self.how {
            http.give_up();
        }
    }
}

/// `host:port` of a url.
fn bare(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

async fn connect(address: &str) -> Result<(), String> {
    TcpStream::connect(address).await.map(|_| ()).map_err(|error| format!("connect to {address}: {error}"))
}

fn open(channel: &mut Option<Channel>, address: &str, dialer: &Dialer) -> Result<Channel, String> {
    if channel.is_none() {
        let opened = if address.starts_with("https://") {
            dialer.channel(address, |endpoint| endpoint)
        } else {
            // What a declaration names without a scheme need not be ours.
            let plain = Dialer::new(None, Servers::Agents);
            plain.channel(&format!("http://{}", bare(address)), |endpoint| endpoint)
        };
        *channel = Some(opened.map_err(|error| error.to_string())?);
    }
    channel.clone().ok_or_else(|| "no channel".to_owned())
}

async fn health(channel: Channel, address: &str) -> Result<(), String> {
    let mut client = HealthClient::new(channel);
    let answer = client.check(HealthCheckRequest { service: String::new() }).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(status) => Err(format!("the health service says {}", status.as_str_name())),
        Err(status) => Err(format!("health at {address}: {}", status.message())),
    }
}

async fn look(channel: Channel, address: &str, life: &Life) -> Result<(), String> {
    let mut client = AgentClient::new(channel);
    let request = LookRequest { cluster: life.cluster.to_string(), replicas: vec![life.replica.to_string()] };
    let answer = client.look(request).await;
    let answer =
        answer.map_err(|status| format!("the agent at {address}: {}", status.message()))?.into_inner();
    match answer.loaded {
        // Its port may have gone to somebody else.
        Some(loaded) if loaded.incarnation != life.incarnation.to_string() => {
            Err(format!("incarnation {} answers at {address}", loaded.incarnation))
        }
        _ => Ok(()),
    }
}

async fn run(supervisor: &Supervisor, name: &str, (life, patience): (&Life, Duration)) -> Result<(), String> {
    let program = supervisor.config.programs.get(name);
    let program = program.ok_or_else(|| format!("the host agent's configuration has no program {name}"))?;
    let parameters =
        program.fill(&[].into()).map_err(|error| format!("program {name}: {}: {error}", error.name()))?;
    let job = supervisor.job(life, program, Program::render(&program.argv, &parameters));
    run_as::run(job, patience).await.map_err(|error| format!("{name}: {error}"))
}
