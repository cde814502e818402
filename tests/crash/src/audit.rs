//! Audit: what must hold once a cluster that lost a process is at rest again.
//!
//! | promise | read from |
//! | --- | --- |
//! | what was recorded stays as it was | the record, against the last look |
//! | an intent and its end are written once | the record |
//! | no order has effect twice | the logs of the replicas, the processes of the machine |
//! | at most one serving replica is touched at once | the record |
//! | nothing acknowledged is lost, and each goal ends as it must | goals, log |
//! | the log is whole | `log verify` |

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;
use watchdog_tests::story::runs;

use crate::stage::{Fate, Stage};

/// What was seen so far of one cluster.
#[derive(Debug, Default)]
pub struct Audit {
    /// Each entry of the record, as text.
    seen: BTreeMap<u64, String>,
    /// The hash of each version of the log.
    log: BTreeMap<u64, String>,
}

impl Audit {
    /// Looks at all of it.
    ///
    /// # Errors
    ///
    /// The first promise that is broken, with what was found.
    pub fn hold(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let events = stage.story.events()?;
        self.nothing_recorded_changes(&events)?;
        written_once(&events)?;
        budget_kept(&events)?;
        begun_once(stage)?;
        one_process_each(stage)?;
        acknowledged_stands(stage, &mut self.log)?;
        let verified = stage.story.dev.ctl(&["log", "verify"])?;
        let said = String::from_utf8_lossy(&verified.stderr);
        anyhow::ensure!(verified.status.success(), "log verify: {said}");
        Ok(())
    }

    fn nothing_recorded_changes(&mut self, events: &[Value]) -> anyhow::Result<()> {
        let now: BTreeMap<u64, String> =
            events.iter().map(|event| (event["sequence"].as_u64().unwrap_or(0), event.to_string())).collect();
        for (sequence, before) in &self.seen {
            let after = now.get(sequence).with_context(|| format!("entry {sequence} is gone: {before}"))?;
            anyhow::ensure!(before == after, "entry {sequence} was {before} and is {after}");
        }
        let expected: Vec<u64> = (1..=now.len() as u64).collect();
        anyhow::ensure!(now.keys().copied().eq(expected), "the record has a gap");
        self.seen = now;
        Ok(())
    }
}

