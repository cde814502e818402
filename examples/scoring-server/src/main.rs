//! Scoring server: an example of a stateful server that embeds the replica agent.
//!
//! ```text
//! GET /score?amount=12&country=7 ──► the models and rules that are in memory ──► {"score": 0.93, "decision": "deny", …}
//! watchdog ──► embedded agent ──► prepare, commit ──► what is in memory
//! ```
//!
//! It answers HTTP before anything else, because every millisecond between its
//! start and its first answer is one in which its predecessor is missed.

mod http;
mod memory;
mod model;
mod scorer;
mod tracing;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use replica_agent::Agent;

use crate::scorer::Scorer;

/// A stateful scoring service that Watchdog keeps alive and on the right version.
///
/// A host agent starts it and tells it in WATCHDOG_* variables who it is. Its parameters: `listen`, the address of its
/// HTTP service (default 127.0.0.1:0), and `debug`, which is 1 to allow POST /debug/drift?version=N and POST /debug/lie.
#[derive(Parser)]
#[command(version)]
struct Cli;

fn main() -> anyhow::Result<()> {
    Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tracing::begin()?;
        serve().await
    })
}

async fn serve() -> anyhow::Result<()> {
    let agent = Agent::from_environment()?;
    let environment = agent.environment();
    let address = environment.parameter("listen").unwrap_or("127.0.0.1:0").to_owned();
    let debug = environment.parameter("debug") == Some("1");
    let scorer = Arc::new(Scorer::new(environment.replica.clone(), environment.incarnation));

    let listener = TcpListener::bind(&address).with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let url = format!("http://{bound}");
    // Whoever reaches the service reaches the agent beside it; without TLS the agent never listens beyond this machine.
    let is_encrypted = agent.environment().tls.is_some();
    let beside = Some(SocketAddr::new(bound.ip(), 0)).filter(|it| is_encrypted || it.ip().is_loopback());
    let agent = match beside {
        Some(address) => agent.listen(address),
        None => agent,
    };
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = http::router(scorer.clone(), debug);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    println!("{} listens on {url}", scorer.replica());

    tokio::select! {
        ended = agent.service(url).run(scorer) => Ok(ended?),
        failed = server => Err(anyhow::anyhow!("the HTTP service ended: {failed:?}")),
    }
}
