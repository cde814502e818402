//! Stage: a running cluster whose crash points can be armed, and what was acknowledged to its operator.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use watchdog_proto::admin::GoalApplyRequest;
use watchdog_tests::dev::{Setup, program};
use watchdog_tests::story::{Backend, Replica, Story, runs};
use watchdog_tests::{admin, wait_for};

/// What everything must have happened by; an election alone takes two seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time-out of a probe: with several clusters on one machine a healthy replica may answer late.
const PROBE_PATIENCE: [&str; 2] = ["--probe-timeout-ms", "500"];
/// More goals than one cluster is given.
const GOALS_MAX: &str = "10000";
/// What a process that has live points must contain.
const SIGN: &[u8] = b"daemon.plan.committed";

/// How a goal must end, whoever dies meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// What it changes stands in the log, and is stable.
    Proven,
    /// It changes nothing, and is done.
    Done,
    /// What it changes was proven bad.
    Rejected,
    /// It was taken back.
    Withdrawn,
}

impl Fate {
    /// The status of such a goal.
    pub fn status(self) -> &'static str {
        match self {
            Self::Proven | Self::Done => "achieved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// See the module.
pub struct Stage {
    /// The cluster.
    pub story: Story,
    /// Goals that were taken, and how each must end.
    pub goals: Vec<(String, Fate)>,
    /// Versions of the log that an operator was told of.
    pub versions: Vec<u64>,
    points: tempfile::TempDir,
    rounds: AtomicU32,
}

impl Stage {
    /// Starts a cluster with a policy under which nobody has to wait for a second try.
    ///
    /// # Errors
    ///
    /// If the programs have no live points, or the cluster does not become ready.
    pub fn begin(backend: Backend) -> anyhow::Result<Self> {
        check_programs()?;
        let points = tempfile::tempdir().context("make the directory of the armed points")?;
        let told = points.path().to_str().context("the directory's name is no text")?.to_owned();
        let environment = vec![(watchdog_crash_points::VARIABLE.to_owned(), told)];
        let more = PROBE_PATIENCE.map(ToOwned::to_owned).to_vec();
        let story = Story::on(&Setup { environment, more, ..backend.setup()? })?;
        let stage =
            Self { story, goals: Vec::new(), versions: Vec::new(), points, rounds: AtomicU32::new(0) };
        let mut policy = admin::value(&stage.story.dev, "policy/healing")?;
        policy["backoff"] = json!({ "initial_ms": 0, "factor": 1.0, "max_ms": 0 });
        policy["flapping_deaths"] = json!(10_000);
        policy["heals_per_hour"] = json!(10_000);
        admin::append(&stage.story.dev, &[("policy/healing", Some(policy))])?;
        stage.until_at_rest()?;
        Ok(stage)
    }

    /// Has the process that next passes the point, after `skipped` others, die there.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn arm(&self, point: &str, skipped: u64) -> anyhow::Result<()> {
        std::fs::write(self.points.path().join(format!("{point}.armed")), skipped.to_string())
            .with_context(|| format!("arm {point}"))
    }

    /// Takes what is armed back.
    pub fn disarm(&self, point: &str) {
        // It may have been taken by who dies of it.
        let _ = std::fs::remove_file(self.points.path().join(format!("{point}.armed")));
    }

    /// The process that died at the point, once for each time.
    pub fn take_killed(&self, point: &str) -> Option<u32> {
        let prefix = format!("{point}.killed.");
        for entry in std::fs::read_dir(self.points.path()).ok()?.flatten() {
            let name: PathBuf = entry.file_name().into();
            let pid = name.to_str().and_then(|name| name.strip_prefix(&prefix)).map(str::parse);
            if let Some(Ok(pid)) = pid {
                std::fs::remove_file(entry.path()).ok()?;
                return Some(pid);
            }
        }
        None
    }

    /// A number that was not used before on this cluster.
    pub fn round(&self) -> u32 {
        self.rounds.fetch_add(1, Ordering::Relaxed)
    }

    /// A replica that serves; another one each time, so that each host has its turn.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn some_replica(&self) -> anyhow::Result<Replica> {
        let name = ["demo-a", "demo-b", "demo-c"][self.round() as usize % 3];
        self.story.replica(name)
    }

