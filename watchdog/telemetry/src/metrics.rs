//! Metrics: a registry as the text that Prometheus reads, and the shapes that all metrics share.

use std::fmt::Write as _;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::spans::Spans;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The values of the labels that a family's constructor says.
pub type Labels = Vec<(&'static str, String)>;

/// Histograms by label.
pub type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// What a disk, a database or an agent next door takes: 0.1 ms to 3 s.
pub fn short() -> Histogram {
    Histogram::new([0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
}

/// What a heal or a step takes: 5 ms to 20 min.
pub fn long() -> Histogram {
    let bounds = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_200.0];
    Histogram::new(bounds)
}

/// A count as a metric's value.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// One metric of a scrape: its values by label, read when it is asked for.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Its name; that of a counter without `_total`.
    pub name: &'a str,
    /// What it says, without the full stop.
    pub help: &'a str,
    /// Whether it only ever grows.
    pub is_counter: bool,
    /// Its values.
    pub values: Vec<(Labels, f64)>,
}

impl Reading<'_> {
    /// Writes it down.
    ///
    /// # Errors
    ///
    /// If the text can't be written.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let kind = if self.is_counter { MetricType::Counter } else { MetricType::Gauge };
        let help = format!("{}.", self.help);
        let mut family = encoder.encode_descriptor(self.name, &help, None, kind)?;
        for (labels, value) in &self.values {
            let metric = family.encode_family(labels)?;
            if self.is_counter {
                ConstCounter::new(*value).encode(metric)?;
            } else {
                ConstGauge::new(*value).encode(metric)?;
            }
        }
        Ok(())
    }
}

/// Which build this is, and what became of its spans: of every program.
#[derive(Debug)]
struct Program {
    prefix: &'static str,
    spans: Spans,
}

impl Collector for Program {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
        let build = Reading {
            name: &format!("{}_build_info", self.prefix),
            help: "The build that runs, always 1",
            is_counter: false,
            values: vec![(vec![version], 1.0)],
        };
        build.encode(&mut encoder)?;
        let values = self
            .spans
            .by_outcome()
            .map(|(outcome, count)| (vec![("outcome", outcome.into())], number(count)));
        let spans = Reading {
            name: &format!("{}_spans", self.prefix),
            help: "Spans that were sent to the collector, that it did not take, or that were dropped because they came too fast",
            is_counter: true,
            values: values.into(),
        };
        spans.encode(&mut encoder)
    }
}

/// A registry that holds what every program says of itself under its prefix.
pub fn registry(prefix: &'static str, spans: Spans) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Program { prefix, spans }));
    registry
}

/// All metrics, in the text format that Prometheus and all of its kin read; its library speaks only the newer one.
///
/// # Errors
///
/// If one of them can't be written.
pub fn text(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut newer = String::new();
    encode_registry(&mut newer, registry)?;
    let mut text = String::with_capacity(newer.len());
    let mut help = None;
    for line in newer.lines() {
        if let Some(named) = line.strip_prefix("# HELP ") {
            help = Some(named);
        } else if let Some(named) = line.strip_prefix("# TYPE ") {
            let (name, kind) = named.split_once(' ').ok_or(std::fmt::Error)?;
            // There a counter's samples are called otherwise than the counter.
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take().and_then(|help| help.split_once(' ')) {
                writeln!(text, "# HELP {name}{suffix} {help}")?;
            }
            writeln!(text, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with('#') {
            writeln!(text, "{line}")?;
        }
    }
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut registry = registry("test", Spans::off());
        let counter = Family::<Labels, Counter>::default();
        counter.get_or_create(&vec![("kind", "a \"b\"".into())]).inc();
        registry.register("test_things", "Things", counter);
        let times = Histograms::new_with_constructor(short);
        times.get_or_create(&Labels::new()).observe(0.5);
        registry.register("test_wait_seconds", "Waits", times);
        let text = text(&registry).unwrap();
        let expected = "# HELP test_things_total Things.\n# TYPE test_things_total counter\ntest_things_total{kind=\"a \\\"b\\\"\"} 1\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("# TYPE test_wait_seconds histogram\n"), "{text}");
        assert!(text.contains("test_wait_seconds_bucket{le=\"1.0\"} 1\n"), "{text}");
        assert!(text.contains("# TYPE test_build_info gauge\ntest_build_info{version="), "{text}");
        assert!(text.contains("test_spans_total{outcome=\"dropped\"} 0"), "{text}");
        assert!(!text.contains("# EOF"), "{text}");
    }
}
