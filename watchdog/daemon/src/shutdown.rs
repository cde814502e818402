//! Shutdown: one sign for all tasks of a process that it is to end.

use tokio::sync::watch;

/// Seen by as many as want it.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// Gives the sign.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

impl Shutdown {
    /// A sign that has not been given.
    pub(crate) fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Whether it has been given.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it is given, or when nobody can give it any more.
    pub(crate) async fn asked(&mut self) {
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

impl Trigger {
    /// Gives it.
    pub(crate) fn pull(&self) {
        self.0.send_replace(true);
    }
}
