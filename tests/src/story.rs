//! Story: the words in which an end-to-end test tells an incident.
//!
//! ```text
//! let story = Story::begin(Backend::Embedded)?;
//! let dead = story.replica("demo-b")?;
//! story.kill(&dead)?;
//! let heir = story.until_replaced(&dead)?;
//! ```

use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;

use crate::dev::{Dev, Setup};
use crate::{admin, postgres, wait_for, zookeeper};

/// What everything must have happened by; a loaded machine is slow, a broken product is slower.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// On what the product is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Embedded coordination and SQLite: what `watchdog dev` does by itself.
    Embedded,
    /// Three ZooKeeper nodes and PostgreSQL, shared by the test process.
    Real,
}

impl Backend {
    /// The set-up for `watchdog dev`.
    ///
    /// # Errors
    ///
    /// If ZooKeeper or PostgreSQL can't be started.
    pub fn setup(self) -> anyhow::Result<Setup> {
        Ok(match self {
            Self::Embedded => Setup::default(),
            Self::Real => Setup {
                coordination: Some(zookeeper::shared()?.url()),
                journal: Some(postgres::shared()?),
                ..Setup::default()
            },
        })
    }
}

/// A row of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Which life of it.
    pub incarnation: String,
    /// Where it answers.
    pub address: String,
    /// How it is.
    pub state: String,
    /// What it holds.
    pub version: u64,
    /// The hash of what it holds.
    pub state_hash: String,
}

/// A running cluster, and what happens to it.
#[derive(Debug)]
pub struct Story {
    /// The cluster.
    pub dev: Dev,
}

impl Story {
    /// Begins with a healthy cluster.
    ///
    /// # Errors
    ///
    /// If it does not become ready.
    pub fn begin(backend: Backend) -> anyhow::Result<Self> {
        Self::with(backend, &[])
    }

    /// The same, with more arguments for `watchdog dev`.
    ///
    /// # Errors
    ///
    /// If it does not become ready.
    pub fn with(backend: Backend, more: &[&str]) -> anyhow::Result<Self> {
        let more = more.iter().map(ToString::to_string).collect();
        Self::on(&Setup { more, ..backend.setup()? })
    }

    /// The same, on a set-up of the test's own.
    ///
    /// # Errors
    ///
    /// If it does not become ready.
    pub fn on(setup: &Setup) -> anyhow::Result<Self> {
        Ok(Self { dev: Dev::start(setup)? })
    }

    /// One replica as it is now.
    ///
    /// # Errors
    ///
    /// If it has no live process.
    pub fn replica(&self, name: &str) -> anyhow::Result<Replica> {
        self.until(&format!("{name} as a row of the status"), |status| replica_in(status, name))
    }

    /// All replicas that are healthy now.
    ///
    /// # Errors
    ///
    /// If nobody leads.
    pub fn healthy(&self) -> anyhow::Result<Vec<Replica>> {
        let status = self.until("a leader", |status| status["leader"].is_object().then(|| status.clone()))?;
        let rows = status["replicas"].as_array().context("the status has no replicas")?;
        let all = rows.iter().filter_map(|row| replica_in(&status, row["replica"].as_str()?));
        Ok(all.filter(|replica| replica.state == "healthy").collect())
    }

    /// The process of a host agent (`h1`) or a watchdog (`w1`).
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn pid(&self, name: &str) -> anyhow::Result<u32> {
        self.until(&format!("the process of {name}"), |status| {
            let hosts = status["hosts"].as_array()?.iter().filter(|host| host["host"] == name);
            let watchdogs = status["watchdogs"].as_array()?.iter().filter(|watchdog| watchdog["id"] == name);
            let found = hosts.chain(watchdogs).next()?;
            u32::try_from(found["pid"].as_u64()?).ok().filter(|pid| *pid > 0)
        })
    }

