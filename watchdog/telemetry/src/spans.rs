//! Spans: the spans of plans, as parts of one trace a plan, on their way to a collector.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanEvents, SpanLinks};
use tracing::{Level, Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};
use watchdog_core::trace::{TARGET, TraceParent};

use crate::Endpoint;
use crate::queue::Queue;

/// How long the end of a process waits for its last spans to be sent.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// Where the spans of plans go; clones share it.
#[derive(Debug, Clone)]
pub struct Spans(Option<Sending>);

#[derive(Debug, Clone)]
struct Sending {
    provider: SdkTracerProvider,
    queue: Queue,
    scope: InstrumentationScope,
}

/// The whole of a plan, once it is over.
#[derive(Debug)]
pub struct Root {
    /// Its place.
    pub at: TraceParent,
    /// When it was made, and when it ended, in milliseconds since 1970.
    pub from_to_ms: (u64, u64),
    /// What there is to say about it.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Spans {
    /// They go nowhere.
    pub fn off() -> Self {
        Self(None)
    }

    /// They go to `endpoint`, if there is one, as those of `instance` of `service`.
    ///
    /// # Errors
    ///
    /// If there can't be a thread to send them. A collector that does not answer costs the spans, and nothing else.
    pub fn to(endpoint: Option<&Endpoint>, service: &'static str, instance: &str) -> anyhow::Result<Self> {
        let Some(endpoint) = endpoint else { return Ok(Self::off()) };
        let resource = Resource::builder_empty()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let queue = Queue::start(endpoint, &resource)?;
        let provider =
            SdkTracerProvider::builder().with_span_processor(queue.clone()).with_resource(resource).build();
        let scope = InstrumentationScope::builder(service).build();
        Ok(Self(Some(Sending { provider, queue, scope })))
    }

    /// What hands the spans of plans, and what is logged in them, over.
    pub fn layer(&self) -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
        let Sending { provider, scope, .. } = self.0.as_ref()?;
        let tracer = provider.tracer_with_scope(scope.clone());
        let layer =
            tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        Some(layer.with_filter(filter_fn(is_of_plan)).boxed())
    }

    /// Hands over the root of a plan's trace; whoever ends a plan does, whichever leader made it.
    pub fn root(&self, root: Root) {
        let Some(Sending { queue, scope, .. }) = &self.0 else { return };
        let attributes = root.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value));
        let (from_ms, to_ms) = root.from_to_ms;
        queue.push(SpanData {
            span_context: context_of(root.at),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: Cow::Borrowed("plan"),
            start_time: since_1970(from_ms),
            end_time: since_1970(to_ms.max(from_ms)),
            attributes: attributes.collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: root.error.map_or(Status::Ok, Status::error),
            instrumentation_scope: scope.clone(),
        });
    }

    /// What became of the spans, by outcome: all zero when they go nowhere.
    pub fn by_outcome(&self) -> [(&'static str, u64); 3] {
        let nowhere = || crate::queue::Counts::default().by_outcome();
        self.0.as_ref().map_or_else(nowhere, |sending| sending.queue.counts().by_outcome())
    }

    /// Sends the last spans, if the collector takes them at once.
    pub fn finish(&self) {
        if let Some(Sending { queue, .. }) = &self.0 {
            queue.flush(LAST_PATIENCE);
        }
    }
}

/// Hangs a span that has just been made under a place of a trace; nothing happens when spans go nowhere.
pub fn hang(span: &Span, parent: TraceParent) {
    let parent = Context::new().with_remote_span_context(context_of(parent));
    // Without our layer there is no trace to be a part of.
    let _ = span.set_parent(parent);
}

/// Names another trace that a span has to do with.
pub fn link(span: &Span, other: TraceParent) {
    span.add_link(context_of(other));
}

/// The place of a span, for whoever is asked within it; `None` when spans go nowhere.
pub fn place(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    let context = context.span().span_context().clone();
    let bytes = (context.trace_id().to_bytes(), context.span_id().to_bytes());
    context.is_valid().then_some(TraceParent { trace: bytes.0, span: bytes.1 })
}

fn context_of(TraceParent { trace, span }: TraceParent) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default())
}

fn since_1970(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

/// Spans of plans, and what is worth a line in any of them.
fn is_of_plan(metadata: &Metadata<'_>) -> bool {
    if metadata.is_span() { metadata.target() == TARGET } else { *metadata.level() <= Level::INFO }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::net::TcpListener;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// A collector that takes connections in and never says a word, and spans that are sent to it.
    fn mute() -> (TcpListener, Spans) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        (listener, Spans::to(Some(&endpoint), "test", "t1").unwrap())
    }

    #[test]
    fn who_ends_a_span_never_waits_and_what_was_lost_is_counted() {
        let (_listener, spans) = mute();
        let at = PARENT.parse().unwrap();
        for _ in 0..20_000 {
            spans.root(Root { at, from_to_ms: (1, 2), attributes: Vec::new(), error: None });
        }
        let [(_, sent), (_, failed), (_, dropped)] = spans.by_outcome();
        assert_eq!(sent, 0);
        assert!(dropped > 0 && failed + dropped <= 20_000, "{failed} {dropped}");
    }

    #[test]
    fn a_span_of_a_plan_hangs_where_it_was_told_and_others_are_in_no_trace() {
        let (_listener, spans) = mute();
        let parent: TraceParent = PARENT.parse().unwrap();
        tracing::subscriber::with_default(Registry::default().with(spans.layer()), || {
            let cycle = tracing::info_span!("cycle");
            let _within = cycle.enter();
            assert_eq!(place(&cycle), None);
            let step = tracing::info_span!(target: TARGET, "step");
            hang(&step, parent);
            let placed = place(&step).unwrap();
            assert_eq!(placed.trace, parent.trace);
            assert_ne!(placed.span, parent.span);
        });
        let nowhere = tracing::info_span!(target: TARGET, "step");
        hang(&nowhere, parent);
        assert_eq!(place(&nowhere), None);
    }
}
