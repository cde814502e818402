//! Seats: how many connections may be open, and which has to make room: the one that was silent the longest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant, SystemTime};

use futures_util::task::AtomicWaker;

use crate::counters::{Cause, Counters};

/// All open connections of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    began: Instant,
    counters: Arc<Counters>,
    taken: Mutex<BTreeMap<u64, Arc<Place>>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Place {
    from: SocketAddr,
    /// When something last went either way, in milliseconds since the listener began.
    touched_ms: AtomicU64,
    /// When the certificate of the other side is over.
    ends_at: Option<SystemTime>,
    is_over: AtomicBool,
    waker: AtomicWaker,
}

/// The seat of one open connection; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    place: Arc<Place>,
}

impl Seats {
    pub(crate) fn new(counters: Arc<Counters>) -> Arc<Self> {
        let (taken, next) = (Mutex::default(), AtomicU64::default());
        Arc::new(Self { began: Instant::now(), counters, taken, next })
    }

    /// Gives a seat to a connection; where `most` are taken, another one has to go.
    pub(crate) fn take(self: &Arc<Self>, from: SocketAddr, ends_at: Option<SystemTime>, most: usize) -> Seat {
        let place = Arc::new(Place {
            from,
            touched_ms: AtomicU64::new(self.now_ms()),
            ends_at,
            is_over: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.len() >= most {
            let silent = taken.iter().min_by_key(|(_, place)| place.touched_ms.load(Ordering::Relaxed));
            let Some(number) = silent.map(|(number, _)| *number) else { break };
            if let Some(place) = taken.remove(&number) {
                self.counters.refuse(Cause::TooMany, place.from, "silent for longest of all connections");
                place.end();
            }
        }
        taken.insert(number, place.clone());
        self.counters.opened();
        Seat { seats: self.clone(), number, place }
    }

    /// Ends those that were silent for longer than `idle`, and those whose certificate is over.
    pub(crate) fn sweep(&self, idle: Duration) {
        let (now_ms, now) = (self.now_ms(), SystemTime::now());
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for place in taken.values() {
            let silent_ms = now_ms.saturating_sub(place.touched_ms.load(Ordering::Relaxed));
            let cause = if Duration::from_millis(silent_ms) > idle {
                Some((Cause::TimedOut, "silent for too long"))
            } else if place.ends_at.is_some_and(|end| end < now) {
                Some((Cause::Expired, "its certificate is over"))
            } else {
                None
            };
            if let Some((cause, detail)) = cause
                && place.end()
            {
                self.counters.refuse(cause, place.from, detail);
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Place {
    /// Answers whether it was not over before.
    fn end(&self) -> bool {
        let first = !self.is_over.swap(true, Ordering::AcqRel);
        self.waker.wake();
        first
    }
}

impl Seat {
    /// Whether the connection has to end; whoever asks is woken when that changes.
    pub(crate) fn is_over(&self, context: &Context<'_>) -> bool {
        self.place.waker.register(context.waker());
        self.place.is_over.load(Ordering::Acquire)
    }

    /// Something went over the connection.
    pub(crate) fn touch(&self) {
        self.place.touched_ms.store(self.seats.now_ms(), Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.number);
        self.seats.counters.closed();
    }
}
