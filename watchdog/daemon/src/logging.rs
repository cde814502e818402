//! Logging: what of this process is written where.

use std::fs::File;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use watchdog_telemetry::logging;
use watchdog_telemetry::spans::Spans;

use crate::config::Log;

/// Goes before the filter of the configuration, so that one run can say more.
pub(crate) const VARIABLE: &str = "WATCHDOG_LOG";

/// Writes to standard error, as `log` says, and sends `spans` where they go.
pub(crate) fn to_stderr(log: &Log, spans: &Spans) -> anyhow::Result<()> {
    logging::to_stderr(log.format, filter(&log.filter)?, spans)
}

/// Writes to a file, for a program whose own output is meant for people.
pub(crate) fn to_file(file: File) -> anyhow::Result<()> {
    logging::to_file(file, filter(&Log::default().filter)?)
}

fn filter(configured: &str) -> anyhow::Result<EnvFilter> {
    let given = std::env::var(VARIABLE).ok().filter(|value| !value.trim().is_empty());
    let text = given.as_deref().unwrap_or(configured);
    EnvFilter::try_new(text)
        .with_context(|| format!("{VARIABLE}={text:?} is not a filter such as info or debug"))
}
