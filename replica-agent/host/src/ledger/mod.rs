//! Ledger: what the host agent must not forget, on disk before it counts.
//!
//! ```text
//! order ─record─► thread: write, fdatasync, apply to book ─► answer
//! fact  ─note───►   (everything that waits shares one fdatasync)
//! ```
//!
//! *Guarantees.* The book never holds what is not on disk. A lost or corrupt
//! ledger is a new instance, which refuses the orders of the old one.

mod book;
mod entry;
mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;
use watchdog_core::ids::HostId;

use crate::fault;
use crate::metrics::Counters;
pub(crate) use book::{Book, Fate};
pub(crate) use entry::{Body, Entry, Life, Outcome, ProcessKey};
use file::LedgerFile;
pub(crate) use file::{Found, lines, parse};

/// Beyond this the file is written anew.
const COMPACT_BYTES: u64 = 8 * 1024 * 1024;

/// Why a fact could not be recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The disk refused; nothing was recorded.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<std::io::Error>,
    },
    /// The disk is full; nothing was recorded, and the next order finds out whether it still is.
    #[error("no space on host {host}: cannot {operation} {}: {source}", path.display())]
    Full {
        /// Whose disk.
        host: HostId,
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<std::io::Error>,
    },
    /// What is on disk can't be told any more; only a restart can.
    #[error("the ledger {} can't be trusted since it failed to sync: {source}", path.display())]
    Poisoned {
        /// Which file.
        path: PathBuf,
        /// What failed.
        source: Arc<std::io::Error>,
    },
    /// Somebody deleted it under us.
    #[error("the ledger {} was deleted while in use", path.display())]
    Gone {
        /// Which file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has format {found}, newer than this program reads", path.display())]
    NewerFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The ledger's thread has ended.
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    fn io(operation: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// The same, told of this host.
    fn on(self, host: &HostId) -> Self {
        match self {
            Self::Io { operation, path, source } if fault::is_full(&source) => {
                Self::Full { host: host.clone(), operation, path, source }
            }
            other => other,
        }
    }
}

struct Write {
    entries: Vec<Entry>,
    order: bool,
    done: Option<oneshot::Sender<Result<(), LedgerError>>>,
}

/// The open ledger; clones share it.
#[derive(Clone)]
pub(crate) struct Ledger {
    book: Arc<Mutex<Book>>,
    /// What is counted of it, and of whoever has it at hand.
    pub(crate) counters: Counters,
    writes: mpsc::Sender<Write>,
    ruined: watch::Receiver<Option<LedgerError>>,
}

/// What was found on opening.
pub(crate) struct Opened {
    /// The ledger.
    pub(crate) ledger: Ledger,
    /// Where the unreadable one was put, and why it was unreadable.
    pub(crate) replaced: Option<(PathBuf, String)>,
    /// Whether it is a new instance.
    pub(crate) fresh: bool,
}

impl Ledger {
    /// Opens the ledger in `directory`, compacts it, and starts its thread.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or a newer program wrote it. Corruption is no error: it is a new instance.
    pub(crate) fn open(directory: &Path, host: &HostId) -> Result<Opened, LedgerError> {
        let path = directory.join("ledger");
        let mut book = Book::new(Uuid::now_v7().to_string(), host.clone());
        let (replaced, fresh) = match file::read(&path)? {
            None => (None, true),
            Some(Found::Corrupt(reason)) => (Some((set_aside(&path)?, reason)), true),
            Some(Found::NewerFormat(found)) => return Err(LedgerError::NewerFormat { path, found }),
            Some(Found::Entries(entries)) => {
                if let Some(reason) = foreign(&entries, host) {
                    (Some((set_aside(&path)?, reason)), true)
                } else {
                    book.apply_all(entries);
                    (None, false)
                }
            }
        };
        let file = LedgerFile::replace(&path, &book.entries())?;
        let book = Arc::new(Mutex::new(book));
        let (writes, orders) = mpsc::channel();
        let (ruin, ruined) = watch::channel(None);
        let counters = Counters::default();
        let scribe =
            Writer { path, host: host.clone(), file, book: book.clone(), counters: counters.clone(), ruin };
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || scribe.run(&orders))
            .map_err(|source| LedgerError::io("start the thread of", directory, source))?;
        Ok(Opened { ledger: Self { book, counters, writes, ruined }, replaced, fresh })
    }

    /// Reads the book.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records what must be on disk before we act on an order; keeps space free for facts.
    ///
    /// # Errors
    ///
    /// Nothing was recorded.
    pub(crate) async fn record_order(&self, entries: Vec<Entry>) -> Result<(), LedgerError> {
        self.write(entries, true).await
    }

    /// Records something that has happened, with the last free space if need be.
    ///
    /// # Errors
    ///
    /// Nothing was recorded.
    pub(crate) async fn record_fact(&self, entries: Vec<Entry>) -> Result<(), LedgerError> {
        self.write(entries, false).await
    }

    async fn write(&self, entries: Vec<Entry>, order: bool) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        self.writes.send(Write { entries, order, done: Some(done) }).map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Records what may be forgotten in a crash, and does not wait for it.
    pub(crate) fn note(&self, entry: Entry) {
        // A closed ledger means that we are going down; what may be forgotten is.
        let _ = self.writes.send(Write { entries: vec![entry], order: false, done: None });
    }

    /// Resolves when the ledger can't be used any more, with the reason.
    pub(crate) async fn ruined(&self) -> LedgerError {
        let mut ruined = self.ruined.clone();
        match ruined.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(LedgerError::Closed),
            Err(_) => LedgerError::Closed,
        }
    }
}

