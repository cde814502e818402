//! Trace: makes what an order does here a part of the trace of its plan.
//!
//! The leader's place in it comes with the request, as `traceparent`. It stands as a field of the span `order`, in the
//! target `watchdog::plan`; with the feature `opentelemetry` it is also the span's parent, for an application whose
//! subscriber has a layer of `tracing-opentelemetry`.

use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing::field::{Empty, display};
use watchdog_core::trace::{HEADER, TARGET, TraceParent};

/// The trace that a request belongs to, when it says so.
pub(crate) fn of(metadata: &MetadataMap) -> Option<TraceParent> {
    metadata.get(HEADER)?.to_str().ok()?.parse().ok()
}

/// The span of an order.
pub(crate) fn span(
    step: &watchdog_core::ids::StepId,
    act: &'static str,
    traced: Option<TraceParent>,
) -> Span {
    let span = tracing::info_span!(target: TARGET, "order", %step, act, traceparent = Empty);
    if let Some(traced) = traced {
        span.record("traceparent", display(traced));
        #[cfg(feature = "opentelemetry")]
        hang(&span, traced);
    }
    span
}

#[cfg(feature = "opentelemetry")]
fn hang(span: &Span, TraceParent { trace, span: parent }: TraceParent) {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let (trace, parent) = (TraceId::from_bytes(trace), SpanId::from_bytes(parent));
    let context = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::default());
    // An application without such a layer has no trace that this could be a part of.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(context));
}
