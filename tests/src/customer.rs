//! Customer: scores without a pause while things happen to the cluster, and counts what it was not answered.
//!
//! Each question goes to one replica, and when that does not answer, once more to another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::http;

/// How long a replica may take over an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(2);

/// What a customer experienced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Experience {
    /// Questions that were answered at once.
    pub answered: u64,
    /// Questions that only another replica answered.
    pub retried: u64,
    /// Questions that nobody answered, and what was said instead.
    pub failed: Vec<String>,
}

/// A running customer; it stops on drop.
#[derive(Debug)]
pub struct Customer {
    stop: Arc<AtomicBool>,
    addresses: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<Experience>>,
}

impl Customer {
    /// Begins to ask the servers at these addresses in turn.
    pub fn begin(addresses: Vec<String>) -> Self {
        let (stop, addresses) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(addresses)));
        let (stopped, known) = (stop.clone(), addresses.clone());
        let thread = std::thread::spawn(move || {
            let mut experience = Experience::default();
            for number in 0_usize.. {
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                let servers = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                experience.ask(&servers, number);
                std::thread::sleep(PAUSE);
            }
            experience
        });
        Self { stop, addresses, thread: Some(thread) }
    }

    /// Tells it where the servers are now, as a load balancer's discovery would.
    pub fn learn(&self, addresses: Vec<String>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Stops it and says what it experienced.
    pub fn end(mut self) -> Experience {
        self.stop.store(true, Ordering::Release);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Experience {
    fn ask(&mut self, servers: &[String], number: usize) {
        let mut said = Vec::new();
        for attempt in 0..2 {
            let Some(server) = servers.get((number + attempt) % servers.len().max(1)) else { break };
            match http::ask("GET", server, "/score?amount=12&foreign=1", PATIENCE) {
                Ok((200, _)) if attempt == 0 => return self.answered += 1,
                Ok((200, _)) => return self.retried += 1,
                Ok((status, body)) => said.push(format!("{server}: {status} {}", body.trim())),
                Err(error) => said.push(format!("{server}: {error:#}")),
            }
        }
        self.failed.push(said.join("; "));
    }
}
