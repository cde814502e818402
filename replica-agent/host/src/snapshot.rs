//! Snapshot: the bounded picture of a process, taken before anything destroys it.
//!
//! Everything is read from /proc, so a stopped or hanging process can be
//! pictured too, and each part says when the budget ran out before it.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use watchdog_core::ids::{ClusterId, Incarnation, ReplicaId, StepId};

use crate::clock;
use crate::guest_files;
use crate::supervisor::{Kept, Supervisor, Tree};

/// The largest picture, in bytes.
const PICTURE_BYTES_MAX: usize = 256 * 1024;
/// How much of each log it holds.
const LOG_BYTES: u64 = 8 * 1024;
/// How many threads, files and sockets it holds.
const LIST_MAX: usize = 128;
/// How much longer than its budget a picture may take, and how long the disk to keep it.
const LATE: Duration = Duration::from_millis(500);
/// How many pictures are kept on disk.
const KEPT_MAX: usize = 64;

/// Takes a picture of an incarnation, dead or alive, as JSON text.
pub(crate) async fn take(
    supervisor: &Arc<Supervisor>,
    cluster: &ClusterId,
    (replica, incarnation): (ReplicaId, Incarnation),
    budget: Duration,
) -> String {
    let kept = supervisor.find(incarnation);
    let logs = supervisor.dirs.logs(cluster, &replica);
    let picture = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + budget;
        let mut picture = Map::new();
        picture.insert("replica".into(), json!(replica));
        picture.insert("incarnation".into(), json!(incarnation));
        picture.insert("at_ms".into(), json!(clock::now_ms()));
        if let Some(kept) = kept {
            add_process(&mut picture, &kept, deadline);
        }
        for (name, path) in ["stdout_tail", "stderr_tail"].into_iter().zip(&logs) {
            add(&mut picture, deadline, name, || tail(path).map(Value::String));
        }
        bounded(picture)
    });
    match tokio::time::timeout(budget + LATE, picture).await {
        Ok(Ok(picture)) => picture,
        Ok(Err(_)) => json!({"error": "the picture could not be taken"}).to_string(),
        // A process can make its own entries in /proc hang.
        Err(_) => json!({"error": "the picture was not ready in time"}).to_string(),
    }
}

/// Keeps a picture on disk, and the latest ones only. It is a help for people: what fails here is only logged.
pub(crate) async fn file(supervisor: &Arc<Supervisor>, order: (&ClusterId, &StepId), picture: &str) {
    let (path, supervisor) = (supervisor.dirs.snapshot(order.0, order.1), supervisor.clone());
    let picture = picture.to_owned();
    let filing = tokio::task::spawn_blocking(move || keep(&supervisor, &path, &picture));
    // One that takes longer goes on behind our back.
    let _ = tokio::time::timeout(LATE, filing).await;
}

fn keep(supervisor: &Supervisor, path: &Path, picture: &str) {
    if let Err(error) = std::fs::write(path, picture) {
        tracing::warn!(path = %path.display(), %error, "a snapshot is not kept on disk");
    }
    let Ok(entries) = std::fs::read_dir(supervisor.dirs.snapshots()) else { return };
    let dated =
        entries.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    let mut dated: Vec<_> = dated.collect();
    dated.sort();
    for (_, old) in dated.iter().rev().skip(KEPT_MAX) {
        // One that stays is removed next time.
        let _ = std::fs::remove_file(old);
    }
}

fn add(
    picture: &mut Map<String, Value>,
    deadline: Instant,
    name: &str,
    look: impl FnOnce() -> Option<Value>,
) {
    let value = if Instant::now() < deadline { look() } else { Some(json!("not read: the budget ran out")) };
    picture.insert(name.to_owned(), value.unwrap_or(Value::Null));
}

