//! Logging: where spans and events of this process are written.

use std::fs::File;
use std::io::IsTerminal as _;
use std::sync::Mutex;

use anyhow::Context as _;
use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::spans::Spans;

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// People.
    #[default]
    Pretty,
    /// Programs.
    Json,
}

/// Writes to standard error what `filter` lets through, and sends `spans` where they go.
///
/// # Errors
///
/// If something in this process writes a log already.
pub fn to_stderr(format: Format, filter: EnvFilter, spans: &Spans) -> anyhow::Result<()> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    begin(spans, lines(format, colour).with_filter(filter))
}

/// Writes to a file, for a program whose own output is meant for people.
///
/// # Errors
///
/// As [`to_stderr`].
pub fn to_file(file: File, filter: EnvFilter) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer().with_writer(Mutex::new(file)).with_ansi(false);
    begin(&Spans::off(), lines.with_filter(filter))
}

fn begin(spans: &Spans, lines: impl Layer<Traced> + Send + Sync) -> anyhow::Result<()> {
    let registry = Registry::default().with(spans.layer());
    registry.with(lines).try_init().context("start logging")
}

type Traced = tracing_subscriber::layer::Layered<Option<Box<dyn Layer<Registry> + Send + Sync>>, Registry>;

fn lines<S>(format: Format, colour: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
    match format {
        Format::Pretty => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    }
}
