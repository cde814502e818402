//! Handle: a process handle (pidfd) that tells when its process has ended.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};
use tokio::io::unix::AsyncFd;

/// A handle on exactly one process, whatever becomes of its number.
#[derive(Debug)]
pub(crate) struct Handle(AsyncFd<OwnedFd>);

impl Handle {
    /// Watches a pidfd.
    ///
    /// # Errors
    ///
    /// When it can't be watched.
    #[expect(
        deprecated,
        reason = "unsound only for types whose descriptor changes; an OwnedFd keeps its own until it is dropped"
    )]
    pub(crate) fn new(pidfd: OwnedFd) -> std::io::Result<Self> {
        AsyncFd::with_interest(pidfd, tokio::io::Interest::READABLE).map(Self)
    }

    /// Resolves when the process has ended; its status if it was our child, which is reaped by this.
    pub(crate) async fn end(&self) -> Option<WaitIdStatus> {
        // It stays readable from the end on; an error of the poll itself can only mean the same.
        let _ = self.0.readable().await;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options).ok().flatten()
    }

    /// Whether it has ended by now; it is not reaped by this.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options), Ok(None))
    }

    /// Signals it; false when it has ended.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(self.0.get_ref().as_fd(), signal).is_ok()
    }
}
