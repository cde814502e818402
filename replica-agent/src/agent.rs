//! Agent: the whole life of an embedded agent, from the environment to SIGTERM.
//!
//! ```text
//! listen ──► load the state it was started with ──► join the group ──► act, publish, until told to leave
//!                        │ error                            │ declared dead            │
//!                        ▼                                  ▼                          ▼
//!                  run fails                         hook, exit 86         drain, leave the group, return
//! ```

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use watchdog_core::ids::StepId;
use watchdog_membership::environment::Environment;
use watchdog_membership::handover::{Addresses, StateFile};
use watchdog_membership::records::{Health, MemberRecord};
use watchdog_membership::tree::Connect;
use watchdog_membership::wire::Tls;
use watchdog_trust::{Clients, Credentials, Gate, Role, TlsError, TlsFiles};

use crate::application::Application;
use crate::checks::Checks;
use crate::desk::Desk;
use crate::error::AgentError;
use crate::group::{self, DeathHook, Group};
use crate::held::{Held, Holder};
use crate::identity::Identity;
use crate::load::{LoadFailure, Loader, initial};
use crate::report::Report;
use crate::server::Server;
use crate::status::{Portrait, Status};
use crate::tasks::{Tasks, told_to_end};

/// A first load that takes longer than this is shown in the group as `starting`.
const JOIN_AFTER: Duration = Duration::from_secs(1);

/// How long the record may lag behind what was loaded before the group is joined all the same.
const RECORD_LAG_MAX: Duration = Duration::from_millis(100);

/// The agent of this process: made from the environment, then [`run`](Self::run) beside the server that it looks after.
pub struct Agent {
    environment: Environment,
    listen: SocketAddr,
    service: Option<String>,
    check_interval: Duration,
    start_patience: Duration,
    leave_within: Duration,
    connect: Option<Arc<dyn Connect>>,
    on_declared_dead: DeathHook,
}

impl Agent {
    /// The agent of a process that a host agent started.
    ///
    /// # Errors
    ///
    /// [`AgentError::Environment`] names the variable that is missing or unusable.
    pub fn from_environment() -> Result<Self, AgentError> {
        Ok(Self::new(Environment::of_this_process().map_err(AgentError::Environment)?))
    }