/// A ledger of another host is not ours to continue: its steps and processes are elsewhere.
fn foreign(entries: &[Entry], host: &HostId) -> Option<String> {
    match entries.first() {
        Some(Entry::Ledger { host: theirs, .. }) if theirs != host => {
            Some(format!("it is the ledger of host {theirs}, and we are {host}"))
        }
        _ => None,
    }
}

fn set_aside(path: &Path) -> Result<PathBuf, LedgerError> {
    let aside = path.with_extension(format!("unreadable-{}", Uuid::now_v7()));
    std::fs::rename(path, &aside).map_err(|source| LedgerError::io("set aside", path, source))?;
    Ok(aside)
}

struct Writer {
    path: PathBuf,
    host: HostId,
    file: LedgerFile,
    book: Arc<Mutex<Book>>,
    counters: Counters,
    ruin: watch::Sender<Option<LedgerError>>,
}

impl Writer {
    fn run(mut self, orders: &mpsc::Receiver<Write>) {
        while let Ok(first) = orders.recv() {
            let mut batch = vec![first];
            batch.extend(orders.try_iter());
            // Orders may be refused for want of space; facts of the same moment must not be refused with them.
            let (orders, facts): (Vec<_>, Vec<_>) = batch.into_iter().partition(|write| write.order);
            for writes in [facts, orders].into_iter().filter(|writes| !writes.is_empty()) {
                self.commit(writes);
            }
            if self.file.length() > COMPACT_BYTES {
                self.compact();
            }
        }
    }

    fn commit(&mut self, writes: Vec<Write>) {
        let order = writes.iter().any(|write| write.order);
        let entries: Vec<Entry> = writes.iter().flat_map(|write| write.entries.iter().cloned()).collect();
        let begun = Instant::now();
        let result = match self.ruin.borrow().clone() {
            Some(ruined) => Err(ruined),
            None => self.file.append(&entries, order).map_err(|error| error.on(&self.host)),
        };
        self.counters.written(result.is_ok(), begun.elapsed());
        match &result {
            Ok(()) => {
                let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
                for entry in entries {
                    self.counters.entry(&entry, &book);
                    book.apply(entry);
                }
            }
            Err(ruined @ (LedgerError::Poisoned { .. } | LedgerError::Gone { .. })) => {
                self.ruin.send_replace(Some(ruined.clone()));
            }
            Err(_) => {}
        }
        for done in writes.into_iter().filter_map(|write| write.done) {
            // The order's caller may have gone away; what was recorded stays.
            let _ = done.send(result.clone());
        }
    }

    /// A compaction that fails costs nothing: the long file goes on.
    fn compact(&mut self) {
        let entries = self.book.lock().unwrap_or_else(PoisonError::into_inner).entries();
        match LedgerFile::replace(&self.path, &entries) {
            Ok(file) => self.file = file,
            Err(error) => tracing::warn!(%error, "the ledger stays long"),
        }
    }
}
