//! Gate: lets connections in, each with its handshake in a task of its own, so that nobody waits for a stranger.
//!
//! ```text
//! accept ─► a place among the unfinished ─► handshake, in time ─► a seat among the open ─► Wire, with its Connection
//!               │ full: the oldest goes        │ else counted          │ full: the most silent goes
//! ```
//!
//! *Guarantees.* Whoever is honest is through in milliseconds, and so is never the oldest of the unfinished; whoever
//! works is never the most silent of the open. Neither needs a limit for each address.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::connection::Connection;
use crate::counters::{Cause, Counters};
use crate::credentials::{Credentials, sentence};
use crate::facts::CertificateFacts;
use crate::refusal::cause_of;
use crate::seats::Seats;
use crate::wire::{Stream as Inner, Wire};

/// How often the silent are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// When the system gives us no connection (too many files are open), it is asked again after this.
const PAUSE: Duration = Duration::from_millis(50);

/// How much of one listener strangers can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be in their handshake, or have yet to say their first word.
    pub unfinished: usize,
    /// How long that may take.
    pub patience: Duration,
    /// How many may be open.
    pub open: usize,
    /// How long one may be open without anything going over it. Servers should send pings more often than this.
    pub idle: Duration,
}

impl Limits {
    /// How often a server should ask its HTTP/2 clients for a sign of life, so that the honest ones are never idle.
    pub const PING_EVERY: Duration = Duration::from_secs(20);
}

impl Default for Limits {
    fn default() -> Self {
        let (patience, idle) = (Duration::from_secs(5), Duration::from_mins(2));
        // Together less than the 1,024 files that a process may open where nobody has raised that.
        Self { unfinished: 128, patience, open: 512, idle }
    }
}

/// How one listener lets connections in.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// The certificates; without them nothing is encrypted, and the listener should be on loopback.
    pub credentials: Option<Arc<Credentials>>,
    /// Who was turned away.
    pub counters: Arc<Counters>,
    /// How much strangers can take.
    pub limits: Limits,
}

impl Gate {
    /// A gate with the usual limits.
    pub fn new(credentials: Option<Arc<Credentials>>) -> Self {
        Self { credentials, ..Self::default() }
    }

    /// The connections that are let in, for `serve_with_incoming`; the listener is closed when this is dropped.
    pub fn incoming(self, listener: TcpListener) -> Incoming {
        let (admitted, wires) = mpsc::channel(16);
        let seats = Seats::new(self.counters.clone());
        let hall = Hall { gate: self, seats, admitted, tasks: JoinSet::new(), order: VecDeque::new() };
        Incoming { wires, accepting: tokio::spawn(hall.accept(listener)) }
    }
}

/// The connections that a [`Gate`] lets in.
#[derive(Debug)]
pub struct Incoming {
    wires: mpsc::Receiver<Wire>,
    accepting: JoinHandle<()>,
}

impl Stream for Incoming {
    type Item = io::Result<Wire>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.wires.poll_recv(cx).map(|wire| wire.map(Ok))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where those wait who are not let in yet.
struct Hall {
    gate: Gate,
    seats: Arc<Seats>,
    admitted: mpsc::Sender<Wire>,
    tasks: JoinSet<()>,
    /// The unfinished, oldest first; finished ones may still be among them.
    order: VecDeque<(SocketAddr, AbortHandle)>,
}

impl Hall {
    async fn accept(mut self, listener: TcpListener) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => self.begin(stream, from),
                    Err(error) => {
                        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
                        self.gate.counters.refuse(Cause::TooMany, nobody, &error.to_string());
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = self.tasks.join_next() => {}
                _ = sweep.tick() => self.seats.sweep(self.gate.limits.idle),
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, from: SocketAddr) {
        self.order.retain(|(_, handshake)| !handshake.is_finished());
        while self.order.len() >= self.gate.limits.unfinished.max(1) {
            if let Some((oldest, handshake)) = self.order.pop_front() {
                handshake.abort();
                self.gate.counters.refuse(Cause::TooMany, oldest, "the oldest of all unfinished handshakes");
            }
        }
        let (gate, seats, admitted) = (self.gate.clone(), self.seats.clone(), self.admitted.clone());
        let handshake = self.tasks.spawn(async move {
            if let Some(wire) = admit(&gate, &seats, (stream, from)).await {
                // Nobody takes it when the server is ending.
                let _ = admitted.send(wire).await;
            }
        });
        self.order.push_back((from, handshake));
    }
}

async fn admit(gate: &Gate, seats: &Arc<Seats>, of: (TcpStream, SocketAddr)) -> Option<Wire> {
    let (stream, from) = of;
    // Without this small answers wait for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let shaken = tokio::time::timeout(gate.limits.patience, shake_hands(gate, stream)).await;
    let shaken = shaken.unwrap_or_else(|_| Err((Cause::TimedOut, "not done in time".to_owned())));
    let (stream, facts) = match shaken {
        Ok(Some(shaken)) => shaken,
        Ok(None) => return None,
        Err((cause, detail)) => {
            gate.counters.refuse(cause, from, &detail);
            return None;
        }
    };
    let encrypted = matches!(stream, Inner::Encrypted(_));
    let ends_at = facts.as_ref().map(|facts| facts.not_after);
    let certificate = facts.map(|facts| facts.identity);
    let seat = seats.take(from, ends_at, gate.limits.open.max(1));
    Some(Wire::new(stream, seat, Connection { from, certificate, encrypted }))
}

type Shaken = (Inner, Option<CertificateFacts>);

/// `None` for one who came and went without a word, as load balancers do.
async fn shake_hands(gate: &Gate, stream: TcpStream) -> Result<Option<Shaken>, (Cause, String)> {
    let first = stream.peek(&mut [0]).await;
    if matches!(first, Ok(0) | Err(_)) {
        return Ok(None);
    }
    let Some(credentials) = &gate.credentials else {
        return Ok(Some((Inner::Plain(stream), None)));
    };
    let no_identity = || (Cause::Broken, "this listener has no certificate".to_owned());
    let acceptor = TlsAcceptor::from(credentials.server().ok_or_else(no_identity)?);
    let stream = acceptor.accept(stream).await.map_err(|error| (cause_of(&error), sentence(&error)))?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let facts = shown.and_then(|certificate| CertificateFacts::of_der(certificate));
    Ok(Some((Inner::Encrypted(Box::new(stream)), facts)))
}
