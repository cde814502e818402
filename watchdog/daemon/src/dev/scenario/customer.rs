//! Customer: scores without a pause while an incident is told, and counts what it was not answered.
//!
//! ```text
//! ask one replica ──200──► answered
//!        └─ anything else ─► look who is healthy now ─► ask another, once ──200──► answered by the retry
//!                                                                └─ anything else ─► failed
//! ```

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::http;
use crate::dev::client::Client;

const QUESTION: &str = "/score?amount=240&foreign=1&model=fraud";
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);
/// A replica that hangs takes the question and never answers it.
const PATIENCE: Duration = Duration::from_millis(500);
/// The second is the last, so it gets more.
const RETRY_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks who is there when all is well.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What a customer experienced.
#[derive(Debug, Default)]
pub(super) struct Experience {
    /// Questions that were answered.
    pub(super) answered: u64,
    /// Those of them that another replica answered.
    pub(super) retried: u64,
    /// Questions that nobody answered.
    pub(super) failed: u64,
    /// What was said instead of the first of these answers.
    pub(super) first_failure: Option<String>,
}

impl fmt::Display for Experience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, retried, failed, .. } = self;
        write!(f, "{answered} requests answered, {retried} of them by the retry; {failed} failed")
    }
}

/// One that asks; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct Customer {
    stop: watch::Sender<bool>,
    task: JoinHandle<Experience>,
}

impl Customer {
    /// Begins to ask.
    pub(super) fn begin(client: Client) -> Self {
        let (stop, stopped) = watch::channel(false);
        let asking = Asking { client, servers: Vec::new(), looked_at: None, next: 0 };
        Self { stop, task: tokio::spawn(asking.run(stopped)) }
    }

    /// Stops it and says what it experienced.
    ///
    /// # Errors
    ///
    /// If it panicked.
    pub(super) async fn end(self) -> anyhow::Result<Experience> {
        self.stop.send_replace(true);
        Ok(self.task.await?)
    }
}

struct Asking {
    client: Client,
    /// The addresses of healthy replicas.
    servers: Vec<String>,
    looked_at: Option<Instant>,
    next: usize,
}

impl Asking {
    async fn run(mut self, stopped: watch::Receiver<bool>) -> Experience {
        let mut experience = Experience::default();
        // Without a sender nobody wants to know any more.
        while stopped.has_changed().is_ok_and(|changed| !changed) {
            if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
                self.look().await;
            }
            match self.ask().await {
                Ok(retried) => {
                    experience.answered += 1;
                    experience.retried += u64::from(retried);
                }
                Err(said) => {
                    experience.failed += 1;
                    experience.first_failure.get_or_insert(said);
                }
            }
            sleep(PAUSE).await;
        }
        experience
    }

    /// Whether the answer took the retry; what was said when that failed too.
    async fn ask(&mut self) -> Result<bool, String> {
        self.next = self.next.wrapping_add(1);
        let first = self.servers.get(self.next % self.servers.len().max(1)).cloned();
        let first = first.unwrap_or_default();
        let Err(said) = score(&first, PATIENCE).await else { return Ok(false) };
        self.look().await;
        let others: Vec<&String> = self.servers.iter().filter(|server| **server != first).collect();
        let Some(second) = others.get(self.next % others.len().max(1)) else {
            return Err(format!("{said}; no other replica is healthy"));
        };
        score(second, RETRY_PATIENCE).await.map_err(|again| format!("{said}; {again}"))?;
        Ok(true)
    }

    /// Learns who is healthy, as from a load balancer's discovery; goes on with who was, when nobody tells.
    async fn look(&mut self) {
        self.looked_at = Some(Instant::now());
        let Some(status) = self.client.ask_all().await.status else { return };
        let healthy = status.replicas.into_iter().filter(|replica| replica.state == "healthy");
        self.servers = healthy.filter_map(|replica| replica.address).collect();
    }
}

async fn score(server: &str, patience: Duration) -> Result<(), String> {
    match http::ask("GET", server, QUESTION, patience).await {
        Ok((200, body)) if body.contains("\"score\"") => Ok(()),
        Ok((status, body)) => Err(format!("{server}: {status} {body}")),
        Err(error) => Err(format!("{server}: {error:#}")),
    }
}