    /// Who leads, and under which epoch.
    ///
    /// # Errors
    ///
    /// If nobody does for too long.
    pub fn leader(&self) -> anyhow::Result<(String, u64)> {
        self.until("a leader", |status| {
            let leader = &status["leader"];
            Some((leader["id"].as_str()?.to_owned(), leader["epoch"].as_u64()?))
        })
    }

    /// `kill -9`.
    ///
    /// # Errors
    ///
    /// If it can't be signalled.
    pub fn kill(&self, replica: &Replica) -> anyhow::Result<()> {
        self.dev.kill9(replica.pid)
    }

    /// Stops processes, as a machine does that hangs.
    ///
    /// # Errors
    ///
    /// If one can't be signalled.
    pub fn freeze(&self, pids: &[u32]) -> anyhow::Result<()> {
        pids.iter().try_for_each(|pid| self.dev.signal(*pid, Signal::STOP))
    }

    /// Lets them go on.
    ///
    /// # Errors
    ///
    /// If one can't be signalled.
    pub fn thaw(&self, pids: &[u32]) -> anyhow::Result<()> {
        pids.iter().try_for_each(|pid| self.dev.signal(*pid, Signal::CONT))
    }

    /// Waits until the status shows what `look` looks for.
    ///
    /// # Errors
    ///
    /// After [`PATIENCE`], with the last status and the newest events.
    pub fn until<T>(&self, what: &str, look: impl Fn(&Value) -> Option<T>) -> anyhow::Result<T> {
        self.dev.wait_for_status(what, PATIENCE, look).with_context(|| self.tail())
    }

    /// Waits for another, healthy life of `old`.
    ///
    /// # Errors
    ///
    /// As [`Story::until`].
    pub fn until_replaced(&self, old: &Replica) -> anyhow::Result<Replica> {
        let heir = self.until(&format!("a healthy replacement of {}", old.name), |status| {
            let now = replica_in(status, &old.name)?;
            (now.incarnation != old.incarnation && now.state == "healthy").then_some(now)
        })?;
        anyhow::ensure!(!runs(old.pid), "the old process {} of {} still runs", old.pid, old.name);
        Ok(heir)
    }

    /// Waits until every replica is healthy on the expected version.
    ///
    /// # Errors
    ///
    /// As [`Story::until`].
    pub fn until_all_healthy(&self) -> anyhow::Result<()> {
        self.until("every replica healthy on the expected version", |status| {
            let rows = status["replicas"].as_array()?;
            let well = |row: &Value| row["state"] == "healthy" && row["version"] == row["expected"];
            (!rows.is_empty() && rows.iter().all(well)).then_some(())
        })
    }

    /// The hash of what all replicas hold, each of them healthy on what it should hold.
    ///
    /// # Errors
    ///
    /// If they don't come to hold the same.
    pub fn until_all_hold_one_state(&self) -> anyhow::Result<String> {
        self.until("every replica healthy on one state, and that is stable", |status| {
            let rows = status["replicas"].as_array()?;
            let well = |row: &Value| row["state"] == "healthy" && row["version"] == row["expected"];
            let hash = rows.first()?["state_hash"].as_str()?;
            let same = rows.iter().all(|row| well(row) && row["state_hash"] == hash);
            (same && status["goal"].is_null() && status["plan"].is_null()).then(|| hash.to_owned())
        })
    }