fn add_process(picture: &mut Map<String, Value>, kept: &Kept, deadline: Instant) {
    let pid = kept.body.process.pid;
    let process = format!("/proc/{pid}");
    let standing = kept.standing();
    picture.insert("pid".into(), json!(pid));
    picture.insert(
        "age_ms".into(),
        json!(u64::try_from(clock::age(kept.body.process.start_ticks).as_millis()).ok()),
    );
    picture.insert(
        "probe".into(),
        json!({"state": standing.probe, "detail": standing.detail, "round": standing.round}),
    );
    add(picture, deadline, "status", || read(&format!("{process}/status")));
    add(picture, deadline, "threads", || threads(&process, deadline));
    add(picture, deadline, "files", || files(&process, deadline));
    add(picture, deadline, "sockets", || sockets(&process, deadline));
    add(picture, deadline, "cgroup", || Tree::recorded(kept.body.group.clone()).events().map(Value::String));
    add(picture, deadline, "io", || read(&format!("{process}/io")));
}

fn read(path: &str) -> Option<Value> {
    Some(Value::String(std::fs::read_to_string(path).ok()?.trim_end().to_owned()))
}

/// Where each thread is: its state, what it waits for, the system call, and the kernel's stack where we may see it.
fn threads(process: &str, deadline: Instant) -> Option<Value> {
    let entries = std::fs::read_dir(format!("{process}/task")).ok()?.flatten();
    let in_time = entries.take(LIST_MAX).take_while(|_| Instant::now() < deadline);
    let threads = in_time.map(|entry| {
        let task = entry.path().to_string_lossy().into_owned();
        let stat = std::fs::read_to_string(format!("{task}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        json!({
            "tid": entry.file_name().to_string_lossy(),
            "name": read(&format!("{task}/comm")),
            "state": state.map(String::from),
            "waits_in": read(&format!("{task}/wchan")),
            "syscall": read(&format!("{task}/syscall")),
            "stack": read(&format!("{task}/stack")),
        })
    });
    Some(Value::Array(threads.collect()))
}

fn files(process: &str, deadline: Instant) -> Option<Value> {
    let entries = std::fs::read_dir(format!("{process}/fd")).ok()?.flatten();
    let in_time = entries.take(LIST_MAX).take_while(|_| Instant::now() < deadline);
    let named = in_time.filter_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), json!(target.to_string_lossy())))
    });
    Some(Value::Object(named.collect()))
}

/// The process's TCP sockets, as the kernel's table has them (addresses in hexadecimal).
fn sockets(process: &str, deadline: Instant) -> Option<Value> {
    let Value::Object(files) = files(process, deadline)? else { return None };
    let inode =
        |target: &Value| Some(target.as_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    let inodes: Vec<String> = files.values().filter_map(inode).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("{process}/net/{table}")).unwrap_or_default();
        let ours = text.lines().skip(1).filter(|line| {
            line.split_whitespace().nth(9).is_some_and(|inode| inodes.iter().any(|ours| ours == inode))
        });
        found.extend(ours.take(LIST_MAX).map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            json!({"local": fields.get(1), "remote": fields.get(2), "state": fields.get(3), "queues": fields.get(4)})
        }));
    }
    Some(Value::Array(found))
}

fn tail(path: &Path) -> Option<String> {
    let mut file = guest_files::open(path.parent()?, Path::new(path.file_name()?)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Drops the largest parts until it fits.
fn bounded(mut picture: Map<String, Value>) -> String {
    loop {
        let text = Value::Object(picture.clone()).to_string();
        if text.len() <= PICTURE_BYTES_MAX {
            return text;
        }
        let largest = picture.iter().max_by_key(|(_, value)| value.to_string().len());
        let Some(name) = largest.map(|(name, _)| name.clone()) else { return text };
        picture.insert(name, json!("left out: too large"));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_bounded_by_dropping_its_largest_parts() {
        let picture =
            [("small".to_owned(), json!(1)), ("large".to_owned(), json!("x".repeat(PICTURE_BYTES_MAX)))];
        let value: Value = serde_json::from_str(&bounded(picture.into_iter().collect())).unwrap();
        assert_eq!(value, json!({"small": 1, "large": "left out: too large"}));
    }

    #[test]
    fn our_own_threads_and_files_are_seen() {
        let deadline = Instant::now() + Duration::from_secs(10);
        let threads = threads("/proc/self", deadline).unwrap();
        assert!(threads.as_array().unwrap().iter().any(|thread| thread["state"].is_string()));
        assert!(!files("/proc/self", deadline).unwrap().as_object().unwrap().is_empty());
        assert!(sockets("/proc/self", deadline).unwrap().is_array());
    }
}