    /// Declares a goal, also across elections, and remembers it once it is acknowledged.
    ///
    /// # Errors
    ///
    /// If nobody takes it.
    pub fn declare(&mut self, goal: &Value, fate: Fate) -> anyhow::Result<String> {
        // The same at each try, so that an answer that was lost declares nothing twice.
        let request = format!("{}-{}", std::process::id(), self.points.path().display());
        let request = format!("{request}-{}", self.round());
        let apply = || GoalApplyRequest {
            goal_json: goal.to_string(),
            request: request.clone(),
            ..GoalApplyRequest::default()
        };
        let id = self
            .insist("a leader that takes the goal", |stage| admin::declare_as(&stage.story.dev, apply()))?;
        self.goals.push((id.clone(), fate));
        Ok(id)
    }

    /// Appends to the log, also across elections, and remembers the version once it is acknowledged.
    ///
    /// # Errors
    ///
    /// If nobody takes it.
    pub fn append(&mut self, changes: &[(&str, Option<Value>)]) -> anyhow::Result<()> {
        let version =
            self.insist("a leader that takes the change", |stage| admin::append(&stage.story.dev, changes))?;
        self.versions.push(version);
        Ok(())
    }

    /// Asks until it is answered.
    ///
    /// # Errors
    ///
    /// After a minute, with what was said last.
    pub fn insist<T>(&self, what: &str, ask: impl Fn(&Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut last = String::new();
        let answer = wait_for(what, PATIENCE, || match ask(self) {
            Ok(answer) => Some(answer),
            Err(error) => {
                last = format!("{error:#}");
                None
            }
        });
        answer.with_context(|| format!("it was last answered: {last}"))
    }

    /// Waits until every goal is over, every replica is well on one state, and nothing is left to do.
    ///
    /// # Errors
    ///
    /// After a minute, with the last status and the newest events.
    pub fn until_at_rest(&self) -> anyhow::Result<()> {
        // Before the status, which names no goal that a new leader has not looked at yet.
        self.insist("the end of every goal", Self::goals_are_over).with_context(|| self.story.tail())?;
        self.story.until("a cluster at rest", |status| {
            let rows = status["replicas"].as_array()?;
            let hash = &rows.first()?["state_hash"];
            let well = |row: &Value| {
                row["state"] == "healthy" && row["version"] == row["expected"] && row["state_hash"] == *hash
            };
            let calm = status["goal"].is_null() && status["plan"].is_null() && status["leader"].is_object();
            // What the status says may be older than the death of whom it names.
            let all = |kind: &str, count: usize| {
                let them = status[kind].as_array()?;
                let there = them.iter().all(|one| one["pid"].as_u64().is_some_and(is_there));
                (them.len() == count && there).then_some(())
            };
            all("replicas", 3).and(all("hosts", 2)).and(all("watchdogs", 3))?;
            let up = status["hosts"].as_array()?.iter().all(|host| host["state"] == "up");
            (calm && up && rows.iter().all(well)).then_some(())
        })
    }

    /// Every goal of the cluster.
    ///
    /// # Errors
    ///
    /// If nobody answers, or not with a list.
    pub fn goal_list(&self) -> anyhow::Result<Vec<Value>> {
        let mut reply = self.story.dev.json(&["goal", "list", "--limit", GOALS_MAX])?;
        match reply["goals"].take() {
            Value::Array(goals) => Ok(goals),
            other => anyhow::bail!("the goals are no list: {other}"),
        }
    }

    fn goals_are_over(&self) -> anyhow::Result<()> {
        let goals = self.goal_list()?;
        for (id, _) in &self.goals {
            let goal = goals.iter().find(|goal| goal["id"] == **id);
            let goal = goal.with_context(|| format!("goal {id} is not there"))?;
            anyhow::ensure!(goal["ended_at"].is_string(), "it goes on: {goal}");
        }
        Ok(())
    }
}

fn is_there(pid: u64) -> bool {
    u32::try_from(pid).is_ok_and(runs)
}

/// Whoever built one package by itself has programs without live points, and would wait for visits in vain.
fn check_programs() -> anyhow::Result<()> {
    for name in ["watchdog", "replica-agent", "scoring-server"] {
        let path = program(name)?;
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let variable = watchdog_crash_points::VARIABLE.as_bytes();
        let live = bytes.windows(variable.len()).any(|window| window == variable);
        let named = name != "watchdog" || bytes.windows(SIGN.len()).any(|window| window == SIGN);
        anyhow::ensure!(
            live && named,
            "{} has no live crash points: build it with `cargo xtask build`",
            path.display()
        );
    }
    Ok(())
}
