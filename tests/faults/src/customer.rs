//! Customer: scores without a pause, finds the servers as a load balancer would, and writes down who answered.
//!
//! Each question goes to one replica, and when that does not answer, once more to another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchdog_tests::http;

use crate::net::{EACH, Node};
use crate::site::Site;
use crate::time::now_ms;

/// How long a replica may take over an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);
/// How often it looks for servers.
const DISCOVERY: Duration = Duration::from_millis(150);

/// What it heard of one life of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Which replica.
    pub replica: String,
    /// When it answered first.
    pub first_ms: u64,
    /// When it answered last.
    pub last_ms: u64,
}

/// What it experienced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Experience {
    /// Questions that were answered at once.
    pub answered: u64,
    /// Questions that only another replica answered.
    pub retried: u64,
    /// When a question was answered by nobody.
    pub failed: Vec<u64>,
    /// Who answered, by incarnation.
    pub heard: BTreeMap<String, Heard>,
}

/// Asks until it is dropped.
pub struct Customer {
    stop: Arc<AtomicBool>,
    experience: Arc<Mutex<Experience>>,
    thread: Option<JoinHandle<()>>,
}

impl Customer {
    /// Begins to ask.
    pub fn begin(site: &Site) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let experience = Arc::new(Mutex::new(Experience::default()));
        let (stopped, shared) = (stop.clone(), experience.clone());
        let disks: Vec<PathBuf> = (0..EACH).map(|index| site.disk(Node::Host(index))).collect();
        let thread = std::thread::spawn(move || {
            let mut servers = Vec::new();
            let mut looked: Option<Instant> = None;
            for number in 0_usize.. {
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                if looked.is_none_or(|at| at.elapsed() > DISCOVERY) {
                    servers = disks.iter().flat_map(|disk| announced(disk)).collect();
                    looked = Some(Instant::now());
                }
                if !servers.is_empty() {
                    let asked = ask(&servers, number);
                    shared.lock().unwrap_or_else(PoisonError::into_inner).note(&asked);
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, experience, thread: Some(thread) }
    }

    /// What it experienced until now.
    pub fn experience(&self) -> Experience {
        self.experience.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where the replicas of a host say that they serve.
fn announced(disk: &Path) -> Vec<String> {
    let Ok(lives) = std::fs::read_dir(disk.join("run")) else { return Vec::new() };
    let address = |life: std::fs::DirEntry| {
        let text = std::fs::read_to_string(life.path().join("address.json")).ok()?;
        let told: Value = serde_json::from_str(&text).ok()?;
        Some(told["service"].as_str()?.to_owned())
    };
    lives.flatten().filter_map(address).collect()
}

struct Asked {
    attempts: u32,
    answer: Option<(String, String)>,
}

fn ask(servers: &[String], number: usize) -> Asked {
    for attempt in 0..2 {
        let server = &servers[(number + attempt) % servers.len()];
        let answer = http::json(server, "/score?amount=12&foreign=1", PATIENCE);
        let told = answer.and_then(|answer| {
            Some((answer["incarnation"].as_str()?.to_owned(), answer["replica"].as_str()?.to_owned()))
        });
        if told.is_some() {
            return Asked { attempts: u32::try_from(attempt).unwrap_or_default() + 1, answer: told };
        }
    }
    Asked { attempts: 2, answer: None }
}

impl Experience {
    fn note(&mut self, asked: &Asked) {
        let now = now_ms();
        let Some((incarnation, replica)) = &asked.answer else { return self.failed.push(now) };
        if asked.attempts == 1 {
            self.answered += 1;
        } else {
            self.retried += 1;
        }
        let heard = self.heard.entry(incarnation.clone()).or_insert_with(|| Heard {
            replica: replica.clone(),
            first_ms: now,
            last_ms: now,
        });
        heard.last_ms = now;
    }
}
