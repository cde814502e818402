//! Kept: one live process under our care, and what we know of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use watchdog_core::observation::Obituary;
use watchdog_membership::records::{FORMAT, LoadedRecord, ObituaryRecord, Phase, ProbeState, ProcessRecord};
use watchdog_proto::agent::ProcessReport;

use super::clear::Had;
use super::family::Member;
use super::handle::Handle;
use super::proc::Session;
use crate::clock;
use crate::ledger::{Body, Life};

/// A request to probe now; answered when the round is over.
pub(crate) type AskNow = oneshot::Sender<()>;

/// A live process.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What was ordered.
    pub(crate) life: Life,
    /// Everything that belongs to it.
    pub(crate) body: Body,
    /// Whether it was there before us, so that its exit status goes to another parent.
    pub(crate) adopted: bool,
    /// What was found of it, if anybody looked.
    had: Mutex<BTreeSet<Member>>,
    handle: Handle,
    standing: Mutex<Standing>,
    ended: watch::Sender<Option<ObituaryRecord>>,
}

/// What changes about it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// What it is doing.
    pub(crate) phase: Phase,
    /// What its probes say.
    pub(crate) probe: ProbeState,
    /// Why they fail.
    pub(crate) detail: String,
    /// How many rounds there were.
    pub(crate) round: u64,
    /// Since when phase and probe are so.
    pub(crate) since_ms: u64,
    /// What we loaded on its behalf.
    pub(crate) loaded: Option<LoadedRecord>,
    /// By whom it can be probed now.
    pub(crate) probers: Vec<mpsc::Sender<AskNow>>,
}

impl Kept {
    /// Takes care of a process through its handle.
    pub(crate) fn new(life: Life, body: Body, handle: Handle) -> Self {
        let standing = Standing {
            phase: Phase::Running,
            probe: ProbeState::None,
            detail: String::new(),
            round: 0,
            since_ms: clock::now_ms(),
            loaded: None,
            probers: Vec::new(),
        };
        Self {
            life,
            body,
            had: Mutex::default(),
            adopted: false,
            handle,
            standing: Mutex::new(standing),
            ended: watch::channel(None).0,
        }
    }

    /// A copy of what is known now.
    pub(crate) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is known; answers whether that is worth publishing.
    pub(crate) fn revise(&self, revise: impl FnOnce(&mut Standing)) -> bool {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (standing.phase, standing.probe, standing.detail.clone(), standing.loaded.clone());
        revise(&mut standing);
        let state_changed = (before.0, before.1) != (standing.phase, standing.probe);
        if state_changed {
            standing.since_ms = clock::now_ms();
        }
        state_changed || before.2 != standing.detail || before.3 != standing.loaded
    }

    /// Signals the main process, never another one that has got its number.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.handle.signal(signal)
    }

    /// Remembers what was found of it.
    pub(super) fn remember(&self, members: BTreeSet<Member>) {
        self.had.lock().unwrap_or_else(PoisonError::into_inner).extend(members);
    }

    /// What is known of it now that its main process is gone.
    pub(super) fn had(&self) -> Had {
        let members = self.had.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Had { session: Some(Session::of(self.body.process.pid)), members }
    }

    /// Resolves when the main process has ended, with how.
    pub(crate) async fn end(&self) -> String {
        let status = self.handle.end().await;
        match status.map(|status| (status.exit_status(), status.terminating_signal())) {
            Some((Some(code), _)) => format!("exit {code}"),
            Some((None, Some(signal))) => format!("signal {signal}{}", signal_name(signal)),
            // Adopted: its status went to the parent that it has now.
            Some((None, None)) | None => Obituary::UNSEEN.into(),
        }
    }

    /// Tells everybody who waits that it is dead.
    pub(crate) fn bury(&self, obituary: ObituaryRecord) {
        self.ended.send_replace(Some(obituary));
    }

    /// Resolves with the obituary, once it is on disk.
    pub(crate) async fn buried(&self) -> Option<ObituaryRecord> {
        let mut ended = self.ended.subscribe();
        ended.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// What stands in the coordination service about it.
    pub(crate) fn record(&self, host: &watchdog_core::ids::HostId) -> ProcessRecord {
        let standing = self.standing();
        ProcessRecord {
            format: FORMAT,
            replica: self.life.replica.clone(),
            incarnation: self.life.incarnation,
            host: host.clone(),
            pid: self.body.process.pid,
            start_ticks: self.body.process.start_ticks,
            boot_id: self.body.process.boot_id.clone(),
            phase: standing.phase,
            probe: standing.probe,
            detail: standing.detail,
            since_ms: standing.since_ms,
            loaded: standing.loaded,
            started_with: self.life.started_with,
        }
    }

    /// What is answered about it.
    pub(crate) fn report(&self) -> ProcessReport {
        let standing = self.standing();
        ProcessReport {
            replica: self.life.replica.to_string(),
            incarnation: self.life.incarnation.to_string(),
            pid: self.body.process.pid,
            start_ticks: self.body.process.start_ticks,
            boot_id: self.body.process.boot_id.clone(),
            phase: match standing.phase {
                Phase::Running => "running",
                Phase::Stopping => "stopping",
            }
            .into(),
            probe: match standing.probe {
                ProbeState::None => "none",
                ProbeState::Passing => "passing",
                ProbeState::Failing => "failing",
            }
            .into(),
            probe_detail: standing.detail,
            probe_round: standing.round,
            since_ms: standing.since_ms,
            started_with: self.life.started_with.map_or_else(String::new, |hash| hash.to_string()),
        }
    }
}

fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
