//! Trace: makes what an order does here a part of the trace of its plan, wherever its leader has told us its place.

use tonic::metadata::MetadataMap;
use tracing::Span;
use watchdog_core::trace::{HEADER, TARGET, TraceParent};
use watchdog_telemetry::spans;

use super::order::{Act, Order};

/// The trace that a request belongs to, when it says so.
pub(super) fn of(metadata: &MetadataMap) -> Option<TraceParent> {
    metadata.get(HEADER)?.to_str().ok()?.parse().ok()
}

/// The span of an order.
pub(super) fn span(order: &Order, act: &Act, traced: Option<TraceParent>) -> Span {
    let (Order { cluster, step, .. }, (replica, _), act) = (order, act.whom(), act.kind());
    hung(tracing::info_span!(target: TARGET, "order", %cluster, %step, ?act, %replica), traced)
}

/// The span of a seal, by which a new leader settles what an earlier one began.
pub(super) fn seal(traced: Option<TraceParent>) -> Span {
    hung(tracing::info_span!(target: TARGET, "seal"), traced)
}

fn hung(span: Span, traced: Option<TraceParent>) -> Span {
    if let Some(traced) = traced {
        spans::hang(&span, traced);
    }
    span
}
