//! Ledger: what the agents wrote down themselves: a host agent in its ledger, an embedded one in the replica's log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

/// Hexadecimal digits of the checksum in front of each line, and a blank.
const CHECKSUM: usize = 17;

/// A step that an agent has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its id, which begins with the epoch.
    pub step: String,
    /// Under which epoch.
    pub epoch: u64,
    /// What is done: `start`, `kill`, `load`; an embedded agent does not say.
    pub act: String,
    /// To whom.
    pub replica: String,
    /// To which life; an embedded agent does not say.
    pub incarnation: String,
}

/// A death that a host agent has recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Whose.
    pub replica: String,
    /// Which life.
    pub incarnation: String,
    /// How it ended.
    pub status: String,
    /// When it was found dead.
    pub at_ms: u64,
}

/// What one host agent wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The steps, in the order in which they were begun.
    pub begun: Vec<Begun>,
    /// The deaths.
    pub dead: Vec<Dead>,
}

/// The epoch that an id of a step begins with.
pub fn epoch_of(step: &str) -> u64 {
    step.split('-').next().and_then(|epoch| epoch.parse().ok()).unwrap_or_default()
}

/// Reads the ledger on the disk of a host.
///
/// # Errors
///
/// If there is none, or a line in it is none.
pub fn read(disk: &Path) -> anyhow::Result<Ledger> {
    let path = disk.join("ledger");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    parse(&text)
}

/// The highest epoch that a host agent has on disk.
pub fn newest_epoch(disk: &Path) -> Option<u64> {
    let text = fs::read_to_string(disk.join("ledger")).ok()?;
    let entries = text.lines().filter_map(entry);
    entries.filter(|entry| entry["entry"] == "epoch").filter_map(|entry| entry["epoch"].as_u64()).max()
}

fn entry(line: &str) -> Option<Value> {
    serde_json::from_str(line.get(CHECKSUM..)?).ok()
}

fn parse(text: &str) -> anyhow::Result<Ledger> {
    let mut ledger = Ledger::default();
    // The last line may be under way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let entry = entry(line).with_context(|| format!("a ledger holds the line {line:?}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match entry["entry"].as_str() {
            Some("begun") => ledger.begun.push(Begun {
                epoch: epoch_of(entry["step"].as_str().unwrap_or_default()),
                step: text(&entry["step"]),
                act: text(&entry["act"]),
                replica: text(&entry["replica"]),
                incarnation: text(&entry["incarnation"]),
            }),
            Some("dead") => ledger.dead.push(Dead {
                replica: text(&entry["obituary"]["replica"]),
                incarnation: text(&entry["obituary"]["incarnation"]),
                status: text(&entry["obituary"]["status"]),
                at_ms: entry["obituary"]["at_ms"].as_u64().unwrap_or_default(),
            }),
            _ => {}
        }
    }
    Ok(ledger)
}

/// Reads what the agents embedded in the replicas of a host began, by replica.
///
/// # Errors
///
/// If the logs can't be read.
pub fn read_embedded(disk: &Path) -> anyhow::Result<BTreeMap<String, Vec<Begun>>> {
    let directory = disk.join("logs").join(crate::site::CLUSTER);
    let mut all = BTreeMap::new();
    let Ok(files) = fs::read_dir(&directory) else { return Ok(all) };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some(replica) = name.strip_suffix(".err") {
            let bytes = fs::read(file.path()).with_context(|| format!("read {}", file.path().display()))?;
            all.insert(replica.to_owned(), parse_embedded(replica, &String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(all)
}

fn parse_embedded(replica: &str, text: &str) -> Vec<Begun> {
    let steps = text.lines().filter_map(|line| {
        let rest = line.split_once("step begins step=")?.1;
        let (step, epoch) = rest.split_once(" epoch=")?;
        let epoch = epoch.trim().parse().ok()?;
        Some(Begun {
            step: step.to_owned(),
            epoch,
            act: String::new(),
            replica: replica.to_owned(),
            incarnation: String::new(),
        })
    });
    steps.collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_agents_are_read() {
        let text = concat!(
            r#"0123456789abcdef {"entry":"ledger","format":1,"instance":"i","host":"h1"}"#,
            "\n",
            r#"0123456789abcdef {"entry":"begun","cluster":"demo","step":"4-1-2","replica":"a","incarnation":"x","act":"kill"}"#,
            "\n",
            r#"0123456789abcdef {"entry":"dead","cluster":"demo","obituary":{"replica":"a","incarnation":"x","status":"exit 1","at_ms":7}}"#,
            "\n0123456789abcdef {\"entry\":\"be",
        );
        let ledger = parse(text).unwrap();
        assert_eq!((ledger.begun[0].epoch, ledger.begun[0].act.as_str()), (4, "kill"));
        assert_eq!((ledger.dead[0].at_ms, ledger.dead[0].status.as_str()), (7, "exit 1"));
        assert!(parse("garbage\n").is_err(), "what can't be read is not passed over");

        let log = "… INFO replica_agent::server: step begins step=12-3-1 epoch=12\n… INFO other\n";
        let begun = parse_embedded("a", log);
        assert_eq!((begun.len(), begun[0].step.as_str(), begun[0].epoch), (1, "12-3-1", 12));
    }
}
