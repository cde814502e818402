//! Ask: one question to a replica, in the way that its probe says.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use watchdog_core::replica::Probe;
use watchdog_membership::environment::Addresses;
use watchdog_proto::agent::LookRequest;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_trust::{Dialer, Servers};

use super::http::Http;
use crate::config::Program;
use crate::ledger::Life;
use crate::supervisor::{Kept, Supervisor};

/// Asks one replica in one way.
pub(super) struct Prober {
    how: How,
    life: Life,
    address_file: PathBuf,
    announced: Option<Addresses>,
    programs: Arc<crate::config::Config>,
    dialer: Dialer,
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
    pub(super) fn new(probe: Option<Probe>, supervisor: &Supervisor, kept: &Kept) -> Self {
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
            address_file: supervisor.dirs.address(kept.life.incarnation),
            announced: None,
            programs: supervisor.config.clone(),
            dialer: supervisor.dialer.clone(),
        }
    }

    /// Asks; `None` when there is nothing to ask yet.
    pub(super) async fn ask(&mut self) -> Option<Result<(), String>> {
        if self.announced.is_none() {
            // Not written yet: it is still coming up, or has no embedded agent.
            self.announced = Addresses::read(&self.address_file).ok();
        }
        let announced = self.announced.as_ref();
        let service = announced.and_then(|addresses| addresses.service.as_deref());
        let agent = announced.map(|addresses| addresses.agent.as_str());
        let unannounced = || Err("it has not announced where it listens".to_owned());
        Some(match &mut self.how {
            How::Http { path, address, http } => match address.as_deref().or(service) {
                Some(address) => http.get(bare(address), path).await,
                None => unannounced(),
            },
            How::Tcp { address } => match address.as_deref().or(service) {
                Some(address) => connect(bare(address)).await,
                None => unannounced(),
            },
            How::Command { program } => run(&self.programs.programs, program, &self.life).await,
            How::Grpc { address, channel } => match address.as_deref().or(agent) {
                Some(address) => match open(channel, address, &self.dialer) {
                    Ok(channel) => health(channel, address).await,
                    Err(why) => Err(why),
                },
                None => unannounced(),
            },
            How::Embedded { channel } => match open(channel, agent?, &self.dialer) {
                Ok(channel) => look(channel, agent?, &self.life).await,
                Err(why) => Err(why),
            },
        })
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

async fn run(
    programs: &std::collections::BTreeMap<String, Program>,
    name: &str,
    life: &Life,
) -> Result<(), String> {
    let program =
        programs.get(name).ok_or_else(|| format!("the host agent's configuration has no program {name}"))?;
    let parameters =
        program.fill(&[].into()).map_err(|error| format!("program {name}: {}: {error}", error.name()))?;
    let argv = Program::render(&program.argv, &parameters);
    let (path, arguments) = argv.split_first().ok_or_else(|| format!("program {name} is empty"))?;
    let mut command = tokio::process::Command::new(path);
    command.args(arguments).envs(&program.environment).kill_on_drop(true);
    command.env("WATCHDOG_REPLICA", life.replica.as_str());
    command.env("WATCHDOG_PROBED_INCARNATION", life.incarnation.to_string());
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    let status = command.stderr(std::process::Stdio::null()).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
