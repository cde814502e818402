//! Scene: the running cluster, in the words in which a scenario tells an incident and checks how it ended.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use uuid::Uuid;
use watchdog_core::record::Body;
use watchdog_proto::admin::{ClusterStatus, GoalApplyRequest, GoalRestoreRequest, GoalView, ReplicaView};

use super::record::Record;
use crate::config::JournalUrl;
use crate::dev::client::{Answers, Client};
use crate::dev::founding::Shape;
use crate::dev::progress::missing;
use crate::dev::timeline::Timeline;
use crate::dev::{CLUSTER, say, sweep};

const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// In the metadata of a refusal by who does not lead.
const NOT_LEADER: &str = "watchdog-leader";

/// One life of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) replica: String,
    pub(super) pid: u32,
    pub(super) incarnation: String,
    pub(super) address: String,
    /// The hash of what it holds.
    pub(super) state_hash: String,
}

/// The leading watchdog.
#[derive(Debug, Clone)]
pub(super) struct Leader {
    pub(super) id: String,
    pub(super) pid: u32,
    pub(super) epoch: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) client: &'a Client,
    pub(super) timeline: &'a Timeline<'a>,
    pub(super) home: &'a Path,
    /// Where its record is kept.
    pub(super) journal: &'a JournalUrl,
    /// What its replicas have in common.
    pub(super) shape: Shape,
    /// When all must be over.
    pub(super) deadline: Instant,
}

/// Says what is done to the cluster, or what is found.
pub(super) fn narrate(line: impl std::fmt::Display) {
    say(format_args!("── {line}"));
}

/// Says that something holds, or fails with what was found instead.
///
/// # Errors
///
/// If it does not hold.
pub(super) fn check(expected: &str, holds: bool, found: impl std::fmt::Display) -> anyhow::Result<()> {
    anyhow::ensure!(holds, "expected: {expected}; found: {found}");
    narrate(format_args!("check: {expected}"));
    Ok(())
}

