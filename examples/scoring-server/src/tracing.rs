//! Tracing: what this server logs, and sends to a collector of OpenTelemetry when it is told of one.
//!
//! The layer is all that it takes for loads to become parts of their plans' traces: the embedded agent knows their parents.

use std::time::Duration;

use anyhow::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The standard's variable.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// A replica may be killed at any time, and what it has not sent by then is lost.
const SEND_EVERY: Duration = Duration::from_millis(200);

/// Begins to log. In a runtime, because that is where spans are sent from.
pub(crate) fn begin() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(filter);
    let sent = match std::env::var(COLLECTOR) {
        Ok(address) if !address.is_empty() => {
            let tracer = provider(&address)?.tracer("scoring-server");
            // What libraries say of themselves belongs to no plan.
            let ours = filter_fn(|metadata| metadata.target() == "watchdog::plan");
            Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours))
        }
        Ok(_) | Err(_) => None,
    };
    tracing_subscriber::registry().with(sent).with(lines).try_init().context("start logging")
}

fn provider(address: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(address).build();
    let exporter = exporter.with_context(|| format!("send spans to {address}"))?;
    let pace = BatchConfigBuilder::default().with_scheduled_delay(SEND_EVERY).build();
    let resource = Resource::builder().with_service_name("scoring-server").build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(pace).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build())
}
