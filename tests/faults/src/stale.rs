//! Stale: orders of a leader that is no more, sent to agents by hand, as if they had been long under way.
//!
//! An agent whose fence holds refuses every one of them. So each is a try to break the invariant that matters most,
//! and the positive control sends the same to an agent whose fence is open.

use std::time::Duration;

use anyhow::Context as _;
use tonic::transport::{Channel, Endpoint};
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{ActRequest, Drain, Kill, LookRequest, Order, act_event, act_request};

use crate::site::CLUSTER;
use crate::witness::Life;

const PATIENCE: Duration = Duration::from_secs(3);
/// No leader comes to make so many plans in a term.
const PLAN: u64 = 900_000;

/// What an agent said to a stale order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It took it.
    Obeyed {
        /// The id under which it did.
        step: String,
    },
    /// It did not, and why.
    Refused(String),
    /// Nobody was there, so nothing was tried.
    Absent,
}

/// Sends the agent of a host the order to kill `life`, under `epoch`.
pub fn kill(agent: &str, life: &Life, (epoch, number): (u64, u64)) -> Reply {
    let act = act_request::Act::Kill(Kill {
        replica: life.replica.clone(),
        incarnation: life.incarnation.clone(),
        grace_ms: 0,
    });
    send(agent, Target::Instance, act, (epoch, number))
}

/// Sends the agent in a replica the order to drain, under `epoch`.
pub fn drain(agent: &str, life: &Life, (epoch, number): (u64, u64)) -> Reply {
    let act = act_request::Act::Drain(Drain {
        replica: life.replica.clone(),
        incarnation: life.incarnation.clone(),
    });
    send(agent, Target::Life(life.incarnation.clone()), act, (epoch, number))
}

enum Target {
    /// The state directory of a host agent, which is asked.
    Instance,
    /// A life of a replica.
    Life(String),
}

fn send(agent: &str, target: Target, act: act_request::Act, (epoch, number): (u64, u64)) -> Reply {
    let plan = format!("{epoch}-{}", PLAN + number);
    let step = format!("{plan}-1");
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Reply::Absent;
    };
    let answer = runtime.block_on(async {
        let mut client = connect(agent).await.ok()?;
        let target = match target {
            Target::Life(incarnation) => incarnation,
            Target::Instance => {
                let look = LookRequest { cluster: CLUSTER.to_owned(), replicas: Vec::new() };
                client.look(look).await.ok()?.into_inner().instance
            }
        };
        let order = Order {
            cluster: CLUSTER.to_owned(),
            epoch,
            plan,
            step: step.clone(),
            target,
            timeout_ms: 2_000,
            session: String::new(),
        };
        Some(act_out(&mut client, ActRequest { order: Some(order), act: Some(act) }).await)
    });
    match answer {
        Some(Ok(())) => Reply::Obeyed { step },
        Some(Err(status)) if status.code() == tonic::Code::FailedPrecondition => {
            Reply::Refused(status.message().to_owned())
        }
        None | Some(Err(_)) => Reply::Absent,
    }
}

async fn connect(agent: &str) -> anyhow::Result<AgentClient<Channel>> {
    let endpoint = Endpoint::from_shared(agent.to_owned()).context("the agent has no address")?;
    let endpoint = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE);
    Ok(AgentClient::new(endpoint.connect().await.context("reach the agent")?))
}

/// Waits for the end of the act, because only then it has had its effect.
async fn act_out(client: &mut AgentClient<Channel>, request: ActRequest) -> Result<(), tonic::Status> {
    let mut events = client.act(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        if matches!(event.event, Some(act_event::Event::Result(_))) {
            break;
        }
    }
    Ok(())
}
