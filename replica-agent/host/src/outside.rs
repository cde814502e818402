//! Outside: the readers of what comes from outside, for whoever tests them with bad input.
//!
//! No part of the program's contract.

use std::path::Path;

use tonic::Status;
use watchdog_core::ids::HostId;
use watchdog_proto::agent::{ActRequest, LookRequest, SealRequest};

use crate::cli;
use crate::config::{Config, ConfigError};
use crate::ledger::{Book, Entry, Found};
use crate::server::order;
use crate::{guardian, probes, supervisor};

/// A host agent's configuration that was understood, and by it which orders are.
#[derive(Debug)]
pub struct Host(Config);

impl Host {
    /// Reads the configuration that a file called `agent.toml` would hold.
    ///
    /// # Errors
    ///
    /// What the owner of the host is told.
    pub fn configured(text: &str) -> Result<Self, String> {
        Config::parse(Path::new("agent.toml"), text).map(Self).map_err(|error| ConfigError::to_string(&error))
    }

    /// Reads an order.
    ///
    /// # Errors
    ///
    /// What the watchdog is answered.
    pub fn act(&self, request: ActRequest) -> Result<String, Status> {
        let (order, act) = order::understand(&self.0, request)?;
        Ok(format!("{order:?} {act:?}"))
    }

    /// Reads a seal.
    ///
    /// # Errors
    ///
    /// What the watchdog is answered.
    pub fn seal(&self, request: &SealRequest) -> Result<String, Status> {
        Ok(format!("{:?}", order::understand_seal(&self.0, request)?))
    }

    /// Reads a look.
    ///
    /// # Errors
    ///
    /// What the watchdog is answered.
    pub fn look(&self, request: &LookRequest) -> Result<String, Status> {
        Ok(format!("{:?}", order::understand_look(&self.0, request)?))
    }
}

/// Reads a command line, the program's name included.
///
/// # Errors
///
/// What whoever typed it is told; help is an answer and no error.
pub fn command_line(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<(), String> {
    cli::understand(words)
}

/// Reads a ledger; answers it as it would be written anew.
///
/// # Errors
///
/// Why it is not believed.
pub fn ledger(bytes: &[u8], host: &HostId) -> Result<Vec<u8>, String> {
    match crate::ledger::parse(bytes) {
        Found::Entries(entries) => {
            let mut book = Book::new("new".to_owned(), host.clone());
            book.apply_all(entries);
            Ok(crate::ledger::lines(&book.entries()))
        }
        Found::Corrupt(reason) => Err(reason),
        Found::NewerFormat(found) => Err(format!("it has format {found}")),
    }
}

/// The ledger of these entries, each as JSON; what is no entry is left out.
pub fn ledger_of<'a>(entries: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let entries: Vec<Entry> = entries.filter_map(|entry| serde_json::from_str(entry).ok()).collect();
    crate::ledger::lines(&entries)
}

/// Reads the head of a replica's HTTP answer: its status, and how long a body follows on a connection that is kept.
pub fn probe_head(head: &[u8]) -> Option<(u16, Option<usize>)> {
    probes::http::parse_head(head)
}

/// Reads a lease: until how many milliseconds after the boot its replica may run; `None` when it is over.
pub fn lease(bytes: &[u8]) -> Option<u128> {
    guardian::lease::Deadline::parse(bytes).until().map(|until| until.as_millis())
}

/// Reads `/proc/PID/stat`: the parent, the session, and when the process was started.
pub fn stat(text: &str) -> Option<(u32, u32, u64)> {
    supervisor::proc::Stat::parse(text).map(|stat| (stat.parent, stat.session, stat.start_ticks))
}