    /// The record so far, oldest first.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn events(&self) -> anyhow::Result<Vec<Value>> {
        let events = self.dev.json(&["events"])?;
        Ok(events.as_array().context("the events are no list")?.clone())
    }

    /// The number of the newest entry of the record.
    ///
    /// # Errors
    ///
    /// If the record can't be read.
    pub fn now(&self) -> anyhow::Result<u64> {
        let events = self.events()?;
        Ok(events.last().and_then(|event| event["sequence"].as_u64()).unwrap_or(0))
    }

    /// Waits for an entry after `since` that fits.
    ///
    /// # Errors
    ///
    /// After [`PATIENCE`], with the newest events.
    pub fn until_event(
        &self,
        what: &str,
        since: u64,
        fits: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let newer = |event: &Value| event["sequence"].as_u64().is_some_and(|sequence| sequence > since);
        let found = wait_for(what, PATIENCE, || {
            let events = self.events().ok()?;
            events.into_iter().find(|event| newer(event) && fits(event))
        });
        found.with_context(|| self.tail())
    }

    /// The kinds of step of the plans that dealt with `replica` after `since`, in order.
    ///
    /// # Errors
    ///
    /// If the record can't be read.
    pub fn steps_for(&self, replica: &str, since: u64) -> anyhow::Result<Vec<String>> {
        let mut kinds = Vec::new();
        for event in self.events()? {
            if event["kind"] != "plan_recorded" || event["sequence"].as_u64() <= Some(since) {
                continue;
            }
            let detail: Value = serde_json::from_str(event["detail_json"].as_str().unwrap_or("null"))?;
            let steps = detail["plan"]["steps"].as_array().cloned().unwrap_or_default();
            let ours = steps.iter().filter(|step| step["replica"] == replica);
            kinds.extend(ours.filter_map(|step| step["act"]["kind"].as_str().map(ToOwned::to_owned)));
        }
        Ok(kinds)
    }

    /// What `watchdogctl why` says, as JSON.
    ///
    /// # Errors
    ///
    /// If it can't be asked.
    pub fn why(&self, replica: &str) -> anyhow::Result<Value> {
        self.dev.json(&["why", replica])
    }

    /// Waits for a refusal of this kind in the status; answers its sentence.
    ///
    /// # Errors
    ///
    /// As [`Story::until`].
    pub fn until_refused(&self, kind: &str) -> anyhow::Result<String> {
        self.until(&format!("a refusal of kind {kind}"), |status| {
            let refusals = status["refusals"].as_array()?;
            let found = refusals.iter().find(|refusal| refusal["kind"] == kind)?;
            Some(found["sentence"].as_str()?.to_owned())
        })
    }

    /// Declares a goal; answers its id.
    ///
    /// # Errors
    ///
    /// If the leader refuses it.
    pub fn declare(&self, goal: &Value) -> anyhow::Result<String> {
        admin::declare(&self.dev, goal)
    }

    /// Waits until a goal is over, and answers it; also across elections.
    ///
    /// # Errors
    ///
    /// After [`PATIENCE`], with the goal as it was last and the newest events.
    pub fn until_over(&self, goal: &str) -> anyhow::Result<Value> {
        self.until_goal(goal, "the end", |view| view["ended_at"].is_string())
    }

    /// Waits until a goal is as `fits` says.
    ///
    /// # Errors
    ///
    /// As [`Story::until_over`].
    pub fn until_goal(&self, goal: &str, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let last = std::cell::RefCell::new(Value::Null);
        let found = wait_for(&format!("{what} of goal {goal}"), PATIENCE, || {
            let view = admin::goal(&self.dev, goal).ok()?;
            *last.borrow_mut() = view.clone();
            fits(&view).then_some(view)
        });
        found.with_context(|| format!("the goal was {:#}\n{}", last.borrow(), self.tail()))
    }

    /// The newest events, for a failure's message.
    pub fn tail(&self) -> String {
        let events = self.events().unwrap_or_default();
        let newest = events.iter().rev().take(25).rev();
        let lines: Vec<String> =
            newest.map(|event| format!("  {} {} {}", event["at"], event["kind"], event["message"])).collect();
        format!("the newest events:\n{}", lines.join("\n"))
    }
}

/// Whether a process is there and not a zombie.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

fn replica_in(status: &Value, name: &str) -> Option<Replica> {
    let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == name)?;
    let text = |field: &str| row[field].as_str().map(ToOwned::to_owned);
    Some(Replica {
        name: name.to_owned(),
        host: text("host")?,
        pid: u32::try_from(row["pid"].as_u64()?).ok()?,
        incarnation: text("incarnation")?,
        address: text("address")?,
        state: text("state")?,
        version: row["version"].as_u64()?,
        state_hash: text("state_hash")?,
    })
}