impl Scene<'_> {
    /// Looks at the cluster until `look` finds what it looks for.
    ///
    /// # Errors
    ///
    /// At the deadline, with `what` and what is missing then.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        look: impl Fn(&ClusterStatus) -> Option<T>,
    ) -> anyhow::Result<T> {
        loop {
            let answers = self.client.ask_all().await;
            if let Some(found) = answers.status.as_ref().and_then(&look) {
                return Ok(found);
            }
            self.pause(what, || unrest(&answers).join("; ")).await?;
        }
    }

    /// Waits until all is well and nothing is left to do, and tells the timeline until then.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`].
    pub(super) async fn settled(&self) -> anyhow::Result<ClusterStatus> {
        loop {
            let answers = self.client.ask_all().await;
            let unrest = unrest(&answers);
            if let (Some(status), true) = (&answers.status, unrest.is_empty()) {
                self.timeline.catch_up().await?;
                return Ok(status.clone());
            }
            self.pause("a cluster that is well and at rest", || unrest.join("; ")).await?;
        }
    }

    /// One replica as it is now.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`], if it is not healthy.
    pub(super) async fn replica(&self, name: &str) -> anyhow::Result<Life> {
        self.until(&format!("{name}, healthy"), |status| {
            lives(status).into_iter().find(|it| it.replica == name)
        })
        .await
    }

    /// Who leads.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`], if nobody does.
    pub(super) async fn leader(&self) -> anyhow::Result<Leader> {
        self.until("a leader", leader).await
    }

    /// Sends a signal to one process of the cluster.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub(super) fn signal(&self, pid: u32, signal: Signal) -> anyhow::Result<()> {
        sweep::signal(self.home, pid, signal)
    }

    /// Whether a process of the cluster is there.
    pub(super) fn runs(&self, pid: u32) -> bool {
        sweep::runs(self.home, pid)
    }

    /// Declares a goal, also across an election; answers its id.
    ///
    /// # Errors
    ///
    /// If the leader refuses it, or there is none until the deadline.
    pub(super) async fn declare(&self, goal: &Value) -> anyhow::Result<String> {
        let request = GoalApplyRequest {
            cluster: CLUSTER.to_owned(),
            goal_json: goal.to_string(),
            by: "watchdog dev".to_owned(),
            // The same at each try, so that an answer that was lost declares nothing twice.
            request: Uuid::now_v7().to_string(),
            ..GoalApplyRequest::default()
        };
        loop {
            let leader = self.client.ask_all().await.leader_and_head();
            let fault = match leader {
                Some((url, _)) => match self.client.declare(&url, request.clone()).await {
                    Ok(reply) => return Ok(reply.id),
                    Err(status) if is_refusal(&status) => {
                        return Err(anyhow::anyhow!("the goal was refused: {}", status.message()));
                    }
                    Err(status) => status.message().to_owned(),
                },
                None => "nobody leads".to_owned(),
            };
            self.pause("a leader that takes the goal", || fault).await?;
        }
    }

    /// Makes an earlier version stable again; answers what the leader says.
    ///
    /// # Errors
    ///
    /// If the leader refuses it, or there is none.
    pub(super) async fn restore(&self, version: u64, reason: &str) -> anyhow::Result<String> {
        let (cluster, reason, by) = (CLUSTER.to_owned(), reason.to_owned(), "watchdog dev".to_owned());
        let request = GoalRestoreRequest { cluster, version, reason, by };
        let (leader, _) = self.client.ask_all().await.leader_and_head().context("nobody leads")?;
        let done = self.client.restore(&leader, request).await;
        done.map_err(|status| anyhow::anyhow!("it was refused: {}", status.message()))
    }

    /// Looks at a goal until `look` finds what it looks for.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`], with the goal as it was last.
    pub(super) async fn until_goal<T>(
        &self,
        id: &str,
        what: &str,
        look: impl Fn(&GoalView) -> Option<T>,
    ) -> anyhow::Result<T> {
        loop {
            let view = match self.client.ask_all().await.leader_and_head() {
                Some((url, _)) => {
                    self.client.goal(&url, id).await.map_err(|status| status.message().to_owned())
                }
                None => Err("nobody leads".to_owned()),
            };
            if let Some(found) = view.as_ref().ok().and_then(&look) {
                return Ok(found);
            }
            let said = || view.map_or_else(|fault| fault, |view| describe(&view));
            self.pause(&format!("goal {id} {what}"), said).await?;
        }
    }

    /// Waits until a goal is over and the cluster at rest; answers how the goal ended, and the cluster.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`].
    pub(super) async fn until_over(&self, id: &str) -> anyhow::Result<(GoalView, ClusterStatus)> {
        let over = |view: &GoalView| view.ended_at.is_some().then(|| view.clone());
        let goal = self.until_goal(id, "to be over", over).await?;
        // What is taken back is stable only when the log says so.
        let proven = |status: &ClusterStatus| (status.stable == Some(status.head)).then_some(());
        self.until("the head of the log to be stable", proven).await?;
        Ok((goal, self.settled().await?))
    }

    /// Waits until something is recorded that fits.
    ///
    /// # Errors
    ///
    /// As [`Scene::until`].
    pub(super) async fn until_recorded(
        &self,
        what: &str,
        fits: impl Fn(&Body) -> bool,
    ) -> anyhow::Result<()> {
        while !self.record().await?.tells(&fits) {
            self.pause(what, || "no such entry in the record".to_owned()).await?;
        }
        Ok(())
    }

    /// What was recorded since the scenario began; the timeline is told until then, too.
    ///
    /// # Errors
    ///
    /// If no watchdog answers.
    pub(super) async fn record(&self) -> anyhow::Result<Record> {
        self.timeline.catch_up().await?;
        Record::read(&self.timeline.all().await?)
    }

    async fn pause(&self, what: &str, found: impl FnOnce() -> String) -> anyhow::Result<()> {
        anyhow::ensure!(Instant::now() < self.deadline, "waited in vain for {what}; found: {}", found());
        sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// Every replica that is healthy, in the order of their names.
pub(super) fn lives(status: &ClusterStatus) -> Vec<Life> {
    status.replicas.iter().filter(|replica| replica.state == "healthy").filter_map(life).collect()
}

fn life(replica: &ReplicaView) -> Option<Life> {
    Some(Life {
        replica: replica.replica.clone(),
        pid: replica.pid?,
        incarnation: replica.incarnation.clone()?,
        address: replica.address.clone()?,
        state_hash: replica.state_hash.clone()?,
    })
}

/// Who leads, as far as a status tells.
pub(super) fn leader(status: &ClusterStatus) -> Option<Leader> {
    let leader = status.leader.as_ref()?;
    let row = status.watchdogs.iter().find(|watchdog| watchdog.id == leader.id)?;
    Some(Leader { id: leader.id.clone(), pid: row.pid, epoch: leader.epoch })
}

/// What is not well, or still being done.
fn unrest(answers: &Answers) -> Vec<String> {
    let mut unrest = missing(answers);
    let Some(status) = &answers.status else { return unrest };
    unrest.extend(status.plan.iter().map(|plan| format!("plan {plan} is open")));
    unrest.extend(status.goal.iter().map(|goal| format!("goal {goal} rolls")));
    unrest
}

fn describe(goal: &GoalView) -> String {
    let refusals = goal.refusals.iter().map(|refusal| &refusal.sentence);
    let words =
        [&goal.status, &goal.why].into_iter().chain(&goal.stage).chain(&goal.stage_detail).chain(refusals);
    words.filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// Whether asking again would be answered the same.
fn is_refusal(status: &Status) -> bool {
    let refused = matches!(status.code(), Code::InvalidArgument | Code::Aborted | Code::FailedPrecondition);
    refused && status.metadata().get(NOT_LEADER).is_none()
}
