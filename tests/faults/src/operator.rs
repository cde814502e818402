//! Operator: declares goals while things break, good ones and bad ones, and remembers which were acknowledged.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use watchdog_sim::rng::Rng;

use crate::site::{PLAIN, Site};
use crate::stage::ctl;
use crate::time::now_ms;

/// The stream of chance that goals are drawn from.
const GOALS: u64 = 0x600d;

/// A goal that was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// When.
    pub at_ms: u64,
    /// What it is called; the record may add a number.
    pub name: String,
    /// The id, if it was acknowledged.
    pub acknowledged: Option<String>,
    /// On which replica it crashes, if it is bad.
    pub crashes: Option<String>,
}

/// Declares goals until it is dropped.
pub struct Operator {
    stop: Arc<AtomicBool>,
    declared: Arc<Mutex<Vec<Declared>>>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    /// Begins to declare.
    pub fn begin(site: &Site, programs: PathBuf, seed: u64) -> Self {
        let (stop, declared) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, shared, file) = (stop.clone(), declared.clone(), site.goal());
        let thread = std::thread::spawn(move || {
            let mut rng = Rng::new(seed).split(GOALS);
            for number in 1_u32.. {
                pause(Duration::from_millis(rng.range(2_000, 6_000)), &stopped);
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                let (goal, mut declared) = draw(&mut rng, number);
                // A goal that could not be written is not declared, and so not acknowledged.
                if std::fs::write(&file, goal.to_string()).is_ok() {
                    let path = file.to_string_lossy().into_owned();
                    let mut words = vec!["-o", "json", "goal", "apply", "-f", &path];
                    if rng.chance(200) {
                        words.push("--supersede");
                    }
                    declared.acknowledged = apply(&programs, &words);
                }
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(declared);
            }
        });
        Self { stop, declared, thread: Some(thread) }
    }

    /// Stops, and says what was declared.
    pub fn end(mut self) -> Vec<Declared> {
        self.halt();
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.halt();
    }
}

fn pause(time: Duration, stopped: &AtomicBool) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < time && !stopped.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn draw(rng: &mut Rng, number: u32) -> (Value, Declared) {
    let name = format!("goal-{number}");
    let bias = -1.0 - f64::from(number) / 1_000.0;
    let mut model = json!({ "weights": { "amount": 0.002, "foreign": 0.9 }, "bias": bias });
    let mut crashes = None;
    let mut goal = json!({ "name": name });
    match rng.below(10) {
        0 => goal["restart"] = json!(true),
        1 => goal["set"] = json!({ "rule/review": { "if_above": 0.5, "then": "review" } }),
        2 => goal["remove"] = json!(["rule/review"]),
        3 => {
            let victim = *rng.pick(&PLAIN);
            model["incident"] = json!({ "on": [victim], "what": "crash", "after_ms": 20 });
            crashes = Some(victim.to_owned());
            goal["set"] = json!({ "model/fraud": model });
        }
        _ => goal["set"] = json!({ "model/fraud": model }),
    }
    (goal, Declared { at_ms: now_ms(), name, acknowledged: None, crashes })
}

fn apply(programs: &std::path::Path, words: &[&str]) -> Option<String> {
    let output = ctl(programs, words).ok().filter(|output| output.status.success())?;
    let reply: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(reply["id"].as_str()?.to_owned())
}
