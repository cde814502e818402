//! Provoke: does to a cluster what leads a process to a crash point.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use watchdog_proto::agent::SealRequest;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_tests::story::Replica;
use watchdog_tests::{admin, wait_for};

use crate::points::Provocation;
use crate::stage::{Fate, Stage};

/// An address that no machine has (RFC 5737).
const NOBODYS_ADDRESS: &str = "192.0.2.1:1";
/// A replica that comes up nowhere.
const HOPELESS: &str = "replica/demo-x";
/// How long a first kill, that opens the way to the point, may take.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

/// What is left to be done once the point was visited, so that the cluster can come to rest.
pub type Afterwards = Box<dyn FnOnce(&mut Stage) -> anyhow::Result<()>>;

fn nothing() -> Afterwards {
    Box::new(|_| Ok(()))
}

impl Provocation {
    /// Brings the cluster to where the point must not be armed before.
    ///
    /// # Errors
    ///
    /// If the cluster does not do what it should.
    pub fn prepare(self, stage: &mut Stage) -> anyhow::Result<()> {
        if self == Self::ReplicaDiesAfterDeploy {
            let goal = good_goal(stage);
            stage.declare(&goal, Fate::Proven)?;
            stage.until_at_rest()?;
        }
        Ok(())
    }

    /// Does it, and answers what is to be done about it later.
    ///
    /// # Errors
    ///
    /// If it can't be done.
    pub fn act(self, stage: &mut Stage) -> anyhow::Result<Afterwards> {
        match self {
            Self::ReplicaDies | Self::ReplicaDiesAfterDeploy => kill_a_replica(stage)?,
            Self::ReplicaHangs => {
                let replica = stage.some_replica()?;
                stage.story.freeze(&[replica.pid])?;
            }
            Self::Deploy => {
                let goal = good_goal(stage);
                stage.declare(&goal, Fate::Proven)?;
            }
            Self::DeployBad => {
                let model = json!({
                    "weights": {}, "bias": stage.round(), "incident": { "what": "crash", "on": ["demo-b"] },
                });
                let goal = json!({ "set": { "model/fraud": model }, "rollout": pace() });
                stage.declare(&goal, Fate::Rejected)?;
            }
            Self::RollingRestart => {
                stage.declare(&json!({ "restart": true, "rollout": pace() }), Fate::Done)?;
            }
            Self::Withdraw => withdraw(stage)?,
            Self::Edit => edit(stage)?,
            Self::Hopeless => {
                let mut spec = admin::value(&stage.story.dev, "replica/demo-a")?;
                // It dies of it at each start; what its host refuses to start would be no fault of its own.
                spec["parameters"]["listen"] = json!(NOBODYS_ADDRESS);
                // Under a name of its own each time: whoever is given up once is not given up again.
                let key = format!("{HOPELESS}-{}", stage.round());
                stage.append(&[(&key, Some(spec))])?;
                return Ok(Box::new(move |stage| stage.append(&[(&key, None)])));
            }
            Self::Resign => resign(stage)?,
            Self::SealedUnheard => {
                seal_unheard(stage)?;
                // The next leader's epoch is the one that the agent may have recorded.
                return Ok(Box::new(resign));
            }
            Self::LeaderDies => kill_the_leader(stage)?,
            Self::LeaderDiesStarting => open_with(stage, "daemon.step.start", kill_a_replica)?,
            Self::LeaderDiesLoading => open_with(stage, "daemon.step.load", |stage| {
                let goal = good_goal(stage);
                stage.declare(&goal, Fate::Proven).map(drop)
            })?,
            Self::HostAgentDies => drop(kill_a_host_agent(stage)?),
            Self::HostAgentAndReplicaDie => {
                let replica = kill_a_host_agent(stage)?;
                stage.story.kill(&replica)?;
            }
        }
        Ok(nothing())
    }
}

fn pace() -> Value {
    json!({ "soak_ms": 0, "probation_ms": 0 })
}

fn good_goal(stage: &Stage) -> Value {
    // Behind what any earlier round has set, so that there is always something to change.
    json!({ "set": { "setting/limit": stage.round() + 1_000 }, "rollout": pace() })
}

fn kill_a_replica(stage: &mut Stage) -> anyhow::Result<()> {
    let replica = stage.some_replica()?;
    stage.story.kill(&replica)
}

fn kill_the_leader(stage: &mut Stage) -> anyhow::Result<()> {
    let (leader, _) = stage.story.leader()?;
    let pid = stage.story.pid(&leader)?;
    stage.story.dev.kill9(pid)
}

fn resign(stage: &mut Stage) -> anyhow::Result<()> {
    stage.insist("a leader that resigns", |stage| {
        let said = stage.story.dev.ctl(&["leader", "resign"])?;
        anyhow::ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    })
}

/// Seals a host agent under the next epoch, as a leader does that is quicker than the coordination service.
fn seal_unheard(stage: &mut Stage) -> anyhow::Result<()> {
    let (_, epoch) = stage.story.leader()?;
    let address = stage.story.dev.status()?["hosts"][0]["address"].as_str().map(ToOwned::to_owned);
    let address = address.context("the host has no address")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut agent = AgentClient::connect(address).await.context("reach the host agent")?;
        let request = SealRequest { cluster: "demo".to_owned(), epoch: epoch + 1, ..SealRequest::default() };
        // It dies of it, and says nothing any more.
        let _ = agent.seal(request).await;
        Ok(())
    })
}

/// Kills the agent of a host, and answers a replica of that host.
fn kill_a_host_agent(stage: &mut Stage) -> anyhow::Result<Replica> {
    let replica = stage.some_replica()?;
    let pid = stage.story.pid(&replica.host)?;
    stage.story.dev.kill9(pid)?;
    Ok(replica)
}

/// Has the leader die at another point first, with an order open that its successor must seal.
fn open_with(
    stage: &mut Stage,
    opening: &str,
    act: impl FnOnce(&mut Stage) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    stage.arm(opening, 0)?;
    act(stage)?;
    wait_for(&format!("the opening kill at {opening}"), OPENING_PATIENCE, || stage.take_killed(opening))?;
    Ok(())
}

/// A goal that would soak for long is taken back.
fn withdraw(stage: &mut Stage) -> anyhow::Result<()> {
    let mut goal = good_goal(stage);
    goal["rollout"] = json!({ "soak_ms": 60_000 });
    let id = stage.declare(&goal, Fate::Withdrawn)?;
    stage.insist("a leader that takes the goal back", |stage| {
        match admin::withdraw(&stage.story.dev, &id) {
            // By an earlier try, whose answer was lost.
            Err(error) if error.to_string().contains("is withdrawn already") => Ok(()),
            done => done.map(drop),
        }
    })
}

fn edit(stage: &mut Stage) -> anyhow::Result<()> {
    let mut spec = admin::value(&stage.story.dev, "replica/demo-c")?;
    spec["tags"] = json!({ "round": stage.round().to_string() });
    stage.append(&[("replica/demo-c", Some(spec))])
}
