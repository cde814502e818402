//! Logging: where spans and events of this process are written.

use std::fs::File;
use std::io::IsTerminal as _;
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Goes before the filter of the configuration, so that one run can say more.
pub(crate) const VARIABLE: &str = "WATCHDOG_LOG";

/// Writes to standard error, as `log` says.
pub(crate) fn to_stderr(log: &Log) -> anyhow::Result<()> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&log.filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let started = match log.format {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(anyhow::Error::from_boxed).context("start logging")
}

/// Writes to a file, for a program whose own output is meant for people.
pub(crate) fn to_file(file: File) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(&Log::default().filter)?);
    let started = builder.with_writer(Mutex::new(file)).with_ansi(false).try_init();
    started.map_err(anyhow::Error::from_boxed).context("start logging")
}

fn filter(configured: &str) -> anyhow::Result<EnvFilter> {
    let given = std::env::var(VARIABLE).ok().filter(|value| !value.trim().is_empty());
    let text = given.as_deref().unwrap_or(configured);
    EnvFilter::try_new(text)
        .with_context(|| format!("{VARIABLE}={text:?} is not a filter such as info or debug"))
}