    /// The agent of a process that was told by other means what it is.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            service: None,
            check_interval: Duration::from_millis(50),
            start_patience: Duration::from_mins(1),
            leave_within: Duration::from_secs(3),
            connect: None,
            on_declared_dead: Box::new(|| ()),
        }
    }

    /// What this process was told about itself: its names, its parameters.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Listens here instead of on a free port of 127.0.0.1; beyond loopback only when the environment names certificates.
    #[must_use]
    pub fn listen(self, address: SocketAddr) -> Self {
        Self { listen: address, ..self }
    }

    /// Tells where the application itself answers, `http://host:port`: for probes, and for people.
    #[must_use]
    pub fn service(self, url: impl Into<String>) -> Self {
        Self { service: Some(url.into()), ..self }
    }

    /// Asks the application this often how it is, instead of every 50 ms.
    #[must_use]
    pub fn check_every(self, interval: Duration) -> Self {
        Self { check_interval: interval, ..self }
    }

    /// Lets the load at the start go on for this long without progress, instead of a minute.
    #[must_use]
    pub fn start_patience(self, patience: Duration) -> Self {
        Self { start_patience: patience, ..self }
    }

    /// Lets draining take this long once the process was told to end, instead of three seconds.
    #[must_use]
    pub fn leave_within(self, patience: Duration) -> Self {
        Self { leave_within: patience, ..self }
    }

    /// Joins the group through this, instead of by the url in the environment.
    #[must_use]
    pub fn coordination(self, connect: Arc<dyn Connect>) -> Self {
        Self { connect: Some(connect), ..self }
    }

    /// Calls this just before the process exits with [`DECLARED_DEAD`](crate::DECLARED_DEAD), because it was declared
    /// dead and somebody may already run in its place. It should stop serving, and be quick.
    #[must_use]
    pub fn on_declared_dead(self, hook: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { on_declared_dead: Box::new(hook), ..self }
    }

    /// Runs until the process is told to end by SIGTERM or SIGINT, drains and leaves the group. Return from `main` then.
    ///
    /// # Errors
    ///
    /// [`AgentError`] when it could not begin; the process should end, so that its host agent sees why.
    pub async fn run<A: Application>(self, application: Arc<A>) -> Result<(), AgentError> {
        let stop = told_to_end()?;
        self.run_until(application, stop).await
    }

    /// Like [`run`](Self::run), but until `stop` resolves.
    ///
    /// # Errors
    ///
    /// [`AgentError`], as in [`run`](Self::run).
    pub async fn run_until<A: Application>(
        self,
        application: Arc<A>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), AgentError> {
        let application: Arc<dyn Held> = Arc::new(Holder(application));
        self.live(application, stop).await
    }

    async fn live(
        mut self,
        application: Arc<dyn Held>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), AgentError> {
        let connect = match self.connect.take() {
            Some(connect) => Some(connect),
            None => group::connector(&self.environment)?,
        };
        let us = Identity::of_this_process(&self.environment)?;
        let gate = self.gate()?;
        let listener = self.bind(&gate).await?;
        let address = listener.local_addr().map_err(AgentError::system("tell where it listens"))?;
        let scheme = if gate.credentials.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{address}");
        let server = self.server(us, application)?;

        let portrait = Portrait::new(&server.us, address.clone(), self.service.clone());
        let record = watch::Sender::new(portrait.shown().clone());
        let tasks = Tasks::start(&server, (listener, gate), portrait, &record);
        self.announce(address)?;

        let hook = std::mem::replace(&mut self.on_declared_dead, Box::new(|| ()));
        let membership = Membership { connect, record: record.subscribe(), hook };
        let mut stop = std::pin::pin!(stop);
        let group = tokio::select! {
            group = self.begin(&server, membership) => {
                let group = group?;
                stop.await;
                group
            }
            () = &mut stop => None,
        };
        self.leave(&server, group).await;
        drop(tasks);
        Ok(())
    }

    /// How watchdogs are let in: by their certificates, when the environment names ours.
    fn gate(&self) -> Result<Gate, AgentError> {
        let identity = |tls: &Tls| -> Option<TlsFiles> {
            let (certificate, key) = tls.identity.clone()?;
            Some(TlsFiles::new(tls.ca.clone(), certificate, key))
        };
        let Some(tls) = &self.environment.tls else { return Ok(Gate::default()) };
        let files = identity(tls).ok_or(AgentError::Tls(TlsError::NoIdentity))?;
        let credentials = Credentials::open(files, Some(Role::Agent), Clients::Certified);
        let credentials = credentials.map_err(AgentError::Tls)?;
        credentials.keep_fresh();
        Ok(Gate::new(Some(credentials)))
    }

    async fn bind(&self, gate: &Gate) -> Result<TcpListener, AgentError> {
        if !self.listen.ip().is_loopback() && gate.credentials.is_none() {
            return Err(AgentError::NotLoopback { address: self.listen });
        }
        TcpListener::bind(self.listen).await.map_err(AgentError::system("listen for watchdogs"))
    }

    fn server(&self, us: Identity, application: Arc<dyn Held>) -> Result<Arc<Server>, AgentError> {
        let epoch = self.environment.epoch;
        let status = watch::Sender::new(Status { epoch, ..Status::default() });
        let checks = Checks::start(application.clone(), self.check_interval)
            .map_err(AgentError::system("start the thread that checks the application"))?;
        let loader = Loader { application, checks, status };
        let desk = Mutex::new(Desk::new(us.replica.clone(), epoch));
        Ok(Arc::new(Server { us, desk, loader }))
    }

    /// Tells the host agent where to probe.
    fn announce(&self, agent: String) -> Result<(), AgentError> {
        let Some(path) = &self.environment.address_file else { return Ok(()) };
        let addresses = Addresses { agent, service: self.service.clone() };
        addresses.write(path).map_err(AgentError::Environment)
    }

    /// Loads what the process was started with, and joins the group: afterwards, unless it takes long.
    async fn begin(&self, server: &Arc<Server>, membership: Membership) -> Result<Option<Group>, AgentError> {
        let mut load = std::pin::pin!(self.initial_load(server));
        if let Ok(loaded) = tokio::time::timeout(JOIN_AFTER, &mut load).await {
            loaded?;
            watchdog_crash_points::crash_point!("replica.start.loaded");
            return Ok(membership.join(server).await);
        }
        let group = membership.join(server).await;
        load.await?;
        Ok(group)
    }

    async fn initial_load(&self, server: &Arc<Server>) -> Result<(), AgentError> {
        let path = &self.environment.state_file;
        let file = StateFile::read(path).map_err(AgentError::Environment)?;
        let (version, said) = (file.version, file.state_hash);
        let order = initial(version, &file.state);
        if order.to_hash != said {
            return Err(AgentError::CorruptState { path: path.clone(), said, found: order.to_hash });
        }
        let busy = StepId::new("start").ok().and_then(|step| server.occupy(step).ok());
        let outcome = server.loader.load(&order, &Report::unfollowed(self.start_patience)).await;
        drop(busy);
        match outcome {
            Ok(()) => Ok(()),
            // It serves something; what that is stands in the group, and is not for us to judge.
            Err(failure @ (LoadFailure::Unproven { .. } | LoadFailure::SilentAfterwards { .. })) => {
                tracing::warn!(%version, error = %failure, "started with a state that it cannot prove");
                Ok(())
            }
            Err(LoadFailure::Prepare { reason } | LoadFailure::Commit { reason }) => {
                Err(AgentError::InitialLoad { version, reason })
            }
            Err(failure) => Err(AgentError::InitialLoad { version, reason: failure.into() }),
        }
    }

    async fn leave(&self, server: &Server, group: Option<Group>) {
        tracing::info!("told to end: draining");
        server.loader.status.send_modify(|status| status.draining = true);
        if tokio::time::timeout(self.leave_within, server.loader.application.drain()).await.is_err() {
            tracing::warn!(patience_ms = self.leave_within.as_millis(), "leaving before draining has ended");
        }
        watchdog_crash_points::crash_point!("replica.leave.drained");
        if let Some(group) = group {
            group.leave().await;
        }
    }
}

/// What joining takes.
struct Membership {
    connect: Option<Arc<dyn Connect>>,
    record: watch::Receiver<MemberRecord>,
    hook: DeathHook,
}

impl Membership {
    async fn join(mut self, server: &Arc<Server>) -> Option<Group> {
        let connect = self.connect?;
        // The record follows the load by microseconds; wait, so that nobody sees the state before it.
        let caught_up = self.record.wait_for(|record| record.health != Health::Starting);
        let _ = tokio::time::timeout(RECORD_LAG_MAX, caught_up).await.is_ok();
        Some(Group::join(connect, server.clone(), self.record, self.hook))
    }
}
