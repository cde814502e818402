//! Queue: spans on their way to a collector, which nobody waits for.
//!
//! ```text
//! span ends ─► try to queue ──full──► dropped, counted
//!                  └─► thread: at most BATCH of them, at most every PAUSE ─► collector ──no──► failed, counted
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};

use crate::Endpoint;

/// How many spans wait at most; at a kilobyte each, a few megabytes.
const QUEUE_SPANS_MAX: usize = 4_096;
/// How many are sent at once.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of the spans that ended.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Each outcome, with how many there were.
    pub(crate) fn by_outcome(&self) -> [(&'static str, u64); 3] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("sent", read(&self.sent)), ("failed", read(&self.failed)), ("dropped", read(&self.dropped))]
    }
}

enum Message {
    Ended(Box<SpanData>),
    /// Answered when all that was queued before is sent, or given up.
    Flush(Sender<()>),
}

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    messages: SyncSender<Message>,
    counts: Arc<Counts>,
}

impl Queue {
    /// A queue to a collector, and its thread.
    ///
    /// # Errors
    ///
    /// If there can't be a thread, or the address is none. That nobody answers there is no error.
    pub(crate) fn start(endpoint: &Endpoint, resource: &Resource) -> anyhow::Result<Self> {
        let (messages, received) = sync_channel(QUEUE_SPANS_MAX);
        let counts = Arc::new(Counts::default());
        let sender = Collector::new(endpoint, resource, counts.clone())?;
        let name = "spans".to_owned();
        std::thread::Builder::new()
            .name(name)
            .spawn(move || sender.run(&received))
            .context("start a thread")?;
        Ok(Self { messages, counts })
    }

    /// What became of them.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes a span that has ended.
    pub(crate) fn push(&self, span: SpanData) {
        if self.messages.try_send(Message::Ended(Box::new(span))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what is queued is sent, at most for `patience`; answers whether it was.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let (done, told) = channel();
        self.messages.try_send(Message::Flush(done)).is_ok() && told.recv_timeout(patience).is_ok()
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        self.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.shutdown_with_timeout(PATIENCE)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.flush(timeout) { Ok(()) } else { Err(OTelSdkError::Timeout(timeout)) }
    }
}

/// The thread's end of the queue.
struct Collector {
    exporter: opentelemetry_otlp::SpanExporter,
    runtime: tokio::runtime::Runtime,
    counts: Arc<Counts>,
}

impl Collector {
    fn new(endpoint: &Endpoint, resource: &Resource, counts: Arc<Counts>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("start a runtime")?;
        let exporter = {
            // The channel of the exporter belongs to the runtime in which it is made.
            let _inside = runtime.enter();
            exporter(endpoint).with_context(|| format!("send spans to {}", endpoint.as_str()))?
        };
        let mut this = Self { exporter, runtime, counts };
        this.exporter.set_resource(resource);
        Ok(this)
    }

    /// Sends until nobody can queue any more.
    fn run(self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let mut batch = Batch::default();
            batch.take(first);
            let until = Instant::now() + PAUSE;
            while !batch.is_full() {
                match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(message) => batch.take(message),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.send(batch);
        }
    }

    fn send(&self, Batch { spans, waiting }: Batch) {
        let count = spans.len() as u64;
        if count > 0 {
            let sent = self.runtime.block_on(self.exporter.export(spans));
            let counter = if sent.is_ok() { &self.counts.sent } else { &self.counts.failed };
            counter.fetch_add(count, Ordering::Relaxed);
        }
        for done in waiting {
            // Whoever waited may have lost patience.
            let _ = done.send(());
        }
    }
}

#[derive(Default)]
struct Batch {
    spans: Vec<SpanData>,
    waiting: Vec<Sender<()>>,
}

impl Batch {
    fn take(&mut self, message: Message) {
        match message {
            Message::Ended(span) => self.spans.push(*span),
            Message::Flush(done) => self.waiting.push(done),
        }
    }

    /// Whether it should go: it is large, or somebody waits for it.
    fn is_full(&self) -> bool {
        self.spans.len() >= BATCH || !self.waiting.is_empty()
    }
}

fn exporter(endpoint: &Endpoint) -> Result<opentelemetry_otlp::SpanExporter, ExporterBuildError> {
    let builder = opentelemetry_otlp::SpanExporter::builder().with_tonic();
    builder.with_endpoint(endpoint.as_str()).with_timeout(PATIENCE).build()
}