/// What an event says, in full.
fn detail(event: &Value) -> Value {
    event["detail_json"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn written_once(events: &[Value]) -> anyhow::Result<()> {
    let mut written = BTreeSet::new();
    for event in events {
        let kind = text(&event["kind"]);
        if matches!(kind.as_str(), "step_intended" | "step_closed") {
            let step = text(&detail(event)["step"]);
            anyhow::ensure!(
                written.insert((kind.clone(), step.clone())),
                "{kind} of step {step} stands twice"
            );
        }
    }
    Ok(())
}

/// Who is touched while it serves: from a plan's first order for it to the end of the plan and of its orders.
#[derive(Default)]
struct Touched {
    dead: BTreeSet<String>,
    /// By plan: the replicas that served when they were first touched.
    held: BTreeMap<String, BTreeSet<String>>,
    /// Steps whose fate is open, and for whom they are.
    open: BTreeMap<String, String>,
    ended: BTreeSet<String>,
}

fn budget_kept(events: &[Value]) -> anyhow::Result<()> {
    let mut touched = Touched::default();
    let mut acts: BTreeMap<String, String> = BTreeMap::new();
    for event in events {
        let body = detail(event);
        if event["kind"] == "plan_recorded" {
            for step in body["plan"]["steps"].as_array().into_iter().flatten() {
                acts.insert(text(&step["id"]), text(&step["act"]["kind"]));
            }
        }
        touched.read(&text(&event["kind"]), &body, &acts);
        let now = touched.serving();
        anyhow::ensure!(now.len() <= 1, "{now:?} are touched at once, at entry {}", event["sequence"]);
    }
    Ok(())
}

impl Touched {
    fn read(&mut self, kind: &str, body: &Value, acts: &BTreeMap<String, String>) {
        let (plan, step, replica) = (text(&body["plan"]), text(&body["step"]), text(&body["replica"]));
        match kind {
            "died" => drop(self.dead.insert(text(&body["obituary"]["replica"]))),
            "step_intended" if !replica.is_empty() => {
                let act = acts.get(&step).map_or("", String::as_str);
                // A start is for who does not serve; looking touches nobody.
                if matches!(act, "drain" | "kill" | "load") && !self.dead.contains(&replica) {
                    self.held.entry(plan).or_default().insert(replica.clone());
                    self.open.insert(step, replica);
                } else if act == "start" {
                    self.dead.remove(&replica);
                }
            }
            "step_closed" => drop(self.open.remove(&step)),
            "plan_status" if !matches!(body["status"].as_str(), Some("running" | "awaiting_approval")) => {
                self.ended.insert(plan);
            }
            _ => {}
        }
        let open: BTreeSet<&String> = self.open.values().collect();
        for plan in &self.ended {
            if let Some(held) = self.held.get_mut(plan) {
                held.retain(|replica| open.contains(replica));
            }
        }
    }

    fn serving(&self) -> BTreeSet<&String> {
        self.held.values().flatten().filter(|replica| !self.dead.contains(*replica)).collect()
    }
}

/// No replica has begun a step twice, in whichever life.
fn begun_once(stage: &Stage) -> anyhow::Result<()> {
    let mut begun = BTreeSet::new();
    for host in ["h1", "h2"] {
        let logs = stage.story.dev.home().join("hosts").join(host).join("logs/demo");
        for entry in std::fs::read_dir(&logs).into_iter().flatten().flatten() {
            let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
            log.lines().try_for_each(|line| note_begun(line, &mut begun))?;
        }
    }
    Ok(())
}

/// Reads a line that an embedded agent has written.
fn note_begun(line: &str, begun: &mut BTreeSet<String>) -> anyhow::Result<()> {
    if !line.contains("step begins") {
        return Ok(());
    }
    let step = line.split_whitespace().find_map(|word| word.strip_prefix("step="));
    let step = step.with_context(|| format!("a step without a name: {line}"))?;
    anyhow::ensure!(begun.insert(step.to_owned()), "step {step} was begun twice");
    Ok(())
}

/// Of each replica one process runs, and it is the one that the status names.
fn one_process_each(stage: &Stage) -> anyhow::Result<()> {
    let mut named: BTreeMap<String, u32> = BTreeMap::new();
    for replica in stage.story.healthy()? {
        anyhow::ensure!(runs(replica.pid), "{} is healthy and does not run", replica.name);
        named.insert(replica.name, replica.pid);
    }
    let home = stage.story.dev.home();
    let mut running: BTreeMap<String, u32> = BTreeMap::new();
    for pid in pids() {
        let Some((replica, file)) = carried(pid) else { continue };
        if file.starts_with(&home.display().to_string())
            && let Some(other) = running.insert(replica.clone(), pid)
        {
            anyhow::bail!("{replica} runs twice: {other} and {pid}");
        }
    }
    anyhow::ensure!(running == named, "running: {running:?}, in the status: {named:?}");
    Ok(())
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Which replica a process is, and of which state file.
fn carried(pid: u32) -> Option<(String, String)> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok().filter(|_| runs(pid))?;
    let variables = String::from_utf8_lossy(&bytes).into_owned();
    let of = |name: &str| {
        let found = variables.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(ToOwned::to_owned)
    };
    Some((of("WATCHDOG_REPLICA")?, of("WATCHDOG_STATE_FILE")?))
}

/// A goal that was acknowledged is there, and ended as it had to.
fn ended_as(goals: &[Value], id: &str, fate: Fate) -> anyhow::Result<()> {
    let goal = goals.iter().find(|goal| goal["id"] == id);
    let goal = goal.with_context(|| format!("goal {id} was acknowledged and is gone"))?;
    anyhow::ensure!(goal["status"] == fate.status(), "goal {id} must be {}: {goal}", fate.status());
    // Who finds that nothing is left to do for it has not proven what it brought.
    let moved = goal["to"].as_u64() > goal["base"].as_u64();
    anyhow::ensure!(fate != Fate::Proven || moved, "goal {id} ended without its changes: {goal}");
    Ok(())
}

/// Goals and versions that an operator was told of are there, and what the log once held is as it was.
fn acknowledged_stands(stage: &Stage, log: &mut BTreeMap<u64, String>) -> anyhow::Result<()> {
    let goals = stage.goal_list()?;
    stage.goals.iter().try_for_each(|(id, fate)| ended_as(&goals, id, *fate))?;
    let reply = stage.story.dev.json(&["log", "list", "--from", "1", "--limit", "10000"])?;
    let entries = reply["entries"].as_array().context("the log is no list")?;
    let now: BTreeMap<u64, String> =
        entries.iter().map(|entry| (entry["version"].as_u64().unwrap_or(0), text(&entry["hash"]))).collect();
    for (version, before) in &*log {
        let after = now.get(version).with_context(|| format!("version {version} of the log is gone"))?;
        anyhow::ensure!(before == after, "version {version} had hash {before} and has {after}");
    }
    let of_tests = |version: &u64| {
        entries.iter().any(|entry| entry["version"] == *version && entry["author"] == "tests")
    };
    let lost = stage.versions.iter().find(|version| !of_tests(version));
    anyhow::ensure!(lost.is_none(), "version {lost:?} was acknowledged and is not in the log");
    *log = now;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn event(sequence: u64, kind: &str, body: &Value) -> Value {
        json!({ "sequence": sequence, "kind": kind, "detail_json": body.to_string() })
    }

    fn step(kind: &str, plan: &str, step: &str, replica: &str) -> Value {
        event(0, kind, &json!({ "plan": plan, "step": step, "replica": replica }))
    }

    fn plan(id: &str, step: &str, act: &str) -> Value {
        let steps = json!([{ "id": step, "act": { "kind": act } }]);
        event(0, "plan_recorded", &json!({ "plan": { "id": id, "steps": steps } }))
    }

    #[test]
    fn an_entry_that_changes_or_goes_is_noticed() {
        let (one, two) = (event(1, "died", &json!({})), event(2, "sealed", &json!({})));
        let mut audit = Audit::default();
        audit.nothing_recorded_changes(&[one.clone(), two.clone()]).unwrap();
        audit.nothing_recorded_changes(&[one.clone(), two.clone(), event(3, "died", &json!({}))]).unwrap();
        assert!(audit.nothing_recorded_changes(&[one.clone(), two]).is_err(), "the third is gone");
        assert!(Audit::default().nothing_recorded_changes(&[one, event(3, "died", &json!({}))]).is_err());
    }

    #[test]
    fn a_second_intent_or_end_of_a_step_is_noticed() {
        let (begun, over) = (step("step_intended", "p", "s", "a"), step("step_closed", "p", "s", "a"));
        written_once(&[begun.clone(), over.clone()]).unwrap();
        assert!(written_once(&[begun.clone(), begun.clone()]).is_err());
        assert!(written_once(&[begun, over.clone(), over]).is_err());
    }

    #[test]
    fn two_that_serve_are_not_touched_at_once() {
        let first = [plan("p", "s", "load"), step("step_intended", "p", "s", "a")];
        let second = [plan("q", "t", "drain"), step("step_intended", "q", "t", "b")];
        let over = [
            step("step_closed", "p", "s", "a"),
            event(0, "plan_status", &json!({ "plan": "p", "status": "done" })),
        ];
        let ended = [over[1].clone()];
        let dead = [event(0, "died", &json!({ "obituary": { "replica": "a" } }))];
        budget_kept(&[&first[..], &over, &second].concat()).unwrap();
        budget_kept(&[&dead[..], &first, &second].concat()).unwrap();
        assert!(budget_kept(&[&first[..], &second].concat()).is_err());
        assert!(budget_kept(&[&first[..], &ended, &second].concat()).is_err(), "its order is still open");
    }

    #[test]
    fn a_goal_that_is_lost_or_ends_otherwise_is_noticed() {
        let achieved =
            |base: Value, to: Value| json!({ "id": "g", "status": "achieved", "base": base, "to": to });
        ended_as(&[achieved(json!(7), json!(8))], "g", Fate::Proven).unwrap();
        assert!(ended_as(&[achieved(json!(7), json!(8))], "g", Fate::Rejected).is_err());
        assert!(ended_as(&[achieved(Value::Null, Value::Null)], "g", Fate::Proven).is_err());
        assert!(ended_as(&[], "g", Fate::Proven).is_err());
    }

    #[test]
    fn a_step_that_was_begun_twice_is_noticed() {
        let line = "2026-11-24T20:36:25Z  INFO replica_agent::server: step begins step=1-3-1 epoch=1";
        let mut begun = BTreeSet::new();
        note_begun(line, &mut begun).unwrap();
        note_begun("2026-11-24T20:36:26Z  INFO replica_agent::server: step worked step=1-3-1", &mut begun)
            .unwrap();
        assert_eq!(begun.len(), 1);
        assert!(note_begun(line, &mut begun).is_err());
    }
}
