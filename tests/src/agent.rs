//! Agent: a host agent beside a cluster, with programs of a test's own.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::dev::program;
use crate::process::{Guarded, Swept};

/// A running host agent; it and all that it started end on drop.
#[derive(Debug)]
pub struct HostAgent<'a> {
    _process: Guarded,
    _swept: Swept<'a>,
}

impl<'a> HostAgent<'a> {
    /// Starts the agent of `host` for the cluster `demo`, with its state in `home`; `programs` are the tables
    /// `[programs.…]` of its configuration.
    ///
    /// # Errors
    ///
    /// If its configuration can't be written, or the program is not built.
    pub fn start(home: &'a Path, host: &str, coordination: &str, programs: &str) -> anyhow::Result<Self> {
        let (config, dir) = (home.join("agent.toml"), home.join("agent").display().to_string());
        let text = format!(
            "host = {host:?}\nlisten = \"127.0.0.1:0\"\ndir = {dir:?}\nclusters = [\"demo\"]\n\
             [coordination]\nurl = {coordination:?}\n{programs}"
        );
        std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let mut command = Command::new(program("replica-agent")?);
        command.arg("run").arg("--config").arg(&config);
        let process = Guarded::spawn("replica-agent", &mut command, &home.join("agent.log"))?;
        Ok(Self { _process: process, _swept: Swept(home) })
    }
}
