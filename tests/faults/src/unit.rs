//! Unit: a process of the stage, that can be killed, paused and started again.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use watchdog_tests::Guarded;

/// See the module.
pub struct Unit {
    /// What it is called, in logs and in the history.
    pub name: String,
    make: Box<dyn Fn() -> Command + Send>,
    log: PathBuf,
    process: Option<Guarded>,
}

impl Unit {
    /// One that does not run yet; `make` makes the command of each of its starts.
    pub fn new(name: &str, log: PathBuf, make: impl Fn() -> Command + Send + 'static) -> Self {
        Self { name: name.to_owned(), make: Box::new(make), log, process: None }
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    ///
    /// If the program can't be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if !self.is_running() {
            self.process = Some(Guarded::spawn(&self.name, &mut (self.make)(), &self.log)?);
        }
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end, and waits so long before it is killed.
    pub fn stop(&mut self, signal: Signal, grace: Duration) {
        if let Some(mut process) = self.process.take() {
            process.stop(signal, grace);
        }
    }

    /// Stops or continues it.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Whether it runs; a stopped one does.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Guarded::is_running)
    }

    /// Its process id, while it was not killed.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Guarded::pid)
    }
}
